"""ROC curve and the area under it with DeLong's variance, for one rater or rule and for pairs on the same cases."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import (
    ArrayLike,
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    as_vector,
    is_rated,
    missing,
)

ONE_CLASS = "only one kind of case was rated"
ONE_CASE = "a class with a single case has no variance"
NO_VARIATION = "the estimated variance is 0, which is not certainty: no interval and no test"


@dataclass(frozen=True, kw_only=True)
class Auc:
    """Area under the curve with DeLong variance; `low`/`high` are the Wald limits clipped to [0, 1].

    `reason` is set where something is missing; when the variance is 0 (`degenerate`) the limits equal the value
    and must be shown as "no interval".
    """

    value: float | None
    variance: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    z: float | None = None
    p: float | None = None
    degenerate: bool = False
    reason: str | None = None

    def estimate(self) -> Estimate:
        """Return value and interval for printing: no interval where the variance says nothing."""
        if self.value is None:
            return missing(self.reason or "not estimable")
        if self.degenerate or self.low is None:
            return Estimate(value=self.value, reason=self.reason)
        return Estimate(value=self.value, low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True)
class Placements:
    """Placement values of the AUC kernel (ties count one half).

    `synthetic` (n_synthetic, raters): share of real cases rated below; `real` (n_real, raters): share of synthetic
    cases rated above.
    """

    synthetic: FloatArray
    real: FloatArray

    @property
    def aucs(self) -> FloatArray:
        """Area of each rater, shape (raters,)."""
        return np.asarray(self.synthetic.mean(axis=0), dtype=np.float64)


def placements(*, truth: FloatArray, scores: FloatArray) -> Placements:
    """Return the placement values of complete `scores` (cases, raters) by midranks.

    Source: Sun & Xu, IEEE Signal Process Lett 2014;21:1389.
    """
    above, below = scores[truth == 1], scores[truth == 0]
    m, n = len(above), len(below)
    together = stats.rankdata(np.vstack([above, below]), axis=0)
    synthetic = (together[:m] - stats.rankdata(above, axis=0)) / n
    real = 1 - (together[m:] - stats.rankdata(below, axis=0)) / m
    return Placements(synthetic=synthetic, real=real)


def delong_covariance(placed: Placements) -> FloatArray:
    """Covariance (raters, raters) of the areas over cases. Source: DeLong et al., Biometrics 1988;44:837."""
    return _covariance(placed.synthetic) + _covariance(placed.real)


def _covariance(values: FloatArray) -> FloatArray:
    return np.atleast_2d(np.cov(values, rowvar=False)) / len(values)


def jackknife_covariance(placed: Placements) -> FloatArray:
    """Covariance (raters, raters) of the areas by leaving out one case at a time."""
    m, n = len(placed.synthetic), len(placed.real)
    areas = placed.aucs
    left_out = np.vstack(
        [(m * areas - placed.synthetic) / (m - 1), (n * areas - placed.real) / (n - 1)],
    )
    return np.atleast_2d(np.cov(left_out, rowvar=False)) * (m + n - 1) ** 2 / (m + n)


def auc(*, truth: ArrayLike, scores: ArrayLike, level: float = 0.95, null: float = 0.5) -> Auc:
    """Return the empirical AUC of `scores` (cases,), NaN/None = not rated, with DeLong's test against `null`.

    Higher score = more surely synthetic, ties count one half, p from the Wald z. Not estimable with one class;
    without variance when a class has one case; no test when the variance is 0.
    """
    true, score = as_truth(truth), as_vector(scores)
    rated = is_rated(score)
    true, score = true[rated], score[rated]
    m, n = int((true == 1).sum()), int((true == 0).sum())
    if 0 in {m, n}:
        return Auc(value=None, reason=ONE_CLASS)
    placed = placements(truth=true, scores=score[:, None])
    area = float(placed.aucs[0])
    if 1 in {m, n}:
        return Auc(value=area, reason=ONE_CASE)
    variance = float(delong_covariance(placed)[0, 0])
    if variance <= np.finfo(float).eps ** 1.5:
        return Auc(value=area, variance=0.0, se=0.0, low=area, high=area, degenerate=True, reason=NO_VARIATION)
    se, quantile = sqrt(variance), float(stats.norm.isf((1 - level) / 2))
    z = (area - null) / se
    return Auc(
        value=area,
        variance=variance,
        se=se,
        low=max(0.0, area - quantile * se),
        high=min(1.0, area + quantile * se),
        z=z,
        p=float(2 * stats.norm.sf(abs(z))),
    )


@dataclass(frozen=True, kw_only=True)
class PairedAuc:
    """Difference of two areas on the same cases (first minus second)."""

    difference: Estimate
    covariance: float | None = None
    z: float | None = None
    p: float | None = None


def compare_aucs(*, truth: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedAuc:
    """Compare two scores of the same cases by DeLong's paired test; cases without both scores are left out."""
    true, pair = as_truth(truth), np.column_stack([as_vector(first), as_vector(second)])
    rated = is_rated(pair).all(axis=1)
    true, pair = true[rated], pair[rated]
    m, n = int((true == 1).sum()), int((true == 0).sum())
    if 0 in {m, n}:
        return PairedAuc(difference=missing(ONE_CLASS))
    placed = placements(truth=true, scores=pair)
    gap = float(placed.aucs[0] - placed.aucs[1])
    if 1 in {m, n}:
        return PairedAuc(difference=Estimate(value=gap, reason=ONE_CASE))
    cov = delong_covariance(placed)
    variance = float(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    if variance <= np.finfo(float).eps ** 1.5:
        return PairedAuc(difference=Estimate(value=gap, reason=NO_VARIATION), covariance=float(cov[0, 1]))
    half = float(stats.norm.isf((1 - level) / 2)) * sqrt(variance)
    z = gap / sqrt(variance)
    return PairedAuc(
        difference=Estimate(value=gap, low=gap - half, high=gap + half),
        covariance=float(cov[0, 1]),
        z=z,
        p=float(2 * stats.norm.sf(abs(z))),
    )


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """Points along the curve, from one end to the other."""

    sensitivity: list[float]
    false_positive_rate: list[float]


def roc_curve(*, truth: ArrayLike, scores: ArrayLike) -> RocCurve | None:
    """Return the empirical ROC curve; None with one class only.

    One point per distinct score, from everything called synthetic, (1, 1), to nothing called synthetic.
    """
    true, score = as_truth(truth), as_vector(scores)
    rated = is_rated(score)
    above, below = np.sort(score[rated & (true == 1)]), np.sort(score[rated & (true == 0)])
    if 0 in {len(above), len(below)}:
        return None
    cuts = np.unique(score[rated])
    sens = 1 - np.searchsorted(above, cuts, side="right") / len(above)
    false = 1 - np.searchsorted(below, cuts, side="right") / len(below)
    return RocCurve(
        sensitivity=[1.0, *(float(value) for value in sens)],
        false_positive_rate=[1.0, *(float(value) for value in false)],
    )


def panel_aucs(*, truth: ArrayLike, ratings: MatrixLike, level: float = 0.95) -> list[Auc]:
    """Return the AUC of every rater; `ratings` is (cases, raters)."""
    matrix = as_matrix(ratings)
    return [auc(truth=truth, scores=matrix[:, column], level=level) for column in range(matrix.shape[1])]
