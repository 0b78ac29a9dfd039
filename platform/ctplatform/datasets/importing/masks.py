"""Label files to masks on a scan's grid."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
import pydicom

from ctplatform.datasets.importing import vocabulary
from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.found import GivenFile, Labels, ReadScan, Room
from ctplatform.datasets.importing.headers import Beside
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size, refused_when_damaged
from ctplatform.datasets.importing.volumes import read_labels
from ctplatform.datasets.kinds import MaskKind
from ml.geometry import Grid, same_grid

# The labels of LiTS and of Task 3 of the Medical Segmentation Decathlon
LITS_LIVER, LITS_LESION = 1, 2
KIND_WORDS = {
    MaskKind.LESION: {"lesion", "lesions", "tumor", "tumors", "tumour", "tumours", "metastasis", "mass", "neoplasm"},
    MaskKind.VESSEL: {"vessel", "vessels", "vein", "veins"},
    MaskKind.LIVER: {"liver"},
}


@dataclass(frozen=True)
class LabelGrid:
    labels: Labels
    grid: Grid


@dataclass(frozen=True)
class MaskSource:
    """Where masks may come from; label is safe to show and to store."""

    label: str
    size: int
    read: Callable[[Room], dict[MaskKind, LabelGrid]]


def kind_of(text: str) -> MaskKind | None:
    found = set(vocabulary.words(text.lower()))
    kinds = [kind for kind, marks in KIND_WORDS.items() if marks & found]
    return kinds[0] if kinds else None


def read_mask_file(file: GivenFile, beside: Beside, room: Room, *, kind: MaskKind | None) -> dict[MaskKind, LabelGrid]:
    """A file named after one kind holds that kind; any other follows LiTS (1 liver, 2 lesion)."""
    labels, grid = read_labels(file, beside, room)
    highest = int(max(plane.max() for plane in labels))
    if kind is not None and not (kind == MaskKind.LIVER and highest > 1):
        return {kind: LabelGrid(labels, grid)}
    if highest > LITS_LESION:
        raise ImportRefusedError(
            f"Its labels go up to {highest}; expected are 1 for liver and 2 for lesion, "
            "or a file named after what it holds (liver, lesions, vessels)."
        )
    masks = {MaskKind.LIVER: LabelGrid(_where(labels, room, lambda plane: plane >= LITS_LIVER), grid)}
    if highest == LITS_LESION:
        masks[MaskKind.LESION] = LabelGrid(_where(labels, room, lambda plane: plane == LITS_LESION), grid)
    return masks


def _where(labels: Labels, room: Room, holds: Callable[[Labels], npt.NDArray[np.bool_]]) -> Labels:
    result = room.array(labels.shape, np.uint8)
    for z, plane in enumerate(labels):
        result[z] = holds(plane)
    return result


def read_dicom_seg(file: GivenFile, room: Room) -> dict[MaskKind, LabelGrid]:
    masks: dict[MaskKind, LabelGrid] = {}
    damaged = "This DICOM segmentation is damaged or of a form that can't be read."
    with refused_when_damaged(damaged), file.open() as opened:
        segmentation = highdicom.seg.Segmentation.from_dataset(pydicom.dcmread(opened, force=True), copy=False)
        _check_extent(segmentation)
        for number, kind in _chosen_segments(segmentation).items():
            # one segment at a time: a dense array of all of them can be many times the file
            volume = segmentation.get_volume(segment_numbers=[number], allow_missing_positions=True)
            labels, grid, _ = canonical(np.asarray(volume.array[..., 0]), _grid_of(volume))
            mask = masks.get(kind) or LabelGrid(room.array(labels.shape, np.uint8), grid)
            for z, plane in enumerate(labels):
                mask.labels[z] |= plane > 0
            masks[kind] = mask
    return masks


def _check_extent(segmentation: Any) -> None:
    """Frames far apart would be filled up with empty ones between them."""
    frames = int(segmentation.get("NumberOfFrames", 1) or 1)
    check_size((max(frames, 3), int(segmentation.Rows), int(segmentation.Columns)))
    geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise ImportRefusedError("The frames of this DICOM segmentation form no regular volume.")
    slices, rows, columns = geometry.spatial_shape
    check_size((max(slices, 3), rows, columns))


def _chosen_segments(segmentation: Any) -> dict[int, MaskKind]:
    chosen = {}
    for number in sorted(segmentation.segment_numbers):
        described = segmentation.get_segment_description(number)
        kind = kind_of(f"{described.segmented_property_type.meaning} {described.segment_label}")
        if kind is not None:
            chosen[int(number)] = kind
    if not chosen:
        raise ImportRefusedError("None of its segments is called liver, lesion, tumour or vessel.")
    return chosen


def _grid_of(volume: Any) -> Grid:
    """highdicom counts slices, rows, columns; the grid's direction has its columns in the order x, y, z."""
    direction = np.asarray(volume.direction)[:, ::-1]
    return Grid.from_dict(
        {
            "size_zyx": volume.array.shape[:3],
            "spacing_zyx_mm": volume.spacing,
            "origin_lps_mm": volume.position,
            "direction": direction.ravel().tolist(),
        }
    )


def add_masks(scan: ReadScan, sources: Iterable[MaskSource], room: Room) -> None:
    """Put what can be read onto the scan; a mask that does not fit is told in the report and leaves the scan alone."""
    for source in sources:
        try:
            for kind, found in source.read(room).items():
                scan.masks[kind], how = on_grid(found, scan, room)
                scan.report.setdefault("masks", []).append({"kind": str(kind), "from": source.label, "grid": how})
        except ImportRefusedError as error:
            scan.note(f"the mask {source.label} was not used: {error.message}")


def on_grid(found: LabelGrid, scan: ReadScan, room: Room) -> tuple[Labels, str]:
    """The labels on the scan's grid, and how they came there."""
    if same_grid(found.grid, scan.grid):
        return found.labels, "same"
    if found.grid.size_zyx == scan.grid.size_zyx and _only_scale_differs(found.grid, scan.grid):
        return found.labels, "same voxels; the mask's own spacing or origin was ignored"
    labels = nearest_labels(found, scan.grid, room)
    if not any(plane.any() for plane in labels):
        raise ImportRefusedError("It does not overlap the scan.")
    return labels, "resampled by nearest neighbour"


def _only_scale_differs(first: Grid, second: Grid) -> bool:
    """Several LiTS masks lost their spacing and origin; voxel for voxel they still fit."""
    lost = first.spacing_zyx_mm == (1.0, 1.0, 1.0)
    return lost and bool(np.allclose(first.direction, second.direction, atol=1e-3))


def nearest_labels(found: LabelGrid, grid: Grid, room: Room) -> Labels:
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
