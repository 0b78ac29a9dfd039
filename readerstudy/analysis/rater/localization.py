"""One marked place per case: the LROC curve, the area under it, and whether places are found more often than by chance.

A hit is a mark within the accepted radius of what was edited. Real cases have no place. The area counts a synthetic
case that was both found and scored above a real one, so that a reader without skill has half the chance of a hit, not
one half. Sources: Swensson, Med Phys 1996;23:1709; Popescu, Med Phys 2007;34:1556.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.analysis.estimate import FloatArray, is_rated
from readerstudy.analysis.rater.auc import Placements, placements


def localized_placements(*, truth: FloatArray, scores: FloatArray, hits: FloatArray) -> Placements:
    """Return the placement values of the LROC kernel hit * [synthetic above real, ties one half].

    `truth` (cases,), `scores` and `hits` (cases, readers) with NaN for no answer; `hits` is 1 or 0 for synthetic cases
    and ignored for real ones. With every place found they are those of the ROC area.
    """
    plain = placements(truth=truth, scores=scores)
    synthetic = truth == 1
    values = plain.values.copy()
    values[synthetic] *= np.where(is_rated(hits[synthetic]), hits[synthetic], 0.0)
    for reader in range(scores.shape[1]):
        values[~synthetic, reader] = _found_above(scores[:, reader], hits[:, reader], synthetic)
    return Placements(truth=truth, scores=scores, values=values)


def _found_above(scores: FloatArray, hits: FloatArray, synthetic: FloatArray) -> FloatArray:
    """For every real case the share of synthetic cases that were found and scored above it."""
    real, rated = scores[synthetic == 0], is_rated(scores)
    answered = int((rated & (synthetic == 1)).sum())
    found = np.sort(scores[rated & (synthetic == 1) & (hits == 1)])
    at_least = len(found) - np.searchsorted(found, real, side="left")
    above = len(found) - np.searchsorted(found, real, side="right")
    share = (at_least + above) / 2 / max(answered, 1)
    return np.where(is_rated(real) & (answered > 0), share, np.nan)


@dataclass(frozen=True, kw_only=True)
class LrocCurve:
    """Points from (0, 0): share of real cases called, and share of synthetic cases called and found."""

    false_positive_rate: list[float]
    localized: list[float]

    def localized_at(self, false_positive_rate: float) -> float:
        """Share of synthetic cases that are called and found where this share of real cases is called."""
        return float(np.interp(false_positive_rate, self.false_positive_rate, self.localized))

    def area_up_to(self, false_positive_rate: float) -> float:
        """Area under the curve from 0 to this share of real cases."""
        rates, heights = np.array(self.false_positive_rate), np.array(self.localized)
        # The curve may rise steeply at this very share: what counts is where it comes from.
        last = max(1, int(np.searchsorted(rates, false_positive_rate, side="left")))
        x, y = rates[: last + 1].copy(), heights[: last + 1].copy()
        x[-1] = false_positive_rate
        y[-1] = np.interp(false_positive_rate, rates[last - 1 : last + 1], heights[last - 1 : last + 1])
        return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum())


def lroc_curve(*, truth: FloatArray, scores: FloatArray, hits: FloatArray) -> LrocCurve | None:
    """Return the empirical LROC curve of one reader, arrays (cases,); None with one kind of case only."""
    rated = is_rated(scores)
    real, synthetic = scores[rated & (truth == 0)], rated & (truth == 1)
    if not len(real) or not synthetic.any():
        return None
    found = scores[synthetic & (hits == 1)]
    cuts = np.unique(scores[rated])[::-1]
    return LrocCurve(
        false_positive_rate=[0.0, *(float((real >= cut).mean()) for cut in cuts)],
        localized=[0.0, *(float((found >= cut).sum() / synthetic.sum()) for cut in cuts)],
    )


def at_least_by_chance(hits: int, *, chances: Sequence[float] | FloatArray) -> float:
    """Return the probability of at least so many hits when case i is hit with `chances[i]`, cases independent.

    The Poisson-binomial distribution, built up case by case (Le Cam, Pacific J Math 1960;10:1181).
    """
    distribution = np.array([1.0])
    for chance in np.asarray(chances, dtype=np.float64):
        distribution = np.append(distribution, 0.0) * (1 - chance) + np.append(0.0, distribution) * chance
    return float(min(1.0, distribution[hits:].sum()))
