"""Raters as the unit: mean accuracy against chance. Ignores that all raters saw the same cases."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import ArrayLike, Estimate, FloatArray, as_vector, is_rated, missing
from readerstudy.analysis.numeric import t_quantile, t_two_sided_p


@dataclass(frozen=True, kw_only=True)
class RaterLevel:
    """t test and exact signed-rank test of the raters' accuracies; None with a `reason` when undefined.

    `signed_rank` is the sum of ranks above the null; ties and zeros are handled by the exact conditional
    distribution.
    """

    mean: Estimate
    sd: float | None = None
    t: float | None = None
    df: int | None = None
    p: float | None = None
    signed_rank: float | None = None
    signed_rank_p: float | None = None
    reason: str | None = None


def rater_level_test(*, accuracies: ArrayLike, null: float = 0.5, level: float = 0.95) -> RaterLevel:
    """Test the mean of `accuracies` (raters,) against `null` with raters as the only random factor.

    With 5 raters the signed-rank p cannot fall below 0.0625. The t test is too liberal when raters share cases.
    """
    values = as_vector(accuracies)
    values = values[is_rated(values)]
    n = len(values)
    if n == 0:
        return RaterLevel(mean=missing("no rater"), reason="no rater")
    rank, rank_p = signed_rank_test(values - null)
    if n < 2:
        mean = Estimate(value=float(values[0]), reason="one rater has no standard deviation")
        return RaterLevel(mean=mean, signed_rank=rank, signed_rank_p=rank_p, reason=mean.reason)
    sd = float(values.std(ddof=1))
    average = float(values.mean())
    if sd <= 1e-12:
        mean = Estimate(value=average, reason="all raters are equally accurate: no standard error")
        return RaterLevel(mean=mean, sd=0.0, signed_rank=rank, signed_rank_p=rank_p, reason=mean.reason)
    se = sd / sqrt(n)
    half = t_quantile((1 + level) / 2, n - 1) * se
    t = (average - null) / se
    return RaterLevel(
        mean=Estimate(value=average, low=average - half, high=average + half),
        sd=sd,
        t=t,
        df=n - 1,
        p=t_two_sided_p(t, n - 1),
        signed_rank=rank,
        signed_rank_p=rank_p,
    )


def signed_rank_test(differences: FloatArray) -> tuple[float | None, float | None]:
    """Return the sum of positive ranks and its exact two-sided p given the tied ranks; zeros are dropped.

    Source: Wilcoxon 1945; exact conditional distribution by Streitberg & Röhmel 1986.
    """
    # Differences of decimal fractions that are equal on paper must also tie here.
    rounded = np.round(differences, 12)
    used = rounded[rounded != 0]
    if len(used) == 0:
        return None, None
    ranks = stats.rankdata(np.abs(used))
    statistic = float(ranks[used > 0].sum())
    doubled = np.rint(2 * ranks).astype(np.int64)
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] += ways[: len(ways) - rank].copy()
    share = ways / ways.sum()
    observed = round(2 * statistic)
    lower, upper = float(share[: observed + 1].sum()), float(share[observed:].sum())
    return statistic, min(1.0, 2 * min(lower, upper))
