"""Mask files to masks on a scan's grid. Masks of one kind are united, lesions of several files numbered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.found import GivenFile, ReadScan, Room
from ctplatform.datasets.importing.headers import Beside
from ctplatform.datasets.importing.label_tables import LabelTable, by_own_names
from ctplatform.datasets.importing.label_values import LabelValues, Numbers
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.importing.structures import NOTHING, Meaning, Says
from ctplatform.datasets.importing.volumes import read_label_values
from ctplatform.datasets.kinds import Labels, MaskKind
from ml.geometry import Grid, same_grid

MOST_LESIONS = 255
NAMES_SHOWN = 8
ONE_OTHER = "1 mask of other structures was"
SAME = "same"
# Resampling alone changes less
LOST_SHARE = 0.03
SAY = (
    "Import it again and say what they are, such as “1=liver, 2=lesion” (the field “What the labels mean”, or "
    "--labels), or name the file after the one thing that it holds: liver, lesions or vessels."
)
UNCLEAR_NAME = (
    "Its name holds words that aren't understood, so nothing tells what is drawn in it. Name it after what it holds "
    "(liver, lesions, vessels), or import it again and say what its labels mean, such as “1=liver, 2=lesion”."
)


@dataclass(frozen=True)
class Part:
    """A mask of one kind: 0 and 1, or the numbers of lesions."""

    kind: MaskKind
    labels: Labels
    grid: Grid


@dataclass
class Drawn:
    parts: list[Part]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MaskSource:
    """Where masks may come from; label is safe to show and to store."""

    label: str
    size: int
    read: Callable[[ReadScan, Room], Drawn]


@dataclass
class Masks:
    """All that is to be put onto one scan; ``others`` names what was recognised as something else and is not read."""

    sources: list[MaskSource] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(source.size for source in self.sources)


def read_mask_file(file: GivenFile, beside: Beside, meaning: Meaning, table: LabelTable, room: Room) -> Drawn:
    return drawn(read_label_values(file, beside, room), meaning, table, room)


def drawn(given: LabelValues, meaning: Meaning, table: LabelTable, room: Room) -> Drawn:
    """What the labels stand for: as the name says, or else as the table says."""
    if not given.found:
        raise ImportRefusedError("It is empty: no voxel carries a label.")
    notes = [given.note] if given.note else []
    own = None if table.is_said else by_own_names(given.names)
    if own is not None:
        meaning, table = NOTHING, own
    if meaning.says is Says.UNCLEAR and not table.is_said:
        raise ImportRefusedError(UNCLEAR_NAME)
    if meaning.says is Says.KIND and meaning.kind is not None:
        return Drawn([_named(given, meaning, meaning.kind, room)], notes)
    result = _by_table(given, table, room)
    return Drawn(result.parts, notes + result.notes)


def _named(given: LabelValues, meaning: Meaning, kind: MaskKind, room: Room) -> Part:
    if len(given.found) == 1 or kind == MaskKind.CHANGED:
        return Part(kind, _where(given.values, room, given.found), given.grid)
    if kind != MaskKind.LESION or (meaning.may_be_both and given.found == [1, 2]):
        raise ImportRefusedError(
            f"It is called after the {kind} and holds the labels {_listed(given.found)}, whose difference nothing "
            f"tells. {SAY}"
        )
    return Part(kind, _renumbered(given, room), given.grid)


def _by_table(given: LabelValues, table: LabelTable, room: Room) -> Drawn:
    unknown = [label for label in given.found if label not in table.meanings]
    if (unknown and not table.others_are_told) or len(given.found) < table.least_labels:
        raise ImportRefusedError(
            f"Its labels are {_listed(given.found)}, and they do not fit {table.title}, so nothing tells what they "
            f"stand for. {SAY}"
        )
    of_kind = {
        kind: [label for label in given.found if label in table.meanings and table.meanings[label].kind == kind]
        for kind in (MaskKind.LIVER, MaskKind.LESION, MaskKind.VESSEL)
    }
    lesions = of_kind[MaskKind.LESION]
    notes = [f"labels were read by {table.title}"]
    if lesions and not of_kind[MaskKind.LIVER]:
        notes.append("no voxel of it is labelled as liver, so it gives no liver mask")
    if of_kind[MaskKind.LIVER] and table.lesions_are_liver:
        of_kind[MaskKind.LIVER] = of_kind[MaskKind.LIVER] + lesions
    parts = [Part(kind, _where(given.values, room, labels), given.grid) for kind, labels in of_kind.items() if labels]
    others = [table.meanings[n].name or str(n) if n in table.meanings else f"label {n}" for n in given.found]
    left = [
        name for n, name in zip(given.found, others, strict=True) if not any(n in all_ for all_ in of_kind.values())
    ]
    if not parts:
        raise ImportRefusedError(f"It holds {named(left)}: nothing of the liver (read by {table.title}).")
    if left:
        notes.append(f"{named(left)} in it was not used")
    return Drawn(parts, notes)


def named(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - NAMES_SHOWN} more" if len(distinct) > NAMES_SHOWN else ""
    return ", ".join(distinct[:NAMES_SHOWN]) + more


def _listed(labels: list[int]) -> str:
    return named(map(str, labels))


def _where(values: Numbers, room: Room, labels: list[int]) -> Labels:
    result = room.array(_size_zyx(values), np.uint8)
    wanted = np.array(labels, dtype=np.float32)
    for z, plane in enumerate(values):
        result[z] = np.isin(plane, wanted)
    return result


def _renumbered(given: LabelValues, room: Room) -> Labels:
    """Lesions keep their order; their numbers become 1, 2, 3, which eight bits can hold."""
    if len(given.found) > MOST_LESIONS:
        raise ImportRefusedError(f"It numbers {len(given.found)} lesions; {MOST_LESIONS} are the most.")
    kept = given.found[-1] <= MOST_LESIONS
    to = np.zeros(given.found[-1] + 1, dtype=np.uint8)
    to[given.found] = given.found if kept else np.arange(1, len(given.found) + 1)
    result = room.array(_size_zyx(given.values), np.uint8)
    for z, plane in enumerate(given.values):
        result[z] = to[plane.astype(np.intp)]
    return result


def _size_zyx(values: npt.NDArray[Any]) -> tuple[int, int, int]:
    slices, rows, columns = values.shape
    return slices, rows, columns


def add_masks(scan: ReadScan, masks: Masks, room: Room) -> None:
    """Put what can be read onto the scan; a mask that does not fit is told in the report and leaves the scan alone."""
    for source in masks.sources:
        try:
            found = source.read(scan, room)
            for part in found.parts:
                labels, how = on_grid(part, scan, room)
                _unite(scan, part.kind, labels)
                if how != SAME:
                    scan.note(f"the mask “{source.label}”: {how}{_lost_outside(part, labels, scan)}")
                scan.report.setdefault("masks", []).append({"kind": str(part.kind), "from": source.label, "grid": how})
        except ImportRefusedError as error:
            scan.note(f"the mask “{source.label}” was not used: {error.message}")
        else:
            for note in found.notes:
                scan.note(f"the mask “{source.label}”: {note}")
    if masks.others:
        count = f"{len(masks.others)} masks of other structures were" if len(masks.others) > 1 else ONE_OTHER
        scan.note(f"{count} not used: {named(masks.others)}")
    for note in masks.notes:
        scan.note(note)


def _unite(scan: ReadScan, kind: MaskKind, labels: Labels) -> None:
    """Another mask of a kind adds to the first; a lesion mask's voxels get the numbers behind those that are there."""
    present = scan.masks.get(kind)
    if present is None:
        scan.masks[kind] = labels
        return
    taken = _highest(present) if kind == MaskKind.LESION else 0
    if taken + _highest(labels) > MOST_LESIONS:
        raise ImportRefusedError(f"With it the scan would have more than {MOST_LESIONS} lesions.")
    added = 0
    for old, plane in zip(present, labels, strict=True):
        fresh = (plane > 0) & (old == 0)
        old[fresh] = plane[fresh] + np.uint8(taken)
        added += int(np.count_nonzero(fresh))
    if not added:
        raise ImportRefusedError("All of its voxels belong to another mask of this kind already.")


def _highest(labels: Labels) -> int:
    return int(max(plane.max() for plane in labels))


def on_grid(found: Part, scan: ReadScan, room: Room) -> tuple[Labels, str]:
    """The labels on the scan's grid, and how they came there."""
    if same_grid(found.grid, scan.grid):
        return found.labels, SAME
    if found.grid.size_zyx == scan.grid.size_zyx and _only_scale_differs(found.grid, scan.grid):
        return found.labels, "same voxels; the mask's own spacing or origin was ignored"
    labels = nearest_labels(found, scan.grid, room)
    if not any(plane.any() for plane in labels):
        raise ImportRefusedError("It does not overlap the scan.")
    return labels, "resampled by nearest neighbour"


def _lost_outside(part: Part, labels: Labels, scan: ReadScan) -> str:
    before, after = _volume_mm3(part.labels, part.grid), _volume_mm3(labels, scan.grid)
    lost = part.labels is not labels and after < (1 - LOST_SHARE) * before
    return f"; {1 - after / before:.0%} of it lies outside the scan" if lost else ""


def _volume_mm3(labels: Labels, grid: Grid) -> float:
    return sum(int(np.count_nonzero(plane)) for plane in labels) * float(np.prod(grid.spacing_zyx_mm))


def _only_scale_differs(first: Grid, second: Grid) -> bool:
    """Several LiTS masks lost their spacing and origin; voxel for voxel they still fit."""
    lost = first.spacing_zyx_mm == (1.0, 1.0, 1.0)
    return lost and bool(np.allclose(first.direction, second.direction, atol=1e-3))


def nearest_labels(found: Part, grid: Grid, room: Room) -> Labels:
    """Slice by slice, so that memory stays at one slice of coordinates."""
    result = room.array(grid.size_zyx, np.uint8)
    rows, columns = np.indices(grid.size_zyx[1:])
    size = np.array(found.grid.size_zyx)
    for z in range(grid.size_zyx[0]):
        index = np.stack([np.full_like(rows, z), rows, columns], axis=-1)
        nearest = np.rint(found.grid.to_voxel(grid.to_world(index))).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < size)).all(axis=-1)
        result[z][inside] = found.labels[tuple(nearest[inside].T)]
    return result
