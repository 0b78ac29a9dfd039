"""A program reads the same blinded stream as people by the documentation's example, and counts beside them."""

import importlib.util
import json
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from ctplatform.accounts import programs
from ctplatform.accounts.record import Author
from readerstudy.design.readiness import readiness
from readerstudy.models import RatingEvent
from readerstudy.report.archive import report_files
from readerstudy.report.further import further_of
from readerstudy.report.loading import report_data
from readerstudy.results import analysis_of, programs_of, responses_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.doors.addresses import Things, addresses
from tests.readerstudy.worlds import Browser, make_draft, make_world

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "machine_reader.py"
DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def example(monkeypatch):
    spec = importlib.util.spec_from_file_location("machine_reader", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def registered(owner, run_number=1):
    return programs.register_program(
        name="Detector", version="2.1", digest=DIGEST, run_number=run_number, author=Author(user=owner)
    )


def opened_with(cast, stages, people, *machines, **settings):
    raters = [*people, *(program.user for program in machines)]
    study = make_draft(cast, make_world(cast.owner), raters=raters, **settings)
    return stages.open(study)


def ended(study, owner):
    unblinding.close(study=study, actor=owner)
    study.refresh_from_db()
    unblinding.unblind(study=study, actor=owner, typed_title=study.title)
    study.refresh_from_db()
    return UnblindedStudy(study)


@pytest.mark.django_db(transaction=True)
def test_the_example_of_the_documentation_reads_a_study(live_server, cast, stages, example, monkeypatch, capsys):
    program, key = registered(cast.owner)
    people = [cast.rater, cast.second_rater]
    study = opened_with(cast, stages, people, program)
    monkeypatch.setenv("TOKEN", key)
    example.main(live_server.url)
    assert "is read" in capsys.readouterr().out
    assert RatingEvent.objects.filter(presentation__session__rater__user=program.user).count() == 12
    for person in people:
        Browser(person, study).rate_all(answer=lambda position: "synthetic" if position % 3 else "real")
    opened = ended(study, cast.owner)

    assert [rater.user for rater in responses_of(opened).raters] == people
    assert [reading.rater for reading in analysis_of(opened).raters] == ["1", "2"]
    [reading] = programs_of(opened)
    assert (reading.program, reading.runs, reading.n_answered) == ("Detector 2.1 (01234567)", 1, 12)
    assert reading.auc.value is not None

    data = report_data(opened)
    assert {row["rater"] for row in data.ratings} == {1, 2}
    assert {row["reading_program"] for row in data.ratings_of_programs} == {"Detector 2.1"}
    client = Client()
    client.force_login(cast.owner)
    page = client.get(f"/studies/{study.pk}/results/").content.decode()
    assert "Detector 2.1 (01234567)" in page
    assert "never count among the raters" in page
    told = client.get(f"/api/studies/{study.pk}/programs/").json()
    assert [one["program"] for one in told] == [reading.program]
    assert verify(opened.study).intact

    # Another digest of the weights than the one that was locked is another program.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_program SET digest = %s WHERE id = %s", ["f" * 64, program.pk])
    assert "is not who was locked" in verify(opened.study).sentence()


@pytest.mark.django_db(transaction=True)
def test_the_example_marks_a_place_where_one_is_asked_for(live_server, cast, stages, example, monkeypatch, capsys):
    program, key = registered(cast.owner)
    opened_with(cast, stages, [cast.rater], program, task_name="one_place", task_settings={"mark_with": "every"})
    monkeypatch.setenv("TOKEN", key)
    example.main(live_server.url)
    assert "is read" in capsys.readouterr().out
    events = RatingEvent.objects.filter(presentation__session__rater__user=program.user)
    assert {event.mark["row"] - event.presentation.stimulus.size_zyx[1] // 2 for event in events} == {0}


def test_the_example_leaves_a_study_that_asks_for_other_answers(example, monkeypatch):
    levels = [{"value": "level", "level": level} for level in (1, 2)]
    monkeypatch.setattr(example, "ask", lambda *_: json.dumps({"study": {"answers": levels}}).encode())
    assert example.read("", "") == "asks for other answers than real and synthetic"
    places = {"answers": [{"value": "synthetic"}], "confidence": None, "mark": {"each": {"most": 20}}}
    monkeypatch.setattr(example, "ask", lambda *_: json.dumps({"study": places, "next": ["a"]}).encode())
    assert example.read("", "") == "asks for any number of places"


@pytest.mark.django_db
def test_runs_of_a_program_are_one_and_the_archive_holds_its_answers(cast, stages):
    machines = [registered(cast.owner, run_number)[0] for run_number in (1, 2)]
    study = opened_with(cast, stages, [cast.rater, cast.second_rater], *machines)
    for reader in [cast.rater, cast.second_rater, *(program.user for program in machines)]:
        Browser(reader, study).rate_all(answer=lambda position: "synthetic" if position % 2 else "real")
    opened = ended(study, cast.owner)
    [reading] = programs_of(opened)
    assert (reading.runs, reading.n_answered) == (2, 12)
    files = report_files(report_data(opened))
    assert files["ratings_of_programs.csv"].count(b"Detector") == 24
    assert b"Detector" not in files["ratings.csv"]
    assert b"Detector 2.1 (01234567), mean of 2 runs," in files["results.txt"]


@pytest.mark.django_db
def test_further_questions_are_counted_of_people_alone(cast, stages):
    program, _ = registered(cast.owner)
    question = {"kind": "grade", "name": "quality", "question": "How good is it?", "options": ["Poor", "Good"]}
    study = opened_with(cast, stages, [cast.rater, cast.second_rater], program, further_questions=[question])
    for person, quality in ((cast.rater, 1), (cast.second_rater, 1), (program.user, 2)):
        reader = Browser(person, study)
        assert all(reader.rate(token, further={"quality": quality}).status_code == 201 for token in reader.tokens())
    [told] = further_of(ended(study, cast.owner)).questions
    assert {count.answer for arm in told.arms for count in arm.counts if count.n} == {"Poor"}
    assert sum(arm.n for arm in told.arms) == 24


@pytest.mark.django_db
def test_programs_alone_are_no_panel(cast):
    program, _ = registered(cast.owner)
    study = make_draft(cast, make_world(cast.owner), raters=[program.user])
    [check] = [check for check in readiness(study) if check.title == "Raters"]
    assert not check.met


@pytest.mark.django_db
def test_the_token_of_a_program_opens_its_own_reading_and_nothing_else(cast, stages):
    program, key = registered(cast.owner)
    study = opened_with(cast, stages, [cast.rater], program)
    headers = {"Authorization": f"Token {key}"}
    others = Things(study=study.pk, session=study.raters.get(user=cast.rater).sessions.get().token)
    assert {
        f"{method} {address}"
        for address in addresses(others)
        for method in ("get", *address.methods)
        if answered(method, address, headers) < 300 <= answered(method, address, {})
    } == {"get api/reading/sessions/"}


def answered(method, address, headers):
    return Client().generic(method.upper(), address.path, "{}", "application/json", headers=headers).status_code
