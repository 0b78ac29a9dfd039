"""The leak audit is told what raters are told, calls that no leak, and finds every truth that is told beyond it."""

from contextlib import contextmanager

import pytest
from django.db import transaction

from readerstudy.models import CaseTruth, GoingBack, Presentation, TruthTold
from readerstudy.unblinding import feedback
from tests.readerstudy.planting import make_planted

AFTER_EACH = {"feedback": "case", "going_back": GoingBack.NEVER}


@contextmanager
def locked(blocker, **settings):
    """Shared by the tests of the module, and taken back at the end."""
    with blocker.unblock(), transaction.atomic():
        made = make_planted(**settings)
        made.lock_for_good()
        yield made
        transaction.set_rollback(True)


@pytest.fixture(scope="module", params=[AFTER_EACH, {"feedback": "end"}], ids=["after each", "after all"])
def telling(request, django_db_setup, django_db_blocker):
    with locked(django_db_blocker, **request.param) as made:
        yield made


@pytest.fixture(scope="module")
def telling_pairs(django_db_setup, django_db_blocker):
    pairs = {"task_name": "forced_choice", "task_settings": {"matched": False}}
    with locked(django_db_blocker, feedback="end", **pairs) as made:
        yield made


pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_one_go(monkeypatch):
    """On a slow machine each stretch of the reading holds few cases, and the list at the end is of the last one's."""
    monkeypatch.setattr("readerstudy.auditing.walk.REHEARSAL_SECONDS", 600)


def leaks(study):
    return [finding["name"] for finding in study.audit()["findings"] if finding["leak"]]


def test_what_is_told_as_planned_is_no_leak_and_nothing_of_the_look_stays(telling):
    names = {finding["name"] for finding in telling.audit()["findings"]}
    assert {"feedback: truth", "feedback: status", "feedback, before the answer: status"} <= names
    assert leaks(telling) == []
    assert TruthTold.objects.count() == 0


def test_pairs_are_told_of_as_planned(telling_pairs):
    assert leaks(telling_pairs) == []


def test_a_truth_that_is_told_before_the_answer_is_found(telling, monkeypatch):
    tell = feedback._tell

    def too_early(session, told, allowed, *, needed, **of):
        answers = tell(session, told, allowed, needed=0, **of)
        return answers or [unanswered(session, **of)]

    def unanswered(session, position=0):
        slot = Presentation.objects.filter(session=session, position=position).select_related("stimulus").get()
        return feedback.RatingEvent(presentation=slot, answer="real", confidence=1)

    monkeypatch.setattr(feedback, "_tell", too_early)
    assert any(name.startswith(("feedback, ", "feedback on all, ")) for name in leaks(telling))


def test_the_truth_of_another_case_is_found(telling, monkeypatch):
    """Of the one after it in the order, which the rater has not read."""
    payloads = feedback._payloads

    def of_the_next(session, answers):
        told = payloads(session, answers)
        for case in told:
            following = CaseTruth.objects.filter(
                case__stimuli__presentations__session=session,
                case__stimuli__presentations__position=case["position"],
            ).first()
            if following is not None:
                case["kind"] = "synthetic" if following.synthetic else "real"
        return told

    monkeypatch.setattr(feedback, "_payloads", of_the_next)
    assert "feedback: truth" in leaks(telling)
