"""The smallest leak that an audit would have found: what a passed check is worth."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

POWER = 0.9
STEPS = [step / 100 for step in range(51, 101)]
DRAWS = 2_000
SEED = 20_210_817
# Of a normal distribution; what lies so far apart never overlaps.
APART = 1e3

# Of each trial, how many real and how many synthetic images it shows; of images shown one by one all are one trial.
Design = tuple[tuple[int, int], ...]


def smallest_auc(design: Design, *, threshold: float) -> float | None:
    """Smallest AUC of one observable whose ranks exceed `threshold` (in standard deviations) with 90 % power.

    None where even a complete separation of the ranks stays below it. Drawn, and not from a formula: of images shown
    together only what differs within their trial counts, and few trials then separate less than few images do.
    """
    low, high = 0, len(STEPS)
    while low < high:
        middle = (low + high) // 2
        if _exceeded(tuple(sorted(design)), STEPS[middle]) >= threshold:
            high = middle
        else:
            low = middle + 1
    return STEPS[low] if low < len(STEPS) else None


@lru_cache(maxsize=256)
def _exceeded(design: Design, area: float) -> float:
    """What a leak of this AUC (two normal distributions of one spread) exceeds in 90 % of draws."""
    synthetic = np.concatenate([np.arange(real + edited) >= real for real, edited in design])
    shift = np.sqrt(2) * stats.norm.ppf(area) if area < 1 else APART
    values = np.random.default_rng(SEED).normal(size=(DRAWS, len(synthetic))) + shift * synthetic
    ranked = np.argsort(np.argsort(values, axis=1), axis=1).astype(np.float64)
    return float(np.quantile(_separations(ranked, synthetic, design), 1 - POWER))


def _separations(rows: NDArray[np.float64], synthetic: NDArray[np.bool_], design: Design) -> NDArray[np.float64]:
    """In standard deviations under permutation within trials."""
    of_trial = np.repeat(np.arange(len(design)), [real + edited for real, edited in design])
    ends = np.flatnonzero(np.diff(of_trial, prepend=-1))
    sizes = np.diff(np.r_[ends, len(of_trial)])
    centred = rows - np.repeat(np.add.reduceat(rows, ends, axis=1) / sizes, sizes, axis=1)
    length = np.linalg.norm(centred, axis=1)
    kinds = synthetic - synthetic.mean()
    scale = np.sqrt((len(synthetic) - len(design)) / (kinds**2).sum())
    return np.asarray(centred @ kinds / np.maximum(length, 1e-12) * scale)
