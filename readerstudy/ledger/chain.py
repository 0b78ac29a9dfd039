"""How ledger entries hang together: each digest covers the entry and the digest before it."""

from collections.abc import Mapping
from typing import Any

from readerstudy.digests import digest_of
from readerstudy.models import RatingEvent

CHAINED_FIELDS = (
    "sequence",
    "client_event_id",
    "answer",
    "confidence",
    "shown_at",
    "answered_at",
    "received_at",
    "reading_ms",
    "load_ms",
    "hidden_ms",
    "interactions",
    "environment",
    "previous_digest",
)


def event_digest(event: RatingEvent) -> str:
    content: Mapping[str, Any] = {
        **{name: getattr(event, name) for name in CHAINED_FIELDS},
        "study": str(event.study_id),
        "presentation": event.presentation.token,
        "supersedes": str(event.supersedes.client_event_id) if event.supersedes else None,
    }
    return digest_of(content)
