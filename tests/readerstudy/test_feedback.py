"""Raters are told what they answered, and nothing else: after every case or after the last one, by the server's rule."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts import programs
from ctplatform.accounts.record import Author
from ctplatform.errors import ConflictError
from readerstudy.design import services as design
from readerstudy.design import shelving
from readerstudy.design.feedback import refuse_told_elsewhere
from readerstudy.design.readiness import readiness
from readerstudy.design.same_cases import take_same_cases
from readerstudy.design.usual_words import USUAL
from readerstudy.ledger.triggers import TRUTHS_TOLD
from readerstudy.models import AuditEntry, CaseTruth, GoingBack, Presentation, RatingEvent, Session, Study, TruthTold
from readerstudy.report.loading import report_data
from readerstudy.report.text import methods_paragraph
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.feedback import tell_of_all
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from readerstudy.verification.told import TOLD
from tests.readerstudy.chains import opened, opened_phase, phase_after
from tests.readerstudy.worlds import Browser, make_draft, unblind

AFTER_EACH = {"feedback": "case", "going_back": GoingBack.NEVER, "twins_allowed": False, "cases": 6}
AFTER_ALL = {"feedback": "end", "going_back": GoingBack.ANY}


@pytest.fixture
def drafting():
    return AFTER_EACH


def told(browser, token):
    return browser.client.post(reverse("reading-api:case-feedback", args=[token]))


def told_of_all(browser):
    return browser.client.post(reverse("reading-api:feedback", args=[browser.session.token]))


def code(response):
    return response.json()["code"]


def kind(token):
    truth = CaseTruth.objects.get(case__stimuli__presentations__token=token)
    return "synthetic" if truth.synthetic else "real"


def recorded(study):
    entries = AuditEntry.objects.filter(study=study, action=TOLD).order_by("id")
    return [(entry.details["rater"], entry.details["entries"]) for entry in entries]


def test_of_each_case_its_rater_is_told_what_it_was_once_it_is_answered_and_no_earlier(reader, collecting):
    assert reader.standing()["study"]["feedback"] == collecting.protocol["feedback"] == "case"
    first, second, *rest = reader.tokens()
    refused = {told(reader, token).content for token in (first, second, *rest)}
    assert len(refused) == 1
    assert code(told(reader, first)) == "not_answered"
    assert reader.rate(first).status_code == 201
    answer = told(reader, first)
    assert answer.status_code == 200
    assert answer["Cache-Control"].startswith("private, no-store")
    assert {name: answer.json()[name] for name in ("position", "answer", "kind", "right")} == {
        "position": 1,
        "answer": "real",
        "kind": kind(first),
        "right": kind(first) == "real",
    }
    assert code(told(reader, second)) == "not_answered"
    assert code(told_of_all(reader)) == "not_answered"
    assert recorded(collecting) == [(1, [1])]


def test_who_asks_again_is_told_the_same_and_nothing_more_is_recorded(reader, collecting):
    first = reader.tokens()[0]
    reader.rate(first)
    assert told(reader, first).content == told(reader, first).content
    assert recorded(collecting) == [(1, [1])]
    assert TruthTold.objects.count() == 1


def test_nobody_else_is_told(reader, collecting, cast):
    first = reader.tokens()[0]
    reader.rate(first)
    for person in (cast.second_rater, cast.owner, cast.administrator, cast.member):
        client = Client()
        client.force_login(person)
        assert client.post(reverse("reading-api:case-feedback", args=[first])).status_code == 404
        assert client.post(reverse("reading-api:feedback", args=[reader.session.token])).status_code == 404
    assert TruthTold.objects.count() == 0
    assert Client().post(reverse("reading-api:case-feedback", args=[first])).status_code in {401, 403}


def test_a_rater_who_is_out_and_a_study_that_is_closed_are_told_nothing(reader, collecting, cast):
    first = reader.tokens()[0]
    reader.rate(first)
    unblinding.exclude_rater(rater=collecting.raters.get(number=1), actor=cast.owner, reason="Knew the scans")
    assert code(told(reader, first)) == "study_not_open"
    other = Browser(cast.second_rater, collecting)
    other.rate(other.tokens()[0])
    unblinding.close(study=collecting, actor=cast.owner)
    assert code(told(other, other.tokens()[0])) == "study_not_open"
    assert TruthTold.objects.count() == 0


def test_a_study_without_feedback_tells_nothing_and_is_frozen_as_ever(cast, world, stages):
    study = stages.open(make_draft(cast, world))
    reader = Browser(cast.rater, study)
    first = reader.tokens()[0]
    reader.rate(first)
    assert "feedback" not in study.protocol
    assert reader.standing()["study"]["feedback"] == "none"
    assert code(told(reader, first)) == code(told_of_all(reader)) == "no_feedback"
    Study.objects.filter(pk=study.pk).update(feedback="case")
    assert code(told(reader, first)) == "no_feedback"
    assert any("feedback" in problem for problem in verify(study).problems)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"going_back": GoingBack.LAST}, "going_back"),
        ({"twins_allowed": True}, "twins_allowed"),
        ({"repeats": 1, "repeat_distance": 2}, "repeats"),
        ({"task_name": "forced_choice", "task_settings": {"images": 2, "find": "better"}}, "feedback"),
        ({"task_name": "forced_choice", "task_settings": {"images": 2, "matched": False}}, "feedback"),
    ],
)
def test_a_case_that_would_be_known_before_it_is_read_keeps_feedback_from_being_chosen(cast, world, changed, field):
    with pytest.raises(ValidationError) as refused:
        make_draft(cast, world, **{**AFTER_EACH, **changed})
    assert field in refused.value.message_dict


class TestAfterTheLastCase:
    @pytest.fixture
    def drafting(self):
        return AFTER_ALL

    def test_all_is_told_at_once_when_all_is_answered(self, reader, collecting):
        *before, last = reader.tokens()
        for token in before:
            reader.rate(token, answer="synthetic")
            assert code(told(reader, token)) == "no_feedback"
            assert code(told_of_all(reader)) == "not_answered"
        reader.rate(last, answer="synthetic")
        answer = told_of_all(reader).json()
        assert [case["kind"] for case in answer["cases"]] == [kind(token) for token in reader.tokens()]
        assert (answer["right"], answer["judged"]) == (6, 12)
        assert recorded(collecting) == [(1, list(range(1, 13)))]

    def test_then_no_answer_is_changed_and_nothing_invites_to(self, reader, collecting):
        reader.rate_all()
        token = reader.tokens()[3]
        assert reader.rate(token, answer="synthetic").status_code == 201
        assert reader.standing()["previous"] is not None
        told_of_all(reader)
        refused = reader.rate(token, answer="real")
        assert (refused.status_code, refused.json()["refusal"]["code"]) == (409, "answer_stands")
        assert reader.standing()["previous"] is None
        assert verify(collecting).intact

    def test_the_database_itself_keeps_what_was_told(self, reader, collecting):
        reader.rate_all()
        told_of_all(reader)
        rows = TruthTold.objects.all()
        for change in (lambda: rows.update(at=collecting.opened_at), rows.delete):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change()
        assert verify(collecting).intact

    def test_what_was_told_is_compared_with_the_record(self, reader, collecting):
        reader.rate_all()
        told_of_all(reader)
        TRUTHS_TOLD.uninstall(connection)
        row = TruthTold.objects.order_by("event__sequence").first()
        TruthTold.objects.filter(pk=row.pk).update(at=row.at + timedelta(days=1))
        assert any("entry 1 was told" in problem for problem in verify(collecting).problems)
        row.delete()
        assert any("differs from the record" in problem for problem in verify(collecting).problems)

    def test_a_change_that_came_around_the_ledger_is_found(self, reader, collecting):
        reader.rate_all()
        changed = RatingEvent.objects.get(presentation__token=reader.tokens()[2])
        reader.rate(reader.tokens()[2], answer="synthetic")
        told_of_all(reader)
        TRUTHS_TOLD.uninstall(connection)
        TruthTold.objects.filter(event__supersedes=changed).update(event=changed)
        assert any("changed after their raters were told" in problem for problem in verify(collecting).problems)


def test_exports_and_report_say_who_was_told_what_and_when(reader, collecting, cast):
    for token in reader.tokens():
        reader.rate(token)
    told(reader, reader.tokens()[0])
    client = Client()
    client.force_login(cast.owner)
    unblind(collecting)
    table = client.get(reverse("studies:export-csv", args=[collecting.pk])).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [bool(row["told_at"]) for row in rows] == [True] + [False] * 5
    methods = methods_paragraph(report_data(UnblindedStudy(collecting)))
    assert "after every case raters could ask what it was" in methods
    assert "They were told of 1 of 6 answers" in methods
    assert "by counting what is left" in methods


def test_pairs_are_told_by_the_side_of_the_image_to_find(cast, world, stages):
    study = make_draft(cast, world, **{**AFTER_EACH, "task_name": "forced_choice"})
    stages.open(study)
    reader = Browser(cast.rater, study)
    first = Presentation.objects.get(session=reader.session, position=0, side=0)
    reader.rate(first.token, answer="chosen")
    beside = first.trial.get(side=1)
    found = told(reader, beside.token).json()
    assert found["right"] == (kind(first.token) == "real") == (found["to_find"] == 0)
    assert found["kind"] == kind(first.token)


def test_a_copy_tells_as_the_original_does(collecting, cast):
    assert design.copy_study(study=collecting, actor=cast.owner).feedback == "case"


class TestPhases:
    @pytest.fixture
    def drafting(self):
        return AFTER_ALL

    def test_cases_whose_truth_an_earlier_phase_tells_keep_a_later_one_from_being_locked(self, cast, world, collecting):
        draft = phase_after(cast, world, collecting)
        take_same_cases(study=draft, actor=cast.owner)
        refused = [check.message for check in readiness(draft) if check.title == "Feedback"]
        assert ["tells its raters the truth of its cases" in message for message in refused] == [True]
        with pytest.raises(ConflictError, match="tells its raters the truth"):
            refuse_told_elsewhere(draft)
        design.change_design(study=draft, actor=cast.owner, continues=None, least_gap_days=0)
        assert not any(check.title == "Feedback" for check in readiness(Study.objects.get(pk=draft.pk)))

    def test_a_study_that_tells_does_not_come_back_from_the_archive_beside_one_that_was_locked(
        self, cast, world, stages
    ):
        first = stages.open(make_draft(cast, world))
        telling, other = (phase_after(cast, world, first, **more) for more in (AFTER_ALL, {}))
        for draft in (telling, other):
            take_same_cases(study=draft, actor=cast.owner)
        stages.lock(telling)
        assert telling.state == "locked"
        shelving.archive(study=telling, actor=cast.owner)
        opened(other, stages)
        with pytest.raises(ConflictError, match="tells its raters the truth"):
            shelving.take_back(study=telling, actor=cast.owner)

    def test_who_was_told_gives_no_late_answer_about_the_same_scans(self, cast, world, stages):
        first = stages.open(make_draft(cast, world))
        before = Browser(cast.rater, first)
        *rest, late = before.tokens()
        for token in rest:
            assert before.rate(token).status_code == 201
        just_before = timezone.now() - timedelta(minutes=1)
        unblinding.close(study=first, actor=cast.owner)
        second = opened_phase(cast, world, stages, first, least_gap_days=0, **AFTER_ALL)
        reader = Browser(cast.rater, second)
        reader.rate_all()
        in_time = {
            "shown_at": (just_before - timedelta(seconds=9)).isoformat(),
            "answered_at": just_before.isoformat(),
        }
        with transaction.atomic():
            assert before.rate(late, **in_time).status_code == 201
            transaction.set_rollback(True)
        assert told_of_all(reader).status_code == 200
        refused = before.rate(late, **in_time)
        assert (refused.status_code, refused.json()["refusal"]["code"]) == (409, "study_not_open")

    def test_a_last_phase_may_tell_what_the_earlier_ones_showed(self, cast, world, stages):
        first = stages.open(make_draft(cast, world))
        second = opened_phase(cast, world, stages, first, feedback="end")
        assert second.protocol["feedback"] == "end"


def test_readiness_says_that_raters_can_talk_and_what_counting_reaches(cast, world, stages):
    draft = make_draft(cast, world, **AFTER_EACH)
    stages.draw(draft)
    [check] = [check for check in readiness(draft) if check.title == "Feedback"]
    assert (check.advice, check.met) == (True, False)
    assert "Raters can talk" in check.message
    assert (
        "can be right in 68.3 % by counting what is left, and in 75.0 % by counting within each scan" in check.message
    )


def test_a_program_is_told_nothing(cast, world, stages):
    """Its owner coordinates: a program that has read all in a minute must not tell the truth while others read."""
    program, _ = programs.register_program(
        name="Detector", version="2.1", digest="0123456789abcdef" * 4, run_number=1, author=Author(user=cast.owner)
    )
    study = stages.open(make_draft(cast, world, raters=[cast.rater, program.user], **AFTER_ALL))
    session = Session.objects.get(rater__study=study, rater__user=program.user)
    with pytest.raises(ConflictError, match="Programs are told nothing"):
        tell_of_all(session)


@pytest.mark.parametrize("language", ["en-gb", "de"])
def test_usual_instructions_say_what_raters_are_told(cast, world, language):
    draft = make_draft(cast, world, language=language)
    promise = USUAL[language].no_feedback[0]
    assert promise in draft.instructions
    draft = design.change_design(study=draft, actor=cast.owner, feedback="end")
    assert promise not in draft.instructions
    assert USUAL[language].feedback["end"] in draft.instructions
    own = f"Own words. {promise}"
    draft = design.change_design(study=draft, actor=cast.owner, instructions=own)
    told = [check.message for check in readiness(draft) if check.title == "Instructions"]
    assert any("get no feedback" in message for message in told)
