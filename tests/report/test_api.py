"""Results for programs: the same numbers as JSON and CSV, for the team only."""

import csv
import io
import json

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.planning.plans import plan_of
from readerstudy.report.loading import report_data
from readerstudy.report.tables import results_csv
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import UnblindedStudy
from tests.factories import token_headers


@pytest.fixture
def api(cast):
    """A researcher's program, which has a token and no session."""
    return Client(headers=token_headers(cast.member))


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_results_are_the_analysis_in_both_formats(finished, api):
    url = reverse("study-results", args=[finished.pk])
    analysis = api.get(url).json()
    assert analysis["primary"]["sentence"] == analysis_of(UnblindedStudy(finished)).primary.sentence
    table = api.get(url, {"format": "csv"})
    assert table["Content-Type"] == "text/csv; charset=utf-8"
    opened = UnblindedStudy(finished)
    assert table.content.decode() == results_csv(analysis_of(opened), report_data(opened).rater_labels)
    accepted = api.get(url, headers={"Accept": "text/csv"})
    assert accepted.content == table.content
    primary, *rows = rows_of(table.content.decode())
    assert (primary["reader"], primary["verdict"]) == ("Primary analysis", analysis["primary"]["verdict"])
    for row, reading in zip(rows, [*analysis["raters"], analysis["ensemble"]], strict=True):
        assert float(row["accuracy"]) == reading["accuracy"]["value"]
        assert float(row["p_adjusted"]) == reading["p_adjusted"]


def test_ratings_are_the_ledger_in_both_formats(finished, api):
    url = reverse("study-ratings", args=[finished.pk])
    as_json, as_csv = json.loads(api.get(url).getvalue()), rows_of(api.get(url, {"format": "csv"}).getvalue().decode())
    assert len(as_json["ratings"]) == len(as_csv) == finished.ledger_count
    assert set(as_csv[0]) == set(as_json["codebook"])
    for ours, theirs in zip(as_json["ratings"], as_csv, strict=True):
        assert {name: "" if value is None else str(value) for name, value in ours.items()} == theirs
    correct = [row for row in as_json["ratings"] if row["valid"] and not row["excluded"] and row["correct"]]
    assert len(correct) == analysis_of(UnblindedStudy(finished)).pooled.correct


def test_the_plan_tells_whether_it_is_frozen(draft, api):
    answer = api.get(reverse("study-plan", args=[draft.pk])).json()
    assert answer["frozen"] is False
    assert answer["digest"] == plan_of(draft).digest()
    assert answer["plan"]["margin"] == 0.15


def test_refusals_say_why_in_the_format_that_was_asked_for(collected, api):
    url = reverse("study-results", args=[collected.pk])
    for parameters in ({}, {"format": "csv"}):
        response = api.get(url, parameters)
        assert response.status_code == 409
        assert "sealed until the study is closed and unblinded" in response.content.decode()


@pytest.mark.parametrize("name", ["study-results", "study-ratings", "study-plan"])
def test_only_the_team_gets_anything(finished, cast, name):
    for person, status in (("owner", 200), ("member", 200), ("administrator", 200), ("other", 404), ("rater", 404)):
        client = Client()
        client.force_login(getattr(cast, person))
        for parameters in ({}, {"format": "csv"}) if name != "study-plan" else ({},):
            assert client.get(reverse(name, args=[finished.pk]), parameters).status_code == status, person
    assert Client().get(reverse(name, args=[finished.pk])).status_code in {401, 403}
