"""What the confined reader makes of files: candidates that may be scans, and scans that have been read and cleaned."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.kinds import Labels, MaskKind, StoredVolume
from ml.geometry import Grid

AIR_HU = -1024
# Beyond the densest metal on the widest scale in use: padding, or a negative number read as an unsigned one
BEYOND_METAL_HU = 31_743
# Water is 0 HU and air -1000: a CT in which nothing is darker than water is not in HU.
DARKEST_PLAUSIBLE_HU = 0
LEAST_RANGE_HU = 100

# Places of files in the order in which they were given, the first few of them
Numbers = tuple[int, ...]
MOST_NUMBERS = 20
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class GivenFile:
    """A file of the upload: its place in the folder, its size, and the way to its bytes."""

    path: PurePosixPath
    size: int
    open: Callable[[], BinaryIO] = field(compare=False, repr=False)
    given_as_mask: bool = False
    # which of the files of the import it is, or lies in
    number: int = -1

    def start(self, count: int) -> bytes:
        with self.open() as file:
            return file.read(count)


class Room(Protocol):
    """Where large things are put that a file holds: on disk, outside the memory limit."""

    def array(self, size_zyx: tuple[int, ...], dtype: type[T]) -> npt.NDArray[T]:
        """A zeroed array."""
        ...

    def volume(self, size_zyx: tuple[int, ...], planes: Iterable[tuple[int, StoredVolume]]) -> StoredVolume:
        """The voxels of a scan from its planes, each with its place along the first axis; zeros where none is."""
        ...

    def file(self) -> int:
        """The descriptor of an empty file."""
        ...


@dataclass(frozen=True)
class Stack:
    """The files of a series in the order of its slices, on the grid that they make before axes are reordered."""

    paths: list[PurePosixPath]
    grid: Grid


@dataclass
class ReadScan:
    volume: StoredVolume
    grid: Grid
    report: dict[str, Any]
    name: str = ""
    subject: str = ""
    # what tells one person from another in the source; never stored, only a keyed hash of it is
    identity: str = ""
    acquisition: dict[str, Any] = field(default_factory=dict)
    masks: dict[MaskKind, Labels] = field(default_factory=dict)
    # slices with marks that look like drawn text, by their index along the axis of the slices
    text_planes: list[int] = field(default_factory=list)
    stack: Stack | None = None
    # its files say themselves that no patient was scanned for it
    says_synthetic: bool = False

    def note(self, text: str) -> None:
        self.report.setdefault("notes", []).append(text)

    def changed(self, text: str) -> None:
        self.report.setdefault("changed", []).append(text)


@dataclass(frozen=True)
class Candidate:
    """Something that may be a scan; label is safe to show and to store. Several files may take longer to read."""

    label: str
    read: Callable[[Room], ReadScan]
    files: int = 1
    size: int = 0
    series_uid: str = ""
    frame_uid: str = ""
    folders: frozenset[PurePosixPath] = frozenset()
    # of the manifest, as a spreadsheet counts; 0 where it has none
    row: int = 0
    numbers: Numbers = ()


@dataclass(frozen=True)
class Refusal:
    """``numbers`` are those of the files: their names are known to the browser that sent them, and to nobody here."""

    label: str
    reason: str
    numbers: Numbers = ()

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.label, "reason": self.reason, "files": list(self.numbers)}


def numbers_of(files: Iterable[GivenFile]) -> Numbers:
    return tuple(sorted({file.number for file in files if file.number >= 0}))[:MOST_NUMBERS]


def clean_hu(scan: ReadScan) -> None:
    """Padding becomes air; values that can't be HU are refused. Plane by plane: the volume may lie on disk."""
    low = int(min(plane.min() for plane in scan.volume))
    high = int(max(plane.max() for plane in scan.volume))
    if low >= DARKEST_PLAUSIBLE_HU or high - low < LEAST_RANGE_HU:
        raise ImportRefusedError(
            f"Its values lie between {low} and {high}, so they are not Hounsfield units. "
            "Export the scan in HU, without normalisation or offset."
        )
    if low < AIR_HU:
        padded = sum(int(np.count_nonzero(plane < AIR_HU)) for plane in scan.volume)
        for plane in scan.volume:
            np.maximum(plane, AIR_HU, out=plane)
        scan.changed(f"{padded} voxels below {AIR_HU} HU (padding, down to {low}) were set to {AIR_HU}")


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
