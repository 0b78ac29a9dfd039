"""One way to write a value down and to take its digest: what is published at the lock and chained in the ledger."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def digest_of(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def storable(value: Any) -> Any:
    """As every database gives it back: PostgreSQL knows no signed zero, and its digest would be another one."""
    if isinstance(value, dict):
        return {key: storable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(part) for part in value]
    return 0.0 if isinstance(value, float) and value == 0 else value


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
