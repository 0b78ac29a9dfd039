"""Vessels for a place where a lesion replaced them: those of another place in the same liver.

What a lesion destroyed cannot be known. Without vessels, though, every removal is plainer and darker in its middle
than liver is. What is copied is drawn at random: looking for the place that continues the vessels around best
finds places without any. Of several such places the one with the middle amount of vessels is taken: no large trunks.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.frame import LesionFrame, pool
from ml.editing.neighbourhood import vessel_sigma
from ml.editing.transplant import random_shifts, taken_from, usable
from ml.geometry import Box, Grid
from ml.patches.case import Mask, Volume
from ml.settled import STEP_HU, settled

# A lesion's own cells and what its edge blurs into.
TOUCHED_MM, COVERED_MM = -0.5, -1.0
# Through the slices a few are looked at; within them as far as a lesion of this size needs to be moved.
REACH_Z_MM, REACH_MM, REACH_SHARE, FARTHEST_MM = 6.0, 8.0, 0.75, 40.0
# Random shifts; the part of a place's cells that must be plain liver; of how many cells that is told. Set by hand.
TRIES, ENOUGH_SHARE, SAMPLE = 160, 0.9, 300
# Of so many suitable places the one with the middle amount of vessels is taken.
PLACES = 8
# Low-passed values that stand out by more than this many times the dark half's spread are vessels, or a part of them.
BRIGHT_SPREADS, DARKEST_HU, BRIGHTEST_HU = 1.0, -60.0, 150.0
# Darker than this is another lesion, fat or a duct.
OTHER_HU = -90.0
# Fewer dark cells tell no spread (HU); this one stands in for it.
ENOUGH_CELLS, FALLBACK_SPREAD_HU = 30, 5.0


@dataclass(frozen=True)
class LiverAround:
    """Plain liver of a wide crop and its vessels (HU above the liver's level) in a frame's cells.

    ``first`` is the index of the frame's first cell in them.
    """

    vessels: Volume
    plain: Mask
    first: NDArray[np.int_]

    @classmethod
    def of(
        cls,
        volume_hu: NDArray[np.int16],
        grid: Grid,
        frame: LesionFrame,
        crop: Box,
        *,
        liver_mask: Mask,
        reference: float,
    ) -> LiverAround:
        """The liver around a frame that lies in ``crop`` of the scan; ``reference`` is its level in HU."""
        box, first = _reach(frame, crop, grid)
        hu = pool(volume_hu[box], frame.factors) - np.float32(reference)
        plain = pool(liver_mask[box], frame.factors) > 0.5
        z, y, x = (slice(f, f + n) for f, n in zip(first, frame.depth.shape, strict=True))
        plain[z, y, x] &= frame.depth < TOUCHED_MM
        within = np.clip(np.where(plain, hu, np.float32(0)), DARKEST_HU, BRIGHTEST_HU)
        smooth: Volume = ndimage.gaussian_filter(within, vessel_sigma(frame.spacing_zyx_mm), truncate=2.5)
        dark = smooth[plain & (smooth < 0)]
        spread = 1.4826 * float(np.median(-dark)) if len(dark) > ENOUGH_CELLS else FALLBACK_SPREAD_HU
        vessels: Volume = np.clip(smooth - np.float32(BRIGHT_SPREADS * spread), 0, None) * plain
        return cls(vessels, plain & (hu > OTHER_HU), first)


def _reach(frame: LesionFrame, crop: Box, grid: Grid) -> tuple[Box, NDArray[np.int_]]:
    """The scan's voxels around a frame in whole cells, and the frame's first cell in them."""
    within = min(REACH_MM + REACH_SHARE * 2 * float(frame.depth.max()), FARTHEST_MM)
    edges, first = [], []
    for own, outer, factor, cell_mm, size, reach_mm in zip(
        frame.box,
        crop,
        frame.factors,
        frame.spacing_zyx_mm,
        grid.size_zyx,
        (REACH_Z_MM, within, within),
        strict=True,
    ):
        start, reach = own.start + outer.start, int(reach_mm / cell_mm)
        cells = min(reach, start // factor)
        edges.append(slice(start - cells * factor, min(size, own.stop + outer.start + reach * factor)))
        first.append(cells)
    return (edges[0], edges[1], edges[2]), np.array(first)


def vessels_from_elsewhere(frame: LesionFrame, around: LiverAround, *, seed: int) -> Volume | None:
    """Vessels (HU, the frame's cells) for a lesion from a place that is plain liver; None without one.

    The place is the one with the middle brightness of vessels among PLACES random ones.
    """
    rng = np.random.default_rng([seed, 37])
    target = np.argwhere(frame.depth > COVERED_MM) + around.first
    if not around.plain.any():
        return None
    shifts = random_shifts(target, around.plain, count=TRIES, rng=rng)
    sample = target[:: 1 + len(target) // SAMPLE]
    suitable = (s for s in shifts if usable(sample + s, around.plain).mean() >= ENOUGH_SHARE)
    few = list(itertools.islice(suitable, PLACES))
    if not few:
        return None
    brightness = np.array([taken_from(around.vessels, sample + s, around.plain).mean(dtype=np.float64) for s in few])
    shift = few[np.argsort(settled(brightness, STEP_HU), kind="stable")[(len(few) - 1) // 2]]
    found = np.zeros_like(frame.depth)
    found[tuple((target - around.first).T)] = taken_from(around.vessels, target + shift, around.plain)
    return found
