"""How ledger entries hang together: each digest covers the entry and the digest before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

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


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def digest_of(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def event_digest(event: RatingEvent) -> str:
    content: Mapping[str, Any] = {
        **{name: getattr(event, name) for name in CHAINED_FIELDS},
        "study": str(event.study_id),
        "presentation": event.presentation.token,
        "supersedes": str(event.supersedes.client_event_id) if event.supersedes else None,
    }
    return digest_of(content)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
