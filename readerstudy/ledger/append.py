"""Appending to the ledger: exactly once per client event id, in one chain per study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.errors import ConflictError, DomainError
from readerstudy.anchors import anchor
from readerstudy.digests import storable
from readerstudy.ledger.chain import event_digest
from readerstudy.ledger.marking import mark_in_the_patient
from readerstudy.ledger.phases import refuse_before_begun, refuse_change_after_next
from readerstudy.ledger.placing import arrival_flags, refuse_unplaceable
from readerstudy.ledger.rating import Rating
from readerstudy.ledger.rows import concerned, held_head, move_head, see_exclusion
from readerstudy.ledger.screens import refuse_unchecked_display
from readerstudy.ledger.slots import Slot, answered, slots_of, turn_of
from readerstudy.ledger.telling import refuse_change_after_told
from readerstudy.ledger.turns import refuse_out_of_turn
from readerstudy.models import Presentation, RatingEvent, Session, Study
from readerstudy.tasks.ending import of_the_case, refusal_at_the_end
from readerstudy.tasks.items import refusal_of
from readerstudy.tasks.marks import refusal_of_mark

# Names the kind of lock among all those that this database may hold for others.
SITTINGS = 7_241_873


@dataclass(frozen=True, kw_only=True)
class Appended:
    event: RatingEvent
    new: bool
    """False: this very rating had made the event before."""
    slots: list[Slot]
    """Of the sitting, this answer included."""


def append(*, presentation: Presentation, rating: Rating) -> Appended:
    study_id = presentation.session.rater.study_id
    with transaction.atomic():
        _wait_for_the_sitting(presentation.session_id)
        known, before = _earlier(presentation, rating)
        if known is not None:
            return Appended(event=_same_rating(known, presentation, rating), new=False, slots=before.slots)
        # All raters wait for the study's row, so nothing is asked of the database meanwhile that could be asked before.
        study = held_head(study_id)
        see_exclusion(presentation.session.rater)
        event = _placed(study, presentation, rating, before)
        event.save(force_insert=True)
        move_head(study, event)
        if presentation.session.unsent != rating.unsent:
            Session.objects.filter(pk=presentation.session_id).update(unsent=rating.unsent)
        anchor(study=str(study_id), chain="ledger", number=event.sequence, digest=event.digest)
    slots = answered(before.slots, position=presentation.position, counter=rating.counter)
    return Appended(event=event, new=True, slots=slots)


@dataclass(frozen=True, kw_only=True)
class _Before:
    """The sitting as it stands before this rating: the answer to the trial, the last one given, all slots."""

    current: RatingEvent | None
    last: RatingEvent | None
    slots: list[Slot]


def _wait_for_the_sitting(session_id: int) -> None:
    """Until this transaction ends nothing else is appended for the sitting. No row is locked that others write to."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SITTINGS, session_id % 2**31])


def _earlier(presentation: Presentation, rating: Rating) -> tuple[RatingEvent | None, _Before]:
    """The event that has this rating's id, and what it would be added to."""
    session_id = presentation.session_id
    found = concerned(presentation, rating.client_event_id)
    known = next((event for event in found if event.client_event_id == rating.client_event_id), None)
    replaced = {event.supersedes_id for event in found}
    standing = (event for event in found if event.presentation.is_of_trial(presentation) and event.pk not in replaced)
    last = max((event for event in found if event.counter is not None), key=_counter, default=None)
    slots = slots_of([session_id])[session_id]
    return known, _Before(current=next(standing, None), last=last, slots=slots)


def _counter(event: RatingEvent) -> int:
    return event.counter or 0


def _same_rating(known: RatingEvent, presentation: Presentation, rating: Rating) -> RatingEvent:
    if known.presentation_id != presentation.pk:
        raise DomainError(
            gettext("This event id belongs to another rating. Make a new id for every rating."), code="event_id_taken"
        )
    if not rating.is_what_made(known):
        raise ConflictError(
            gettext(
                "An answer with this event id and another content was taken before; that one stands. Make a "
                "new id for every rating."
            ),
            code="event_id_reused",
        )
    known.presentation = presentation
    return known


def _placed(study: Study, presentation: Presentation, rating: Rating, before: _Before) -> RatingEvent:
    received_at, current = timezone.now(), before.current
    flags = arrival_flags(study, presentation, rating, current=current, last=before.last, received_at=received_at)
    # First what no choice of the rater can change: of two answers nobody is asked to choose where one stands anyway.
    refuse_before_begun(presentation.session)
    refuse_out_of_turn(study, presentation, turn=turn_of(before.slots), answered=current is not None)
    if current is not None:
        refuse_change_after_next(presentation)
        refuse_change_after_told(current)
    refuse_unplaceable(rating, current)
    refuse_unchecked_display(study, presentation)
    _refuse_other_side(presentation, rating)
    asked = study.asked
    task = asked.task
    refusal = (
        task.refusal(rating)
        or refusal_of_mark(task, rating)
        or refusal_of(asked.items, of_the_case(rating.further))
        or refusal_at_the_end(asked.end_question, rating.further, last=_is_last(presentation, before.slots))
    )
    if refusal is not None:
        raise DomainError(refusal.message, code=refusal.code)
    return _chained(study, presentation, rating, current=current, flags=flags, received_at=received_at)


def _is_last(presentation: Presentation, slots: Sequence[Slot]) -> bool:
    return presentation.position == slots[-1].position


def _refuse_other_side(presentation: Presentation, rating: Rating) -> None:
    """Of several images the one that was chosen is the one that stood where the rater saw it."""
    if rating.side not in (None, presentation.side):
        raise DomainError(gettext("The image that was chosen stood on another side."), code="another_side")


def _chained(
    study: Study,
    presentation: Presentation,
    rating: Rating,
    *,
    current: RatingEvent | None,
    flags: list[str],
    received_at: datetime,
) -> RatingEvent:
    offset = rating.clock_offset(received_at)
    event = RatingEvent(
        study=study,
        sequence=study.ledger_count + 1,
        presentation=presentation,
        supersedes=current,
        client_event_id=rating.client_event_id,
        answer=rating.answer,
        confidence=rating.confidence,
        level=rating.level,
        mark=storable(rating.mark),
        mark_lps_mm=None if rating.mark is None else _in_the_patient(presentation, rating.mark),
        marks=storable(rating.marks),
        marks_lps_mm=None if rating.marks is None else [_in_the_patient(presentation, mark) for mark in rating.marks],
        further=storable(rating.further),
        shown_at=rating.shown_at,
        answered_at=rating.answered_at,
        received_at=received_at,
        reading_ms=rating.reading_ms,
        load_ms=rating.load_ms,
        hidden_ms=rating.hidden_ms,
        idle_ms=rating.idle_ms,
        waiting_ms=rating.waiting_ms,
        counter=rating.counter,
        clock_offset_ms=offset // timedelta(milliseconds=1) if rating.sent_at else None,
        flags=flags,
        interactions=storable(rating.interactions),
        environment=storable(rating.environment),
        previous_digest=study.ledger_head or study.protocol_digest,
    )
    event.digest = event_digest(event)
    return event


def _in_the_patient(presentation: Presentation, mark: Mapping[str, Any]) -> list[float]:
    place: list[float] = storable(mark_in_the_patient(presentation.stimulus, mark))
    return place
