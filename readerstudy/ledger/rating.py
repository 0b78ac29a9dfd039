from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from readerstudy.models import RatingEvent

# What makes two reports of one event id the same: all of it but when it was sent.
_ALWAYS_REPORTED = ("answer", "confidence", "shown_at", "answered_at", "reading_ms", "load_ms", "hidden_ms")
_REPORTED = (
    *_ALWAYS_REPORTED,
    "level",
    "mark",
    "marks",
    "further",
    "counter",
    "idle_ms",
    "waiting_ms",
    "interactions",
    "environment",
)


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
    level: int | None = None
    mark: Mapping[str, int] | None = None
    """Slice, row and column of the picture."""
    marks: Sequence[Mapping[str, int]] | None = None
    """The same of any number of places, each with confidence and reason."""
    side: int | None = None
    """Where the browser showed the image that this is about, of those shown together."""
    further: Mapping[str, Any] = field(default_factory=dict)
    idle_ms: int = 0
    waiting_ms: int = 0
    counter: int = 1
    """The answer's number in its sitting, as the browser counts."""
    supersedes: UUID | None = None
    """The answer to this case that the rater knew of and replaces."""
    sent_at: datetime | None = None
    """The browser's clock when this request left it."""
    unsent: int = 0
    """Answers that the browser still holds besides this one."""

    def is_what_made(self, event: RatingEvent) -> bool:
        if event.counter is None:
            # It was taken before answers were numbered, its receipt was lost, and a newer page has numbered it.
            return all(getattr(self, name) == getattr(event, name) for name in _ALWAYS_REPORTED)
        known = event.supersedes.client_event_id if event.supersedes else None
        same = all(getattr(self, name) == getattr(event, name) for name in _REPORTED)
        return same and self.supersedes == known

    def clock_offset(self, received_at: datetime) -> timedelta:
        """How far the server's clock is ahead of the browser's; the time on the way counts as ahead."""
        return received_at - self.sent_at if self.sent_at else timedelta(0)
