"""Whose turn it is: which slots of a session may be answered, and looked at, under the study's frozen policy."""

from collections.abc import Iterable, Iterator

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.models import GoingBack, Presentation, RatingEvent, Session, Study

AHEAD = "answered before an earlier case"
LATE = "changed after a later case was answered"

# Every slice asks this. To have it composed anew each time costs more than its answer.
FIRST_OPEN = """
    SELECT MIN(slot.position) FROM readerstudy_presentation slot WHERE slot.session_id = %s
    AND NOT EXISTS (
        SELECT 1 FROM readerstudy_presentation beside
        JOIN readerstudy_ratingevent event ON event.presentation_id = beside.id
        WHERE beside.session_id = slot.session_id AND beside.position = slot.position
    )
"""


def policy_of(study: Study) -> GoingBack:
    """Studies that were locked before there was a choice took every change."""
    return GoingBack(study.frozen.get("going_back", GoingBack.ANY))


def first_open(session: Session) -> int:
    """What `slots.turn_of` says of the sitting, for whoever needs nothing else of its slots."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_OPEN, [session.pk])
        [position] = cursor.fetchone()
    if position is not None:
        return int(position)
    last = Presentation.objects.filter(session=session).aggregate(last=Max("position"))["last"]
    return 0 if last is None else int(last) + 1


def may_change(position: int, *, first_open: int, policy: GoingBack) -> bool:
    """Whether an answer that was given may be given anew."""
    return policy == GoingBack.ANY or (policy == GoingBack.LAST and position == first_open - 1)


def refuse_out_of_turn(study: Study, presentation: Presentation, *, turn: int, answered: bool) -> None:
    """`turn`: position of the first slot that has no answer."""
    if not answered and presentation.position != turn:
        raise ConflictError(
            gettext("It isn't this case's turn: the one before it has no answer yet. Answer the cases in their order."),
            code="not_its_turn",
        )
    if answered and not may_change(presentation.position, first_open=turn, policy=policy_of(study)):
        raise ConflictError(
            gettext("The answer to this case stands: this study doesn't let it be changed any more."),
            code="answer_stands",
        )


def out_of_turn(events: Iterable[RatingEvent]) -> dict[int, str]:
    """Of the entries in their order, by key, those that were given out of turn, and how."""
    return {event.pk: how for event, how in with_turns(events) if how}


def with_turns(events: Iterable[RatingEvent]) -> Iterator[tuple[RatingEvent, str]]:
    """The entries in their order, each with how it was given out of turn; empty where it was not."""
    answered: dict[int, set[int]] = {}
    for event in events:
        session, position = event.presentation.session_id, event.presentation.position
        before = answered.setdefault(session, set())
        how = ""
        if event.supersedes_id is not None and max(before) > position:
            how = LATE
        elif event.supersedes_id is None and position > len(before):
            how = AHEAD
        before.add(position)
        yield event, how
