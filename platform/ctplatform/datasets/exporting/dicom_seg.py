"""A scan's masks as DICOM Segmentation objects (PS3.3 A.51): one file a mask, one segment a lesion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
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
        if segments:
            yield mask.kind, _segmentation(scan, mask, sources, segments, FIRST_SERIES_OF_MASKS + number)


def _segments(mask: DescribedMask, labels: Labels) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Name and voxels of each; lesions keep their numbers."""
    if mask.kind != MaskKind.LESION:
        marked = labels > 0
        return [(MaskKind(mask.kind).label, marked)] if marked.any() else []
    found = [int(number) for number in np.unique(labels) if number]
    return [(f"Lesion {number}", labels == number) for number in found]


def _segmentation(
    scan: DescribedScan,
    mask: DescribedMask,
    sources: Sequence[Dataset],
    segments: Sequence[tuple[str, npt.NDArray[np.bool_]]],
    series_number: int,
) -> Dataset:
    what = WHAT[MaskKind(mask.kind)]
    made = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=np.stack([voxels for _, voxels in segments], axis=-1).astype(np.uint8),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=label,
                segmented_property_category=what.category,
                segmented_property_type=what.kind,
                **_algorithm(mask),
            )
            for number, (label, _) in enumerate(segments, start=1)
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
