"""Lesions of a mask as the platform keeps them: numbered in eight bits, measured by ml.scans.lesions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctplatform.errors import DomainError
from ml.geometry import Box, Grid, box_of

MAX_LESIONS = 255
# Further than the liver that a lesion is compared with
SURROUNDINGS_MM = 16.0
# One lesion's box with what is around it, and those of all lesions. A whole liver at half a millimetre takes 80 million
# voxels; masks of lines that run through the scan would take hours and more memory than there is.
MAX_BOX_VOXELS, MAX_BOXED_VOXELS = 100_000_000, 500_000_000


@dataclass(frozen=True)
class LesionMeasure:
    number: int
    centroid_lps_mm: tuple[float, float, float]
    diameter_mm: float
    volume_ml: float
    mean_hu: float
    contrast_hu: float | None


def number_lesions(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Connected lesions numbered from the largest on; those after the 255th are specks and get no number."""
    from ml.scans.lesions import label_lesions

    box = box_of(mask)
    _check_boxes([] if box is None else [box])
    numbers = label_lesions(mask)
    numbers[numbers > MAX_LESIONS] = 0
    return numbers.astype(np.uint8)


def _check_boxes(boxes: Sequence[tuple[slice, ...]]) -> None:
    voxels = [math.prod(side.stop - side.start for side in box) for box in boxes]
    if voxels and (max(voxels) > MAX_BOX_VOXELS or sum(voxels) > MAX_BOXED_VOXELS):
        raise DomainError(
            "Its lesions spread over more of the scan than livers fill, so the mask shows something else. "
            "Leave the mask out, or give one of liver lesions."
        )


def lesion_measures(
    volume: npt.NDArray[np.int16],
    grid: Grid,
    labels: npt.NDArray[np.uint8],
    liver: npt.NDArray[np.bool_] | None,
) -> list[LesionMeasure]:
    """One entry per number in labels; arrays and grid may be a sub-volume."""
    from scipy import ndimage

    from ml.scans import lesions

    boxes = [widened(grid, box, SURROUNDINGS_MM) for box in ndimage.find_objects(labels) if box is not None]
    _check_boxes(boxes)
    return [
        LesionMeasure(
            number=lesion.number,
            centroid_lps_mm=lesion.centroid_lps_mm,
            diameter_mm=lesion.diameter_mm,
            volume_ml=lesion.volume_ml,
            mean_hu=lesion.mean_hu,
            contrast_hu=lesion.contrast_to_liver_hu,
        )
        for lesion in lesions.measure_lesions(volume, grid, numbered=labels, liver_mask=liver)
    ]


def widened(grid: Grid, box: tuple[slice, ...], margin_mm: float) -> Box:
    """The box with a margin, clipped to the grid."""
    sides = []
    for side, size, spacing in zip(box, grid.size_zyx, grid.spacing_zyx_mm, strict=True):
        margin = int(np.ceil(margin_mm / spacing))
        sides.append(slice(max(0, side.start - margin), min(size, side.stop + margin)))
    return sides[0], sides[1], sides[2]
