"""What the reader may say. It may have been taken over by a file, so everything has a form, a size and an end.

Every function raises ValueError for anything else; nothing that it said is believed beyond that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctplatform.datasets.importing import vocabulary
from ctplatform.datasets.importing.found import MOST_NUMBERS, Numbers, Refusal
from ctplatform.datasets.importing.refusal import MAX_FILES, check_size
from ctplatform.datasets.kinds import MaskKind
from ctplatform.errors import DomainError
from ml.geometry import Grid

MAX_TEXT, MAX_ENTRIES, MAX_DEPTH = 2000, 20_000, 6


@dataclass(frozen=True)
class Told:
    """A candidate as the reader names it: of how many files, of how many bytes, of which row of the manifest."""

    label: str
    files: int
    size: int
    row: int
    numbers: Numbers = ()


@dataclass(frozen=True)
class ToldScan:
    """A scan whose voxels lie in trays of these numbers."""

    grid: Grid
    volume: int
    masks: dict[MaskKind, int]
    report: dict[str, Any]
    acquisition: dict[str, Any]
    name: str
    subject: str
    identity: str
    text_planes: list[int]
    says_synthetic: bool


def refused(answer: Mapping[str, Any]) -> str:
    return text(answer["refused"]) if "refused" in answer else ""


def discovered(answer: Mapping[str, Any]) -> tuple[list[Told], list[Refusal]]:
    candidates = [
        Told(text(told["label"]), whole(told["files"]), whole(told["size"]), whole(told["row"]), _numbers(told))
        for told in map(_object, _list(answer["candidates"]))
    ]
    refusals = [
        Refusal(text(told["label"]), text(told["reason"]), _numbers(told))
        for told in map(_object, _list(answer["refusals"]))
    ]
    return candidates, refusals


def _numbers(told: Mapping[str, Any]) -> Numbers:
    return tuple(whole(number) for number in _list(told.get("numbers", []))[:MOST_NUMBERS])


def scan(answer: Mapping[str, Any]) -> ToldScan:
    told = _object(answer["scan"])
    return ToldScan(
        grid=_grid(_object(told["grid"])),
        volume=whole(told["volume"]),
        masks={MaskKind(kind): whole(number) for kind, number in _object(told["masks"]).items()},
        report=_object(plain(told["report"])),
        acquisition=_object(plain(told["acquisition"])),
        name=vocabulary.harmless_name(text(told["name"])),
        subject=vocabulary.harmless_name(text(told["subject"])),
        identity=text(told["identity"]),
        text_planes=[whole(index) for index in _list(told["text_planes"])],
        says_synthetic=told["says_synthetic"] is True,
    )


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 - one kind of error for whatever is wrong
    return value.replace("\0", "").encode(errors="replace").decode()[:MAX_TEXT]


def whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("no count")
    return value


def plain(value: Any, depth: int = 0) -> Any:
    """Values as a database takes them: nothing deep, nothing long, no half characters."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {text(key): plain(inner, depth + 1) for key, inner in _few(list(value.items()))}
    if isinstance(value, list):
        return [plain(inner, depth + 1) for inner in _few(value)]
    return text(value) if isinstance(value, str) else value


def _grid(told: dict[str, Any]) -> Grid:
    try:
        grid = Grid.from_dict(told)
        check_size(grid.size_zyx)
    except DomainError as error:
        raise ValueError(error.message) from error
    return grid


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - one kind of error for whatever is no answer
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("no list")  # noqa: TRY004 - one kind of error for whatever is no answer
    return _few(value)


def _few(values: list[Any]) -> list[Any]:
    if len(values) > MAX_ENTRIES + MAX_FILES:
        raise ValueError("too many")
    return values
