"""One way to write a value down and to take its digest: what is published at the lock and chained in the ledger."""

import hashlib
import json
from datetime import UTC, datetime
from math import isfinite
from typing import Any

# From here on Python writes a float with an exponent.
WRITTEN_WITH_EXPONENT = 1e16


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def digest_of(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def storable(value: Any) -> Any:
    """As every database gives it back: PostgreSQL writes no sign before a zero and no power of ten in a large number,
    so their digest would differ.
    """
    if isinstance(value, dict):
        return {key: storable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(part) for part in value]
    return _storable_number(value) if isinstance(value, float) else value


def _storable_number(value: float) -> float | int:
    if value == 0:
        return 0.0
    return int(value) if abs(value) >= WRITTEN_WITH_EXPONENT and isfinite(value) else value


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
