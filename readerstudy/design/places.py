"""Where a place lies in the liver: depth below its surface, and places without any lesion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Scan
from ctplatform.datasets.scans import voxels
from ml.geometry import Box, Float3, Grid

# Distances need no finer lattice than this; a liver then takes a quarter of a second.
LATTICE_MM = 2.0
CLEAR_OF_LESIONS_MM = 8.0
PLACES_APART_MM = 15.0


@dataclass(frozen=True)
class LiverMap:
    """Distances in mm on a coarse lattice over the liver's box (z, y, x)."""

    grid: Grid
    box: Box
    steps_zyx: tuple[int, int, int]
    depth_mm: NDArray[np.float32]
    lesion_distance_mm: NDArray[np.float32]

    @classmethod
    def of(cls, scan: Scan) -> Self | None:
        """None when the scan has no liver mask."""
        masks = {mask.kind: mask.pk for mask in scan.masks.all()}
        if MaskKind.LIVER not in masks:
            return None
        grid = scan.geometry
        liver = voxels.read_labels(masks[MaskKind.LIVER], grid) > 0
        lesions = np.zeros_like(liver)
        if MaskKind.LESION in masks:
            lesions = voxels.read_labels(masks[MaskKind.LESION], grid) > 0
        liver |= lesions
        if not liver.any():
            return None
        slices, rows, columns = ndimage.find_objects(liver.astype(np.uint8))[0]
        box = slices, rows, columns
        z, y, x = (max(1, round(LATTICE_MM / spacing)) for spacing in grid.spacing_zyx_mm)
        coarse = slice(None, None, z), slice(None, None, y), slice(None, None, x)
        spacing = np.array([z, y, x]) * grid.spacing_zyx_mm
        # One layer of outside, so that a liver that fills its box still has a surface.
        inside = np.pad(liver[box][coarse], 1)
        depth = ndimage.distance_transform_edt(inside, sampling=spacing)[1:-1, 1:-1, 1:-1]
        free = ~lesions[box][coarse]
        distance = np.full(free.shape, np.inf) if free.all() else ndimage.distance_transform_edt(free, sampling=spacing)
        return cls(grid, box, (z, y, x), depth.astype(np.float32), distance.astype(np.float32))

    def depths_mm(self, places_lps_mm: Sequence[Sequence[float]]) -> list[float]:
        """Depth of each place below the liver's surface; 0 outside of it."""
        starts = np.array([side.start for side in self.box])
        index = np.rint((self.grid.to_voxel(places_lps_mm) - starts) / self.steps_zyx).astype(int)
        inside = ((index >= 0) & (index < self.depth_mm.shape)).all(axis=-1)
        clipped = np.clip(index, 0, np.array(self.depth_mm.shape) - 1)
        return [float(v) for v in np.where(inside, self.depth_mm[tuple(clipped.T)], 0.0)]

    def healthy_places(self, *, count: int, radius_mm: float, seed: int) -> list[Float3]:
        """Up to `count` random places inside the liver, clear of lesions and of each other."""
        allowed = (self.depth_mm >= min(radius_mm, float(self.depth_mm.max()) / 2)) & (
            self.lesion_distance_mm >= radius_mm + CLEAR_OF_LESIONS_MM
        )
        candidates = np.argwhere(allowed)
        order = np.random.default_rng(seed).permutation(len(candidates))
        starts = np.array([side.start for side in self.box])
        places: list[NDArray[np.float64]] = []
        for index in candidates[order]:
            place = self.grid.to_world(index * np.array(self.steps_zyx) + starts)
            if all(np.linalg.norm(place - other) >= PLACES_APART_MM for other in places):
                places.append(place)
            if len(places) == count:
                break
        return [(float(x), float(y), float(z)) for x, y, z in places]
