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
# Entries that hold one of these are chained with all of them; those of before hold none and keep the digests they had.
LATER_FIELDS = ("idle_ms", "waiting_ms", "counter", "clock_offset_ms", "flags")
# What only some tasks ask for: chained where it was answered.
TASK_FIELDS = ("level", "further", "mark", "mark_lps_mm", "marks", "marks_lps_mm")


def event_digest(event: RatingEvent) -> str:
    return digest_of(event_content(event))


def event_content(event: RatingEvent) -> Mapping[str, Any]:
    """What the digest of an entry covers."""
    measured = event.flags or any(getattr(event, name) is not None for name in LATER_FIELDS if name != "flags")
    names: tuple[str, ...] = CHAINED_FIELDS + LATER_FIELDS if measured else CHAINED_FIELDS
    names += tuple(name for name in TASK_FIELDS if getattr(event, name) not in (None, {}))
    return {
        **{name: getattr(event, name) for name in names},
        "study": str(event.study_id),
        "presentation": event.presentation.token,
        "supersedes": str(event.supersedes.client_event_id) if event.supersedes else None,
    }
