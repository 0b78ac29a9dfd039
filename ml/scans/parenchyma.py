"""Where a liver mask holds liver parenchyma, told by the scan itself: masks leak, and hold vessels and fissures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ml.geometry import Float3, Grid, Int3
from ml.patches.case import Mask, Volume
from ml.scans.morphology import depth_mm, distance_mm
from ml.scans.tissue import SOFT_TISSUE_HU, denoised, level_and_band, local_level, pool, pooled_spacing, pooling

# All numbers of this module were set by hand, on phantoms and on four scans of patients.
# Tissue so near (sigma: mm, and parts of the lesion's radius) must be parenchyma, in these shares of the mask there.
NEAR_SIGMA_MM, NEAR_SHARE = 3.0, 0.88
WIDE_SIGMA_PER_RADIUS, WIDE_SHARE = 0.5, 0.8
# Parenchyma of the liver hangs together through necks of twice this (mm), and reaches this far beyond its core.
NECK_MM, RIM_MM = 3.0, 6.0
# Smoothed HU: fat and air are darker than the first, fluid than the second.
FAT_HU, FLUID_HU = -10.0, 30.0
# Liver whose level can be told, in points of the lattice.
ENOUGH = 100


@dataclass(frozen=True)
class Parenchyma:
    """Places that are parenchyma for a lesion of one size, on a lattice of about 2.2 mm over a scan or a box of it.

    ``plain`` says which; ``hu`` is the scan without noise, ``local_hu`` the parenchyma's level around each point.
    """

    grid: Grid
    factors: Int3
    plain: Mask
    hu: Volume
    local_hu: Volume

    @classmethod
    def of(cls, volume_hu: NDArray[np.int16], grid: Grid, liver: Mask, *, radius_mm: float) -> Self | None:
        """None where there is too little liver to tell its level."""
        factors, spacing = pooling(grid), pooled_spacing(grid)
        inside = pool(liver, factors) > 0.5
        hu = denoised(pool(volume_hu, factors), spacing)
        low, high = SOFT_TISSUE_HU
        if (inside & (hu > low) & (hu < high)).sum() < ENOUGH:
            return None
        level, band = level_and_band(hu[inside])
        tissue = inside & (np.abs(hu - level) < band)
        for _ in range(2):
            local = local_level(hu, tissue, level, spacing)
            tissue = inside & (np.abs(hu - local) < band)
        near = _share(tissue, inside, NEAR_SIGMA_MM, spacing) >= NEAR_SHARE
        wide = _share(tissue, inside, WIDE_SIGMA_PER_RADIUS * radius_mm, spacing) >= WIDE_SHARE
        return cls(grid, factors, tissue & near & wide & _one_organ(tissue, spacing), hu, local)

    def allowed(self, places_lps_mm: ArrayLike) -> NDArray[np.bool_]:
        """Which places, shape (..., 3), are parenchyma; those beyond the lattice are not."""
        index = self._index(places_lps_mm)
        inside = ((index >= 0) & (index < self.plain.shape)).all(axis=-1)
        clipped = np.clip(index, 0, np.array(self.plain.shape) - 1)
        found: NDArray[np.bool_] = self.plain[tuple(np.moveaxis(clipped, -1, 0))] & inside
        return found

    def looks_like(self, place_lps_mm: ArrayLike) -> str:
        """What stands at a place that is not allowed, in words for the screen."""
        index = tuple(np.clip(self._index(place_lps_mm), 0, np.array(self.plain.shape) - 1).tolist())
        hu, local = float(self.hu[index]), float(self.local_hu[index])
        if hu < FAT_HU:
            return "fat or air"
        if hu < min(FLUID_HU, local - 20):
            return "fluid (gallbladder, bile duct or cyst)"
        if hu > local + 15:
            return "a vessel or brighter tissue"
        if hu < local - 15:
            return "darker tissue (a lesion, muscle or bowel)"
        return "the border of vessels, fissures or other organs"

    def nearest(self, place_lps_mm: ArrayLike) -> Float3 | None:
        """The nearest place that is allowed; None where there is none."""
        places = self.grid.to_world(self._voxels(np.argwhere(self.plain)))
        if not len(places):
            return None
        away = np.linalg.norm(places - np.asarray(place_lps_mm, dtype=np.float64), axis=1)
        x, y, z = (float(v) for v in places[int(away.argmin())])
        return x, y, z

    def whole(self) -> Mask:
        """What is allowed, on the scan's own grid."""
        index = [
            np.minimum(np.arange(n) // f, m - 1)
            for n, f, m in zip(self.grid.size_zyx, self.factors, self.plain.shape, strict=True)
        ]
        return self.plain[np.ix_(*index)]

    def _index(self, places_lps_mm: ArrayLike) -> NDArray[np.int_]:
        index: NDArray[np.int_] = np.rint(self.grid.to_voxel(places_lps_mm)).astype(int) // np.array(self.factors)
        return index

    def _voxels(self, index: NDArray[np.int_]) -> NDArray[np.float64]:
        """Centres of lattice points, in voxels."""
        centres: NDArray[np.float64] = index * np.array(self.factors) + (np.array(self.factors) - 1) / 2
        return centres


def _share(tissue: Mask, inside: Mask, sigma_mm: float, spacing: Float3) -> Volume:
    """How much of the mask around each point is parenchyma; what lies outside of the mask doesn't count."""
    sigma = [sigma_mm / s for s in spacing]
    whole = ndimage.gaussian_filter(inside.astype(np.float32), sigma, truncate=2.5)
    part = ndimage.gaussian_filter(tissue.astype(np.float32), sigma, truncate=2.5)
    return np.asarray(part / np.maximum(whole, 1e-3), dtype=np.float32)


def _one_organ(tissue: Mask, spacing: Float3) -> Mask:
    """Near the largest piece: what hangs on it by a thin neck alone is another organ of the same attenuation."""
    parts, count = ndimage.label(depth_mm(tissue, spacing) > NECK_MM)
    if not count:
        return np.zeros_like(tissue)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return distance_mm(largest, spacing) <= RIM_MM
