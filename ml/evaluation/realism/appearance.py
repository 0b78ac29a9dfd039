"""What the judges of patches do not tell apart: vessels that run through a lesion, and how uneven its inside is.

Vessels are told without the editor's own idea of them: low-passed values that stand well out of the liver around.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Float3
from ml.patches.case import Mask
from ml.scans.lesions import REFERENCE_GAP_MM, REFERENCE_WIDTH_MM

Scan = NDArray[np.int16]

# A vessel is brighter than the liver around by this (HU) after a low-pass (sigma, mm), and has so much volume (mm3):
# noise has less.
VESSEL_HU, VESSEL_SIGMA_MM, VESSEL_MM3 = 22.0, 1.2, 100.0
# Inside begins here (mm from the edge), beyond the blur; without so many voxels of either nothing is told.
INSIDE_MM, ENOUGH_VOXELS = 1.5, 25
# Noise is what lies above this low-pass (sigma, pixels).
NOISE_SIGMA_PX = 1.5
# Beside a lesion (mm from its edge), beyond the blur.
BESIDE_FROM_MM, BESIDE_MM = 2.0, 6.0
# Farther from the liver's level (HU) is no parenchyma: fat, gas, stomach, large veins.
PARENCHYMA_HU = 45.0


def vessels_of(scan_hu: Scan, liver: Mask, level_hu: float, spacing_zyx_mm: Float3) -> Mask:
    """Bright tubes of a scan or crop."""
    sigma = [min(1.0, VESSEL_SIGMA_MM / spacing_zyx_mm[0]), *(VESSEL_SIGMA_MM / s for s in spacing_zyx_mm[1:])]
    smooth = ndimage.gaussian_filter(np.clip(scan_hu, level_hu - 100, level_hu + 200).astype(np.float32), sigma)
    parts, count = ndimage.label(liver & (smooth > level_hu + VESSEL_HU))
    large = np.bincount(parts.ravel(), minlength=count + 1) * np.prod(spacing_zyx_mm) >= VESSEL_MM3
    large[0] = False
    found: Mask = large[parts]
    return found


def level_around(scan_hu: Scan, liver: Mask, inside: Mask, spacing_zyx_mm: Float3) -> float:
    """Median (HU) of the liver 3 to 11 mm around a lesion; not a number without any."""
    away = ndimage.distance_transform_edt(~inside, sampling=spacing_zyx_mm)
    ring = liver & (away > REFERENCE_GAP_MM) & (away <= REFERENCE_GAP_MM + REFERENCE_WIDTH_MM)
    return float(np.median(scan_hu[ring])) if ring.any() else float("nan")


def vessel_share_kept(before_hu: Scan, after_hu: Scan, core: Mask, vessels: Mask) -> float | None:
    """How much of the contrast of vessels inside ``core`` an insertion kept; None without vessels or anything else."""
    tubes, plain = core & vessels, core & ~vessels
    if min(tubes.sum(), plain.sum()) < ENOUGH_VOXELS:
        return None
    before, after = (float(v[tubes].mean() - v[plain].mean()) for v in (before_hu, after_hu))
    return after / before if before > 0 else None


def vessels_pushed_mm(
    before_hu: Scan, after_hu: Scan, inside: Mask, vessels: Mask, spacing_zyx_mm: Float3
) -> float | None:
    """How far vessels beside a lesion have come away from it, by least squares; None without vessels there.

    Where values change as a shift by a along the way n outwards changes them, after - before = -a n . grad(before).
    """
    away = ndimage.distance_transform_edt(~inside, sampling=spacing_zyx_mm)
    beside = (away > BESIDE_FROM_MM) & (away <= BESIDE_MM)
    tubes = beside & ndimage.binary_dilation(vessels, iterations=2)
    if (beside & vessels).sum() < ENOUGH_VOXELS:
        return None
    sigma = [min(1.0, VESSEL_SIGMA_MM / spacing_zyx_mm[0]), *(VESSEL_SIGMA_MM / s for s in spacing_zyx_mm[1:])]
    before, after = (ndimage.gaussian_filter(v.astype(np.float32), sigma) for v in (before_hu, after_hu))
    depth = away - ndimage.distance_transform_edt(inside, sampling=spacing_zyx_mm)
    ways = np.gradient(ndimage.gaussian_filter(depth, sigma), *spacing_zyx_mm)
    slope = sum(w * g for w, g in zip(ways, np.gradient(before, *spacing_zyx_mm), strict=True))[tubes]
    return float(-((after - before)[tubes] * slope).sum() / np.square(slope).sum())


def noise_ratio(before_hu: Scan, after_hu: Scan, where: Mask) -> float | None:
    """The scan's noise (what a low-pass in the slice does not hold) after over before; None in too few voxels."""
    if where.sum() < ENOUGH_VOXELS:
        return None
    before, after = (
        float((v - ndimage.gaussian_filter(v, (0, NOISE_SIGMA_PX, NOISE_SIGMA_PX)))[where].std())
        for v in (before_hu.astype(np.float32), after_hu.astype(np.float32))
    )
    return after / before


def rim_over_liver_hu(scan_hu: Scan, inside: Mask, level_hu: float, spacing_zyx_mm: Float3) -> float:
    """The brightest shell of a ring (mean over 1 mm of depth, from 1 mm outside to its middle) against the liver."""
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing_zyx_mm)[1:-1, 1:-1, 1:-1]
    depth = depth - ndimage.distance_transform_edt(~inside, sampling=spacing_zyx_mm)
    shells = [scan_hu[(depth >= low) & (depth < low + 1)] for low in np.arange(-1.0, depth.max(), 0.5)]
    means = [float(shell.mean()) for shell in shells if len(shell) >= ENOUGH_VOXELS]
    return max(means) - level_hu if means else float("nan")


def core_of(inside: Mask, spacing_zyx_mm: Float3) -> Mask:
    """A lesion without the blur of its edge."""
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing_zyx_mm)[1:-1, 1:-1, 1:-1]
    core: Mask = depth > INSIDE_MM
    return core


def share_outside_parenchyma(before_hu: Scan, inside: Mask, level_hu: float, spacing_zyx_mm: Float3) -> float:
    """The part of a lesion that lies where the scan, low-passed, was no liver."""
    smooth = ndimage.gaussian_filter(before_hu.astype(np.float32), [1.5 * VESSEL_SIGMA_MM / s for s in spacing_zyx_mm])
    return float((np.abs(smooth - level_hu) > PARENCHYMA_HU)[inside].mean())
