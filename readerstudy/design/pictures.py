"""What a case shows besides its place: how far its picture reaches, and which other lesions stand in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.datasets.scans import voxels
from ml.geometry import Float3
from readerstudy.blinding.cutting import WANDER_SHARE, display_flips
from readerstudy.models import DisplayMode, Study

# Slices nearer than this look alike, although they are not the same.
SLICES_ALIKE_MM = 10.0
# So far around a place its surroundings are looked at, and so far from the lesion they begin.
SURROUNDINGS_MM, CLEAR_OF_LESION_MM = 30.0, 4.0
# Soft tissue; larger steps from pixel to pixel are edges of organs and no noise.
TISSUE_HU, LARGEST_STEP_HU = (-200, 300), 60
FEWEST_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Picture:
    """How far the picture of every case of a study reaches around its place; `slices_mm` is a stack's thickness."""

    whole: bool
    field_of_view_mm: float
    slices_mm: float

    @classmethod
    def of(cls, study: Study, scans: Iterable[Scan]) -> Self:
        thickest = max((scan.slice_spacing_mm for scan in scans), default=0.0)
        shown = study.stack_slices if study.display_mode == DisplayMode.STACK else 1
        # Where the place is not in the middle, a picture reaches so much farther to one side.
        reach = 1.0 if study.asked.task.mark is None else 1 + WANDER_SHARE
        return cls(
            whole=study.display_mode != DisplayMode.PATCH,
            field_of_view_mm=reach * study.field_of_view_mm,
            slices_mm=reach * shown * thickest,
        )

    def shares(self, places_lps_mm: NDArray[np.float64], others_lps_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Would the pictures of two places of one scan show the same part of it? Shape (places, others)."""
        apart = np.abs(places_lps_mm[:, None] - others_lps_mm[None])
        shared: NDArray[np.bool_] = apart[..., 2] < max(self.slices_mm, SLICES_ALIKE_MM)
        return shared if self.whole else shared & (apart[..., :2] < self.field_of_view_mm).all(axis=-1)

    def others(self, place_lps_mm: Float3, lesions: Iterable[Lesion]) -> list[float]:
        """Distances in mm from the place to the surfaces of the lesions that the picture shows."""
        distances = []
        for lesion in lesions:
            away = np.subtract(lesion.centroid_lps_mm, place_lps_mm)
            radius = lesion.diameter_mm / 2
            across = self.whole or (np.abs(away[:2]) <= self.field_of_view_mm / 2 + radius).all()
            if across and abs(away[2]) <= self.slices_mm / 2 + radius:
                distances.append(max(0.0, float(np.linalg.norm(away)) - radius))
        return distances


def frame_position(scan: Scan, place_lps_mm: Sequence[float]) -> tuple[float, float, float]:
    """Where the place stands on the screen, in mm below and to the right of the scan's middle, and which share of the
    way through the slices it is."""
    grid = scan.geometry
    middle = (np.asarray(grid.size_zyx) - 1) / 2
    turned = np.where(display_flips(grid), -1, 1)
    away = (grid.to_voxel(place_lps_mm) - middle) * turned
    row_mm, column_mm = away[1:] * grid.spacing_zyx_mm[1:]
    return float(row_mm), float(column_mm), float(np.clip(0.5 + away[0] / grid.size_zyx[0], 0.0, 1.0))


def surroundings_hu(scan: Scan, place_lps_mm: Sequence[float], *, radius_mm: float) -> tuple[float, float] | None:
    """Mean HU of the tissue around a place, and the mean step from pixel to pixel there: what phase, dose and kernel
    of a scan look like. None where there is too little tissue."""
    grid = scan.geometry
    z, y, x = grid.nearest_voxel(place_lps_mm)
    box = grid.box_around((z, y, x), half_extent_zyx_mm=(0.0, SURROUNDINGS_MM, SURROUNDINGS_MM))
    plane = voxels.read_box(scan.pk, grid, box)[0].astype(np.int32)
    rows, columns = np.ogrid[box[1], box[2]]
    _, row_mm, column_mm = grid.spacing_zyx_mm
    clear = np.hypot((rows - y) * row_mm, (columns - x) * column_mm) > radius_mm + CLEAR_OF_LESION_MM
    tissue = clear & (plane > TISSUE_HU[0]) & (plane < TISSUE_HU[1])
    both = tissue[:, 1:] & tissue[:, :-1]
    if both.sum() < FEWEST_STEPS:
        return None
    steps = np.minimum(np.abs(np.diff(plane, axis=1)), LARGEST_STEP_HU)
    return float(plane[tissue].mean()), float(steps[both].mean())
