"""Lesions of a mask: numbered, measured, ready to become rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.geometry import Box, Grid

MAX_LESIONS = 255
# The liver that a lesion is compared with: a shell that starts clear of the blurred border.
SHELL_INNER_MM = 2.0
SHELL_OUTER_MM = 12.0
MIN_SHELL_VOXELS = 20


@dataclass(frozen=True)
class LesionMeasure:
    number: int
    centroid_lps_mm: tuple[float, float, float]
    diameter_mm: float
    volume_ml: float
    mean_hu: float
    contrast_hu: float | None


def number_lesions(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.uint8], int]:
    """Connected lesions numbered from the largest on, and how many small ones found no number."""
    from scipy import ndimage

    components, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    by_size = np.argsort(-sizes, kind="stable")[:MAX_LESIONS]
    numbers = np.zeros(count + 1, dtype=np.uint8)
    numbers[by_size + 1] = np.arange(1, len(by_size) + 1, dtype=np.uint8)
    return numbers[components], max(0, count - MAX_LESIONS)


def measure_lesions(
    volume: npt.NDArray[np.int16],
    grid: Grid,
    labels: npt.NDArray[np.uint8],
    liver: npt.NDArray[np.bool_] | None,
) -> list[LesionMeasure]:
    """One entry per number in labels; arrays and grid may be a sub-volume."""
    from scipy import ndimage

    found = ndimage.find_objects(labels)
    measures = []
    for number, box in enumerate(found, start=1):
        if box is not None:
            around = widened(grid, box, SHELL_OUTER_MM)
            part = None if liver is None else liver[around]
            measures.append(_measure(number, volume[around], grid.crop(around), labels[around], part))
    return measures


def widened(grid: Grid, box: tuple[slice, ...], margin_mm: float) -> Box:
    """The box with a margin, clipped to the grid."""
    sides = []
    for side, size, spacing in zip(box, grid.size_zyx, grid.spacing_zyx_mm, strict=True):
        margin = int(np.ceil(margin_mm / spacing))
        sides.append(slice(max(0, side.start - margin), min(size, side.stop + margin)))
    return sides[0], sides[1], sides[2]


def _measure(
    number: int,
    volume: npt.NDArray[np.int16],
    grid: Grid,
    labels: npt.NDArray[np.uint8],
    liver: npt.NDArray[np.bool_] | None,
) -> LesionMeasure:
    lesion = labels == number
    x, y, z = (float(v) for v in grid.to_world(np.argwhere(lesion).mean(axis=0)))
    volume_mm3 = float(lesion.sum()) * grid.voxel_volume_mm3
    mean_hu = float(volume[lesion].mean())
    reference = None if liver is None else _liver_around(volume, grid, lesion, liver & (labels == 0))
    return LesionMeasure(
        number=number,
        centroid_lps_mm=(x, y, z),
        diameter_mm=float(np.cbrt(6 * volume_mm3 / np.pi)),
        volume_ml=volume_mm3 / 1000,
        mean_hu=mean_hu,
        contrast_hu=None if reference is None else mean_hu - reference,
    )


def _liver_around(
    volume: npt.NDArray[np.int16],
    grid: Grid,
    lesion: npt.NDArray[np.bool_],
    liver: npt.NDArray[np.bool_],
) -> float | None:
    from scipy import ndimage

    distance_mm = ndimage.distance_transform_edt(~lesion, sampling=grid.spacing_zyx_mm)
    shell = liver & (distance_mm > SHELL_INNER_MM) & (distance_mm <= SHELL_OUTER_MM)
    return float(np.median(volume[shell])) if shell.sum() >= MIN_SHELL_VOXELS else None
