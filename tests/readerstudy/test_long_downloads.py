"""Ratings of a long ledger are told part by part: the same rows as of a short one, and never all of them in memory."""

import csv
import io
import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from readerstudy.models import RatingEvent
from readerstudy.report import export, tables
from readerstudy.unblinding import opened
from readerstudy.unblinding.opened import StudyLedger
from tests.readerstudy.worlds import Browser


def browser_of(person):
    client = Client()
    client.force_login(person)
    return client


def rated(cast, study):
    reader = Browser(cast.rater, study)
    reader.rate_all()
    reader.rate(reader.tokens()[-1], answer="synthetic")
    Browser(cast.second_rater, study).rate_all()
    study.refresh_from_db()
    return study


def test_the_parts_are_the_whole(cast, collecting, monkeypatch):
    study = rated(cast, collecting)
    whole = StudyLedger(study)
    assert len(whole.events) == study.ledger_count > 6
    rows = list(export.rating_rows(whole))
    assert sum(not row["valid"] for row in rows) == 1
    monkeypatch.setattr(opened, "AT_ONCE", 4)
    monkeypatch.setattr(export, "ROWS_OF_A_PART", 3)
    monkeypatch.setattr(tables, "ROWS_OF_A_PART", 3)
    assert list(export.rating_rows(StudyLedger(study))) == rows
    owner = browser_of(cast.owner)
    answer = owner.get(reverse("studies:export-json", args=[study.pk]))
    assert answer.streaming
    assert json.loads(answer.getvalue())["ratings"] == rows
    answer = owner.get(reverse("studies:export-csv", args=[study.pk]))
    assert answer.streaming
    told = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["digest"] for row in told] == [row["digest"] for row in rows]
    assert answer.getvalue() == b""  # told once, and kept by nobody


@pytest.mark.parametrize("drafting", [{}, {"feedback": "end", "going_back": "any"}], ids=["", "feedback"])
def test_a_part_holds_no_more_than_it_says(cast, collecting, monkeypatch):
    study = rated(cast, collecting)
    monkeypatch.setattr(opened, "AT_ONCE", 4)
    with CaptureQueriesContext(connection) as asked:
        rows = export.rating_rows(StudyLedger(study))
        for _ in range(4):
            next(rows)
        first = len(asked)
        assert len(list(rows)) == study.ledger_count - 4
    # One more for every four entries that are left, and one that finds none.
    assert len(asked) - first == -(-(study.ledger_count - 4) // 4) + 1


def test_what_arrives_meanwhile_is_not_told(cast, collecting):
    reader = Browser(cast.rater, collecting)
    first_case, second_case, *_ = reader.tokens()
    reader.rate(first_case)
    entries = StudyLedger(collecting).entries()
    first = next(entries)
    reader.rate(second_case)
    assert [first, *entries] == list(RatingEvent.objects.filter(study=collecting, sequence=1))


def test_an_empty_ledger_is_a_table_without_rows(cast, collecting):
    owner = browser_of(cast.owner)
    assert json.loads(owner.get(reverse("studies:export-json", args=[collecting.pk])).getvalue())["ratings"] == []
    lines = owner.get(reverse("studies:export-csv", args=[collecting.pk])).getvalue().decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("study,rater,")
