"""One gate before the truth that no address gets around, and the data behind it read once, however many there are."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ctplatform.errors import ConflictError
from readerstudy.models.study import _protocol
from readerstudy.report.archive import report_files
from readerstudy.report.loading import report_data
from readerstudy.unblinding import opened, services
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.web import report
from readerstudy.web.urls import urlpatterns
from tests.readerstudy.worlds import Browser, make_draft, make_world
from tests.report.conftest import unblind

BEHIND_THE_GATE = {
    pattern.name: pattern for pattern in urlpatterns if pattern.callback.view_class.__module__ == report.__name__
}


@pytest.fixture
def client(cast):
    client = Client()
    client.force_login(cast.owner)
    return client


@pytest.fixture
def small(cast, stages):
    """Two raters and four cases."""
    study = stages.open(make_draft(cast, make_world(cast.owner), cases=4))
    for person in (cast.rater, cast.second_rater):
        Browser(person, study).rate_all()
    services.close(study=study, actor=cast.owner)
    return unblind(study, cast)


def answers_of(client, study, folder):
    """What every address behind the gate says, by name."""
    code = study.cases.order_by("code").first().code
    for name, pattern in BEHIND_THE_GATE.items():
        of_name = {"code": code, "name": "flow"}
        args = [study.pk, *(of_name[one] for one in pattern.pattern.converters if one in of_name)]
        ask = client.post if name == "make-report" else client.get
        yield name, ask(reverse(f"studies:{name}", args=args), follow=True).content.decode(errors="replace")
    for query in ("", "?format=csv"):
        answer = client.get(reverse("study-results", args=[study.pk]) + query)
        yield f"results API {query}", f"{answer.status_code} {answer.content.decode()}"
    try:
        call_command("report", str(study.pk), "--out", str(folder))
        yield "command", "written"
    except CommandError as error:
        yield "command", str(error)


def test_every_address_refuses_while_sealed(collected, client, tmp_path):
    assert set(BEHIND_THE_GATE) == {
        *("results", "figure-svg", "figure-png", "case-result", "case-picture"),
        *("report", "make-report", "download-report", "audit-archive"),
    }
    for name, words in answers_of(client, collected, tmp_path):
        assert "sealed until the study is closed and unblinded" in words, name
    assert not list(tmp_path.iterdir())


def test_no_address_gets_around_the_one_gate(finished, client, tmp_path, monkeypatch):
    def shut(study):
        raise ConflictError("The only gate is shut.")

    monkeypatch.setattr(opened, "refuse_while_sealed", shut)
    for name, words in answers_of(client, finished, tmp_path):
        assert "The only gate is shut." in words, name
    for name in ("export-csv", "export-json"):
        page = client.get(reverse(f"studies:{name}", args=[finished.pk]), follow=True).content.decode()
        assert "The only gate is shut." in page
    assert client.get(reverse("study-ratings", args=[finished.pk])).status_code == 409


def queries(do):
    """What is asked of which table, one after the other; what a process reads once of a protocol is read again."""
    _protocol.cache_clear()
    with CaptureQueriesContext(connection) as asked:
        do()
    return [f"{one['sql'].split()[0]}{_table(one['sql'])}" for one in asked]


def _table(sql):
    found = re.search(r'(?:FROM|INTO|UPDATE) "?(\w+)', sql)
    return f" {found[1]}" if found else ""


def looks_at(client, study):
    def get(name):
        answer = client.get(reverse(name, args=[study.pk]))
        assert answer.status_code == 200
        answer.getvalue()

    return {
        "results page": lambda: get("studies:results"),
        "report page": lambda: get("studies:report"),
        "archive": lambda: report_files(report_data(UnblindedStudy(study))),
        "results API": lambda: get("study-results"),
        "ratings API": lambda: get("study-ratings"),
    }


# The salt of the labels, who looked at answers and the datasets of the scans are three of them.
# Three of them are the checks of the screens, how many pictures were withdrawn, and links for new passwords of raters.
# The API leaves protocols out of its lists: the one of the study that is asked for comes by itself, and once a process.
MOST = {"results page": 14, "report page": 16, "archive": 11, "results API": 10, "ratings API": 11}


def test_page_archive_and_api_read_the_data_once_however_many_there_are(finished, small, client):
    asked = {name: queries(look) for name, look in looks_at(client, finished).items()}
    assert asked == {name: queries(look) for name, look in looks_at(client, small).items()}
    assert all(len(asked[name]) <= most for name, most in MOST.items()), asked
