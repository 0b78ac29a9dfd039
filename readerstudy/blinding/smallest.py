"""The smallest leak that an audit would have found: what a passed check is worth."""

from __future__ import annotations

from math import sqrt

from scipy import stats

POWER = 0.9
STEPS = [0.5 + step / 100 for step in range(1, 51)]


def smallest_auc(*, real: int, synthetic: int, threshold: float) -> float | None:
    """Smallest AUC of one observable that exceeds `threshold` (in standard deviations) with 90 % power.

    None where even a complete separation of the ranks stays below it. Standard errors: of the rank sum without and,
    after Hanley & McNeil (Radiology 1982;143:29), with a separation.
    """
    by_chance = sqrt((real + synthetic + 1) / (12 * real * synthetic))
    reserve = float(stats.norm.ppf(POWER))
    for area in STEPS:
        error = _standard_error(area, real=real, synthetic=synthetic)
        if (area - 0.5 - reserve * error) / by_chance >= threshold:
            return round(area, 2)
    return None


def _standard_error(area: float, *, real: int, synthetic: int) -> float:
    above, below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (synthetic - 1) * (above - area**2) + (real - 1) * (below - area**2)
    return sqrt(max(variance, 0.0) / (real * synthetic))
