"""U-statistic variances with random readers and cases, for complete tables and any pattern of missing ratings.

Source: Gallas, Acad Radiol 2006;13:353; Gallas, Bandos, Samuelson & Wagner, Commun Stat Theory Methods
2009;38:2586; degrees of freedom: Obuchowski, Gallas & Hillis, Acad Radiol 2012;19:1508.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, inf, sqrt
from typing import Literal

import numpy as np

from readerstudy.analysis.estimate import (
    ArrayLike,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    is_rated,
)
from readerstudy.analysis.numeric import t_quantile, t_two_sided_p
from readerstudy.analysis.panel.mrmc import PanelAuc, with_t_test

Variance = Literal["unbiased", "mle"]
# From here on the reference program takes the normal instead of t.
NORMAL_FROM_DF = 50.0
SMALLEST_DF = 2.0
TWO_READERS = "random readers need at least two readers with both kinds of case"

# Products of two kernel values that share reader / real case / synthetic case, in the order of `_inclusive`:
# all three, reader+real, reader+synthetic, reader, both cases, real, synthetic, nothing.
_SHARES_READER = (0, 1, 2, 3)
_SHARES_REAL = (0, 1, 4, 5)
_SHARES_SYNTHETIC = (0, 2, 4, 6)
# Rows turn sums over "at least these shared" into sums over "exactly these shared".
_EXCLUSIVE = np.array(
    [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [-1, 1, 0, 0, 0, 0, 0, 0],
        [-1, 0, 1, 0, 0, 0, 0, 0],
        [1, -1, -1, 1, 0, 0, 0, 0],
        [-1, 0, 0, 0, 1, 0, 0, 0],
        [1, -1, 0, 0, -1, 1, 0, 0],
        [1, 0, -1, 0, -1, 0, 1, 0],
        [-1, 1, 1, -1, 1, -1, -1, 1],
    ],
    dtype=np.float64,
)


@dataclass(frozen=True, kw_only=True)
class _Kernel:
    """Sums of the kernel (values) and of its weights over one condition, per reader and case pair."""

    pair_values: FloatArray  # (readers, real, synthetic)
    pair_weights: FloatArray

    @property
    def area(self) -> float:
        return float(self.pair_values.sum() / self.pair_weights.sum())


@dataclass(frozen=True, kw_only=True)
class _Moments:
    """Second moments of two conditions' kernels and the share of each kind of pair."""

    exact: FloatArray  # means over pairs sharing exactly these; NaN where no such pair exists
    biased: FloatArray  # means over pairs sharing at least these
    share: FloatArray  # share of the pairs of each exact kind

    def variance(self, kind: Variance, *, product: float) -> float:
        if kind == "mle":
            return float(self.share @ self.biased) - product
        used = self.share > 0
        return float(self.share[used] @ self.exact[used] - self.exact[7])

    def components(self) -> FloatArray:
        """Biased components of reader, real and synthetic cases (mean squares up to a constant)."""
        return np.asarray(self.biased[[3, 5, 6]] - self.biased[7], dtype=np.float64)

    def degrees(self) -> FloatArray:
        """Effective number of readers, real and synthetic cases, less one."""
        shares = [self.share[list(kind)].sum() for kind in (_SHARES_READER, _SHARES_REAL, _SHARES_SYNTHETIC)]
        return np.array([floor(1 / share - 1 + 0.5) for share in shares], dtype=np.float64)


def _kernel(truth: FloatArray, ratings: FloatArray) -> _Kernel:
    real, synthetic = ratings[truth == 0].T[:, :, None], ratings[truth == 1].T[:, None, :]
    weights = (is_rated(real) & is_rated(synthetic)).astype(np.float64)
    values = ((synthetic > real) + 0.5 * (synthetic == real)) * weights
    return _Kernel(pair_values=values, pair_weights=weights)


def _inclusive(first: FloatArray, second: FloatArray) -> FloatArray:
    """Sum products of (reader, real, synthetic) arrays over pairs that share at least the named indices."""
    over = [(), (2,), (1,), (1, 2), (0,), (0, 2), (0, 1), (0, 1, 2)]
    return np.array([float((first.sum(axis=axes) * second.sum(axis=axes)).sum()) for axes in over])


def _moments(first: _Kernel, second: _Kernel) -> _Moments:
    values = _inclusive(first.pair_values, second.pair_values)
    weights = _inclusive(first.pair_weights, second.pair_weights)
    exact_values, exact_weights = _EXCLUSIVE @ values, _EXCLUSIVE @ weights
    exists = exact_weights > 0.5
    exact = np.divide(exact_values, exact_weights, out=np.full(8, np.nan), where=exists)
    # Kinds of pairs that two conditions do not share (other readers, other cases) add no covariance.
    biased = np.divide(values, weights, out=np.zeros(8), where=weights > 0)
    return _Moments(exact=exact, biased=biased, share=np.where(exists, exact_weights, 0.0) / weights[7])


def _degrees_of_freedom(variance: float, components: FloatArray, degrees: FloatArray) -> float:
    if (degrees < 1).any():
        return SMALLEST_DF
    below = float(((components / degrees) ** 2 / degrees).sum())
    if below == 0:
        return inf
    return max(variance**2 / below, float(degrees.min()), SMALLEST_DF)


def effective_df(df: float) -> float:
    """Degrees of freedom that the t distribution gets: rounded down, infinite (normal) from 50 on."""
    return inf if df >= NORMAL_FROM_DF else float(floor(df))


@dataclass(frozen=True, kw_only=True)
class UStatisticAuc:
    """AUC over all readings with its variance; `panel` uses t with the rounded df, `df` is the unrounded value."""

    panel: PanelAuc
    df: float | None = None
    p_normal: float | None = None
    normal_low: float | None = None
    normal_high: float | None = None


def ustatistic_auc(
    *,
    truth: ArrayLike,
    ratings: MatrixLike,
    variance: Variance = "unbiased",
    level: float = 0.95,
    null: float = 0.5,
) -> UStatisticAuc:
    """Test the AUC over all readings against `null`, readers and cases random, missing ratings allowed.

    `truth` (cases,), `ratings` (cases, readers) with NaN/None for no rating. Readers weigh by their number of real
    x synthetic pairs. The unbiased variance can turn out negative in tiny studies: then there is no interval.
    """
    true, rating = as_truth(truth), as_matrix(ratings)
    method = f"U-statistic ({variance} variance), random readers and cases"
    kernel = _kernel(true, rating)
    pairs = kernel.pair_weights.sum(axis=(1, 2))
    if not (pairs > 0).any():
        return UStatisticAuc(panel=PanelAuc(method=method, value=None, reason="no reader rated both kinds of case"))
    sums = kernel.pair_values.sum(axis=(1, 2))
    known = PanelAuc(
        method=method,
        value=kernel.area,
        reader_aucs=tuple(float(s / n) if n else None for s, n in zip(sums, pairs, strict=True)),
    )
    moments = _moments(kernel, kernel)
    estimated = moments.variance(variance, product=kernel.area**2)
    reason = _no_variance(moments, estimated, readers=int((pairs > 0).sum()))
    if reason:
        return UStatisticAuc(panel=replace(known, variance=None if np.isnan(estimated) else estimated, reason=reason))
    df = _degrees_of_freedom(estimated, moments.components(), moments.degrees())
    normal = with_t_test(known, variance=estimated, df=inf, level=level, null=null)
    return UStatisticAuc(
        panel=with_t_test(known, variance=estimated, df=effective_df(df), level=level, null=null),
        df=None if df == inf else df,
        p_normal=normal.p,
        normal_low=normal.low,
        normal_high=normal.high,
    )


def _no_variance(moments: _Moments, estimated: float, *, readers: int) -> str | None:
    if readers < 2:
        return TWO_READERS
    if np.isnan(moments.exact[7]) or np.isnan(estimated):
        return "too few overlapping readings for a variance"
    if estimated <= np.finfo(float).eps ** 1.5:
        return "the estimated variance is not positive: too little data for an interval"
    return None


@dataclass(frozen=True, kw_only=True)
class UStatisticDifference:
    """Difference of two conditions (first minus second), or the reason why it has no test.

    `variance` is the unbiased estimate as it came out, even when it is negative and nothing can be tested.
    """

    value: float | None
    first_auc: float | None = None
    second_auc: float | None = None
    variance: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_normal: float | None = None
    reason: str | None = None


def ustatistic_difference(
    *, truth: ArrayLike, ratings: FloatArray, variance: Variance = "unbiased", level: float = 0.95
) -> UStatisticDifference:
    """Compare two conditions, `ratings` (2, cases, readers) with NaN for no rating, readers and cases random."""
    true = as_truth(truth)
    first, second = _kernel(true, ratings[0]), _kernel(true, ratings[1])
    if not (first.pair_weights.any() and second.pair_weights.any()):
        return UStatisticDifference(value=None, reason="no reader rated both kinds of case in both conditions")
    gap = first.area - second.area
    own, other = _moments(first, first), _moments(second, second)
    cross = _moments(first, second)
    estimated = (
        own.variance(variance, product=first.area**2)
        + other.variance(variance, product=second.area**2)
        - 2 * cross.variance(variance, product=first.area * second.area)
    )
    readers = int(((first.pair_weights.sum(axis=(1, 2)) > 0) & (second.pair_weights.sum(axis=(1, 2)) > 0)).sum())
    parts = own.components() + other.components() - 2 * cross.components()
    df = _degrees_of_freedom(estimated, parts, np.minimum(own.degrees(), other.degrees()))
    reason = _no_variance(own, estimated, readers=readers)
    if reason:
        return UStatisticDifference(
            value=gap,
            first_auc=first.area,
            second_auc=second.area,
            variance=None if np.isnan(estimated) else estimated,
            df=df if np.isfinite(df) else None,
            reason=reason,
        )
    se = sqrt(estimated)
    half = t_quantile((1 + level) / 2, effective_df(df)) * se
    return UStatisticDifference(
        value=gap,
        first_auc=first.area,
        second_auc=second.area,
        variance=estimated,
        df=None if df == inf else df,
        low=gap - half,
        high=gap + half,
        p=t_two_sided_p(gap / se, effective_df(df)),
        p_normal=t_two_sided_p(gap / se, inf),
    )


@dataclass(frozen=True, kw_only=True)
class PanelAccuracy:
    """Share of correct readings with the variance over random readers and cases.

    `inflation` is how many times the pooled binomial variance is too small.
    """

    value: float | None
    variance: float | None = None
    naive_variance: float | None = None
    inflation: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def _two_way(first: FloatArray, second: FloatArray) -> FloatArray:
    """Sums over pairs sharing exactly: reader and case, reader, case, nothing; arrays are (cases, readers)."""
    over = [(), (0,), (1,), (0, 1)]
    both, reader, case, every = (float((first.sum(axis=axes) * second.sum(axis=axes)).sum()) for axes in over)
    return np.array([both, reader - both, case - both, every - reader - case + both])


def _two_way_covariance(values: tuple[FloatArray, FloatArray], weights: tuple[FloatArray, FloatArray]) -> float | None:
    sums, counts = _two_way(*values), _two_way(*weights)
    if counts[3] < 0.5:
        return None
    exists = counts > 0.5
    mean = np.divide(sums, counts, out=np.zeros(4), where=exists)
    return float(counts @ mean / counts.sum() - mean[3])


def panel_accuracy(*, correct: MatrixLike, level: float = 0.95) -> PanelAccuracy:
    """Share of correct readings, `correct` (cases, readers) 1/0 with NaN/None for no rating, readers and cases random.

    Two-way U-statistic variance (Gallas 2009); the interval is normal and not clipped.
    """
    matrix = as_matrix(correct)
    weights = is_rated(matrix).astype(np.float64)
    total = float(weights.sum())
    if total == 0:
        return PanelAccuracy(value=None, reason="no ratings")
    values = np.nan_to_num(matrix)
    share = float(values.sum() / total)
    variance = _two_way_covariance((values, values), (weights, weights))
    if variance is None or variance <= 0:
        reason = "too few readers and cases for a variance"
        return PanelAccuracy(value=share, variance=variance, reason=reason)
    naive = share * (1 - share) / total
    half = t_quantile((1 + level) / 2, inf) * sqrt(variance)
    return PanelAccuracy(
        value=share,
        variance=variance,
        naive_variance=naive,
        inflation=variance / naive if naive > 0 else None,
        low=share - half,
        high=share + half,
    )


def accuracy_difference_variance(*, first: MatrixLike, second: MatrixLike) -> float | None:
    """Variance of the difference of two conditions' shares of correct readings, (cases, readers) each."""
    pair = (as_matrix(first), as_matrix(second))
    weights = [is_rated(matrix).astype(np.float64) for matrix in pair]
    values = [np.nan_to_num(matrix) for matrix in pair]
    parts = [_two_way_covariance((values[i], values[j]), (weights[i], weights[j])) for i, j in ((0, 0), (1, 1), (0, 1))]
    own, other, cross = parts
    if own is None or other is None or cross is None:
        return None
    return own + other - 2 * cross
