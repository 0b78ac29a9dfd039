"""Where places lie in a liver: depth below its surface, distance to lesions, and their share of the way through it."""

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

# Patient coordinates, shape (n, 3).
Places = Sequence[Sequence[float]] | NDArray[np.float64]


@dataclass(frozen=True)
class LiverPlace:
    """A place of one liver that has a like in another: share of the way through the liver's box towards the patient's
    left, back and head (0 to 1), and depth below the surface."""

    shares_lps: Float3
    depth_mm: float


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
        return cls.from_masks(grid, liver=liver, lesions=lesions)

    @classmethod
    def from_masks(cls, grid: Grid, *, liver: NDArray[np.bool_], lesions: NDArray[np.bool_]) -> Self | None:
        """None when there is no voxel of liver."""
        liver = liver | lesions
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

    def depths_mm(self, places_lps_mm: Places) -> list[float]:
        """Depth of each place below the liver's surface; 0 outside of it."""
        index = np.rint((self.grid.to_voxel(places_lps_mm) - self._starts) / self.steps_zyx).astype(int)
        inside = ((index >= 0) & (index < self.depth_mm.shape)).all(axis=-1)
        clipped = np.clip(index, 0, np.array(self.depth_mm.shape) - 1)
        return [float(v) for v in np.where(inside, self.depth_mm[tuple(clipped.T)], 0.0)]

    def shares_lps(self, places_lps_mm: Places) -> NDArray[np.float64]:
        """Share of the way through the liver's box of each place, shape (n, 3): to the left, the back and the head."""
        low, high = self._corners_lps_mm
        shares: NDArray[np.float64] = (np.asarray(places_lps_mm, dtype=np.float64) - low) / (high - low)
        return shares

    def places(self, places_lps_mm: Places) -> list[LiverPlace]:
        depths, shares = self.depths_mm(places_lps_mm), self.shares_lps(places_lps_mm)
        return [
            LiverPlace(shares_lps=(float(left), float(back), float(head)), depth_mm=depth)
            for (left, back, head), depth in zip(shares, depths, strict=True)
        ]

    def unlikeness_mm(
        self, places_lps_mm: NDArray[np.float64], depths_mm: NDArray[np.float32], wanted: LiverPlace
    ) -> NDArray[np.float64]:
        """How far each place, shape (n, 3), lies from where the wanted one would in this liver, and from its depth."""
        low, high = self._corners_lps_mm
        away = places_lps_mm - (low + np.asarray(wanted.shares_lps) * (high - low))
        apart: NDArray[np.float64] = np.sqrt((away**2).sum(axis=-1) + (depths_mm - wanted.depth_mm) ** 2)
        return apart

    def lattice_lps_mm(self, where: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Places of the lattice points that are chosen, shape (n, 3)."""
        return self.grid.to_world(np.argwhere(where) * np.array(self.steps_zyx) + self._starts)

    @property
    def _starts(self) -> NDArray[np.int_]:
        return np.array([side.start for side in self.box])

    @property
    def _corners_lps_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ends = self.grid.to_world([[side.start for side in self.box], [side.stop - 1 for side in self.box]])
        low, high = ends.min(axis=0), ends.max(axis=0)
        return low, np.maximum(high, low + LATTICE_MM)
