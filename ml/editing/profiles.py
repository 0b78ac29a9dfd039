"""A lesion's HU over depth, estimated against the noise with what the generator's exemplars look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.generator.shapes import PROFILE_DEPTHS_MM, PROFILE_STEP_MM, outer_fade
from ml.patches.case import Volume
from ml.settled import STEP_HU, settled

# Asked contrasts may be this many times the learned ones.
BREADTH = 4.0
# What real lesions add to the learned profiles: HU, and over how many mm it changes.
FREE_HU, FREE_MM = 5.0, 1.5
# The liver's level under the lesion is only known to about this much.
LEVEL_HU = 6.0
# Area in a slice over which neighbouring pixels share their noise.
CLUSTER_MM2 = 9.0
# Added to every variance (HU squared): a mean of whole HU is never known exactly. Set by hand.
ROUNDING_HU2 = 0.05

Matrix = NDArray[np.float64]


def profile_covariance(profiles_hu: Volume) -> Matrix:
    """Covariance (HU squared) of profiles over PROFILE_DEPTHS_MM: what the exemplars (n, depths) show, and a rest."""
    known = profiles_hu.astype(np.float64)
    steps = PROFILE_DEPTHS_MM[:, None] - PROFILE_DEPTHS_MM
    fade = outer_fade(PROFILE_DEPTHS_MM).astype(np.float64)
    free = FREE_HU**2 * np.exp(-0.5 * (steps / FREE_MM) ** 2) * np.outer(fade, fade)
    covariance: Matrix = BREADTH * known.T @ known / len(known) + free
    return covariance


def estimate_profile(
    values: Volume, depth: Volume, weight: Volume, *, covariance: Matrix, noise_hu: float, pixel_mm2: float
) -> Volume:
    """The most likely profile (HU over PROFILE_DEPTHS_MM) of a lesion in noise.

    The mean at each depth counts by how many independent values it holds; an unknown level under everything
    is told from the lesion by what lies outside it.

    Args:
        values: HU against the liver around.
        depth: mm, same shape.
        weight: 0 to 1, how far each value can be trusted.
        covariance: from ``profile_covariance``.
        noise_hu: the scan's noise.
        pixel_mm2: area of a cell within its slice.
    """
    size = len(PROFILE_DEPTHS_MM)
    bins = np.rint((depth - PROFILE_DEPTHS_MM[0]) / PROFILE_STEP_MM).astype(np.int64)
    keep = (weight > 0) & (bins >= 0)
    bins, weights = np.minimum(bins[keep], size - 1), weight[keep].astype(np.float64)
    count = np.bincount(bins, weights, minlength=size)
    mean = np.bincount(bins, weights * values[keep], minlength=size) / np.maximum(count, 1e-9)
    used = np.flatnonzero(count > 0.5)
    variance = _shared_variance(noise_hu, pixel_mm2) / count[used] + ROUNDING_HU2
    lesion = covariance[:, used]
    seen = lesion[used] + LEVEL_HU**2 + np.diag(variance)
    return settled(lesion @ np.linalg.solve(seen, mean[used]), STEP_HU).astype(np.float32)


def _shared_variance(noise_hu: float, pixel_mm2: float) -> float:
    """What a cell's noise (HU squared) counts in a sum over neighbours that share it."""
    return noise_hu**2 * max(1.0, CLUSTER_MM2 / pixel_mm2)
