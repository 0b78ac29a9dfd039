"""What of a lesion's structure a removal levels: inside becomes as even as the liver around."""

from __future__ import annotations

import numpy as np

from ml.editing.cells import EDGE_MM, OUTLIER_HU, Surroundings, robust_sd
from ml.editing.insides import texture
from ml.editing.transplant import random_shifts, taken_from, usable
from ml.patches.case import Mask, Volume

# Low-passed structure (sigma, mm) must stand out this many times from the liver's own before it is levelled; bright
# structure later, because vessels are bright.
STRUCTURE_SIGMA_MM = 2.2
DARK_THRESHOLD, BRIGHT_THRESHOLD = 2.0, 3.0
# Where less than this share of any cell's structure would be taken, nothing is.
LEAST_TAKEN = 0.02
# Texture is told from the level around (sigma, mm). It is made no weaker than LEAST_EVEN of itself. Its clumps have
# about CLUMP_MM3; in a lesion below TOLD_FROM_MM3 its strength cannot be told, nor in fewer cells of plain liver.
LEVEL_SIGMA_MM = 9.0
LEAST_EVEN, CLUMP_MM3, TOLD_FROM_MM3, ENOUGH_CELLS = 0.2, 120.0, 600.0, 50
# Places tried for a transplant of noise, and how many of a lesion's cells are looked at for each.
TRANSPLANT_TRIES, TRANSPLANT_SAMPLE = 40, 400
# Noise is laid this far (mm) beyond a lesion's edge, where it fades in.
TRANSPLANT_MM = 2.0
# Keeps divisions apart from zero.
TINY = 1e-6


def as_even_as_liver(found: Surroundings, remaining: Volume) -> Volume:
    """-(1 - k) L within the lesion, where L is the rest's texture and k its spread in plain liver over that inside.

    Nothing (k = 1) where inside is no more uneven than chance has it, and never below LEAST_EVEN.
    """
    cells, spacing = found.cells, found.cells.frame.spacing_zyx_mm
    low = texture(remaining, cells.liver, spacing)
    low -= cells.low_pass(low, LEVEL_SIGMA_MM)
    inside = low[cells.frame.depth > EDGE_MM]
    volume_mm3 = len(inside) * float(np.prod(spacing))
    # Its vessels make a liver's bright side uneven, not its dark one.
    plain = -low[found.normal & (low < 0)]
    if volume_mm3 < TOLD_FROM_MM3 or len(plain) < ENOUGH_CELLS:
        return np.zeros_like(low)
    by_chance = 1 + np.sqrt(2 * CLUMP_MM3 / volume_mm3)
    even = 1.4826 * float(np.median(plain)) * by_chance / max(robust_sd(inside), TINY)
    share = float(np.clip(1 - even, 0, 1 - LEAST_EVEN))
    evened: Volume = (-share * low * cells.within).astype(np.float32)
    return evened


def structure(found: Surroundings, remaining: Volume, *, seed: int) -> Volume:
    """Level low-passed structure S inside the lesion that plain liver would not show: -t S + sqrt(1 - (1 - t)^2) N.

    t = (1 - T / |S|)+ within the lesion, T = 2 (dark) or 3 (bright) spreads of S in plain liver: amplitudes above T are
    shrunk to it. N, low-passed noise of plain liver, is weighted so that variances add up (cos/sin, no cross-fade).
    """
    cells = found.cells
    smooth = cells.low_pass(np.clip(remaining, -OUTLIER_HU * 2, OUTLIER_HU * 2), STRUCTURE_SIGMA_MM)
    spread = found.spread_hu(smooth, fallback=found.around.noise_hu / 3)
    threshold = np.where(smooth < 0, DARK_THRESHOLD, BRIGHT_THRESHOLD) * spread + TINY
    taken: Volume = cells.within * np.clip(1 - threshold / np.maximum(np.abs(smooth), threshold), 0, 1)
    taken = cells.low_pass(taken, STRUCTURE_SIGMA_MM / 2) * cells.within
    if float(taken.max()) < LEAST_TAKEN:
        return np.zeros_like(smooth)
    donor = donor_noise(smooth, cells.frame.depth, found.normal, seed)
    kept = 1 - taken
    levelled: Volume = (-taken * smooth + np.sqrt(np.clip(1 - kept**2, 0, 1)) * donor).astype(np.float32)
    return levelled


def donor_noise(smooth: Volume, depth: Volume, normal: Mask, seed: int) -> Volume:
    """Low-passed noise of plain liver of the same scan, shifted onto the lesion; zero without a donor."""
    noise = np.zeros_like(smooth)
    target = np.argwhere(depth > -TRANSPLANT_MM)
    if not normal.any():
        return noise
    rng = np.random.default_rng([seed, 31])
    shifts = random_shifts(target, normal, count=TRANSPLANT_TRIES, rng=rng)
    sample = target[:: max(1, len(target) // TRANSPLANT_SAMPLE)]
    shares = [usable(sample + shift, normal).mean() for shift in shifts]
    noise[tuple(target.T)] = taken_from(smooth, target + shifts[int(np.argmax(shares))], normal)
    return noise
