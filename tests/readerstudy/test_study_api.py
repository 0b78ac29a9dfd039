"""Studies by the API: the documentation's example runs, and what the pages refuse is refused to programs too."""

import importlib.util
import io
import json
import zipfile
from pathlib import Path

import pytest

from readerstudy.models import CaseTruth, Study
from tests.factories import token_headers
from tests.readerstudy.worlds import FIELD_OF_VIEW_MM, Browser, make_world

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "run_study.py"
DRAFT = {"template": "inserted_lesions", "title": "By a program", "cases_planned": 12}


@pytest.fixture
def example(monkeypatch):
    spec = importlib.util.spec_from_file_location("run_study", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The world of the tests is so small that patches around its lesions overlap.
    small = {"field_of_view_mm": FIELD_OF_VIEW_MM, "twins_allowed": True, "seed": 7}
    monkeypatch.setattr(module, "PROTOCOL", {**module.PROTOCOL, **small})
    return module


def ended_with(example, *arguments):
    try:
        return example.main(*arguments)
    except SystemExit as refusal:
        return str(refusal)


@pytest.fixture
def ask(client, cast):
    def send(method, path, body=None, *, who=None):
        headers = token_headers(who or cast.owner)
        return client.generic(method, f"/api/studies/{path}", json.dumps(body), "application/json", headers=headers)

    return send


@pytest.mark.django_db(transaction=True)
def test_the_example_of_the_documentation_takes_a_draft_to_its_readers(live_server, cast, example, monkeypatch, capsys):
    monkeypatch.setenv("TOKEN", token_headers(cast.owner)["Authorization"].removeprefix("Token "))
    dataset = make_world(cast.owner).dataset
    people = [cast.rater.username, cast.second_rater.username]
    refusals = [ended_with(example, live_server.url, str(dataset.pk), *people)]
    while refusals[-1]:  # one lock in a hundred is a false alarm, which the example tells and ends with
        assert "lock/" in refusals[-1]
        assert len(refusals) < 3
        refusals.append(ended_with(example, live_server.url, str(dataset.pk), *people))
    study = Study.objects.collecting().get()
    assert "is open" in capsys.readouterr().out
    assert CaseTruth.objects.filter(case__study=study, synthetic=True).count() == 6
    assert len(Browser(cast.rater, study).tokens()) == 12


def test_a_read_study_is_closed_unblinded_and_reported_by_programs(
    collecting, cast, ask, django_capture_on_commit_callbacks
):
    study = f"{collecting.pk}/"
    for person in (cast.rater, cast.second_rater):
        Browser(person, collecting).rate_all()
    assert ask("GET", f"{study}report/").status_code == 409
    assert ask("GET", f"{study}readiness/").status_code == 409  # its figures follow from the truth
    assert ask("POST", f"{study}unblind/", {"typed_title": collecting.title}).status_code == 409
    closed = ask("POST", f"{study}close/")
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    wrong = ask("POST", f"{study}unblind/", {"typed_title": "Another"})
    assert wrong.status_code == 400
    assert ask("POST", f"{study}unblind/", {"typed_title": collecting.title}).json()["state"] == "unblinded"
    assert ask("GET", f"{study}report/").status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert ask("POST", f"{study}report/").status_code == 202
    archive = ask("GET", f"{study}report/")
    assert archive["Content-Type"] == "application/zip"
    names = zipfile.ZipFile(io.BytesIO(b"".join(archive.streaming_content))).namelist()
    assert "results.txt" in {Path(name).name for name in names}


def test_a_program_starts_and_changes_a_draft_by_the_rules_of_the_page(cast, world, ask):
    made = ask("POST", "", DRAFT)
    assert made.status_code == 201, made.content
    study = f"{made.json()['id']}/"
    changed = ask("PATCH", study, {"datasets": [str(world.dataset.pk)], "question": "Which one?"})
    assert (changed.status_code, changed.json()["question"]) == (200, "Which one?")
    for wrong in ({"cases_planned": 13}, {"stack_slices": 4}, {"diameter_min_mm": 50}, {"datasets": ["x"]}):
        assert ask("PATCH", study, wrong).status_code == 400, wrong
    assert Study.objects.get().cases_planned == 12
    nobody = ask("PUT", f"{study}raters/", {"usernames": [cast.rater.username, "nobody"]})
    assert (nobody.status_code, Study.objects.get().raters.count()) == (400, 0)
    assert "nobody" in nobody.json()["detail"]
    saved = ask("PUT", f"{study}raters/", {"usernames": [cast.rater.username]})
    assert saved.json() == {"usernames": [cast.rater.username]}
    checks = ask("GET", f"{study}readiness/").json()
    assert any(check["blocks"] and "cases" in check["message"] for check in checks)
    assert ask("POST", f"{study}lock/").status_code == 409
    assert ask("POST", f"{study}close/").status_code == 409


def test_a_program_puts_studies_away_takes_them_back_and_gives_drafts_up(collecting, cast, ask):
    assert ask("POST", f"{collecting.pk}/archive/").status_code == 409  # it takes ratings
    assert ask("POST", f"{collecting.pk}/give-up/").status_code == 409  # it is no draft
    draft = f"{ask('POST', '', DRAFT).json()['id']}/"
    ask("PUT", f"{draft}raters/", {"usernames": [cast.rater.username]})
    assert ask("POST", f"{draft}archive/", who=cast.other).status_code == 404
    assert ask("POST", f"{draft}take-back/").status_code == 409
    assert ask("POST", f"{draft}archive/").json()["state"] == "draft"
    assert ask("GET", draft).json()["archived_at"]
    assert ask("POST", f"{draft}archive/").status_code == 409
    assert [row["id"] for row in ask("GET", "?archived=true").json()["results"]] == [draft.rstrip("/")]
    assert ask("POST", f"{draft}take-back/").status_code == 200
    assert ask("GET", draft).json()["archived_at"] is None
    assert ask("POST", f"{draft}give-up/").status_code == 200
    given_up = Study.objects.get(pk=draft.rstrip("/"))
    assert (given_up.raters.count(), given_up.archived_at is None) == (0, False)
    assert [entry.action for entry in given_up.record.order_by("-id")[:3]] == [
        "given up",
        "taken back from the archive",
        "archived",
    ]


def test_a_member_puts_nothing_away(cast, world, ask):
    draft = f"{ask('POST', '', DRAFT).json()['id']}/"
    Study.objects.get().members.add(cast.member)
    for what in ("archive", "take-back", "give-up"):
        assert ask("POST", f"{draft}{what}/", who=cast.member).status_code == 403, what


def test_a_dataset_that_somebody_may_not_see_can_not_be_drawn_from(cast, world, ask):
    study = ask("POST", "", DRAFT, who=cast.other).json()["id"]
    refused = ask("PATCH", f"{study}/", {"datasets": [str(world.dataset.pk)]}, who=cast.other)
    assert refused.status_code == 400
    assert Study.objects.get().datasets.count() == 0
