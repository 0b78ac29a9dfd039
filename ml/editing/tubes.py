"""Vessels that cross a place, told from the parenchyma around them: what an inserted lesion takes away.

A vessel of a few millimetres is hardly brighter than the liver once the noise has been smoothed, so no threshold for
single cells finds it. Bright cells are followed along their tube instead, from where it is sure to where it ends; and
what the smoothing took from a tube's brightness is given back by a fit to the scan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.frame import grow, pool
from ml.editing.neighbourhood import vessel_sigma
from ml.geometry import Float3
from ml.patches.case import Mask, Volume
from ml.settled import STEP_HU, settled

# Values (HU against the liver) are cut to these before they are smoothed.
DARKEST_HU, BRIGHTEST_HU = -100.0, 150.0
# Low-passed values within this (HU) of the liver's level are parenchyma; its local level is their mean over so much
# (sigma, mm). Without a share of parenchyma the liver's level stands in.
PARENCHYMA_HU, LEVEL_SIGMA_MM, LEAST_PARENCHYMA = 30.0, 8.0, 0.05
# The step (mm) of the lattice of that level.
LEVEL_STEP_MM = 4.0
# A tube is sure from so many spreads of the parenchyma on, and followed down to so many; in between it fades in.
SURE, FOLLOWED, FADED_IN = 4.0, 1.5, 2.2
# The spread (HU) is kept between these, and told by so many cells at least.
SPREAD_RANGE_HU, FALLBACK_SPREAD_HU, ENOUGH_CELLS = (2.0, 10.0), 5.0, 30
# Smaller bright spots (mm3) are noise.
SMALLEST_MM3 = 40.0
# A tube's brightness is fitted over so much of it (sigma, mm), and is that of the low-pass up to so many times.
FIT_SIGMA_MM, BRIGHTER = 1.4, (1.0, 2.2)
# Keeps divisions apart from zero.
TINY = 1e-3


def tubes(hu: Volume, liver: Mask, level_hu: float, spacing_zyx_mm: Float3) -> Volume:
    """What vessels add to the parenchyma around them (HU, cells); 0 elsewhere. The noise is not in it."""
    values = np.where(liver, np.clip(hu - np.float32(level_hu), DARKEST_HU, BRIGHTEST_HU), np.float32(0))
    smooth = ndimage.gaussian_filter(values, vessel_sigma(spacing_zyx_mm), truncate=2.5)
    plain = liver & (np.abs(smooth) < PARENCHYMA_HU)
    standing_out = smooth - local_level(values, plain, spacing_zyx_mm)
    spread = _spread(standing_out[plain])
    # Again, without what turned out to be no parenchyma.
    plain &= standing_out < SURE / 2 * spread
    level = local_level(values, plain, spacing_zyx_mm)
    standing_out = settled(((smooth - level) * liver).astype(np.float32), STEP_HU)
    spread = _spread(standing_out[plain])
    certain = np.clip((standing_out / spread - FOLLOWED) / (FADED_IN - FOLLOWED), 0, 1)
    tube = standing_out * (certain * followed(standing_out / spread, spacing_zyx_mm))
    found: Volume = tube * brighter(values - level, tube, spacing_zyx_mm)
    return found


def local_level(values: Volume, plain: Mask, spacing_zyx_mm: Float3) -> Volume:
    """Mean of the parenchyma around every cell (HU against the liver's level); near 0 where there is hardly any.

    So smooth that it is computed on a coarser lattice.
    """
    z, y, x = (max(1, int(LEVEL_STEP_MM / s)) for s in spacing_zyx_mm)
    sigma = [LEVEL_SIGMA_MM / (s * f) for s, f in zip(spacing_zyx_mm, (z, y, x), strict=True)]
    weight, total = (
        ndimage.gaussian_filter(pool(v, (z, y, x)), sigma, truncate=2.0)
        for v in (plain.astype(np.float32), values * plain)
    )
    level = (total / np.maximum(weight, LEAST_PARENCHYMA)).astype(np.float32)
    return grow(level, (z, y, x), values.shape)


def _spread(standing_out: Volume) -> float:
    """Standard deviation (HU) of low-passed parenchyma from its dark half, which holds no vessels."""
    dark = standing_out[standing_out < 0]
    if len(dark) < ENOUGH_CELLS:
        return FALLBACK_SPREAD_HU
    return float(np.clip(1.4826 * np.median(-dark), *SPREAD_RANGE_HU))


def followed(spreads: Volume, spacing_zyx_mm: Float3) -> Mask:
    """Cells above FOLLOWED that hang together with one above SURE, in pieces that are no noise."""
    parts, count = ndimage.label(spreads > FOLLOWED)
    size = np.bincount(parts.ravel(), minlength=count + 1) * float(np.prod(spacing_zyx_mm))
    kept = size >= SMALLEST_MM3
    kept[0] = False
    sure = np.zeros(count + 1, np.bool_)
    sure[parts[spreads > SURE]] = True
    found: NDArray[np.bool_] = (kept & sure)[parts]
    return found


def brighter(deviation: Volume, tube: Volume, spacing_zyx_mm: Float3) -> Volume:
    """How many times as bright as its low-pass a tube is in the scan: a fit of ``deviation`` by ``tube`` about it."""
    sigma = [FIT_SIGMA_MM / s for s in spacing_zyx_mm]
    common, own = (ndimage.gaussian_filter(tube * v, sigma, truncate=2.5) for v in (deviation, tube))
    factor: Volume = np.clip(common / (own + np.float32(TINY)), *BRIGHTER)
    return factor
