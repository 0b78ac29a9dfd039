"""Scans on a coarse lattice, and the level of a tissue around each of its points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Float3, Grid, Int3
from ml.patches.case import Mask, Volume
from ml.scans.morphology import smooth_keeping_edges

# All numbers of this module were set by hand, on phantoms and on four scans of patients.
# Spacing (mm) at which organs are looked for.
WORKING_MM = 2.2
# HU among which an organ's level is looked for.
SOFT_TISSUE_HU = (20, 250)
# Parenchyma lies within this of its level (HU), or within so many of its own spreads.
BAND_HU, BAND_SPREADS = 18.0, 2.5
# The level is told from tissue so near (sigma, mm), on every second point; it may lie so far off the organ's (HU): beam
# hardening and arms beside the body darken a part of the liver.
LEVEL_SIGMA_MM, LEVEL_DRIFT_HU = 18.0, 30.0
# What is smoothed away: differences below this (HU) within so many mm.
NOISE_HU, NOISE_RADIUS_MM = 15.0, 4.5


def pooling(grid: Grid) -> Int3:
    """How many voxels make one point of the working lattice."""
    z, y, x = (min(n, max(1, round(WORKING_MM / s))) for n, s in zip(grid.size_zyx, grid.spacing_zyx_mm, strict=True))
    return z, y, x


def pooled_spacing(grid: Grid) -> Float3:
    """Distances (mm) of the working lattice."""
    z, y, x = (s * f for s, f in zip(grid.spacing_zyx_mm, pooling(grid), strict=True))
    return z, y, x


def pool(values: NDArray[np.generic], factors: Int3) -> Volume:
    """Means of blocks, slab by slab: whole scans as floats would fill the memory."""
    fz, fy, fx = factors
    nz, ny, nx = (n // f for n, f in zip(values.shape, factors, strict=True))
    pooled = np.empty((nz, ny, nx), np.float32)
    for i in range(nz):
        slab = np.clip(values[i * fz : (i + 1) * fz, : ny * fy, : nx * fx].astype(np.float32), -1000, 600)
        pooled[i] = slab.reshape(fz, ny, fy, nx, fx).mean((0, 2, 4))
    return pooled


def denoised(pooled: Volume, spacing_zyx_mm: Float3) -> Volume:
    """Without noise, with edges."""
    soft = np.clip(pooled, -200, 400)
    return smooth_keeping_edges(soft, spacing_zyx_mm, radius_mm=NOISE_RADIUS_MM, edge_hu=NOISE_HU)


def level_and_band(values: NDArray[np.float32]) -> tuple[float, float]:
    """The mode of an organ's denoised HU, and how far its tissue lies from it. There must be soft tissue."""
    low, high = SOFT_TISSUE_HU
    soft = values[(values > low) & (values < high)]
    counts = np.bincount(np.rint(soft).astype(int), minlength=high).astype(np.float64)
    level = float(np.argmax(ndimage.gaussian_filter1d(counts, 5)))
    spread = 1.4826 * float(np.median(np.abs(values[np.abs(values - level) < 30] - level)))
    return level, max(BAND_HU, BAND_SPREADS * spread)


def local_level(hu: Volume, tissue: Mask, level: float, spacing_zyx_mm: Float3) -> Volume:
    """Mean of the tissue around each voxel; the organ's level where there is none of it."""
    every = (slice(None, None, 2),) * 3
    sigma = [LEVEL_SIGMA_MM / s / 2 for s in spacing_zyx_mm]
    weight = ndimage.gaussian_filter(tissue[every].astype(np.float32), sigma, truncate=2.5)
    mean = ndimage.gaussian_filter(np.where(tissue, hu, 0)[every], sigma, truncate=2.5)
    coarse = np.where(weight > 1e-3, mean / np.maximum(weight, 1e-3), level)
    local: Volume = ndimage.affine_transform(
        np.clip(coarse, level - LEVEL_DRIFT_HU, level + LEVEL_DRIFT_HU).astype(np.float32),
        [0.5, 0.5, 0.5],
        output_shape=hu.shape,
        order=1,
        mode="nearest",
    )
    return local
