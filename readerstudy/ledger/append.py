"""Appending to the ledger: exactly once per client event id, in one chain per study."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from ctplatform.errors import ConflictError, DomainError
from readerstudy.ledger.chain import event_digest
from readerstudy.models import Presentation, RatingEvent, Study


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What a rater's browser reports about one answer."""

    client_event_id: UUID
    answer: str
    confidence: int | None
    shown_at: datetime
    answered_at: datetime
    reading_ms: int
    load_ms: int
    hidden_ms: int
    interactions: Mapping[str, Any]
    environment: Mapping[str, Any]


def append(*, presentation: Presentation, rating: Rating) -> tuple[RatingEvent, bool]:
    """Append and return the event with True, or the event that this very rating made before with False."""
    study_id = presentation.session.rater.study_id
    with transaction.atomic():
        # The lock on the study's row makes the chain linear; on SQLite the transaction itself is exclusive.
        study = Study.objects.select_for_update().get(pk=study_id)
        known = RatingEvent.objects.filter(client_event_id=rating.client_event_id).first()
        if known is not None:
            return _same_rating(known, presentation), False
        _refuse_unless_open(study, presentation)
        _refuse_wrong_confidence(study, rating.confidence)
        event = _chained(study, presentation, rating)
        event.save(force_insert=True)
        study.ledger_count, study.ledger_head = event.sequence, event.digest
        study.save(update_fields=["ledger_count", "ledger_head"])
    return event, True


def _same_rating(known: RatingEvent, presentation: Presentation) -> RatingEvent:
    if known.presentation_id != presentation.pk:
        raise DomainError(
            "This event id belongs to another rating. Make a new id for every rating.", code="event_id_taken"
        )
    return known


def _refuse_unless_open(study: Study, presentation: Presentation) -> None:
    if not study.accepts_ratings:
        raise ConflictError(
            f"This study does not take ratings: it is {study.get_state_display().lower()}. "
            "Your answer was not counted; ask the study's coordinator.",
            code="study_not_open",
        )
    if presentation.session.rater.excluded_at is not None:
        raise ConflictError(
            "The coordinator has ended your part in this study, so it takes no more ratings from you.",
            code="rater_excluded",
        )


def _refuse_wrong_confidence(study: Study, confidence: int | None) -> None:
    levels = study.confidence_levels
    if levels == 0 and confidence is not None:
        raise DomainError("This study asks for no confidence.", code="confidence_not_asked")
    if levels and (confidence is None or not 1 <= confidence <= levels):
        raise DomainError(f"Say how sure you are, from 1 to {levels}.", code="confidence_missing")


def _chained(study: Study, presentation: Presentation, rating: Rating) -> RatingEvent:
    event = RatingEvent(
        study=study,
        sequence=study.ledger_count + 1,
        presentation=presentation,
        supersedes=RatingEvent.objects.filter(presentation=presentation, superseded_by=None).first(),
        client_event_id=rating.client_event_id,
        answer=rating.answer,
        confidence=rating.confidence,
        shown_at=rating.shown_at,
        answered_at=rating.answered_at,
        received_at=timezone.now(),
        reading_ms=rating.reading_ms,
        load_ms=rating.load_ms,
        hidden_ms=rating.hidden_ms,
        interactions=dict(rating.interactions),
        environment=dict(rating.environment),
        previous_digest=study.ledger_head or study.protocol_digest,
    )
    event.digest = event_digest(event)
    return event
