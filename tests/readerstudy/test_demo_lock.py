"""The demo locks its studies although the leak check raises a false alarm now and then; a leak it reports."""

from contextlib import nullcontext

import pytest

from ctdemo.studies import LOCK_ATTEMPTS, SEED, draw, lock, open_study
from ctplatform.errors import ConflictError
from readerstudy.design.readiness import Check
from readerstudy.locking import execution
from readerstudy.models import StudyState
from readerstudy.opening import services
from tests.readerstudy.worlds import Cast, Stages, make_draft, make_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alarms(monkeypatch):
    """How many of the next attempts are told of a leak."""
    left = {"count": 0, "attempts": 0}
    check = execution.audit_study

    def checked(*arguments, **named):
        left["attempts"] += 1
        audit = check(*arguments, **named)
        if left["attempts"] <= left["count"]:
            return audit | {"passed": False, "leaks": ["order of tokens"]}
        return audit

    for gate in (execution, services):
        monkeypatch.setattr(gate, "audit_study", checked)
    return left


@pytest.fixture
def drawn():
    cast = Cast.create()
    draft = make_draft(cast, make_world(cast.owner))
    Stages(lambda **_: nullcontext()).draw(draft)
    draft.refresh_from_db()
    return draft


def test_a_false_alarm_is_tried_again(drawn, alarms):
    alarms["count"] = 1
    lock(drawn, drawn.owner)
    assert drawn.state == StudyState.LOCKED
    assert alarms["attempts"] == 2


def test_a_leak_is_found_in_every_attempt_and_named(drawn, alarms):
    alarms["count"] = LOCK_ATTEMPTS
    with pytest.raises(ConflictError, match="order of tokens"):
        lock(drawn, drawn.owner)
    assert drawn.state == StudyState.DRAFT
    assert alarms["attempts"] == LOCK_ATTEMPTS


def test_a_false_alarm_at_the_opening_is_tried_again_and_a_leak_is_not_opened(drawn, alarms):
    lock(drawn, drawn.owner)
    alarms.update(count=LOCK_ATTEMPTS, attempts=0)
    with pytest.raises(ConflictError, match="found a blinding leak"):
        open_study(drawn, drawn.owner)
    assert drawn.state == StudyState.LOCKED
    alarms.update(count=1, attempts=0)
    open_study(drawn, drawn.owner)
    assert (drawn.state, alarms["attempts"]) == (StudyState.COLLECTING, 2)


def test_cases_are_drawn_again_while_more_than_the_lesion_tells_the_kinds_apart(drawn, monkeypatch):
    """Which seed is told so depends on the installation."""
    looked_at = []

    def told_apart_twice(study):
        looked_at.append(study.seed)
        return [Check(title="Match", met=len(looked_at) > 2, message="by liver segment")]

    monkeypatch.setattr("ctdemo.studies.readiness", told_apart_twice)
    draw(drawn, drawn.owner)
    drawn.refresh_from_db()
    assert looked_at == [SEED, SEED + 1, SEED + 2]
    assert drawn.seed == SEED + 2
    assert drawn.cases.count() == drawn.cases_planned
