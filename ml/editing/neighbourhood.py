"""The part of a scan that an edit reads, and what is normal in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import EditError, MlError
from ml.generator import Generator
from ml.geometry import Box, Float3, Grid, Int3
from ml.patches import Mask, PatchFrame, Volume, liver_level, liver_weight, normalise
from ml.signatures import Codes

SMALLEST_NEIGHBOURHOOD_MM = 30.0
VESSEL_SIGMA_MM = 1.3
VESSEL_THRESHOLD = 2.5
MIN_LIVER_VOXELS = 60


@dataclass(frozen=True)
class Neighbourhood:
    """A crop of a scan around an edit: HU, liver, the liver's own level (HU) and noise (HU).

    ``box`` are the crop's voxels in the scan, ``grid`` its lattice.
    """

    box: Box
    grid: Grid
    hu: Volume
    source_hu: NDArray[np.int16]
    liver: Mask
    level_hu: float
    noise_hu: float

    @property
    def spacing_zyx_mm(self) -> Float3:
        """Voxel distances."""
        return self.grid.spacing_zyx_mm

    def local_index(self, index_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scan indices in the crop's indices."""
        return index_zyx - np.array([s.start for s in self.box])

    def signature(
        self, generator: Generator, centre_zyx: NDArray[np.float64], *, zoom: float, seed: int
    ) -> tuple[Codes, PatchFrame]:
        """The code (1, d) of the patch at a place (crop indices), and where the patch lies."""
        z, y, x = (float(v) for v in centre_zyx)
        frame = PatchFrame(generator.net, self.spacing_zyx_mm, (z, y, x), zoom)
        box = frame.source_box(self._size)
        tissue = frame.sample(self.hu[box], box, smooth=True, outside=None)
        weight = frame.sample(liver_weight(self.liver[box], self.spacing_zyx_mm), box, smooth=False, outside=0.0)
        patch = normalise(tissue, weight, self.level_hu, np.random.default_rng([seed, 11]))
        return generator.encode(patch[None]), frame

    @property
    def _size(self) -> Int3:
        z, y, x = self.hu.shape
        return z, y, x


def read_neighbourhood(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: Mask,
    centre_zyx: NDArray[np.float64],
    half_extent_mm: float,
    excluded: Mask | None = None,
) -> Neighbourhood:
    """Read the crop around a place; ``excluded`` (whole grid) is not looked at for the liver's level.

    Raises EditError when shapes disagree or there is too little liver to learn from.
    """
    if volume_hu.shape != grid.size_zyx or liver_mask.shape != grid.size_zyx:
        raise EditError("The scan, its grid and its liver mask do not have the same size.")
    half = max(half_extent_mm, SMALLEST_NEIGHBOURHOOD_MM)
    box = grid.box_around(centre_zyx, half_extent_zyx_mm=(half, half, half))
    source = np.asarray(volume_hu[box])
    liver = np.asarray(liver_mask[box], dtype=np.bool_)
    normal = liver if excluded is None else liver & ~np.asarray(excluded[box], dtype=np.bool_)
    if normal.sum() < MIN_LIVER_VOXELS:
        raise EditError("There is too little liver around this place to learn its appearance from.")
    try:
        level = liver_level(source, normal)
    except MlError as error:
        raise EditError("The liver's attenuation cannot be told around this place.") from error
    hu = source.astype(np.float32)
    return Neighbourhood(box, grid.crop(box), hu, source, liver, level, _noise_sd(hu, normal, level))


def _noise_sd(hu: Volume, normal: Mask, level_hu: float) -> float:
    """Noise of the scan from neighbouring-pixel differences within parenchyma (robust)."""
    tissue = normal & (np.abs(hu - level_hu) < 80)
    pair = tissue[:, :, 2:] & tissue[:, :, :-2]
    steps = (hu[:, :, 2:] - hu[:, :, :-2])[pair]
    return float(1.4826 * np.median(np.abs(steps)) / np.sqrt(2)) if len(steps) > 50 else 10.0


def vessel_excess(hu: Volume, liver: Mask, level_hu: float, spacing_zyx_mm: Float3) -> Volume:
    """What smooth bright structures (vessels) add to the liver's level, in HU; zero in plain parenchyma.

    Only what stands out of the low-passed noise counts, so that the noise itself is not touched.
    """
    sigma = [
        min(0.6, VESSEL_SIGMA_MM / s) if axis == 0 else VESSEL_SIGMA_MM / s for axis, s in enumerate(spacing_zyx_mm)
    ]
    smooth = ndimage.gaussian_filter(np.clip(hu, level_hu - 100, level_hu + 150), sigma, truncate=2.5) - level_hu
    below = smooth[liver & (smooth < 0)]
    spread = float(np.sqrt((below**2).mean())) if len(below) > 30 else 5.0
    spread = min(spread, 12.0)
    excess: Volume = np.where(smooth > VESSEL_THRESHOLD * spread, smooth, 0).astype(np.float32)
    return excess
