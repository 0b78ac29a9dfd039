"""Label files to masks on a scan's grid."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctplatform.datasets import vocabulary
from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.found import ReadScan
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size, refused_when_damaged
from ctplatform.datasets.importing.volumes import read_labels
from ctplatform.datasets.models import MaskKind
from ctplatform.datasets.registration import MaskVolume
from ml.geometry import Grid

# The labels of LiTS and of Task 3 of the Medical Segmentation Decathlon
LITS_LIVER, LITS_LESION = 1, 2
KIND_WORDS = {
    MaskKind.LESION: {"lesion", "lesions", "tumor", "tumors", "tumour", "tumours", "metastasis", "mass", "neoplasm"},
    MaskKind.VESSEL: {"vessel", "vessels", "vein", "veins"},
    MaskKind.LIVER: {"liver"},
}


@dataclass(frozen=True)
class LabelGrid:
    labels: npt.NDArray[np.uint8]
    grid: Grid


@dataclass(frozen=True)
class MaskSource:
    """Where masks may come from; label is safe to show and to store."""

    label: str
    read: Callable[[], dict[MaskKind, LabelGrid]]


def kind_of(text: str) -> MaskKind | None:
    found = set(vocabulary.words(text.lower()))
    kinds = [kind for kind, marks in KIND_WORDS.items() if marks & found]
    return kinds[0] if kinds else None


def read_mask_file(path: Path, *, kind: MaskKind | None) -> dict[MaskKind, LabelGrid]:
    """A file named after one kind holds that kind; any other follows LiTS (1 liver, 2 lesion)."""
    labels, grid = read_labels(path)
    if kind is not None and not (kind == MaskKind.LIVER and labels.max() > 1):
        return {kind: LabelGrid(labels, grid)}
    if labels.max() > LITS_LESION:
        raise ImportRefusedError(
            f"Its labels go up to {labels.max()}; expected are 1 for liver and 2 for lesion, "
            "or a file named after what it holds (liver, lesions, vessels)."
        )
    liver = (labels >= LITS_LIVER).astype(np.uint8)
    masks = {MaskKind.LIVER: LabelGrid(liver, grid)}
    if (labels == LITS_LESION).any():
        masks[MaskKind.LESION] = LabelGrid((labels == LITS_LESION).astype(np.uint8), grid)
    return masks


def read_dicom_seg(path: Path) -> dict[MaskKind, LabelGrid]:
    import highdicom

    with refused_when_damaged("This DICOM segmentation is damaged or of a form that can't be read."):
        segmentation = highdicom.seg.segread(path)
        frames = int(segmentation.get("NumberOfFrames", 1) or 1)
        check_size((max(frames, 3), int(segmentation.Rows), int(segmentation.Columns)))
        chosen = _chosen_segments(segmentation)
        volume = segmentation.get_volume(segment_numbers=sorted(chosen), allow_missing_positions=True)
    grid = _grid_of(volume)
    masks: dict[MaskKind, npt.NDArray[np.bool_]] = {}
    for position, number in enumerate(sorted(chosen)):
        segment = np.asarray(volume.array[..., position]) > 0
        masks[chosen[number]] = masks[chosen[number]] | segment if chosen[number] in masks else segment
    result = {}
    for kind, mask in masks.items():
        labels, canonical_grid, _ = canonical(mask.astype(np.uint8), grid)
        result[kind] = LabelGrid(labels, canonical_grid)
    return result


def _chosen_segments(segmentation: Any) -> dict[int, MaskKind]:
    chosen = {}
    for number in segmentation.segment_numbers:
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


def add_masks(scan: ReadScan, sources: Iterable[MaskSource]) -> None:
    """Put what can be read onto the scan; a mask that does not fit is told in the report and leaves the scan alone."""
    for source in sources:
        try:
            for kind, found in source.read().items():
                mask, how = on_grid(found, scan)
                scan.masks[kind] = _as_mask(kind, mask)
                scan.report.setdefault("masks", []).append({"kind": str(kind), "from": source.label, "grid": how})
        except ImportRefusedError as error:
            scan.note(f"the mask {source.label} was not used: {error.message}")


def _as_mask(kind: MaskKind, labels: npt.NDArray[np.uint8]) -> MaskVolume:
    """Lesions that carry their own numbers keep them; all other masks are yes or no."""
    numbered = kind == MaskKind.LESION and labels.max() > 1
    return labels if numbered else labels > 0


def on_grid(found: LabelGrid, scan: ReadScan) -> tuple[npt.NDArray[np.uint8], str]:
    """The labels on the scan's grid, and how they came there."""
    from ml.volume_io import same_grid

    if same_grid(found.grid, scan.grid):
        return found.labels, "same"
    if found.grid.size_zyx == scan.grid.size_zyx and _only_scale_differs(found.grid, scan.grid):
        return found.labels, "same voxels; the mask's own spacing or origin was ignored"
    labels = nearest_labels(found, scan.grid)
    if not labels.any():
        raise ImportRefusedError("It does not overlap the scan.")
    return labels, "resampled by nearest neighbour"


def _only_scale_differs(first: Grid, second: Grid) -> bool:
    """Several LiTS masks lost their spacing and origin; voxel for voxel they still fit."""
    lost = first.spacing_zyx_mm == (1.0, 1.0, 1.0)
    return lost and bool(np.allclose(first.direction, second.direction, atol=1e-3))


def nearest_labels(found: LabelGrid, grid: Grid) -> npt.NDArray[np.uint8]:
    """Slice by slice, so that memory stays at one slice of coordinates."""
    result = np.zeros(grid.size_zyx, dtype=np.uint8)
    rows, columns = np.indices(grid.size_zyx[1:])
    size = np.array(found.grid.size_zyx)
    for z in range(grid.size_zyx[0]):
        index = np.stack([np.full_like(rows, z), rows, columns], axis=-1)
        nearest = np.rint(found.grid.to_voxel(grid.to_world(index))).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < size)).all(axis=-1)
        result[z][inside] = found.labels[tuple(nearest[inside].T)]
    return result
