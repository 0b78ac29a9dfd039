"""DICOM segmentations: which segments are of the liver, and what is drawn in them."""

from typing import Any

import highdicom
import numpy as np
import pydicom

from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.found import GivenFile, Room
from ctplatform.datasets.importing.masks import Drawn, Part, named
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size, refused_when_damaged
from ctplatform.datasets.importing.structures import UNCLEAR, Meaning, Says, meaning_of
from ctplatform.datasets.kinds import MaskKind
from ml.geometry import Grid

# A voxel of a fractional segmentation belongs to a segment when at least this share of it does, or is likely to.
HALF = 0.5


def read_dicom_seg(file: GivenFile, room: Room, said: MaskKind | None = None) -> Drawn:
    """``said`` is what a person says of the file; segments that say themselves what they are have the last word."""
    damaged = "This DICOM segmentation is damaged or of a form that can't be read."
    with refused_when_damaged(damaged), file.open() as opened:
        segmentation = highdicom.seg.Segmentation.from_dataset(pydicom.dcmread(opened, force=True), copy=False)
        _check_extent(segmentation)
        chosen, notes = _chosen_segments(segmentation, said)
        is_fractional = str(segmentation.get("SegmentationType", "")) == "FRACTIONAL"
        if is_fractional:
            notes.append("its fractions were cut at one half")
        parts = []
        for number, kind in chosen.items():
            # one segment at a time: a dense array of all of them can be many times the file
            volume = segmentation.get_volume(segment_numbers=[number], allow_missing_positions=True)
            values, grid, _ = canonical(np.asarray(volume.array[..., 0]), _grid_of(volume))
            labels = room.array(grid.size_zyx, np.uint8)
            for z, plane in enumerate(values):
                labels[z] = plane >= HALF if is_fractional else plane > 0
            if any(plane.any() for plane in labels):
                parts.append(Part(kind, labels, grid))
        if not parts:
            raise ImportRefusedError("Its segments are empty.")
        return Drawn(parts, notes)


def _check_extent(segmentation: Any) -> None:
    """Frames far apart would be filled up with empty ones between them."""
    frames = int(segmentation.get("NumberOfFrames", 1) or 1)
    check_size((max(frames, 3), int(segmentation.Rows), int(segmentation.Columns)))
    geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise ImportRefusedError("The frames of this DICOM segmentation form no regular volume.")
    slices, rows, columns = geometry.spatial_shape
    check_size((max(slices, 3), rows, columns))


def _chosen_segments(segmentation: Any, said: MaskKind | None) -> tuple[dict[int, MaskKind], list[str]]:
    """Kinds by segment number, and what is to be told of the others."""
    chosen: dict[int, MaskKind] = {}
    others: list[str] = []
    unclear: list[int] = []
    for number in sorted(segmentation.segment_numbers):
        meaning = _meaning(segmentation.get_segment_description(number))
        if meaning.kind is not None:
            chosen[int(number)] = meaning.kind
        elif meaning.says is Says.OTHER:
            others.append(meaning.name)
        else:
            unclear.append(int(number))
    if said is not None and not chosen:
        chosen, unclear = dict.fromkeys(unclear, said), []
    if not chosen:
        raise ImportRefusedError("None of its segments is called liver, lesion, tumour or vessel.")
    notes = [f"its segments of other structures were not used: {named(others)}"] if others else []
    if unclear:
        notes.append(f"{len(unclear)} of its segments have names that aren't understood, and were not used")
    return chosen, notes


def _meaning(described: Any) -> Meaning:
    """The label is what people read, the type is a code; where it lies may make it another organ's."""
    coded = [str(code.get("CodeMeaning", "")) for code in described.SegmentedPropertyTypeCodeSequence]
    coded += [str(region.get("CodeMeaning", "")) for region in described.anatomic_regions]
    by_code, by_label = [meaning_of(text) for text in coded], meaning_of(str(described.segment_label))
    meanings = [by_label, *by_code]
    other = next((meaning for meaning in meanings if meaning.says is Says.OTHER), None)
    if other is not None:
        return other
    kinds = {meaning.kind: meaning for meaning in reversed(meanings) if meaning.kind is not None}
    is_unnamed = by_label.says is Says.UNCLEAR and by_code[0].kind is None
    if is_unnamed or {MaskKind.LESION, MaskKind.VESSEL} <= kinds.keys():
        return UNCLEAR
    first = (MaskKind.LESION, MaskKind.VESSEL, MaskKind.LIVER)
    return next((kinds[kind] for kind in first if kind in kinds), by_label)


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
