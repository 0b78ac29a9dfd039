"""How the dataclasses of the analysis look as JSON: the one rule that files, API and its description follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from typing import Any

ONLY_WITH = "only with"


def only_with(name: str) -> dict[str, str]:
    """Mark a field that JSON leaves out where the field called `name` is None: nothing was collected for it."""
    return {ONLY_WITH: name}


def always_there(one: Field[Any]) -> bool:
    """Tell whether every JSON form has this field."""
    return ONLY_WITH not in one.metadata


def as_json(value: Any) -> Any:
    """Return dictionaries, lists and plain values, in the order of the fields."""
    if is_dataclass(value):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value) if _is_there(value, one)}
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _is_there(value: Any, one: Field[Any]) -> bool:
    return always_there(one) or getattr(value, one.metadata[ONLY_WITH]) is not None
