"""The demo locks its studies although the leak check raises a false alarm now and then; a leak it reports."""

from contextlib import nullcontext

import pytest

from ctdemo.studies import LOCK_ATTEMPTS, lock
from ctplatform.errors import ConflictError
from readerstudy.locking import execution
from readerstudy.models import StudyState
from tests.readerstudy.worlds import Cast, Stages, make_draft, make_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alarms(monkeypatch):
    """How many of the next attempts are told of a leak."""
    left = {"count": 0, "attempts": 0}
    check = execution.check_for_leaks

    def checked(*arguments, **named):
        left["attempts"] += 1
        audit = check(*arguments, **named)
        if left["attempts"] <= left["count"]:
            return audit | {"passed": False, "findings": [{"name": "order of tokens", "leak": True}]}
        return audit

    monkeypatch.setattr(execution, "check_for_leaks", checked)
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
