"""A scan's masks as DICOM Segmentation objects (PS3.3 A.51): one file a mask, one segment a lesion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import highdicom
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ctplatform.datasets.exporting import uids
from ctplatform.datasets.exporting.described import DescribedMask, DescribedScan
from ctplatform.datasets.exporting.dicom_ct import PLATFORM, as_lo, ct_header
from ctplatform.datasets.kinds import Labels, MaskKind

FIRST_SERIES_OF_MASKS = 100
_STRUCTURE = codes.SCT.AnatomicalStructure
_ABNORMAL = codes.SCT.MorphologicallyAbnormalStructure


@dataclass(frozen=True)
class Segmented:
    category: Code
    kind: Code


@dataclass(frozen=True)
class Segments:
    """Their names, and in one volume which of them a voxel belongs to (0: none)."""

    names: Sequence[str]
    numbers: Labels


WHAT = {
    MaskKind.LIVER: Segmented(_STRUCTURE, Code("10200004", "SCT", "Liver")),
    MaskKind.VESSEL: Segmented(_STRUCTURE, Code("59820001", "SCT", "Blood vessel")),
    MaskKind.LESION: Segmented(_ABNORMAL, Code("52988006", "SCT", "Lesion")),
    # No coding scheme has a word for it; 99 begins those that a maker defines (PS3.3 8.2).
    MaskKind.CHANGED: Segmented(
        Code("changed", "99TURINGWARD", "Synthesis"), Code("changed-voxels", "99TURINGWARD", "Changed voxels")
    ),
}


def segmentations(scan: DescribedScan) -> Iterator[tuple[str, Dataset]]:
    """The kind and the object of every mask that marks something; one without a marked voxel has no segment."""
    sources = [ct_header(scan, index) for index in range(scan.grid.size_zyx[0])]
    for number, mask in enumerate(scan.masks):
        segments = _segments(mask, scan.labels(mask))
        if segments.names:
            yield mask.kind, _segmentation(scan, mask, sources, segments, FIRST_SERIES_OF_MASKS + number)


def _segments(mask: DescribedMask, labels: Labels) -> Segments:
    """Numbered from 1 on; lesions keep their own numbers in their names.

    A volume for each of twenty lesions would take gigabytes.
    """
    # Slice by slice: counting needs eight bytes a voxel.
    voxels = np.sum([np.bincount(plane.ravel(), minlength=256) for plane in labels], axis=0)
    found = np.flatnonzero(voxels[1:]) + 1
    numbers = np.zeros(256, np.uint8)
    if mask.kind != MaskKind.LESION:
        numbers[1:] = 1
        return Segments([str(MaskKind(mask.kind).label)] if len(found) else [], numbers[labels])
    numbers[found] = np.arange(1, len(found) + 1)
    return Segments([f"Lesion {number}" for number in found], numbers[labels])


def _segmentation(
    scan: DescribedScan,
    mask: DescribedMask,
    sources: Sequence[Dataset],
    segments: Segments,
    series_number: int,
) -> Dataset:
    what = WHAT[MaskKind(mask.kind)]
    made = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=segments.numbers,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=label,
                segmented_property_category=what.category,
                segmented_property_type=what.kind,
                **_algorithm(mask),
            )
            for number, label in enumerate(segments.names, start=1)
        ],
        series_instance_uid=uids.mask_series(scan, mask.id),
        series_number=series_number,
        sop_instance_uid=uids.mask_instance(scan, mask.id),
        instance_number=1,
        manufacturer=PLATFORM,
        manufacturer_model_name=PLATFORM,
        software_versions=version("turing-ward"),
        device_serial_number="none",
        series_description=as_lo(f"{MaskKind(mask.kind).label} of {scan.name}"),
        omit_empty_frames=True,
    )
    made.SyntheticData = "YES" if scan.is_synthetic else "NO"
    return made


def _algorithm(mask: DescribedMask) -> dict[str, Any]:
    """By hand there is none to name."""
    if mask.by_hand:
        return {"algorithm_type": highdicom.seg.SegmentAlgorithmTypeValues.MANUAL}
    identification = highdicom.AlgorithmIdentificationSequence(
        name=mask.made_by, family=codes.DCM.ArtificialIntelligence, version="not recorded"
    )
    return {
        "algorithm_type": highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        "algorithm_identification": identification,
    }
