"""Reader-averaged AUC with readers and cases random, by Obuchowski-Rockette with Hillis' degrees of freedom.

One condition against chance, and two or more conditions read by the same readers on the same cases. Needs
complete ratings; `ustatistics` handles missing ones. Source: Obuchowski & Rockette, Commun Stat Simul 1995;24:285;
Hillis, Stat Med 2007;26:596 and 2014;33:330.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf, sqrt
from typing import Literal

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import (
    ArrayLike,
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    is_rated,
    missing,
)
from readerstudy.analysis.rater.auc import delong_covariance, jackknife_covariance, placements

Covariance = Literal["delong", "jackknife"]
_COVARIANCE = {"delong": delong_covariance, "jackknife": jackknife_covariance}
COVARIANCE_NAMES = {"delong": "DeLong", "jackknife": "jackknife"}


@dataclass(frozen=True, kw_only=True)
class PanelAuc:
    """Reader-averaged AUC against `null`; every number is None with a `reason` when it cannot be estimated.

    `low`/`high` are the t limits, not clipped to [0, 1]; `estimate()` clips them for printing.
    """

    method: str
    value: float | None
    variance: float | None = None
    se: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    p: float | None = None
    ms_reader: float | None = None
    cov2: float | None = None
    reader_aucs: tuple[float | None, ...] = ()
    reason: str | None = None

    def estimate(self) -> Estimate:
        """Return value and clipped interval for printing."""
        if self.value is None:
            return missing(self.reason or "not estimable")
        if self.low is None or self.high is None:
            return Estimate(value=self.value, reason=self.reason)
        return Estimate(value=self.value, low=max(0.0, self.low), high=min(1.0, self.high))

    def interval(self, *, level: float) -> tuple[float, float] | None:
        """Return the unclipped t limits at another level; None where there is no standard error."""
        if self.value is None or self.se is None or self.df is None:
            return None
        half = t_quantile((1 + level) / 2, self.df) * self.se
        return self.value - half, self.value + half


def t_quantile(probability: float, df: float) -> float:
    """Quantile of t with `df` degrees of freedom, of the normal where df is infinite."""
    return float(stats.norm.ppf(probability) if df == inf else stats.t.ppf(probability, df))


def t_two_sided_p(statistic: float, df: float) -> float:
    """Two-sided p of t with `df` degrees of freedom, of the normal where df is infinite."""
    tail = stats.norm.sf(abs(statistic)) if df == inf else stats.t.sf(abs(statistic), df)
    return float(2 * tail)


def why_not(truth: FloatArray, ratings: FloatArray) -> str | None:
    """Return why no reader-averaged AUC with random readers and cases exists for this table, None if it does."""
    if ratings.shape[-1] < 2:
        return "random readers need at least two readers"
    if not is_rated(ratings).all():
        return "ratings are missing: use the U-statistic"
    if min(int((truth == 1).sum()), int((truth == 0).sum())) < 2:
        return "each class needs at least two cases"
    return None


def reader_averaged_auc(
    *,
    truth: ArrayLike,
    ratings: MatrixLike,
    covariance: Covariance = "delong",
    level: float = 0.95,
    null: float = 0.5,
) -> PanelAuc:
    """Test the reader-averaged AUC against `null`, readers and cases random (Hillis 2014, one condition).

    `truth` (cases,), `ratings` (cases, readers) complete, higher = more surely synthetic.
    var = (MS_R + J max(Cov2, 0)) / J and df = (J-1) ((MS_R + J max(Cov2, 0)) / MS_R)^2.
    """
    true, rating = as_truth(truth), as_matrix(ratings)
    method = f"Obuchowski-Rockette/Hillis, {COVARIANCE_NAMES[covariance]} covariances"
    reason = why_not(true, rating)
    if reason:
        return PanelAuc(method=method, value=None, reason=reason)
    placed = placements(truth=true, scores=rating)
    areas, readers = placed.aucs, rating.shape[1]
    cov = _COVARIANCE[covariance](placed)
    cov2 = float((cov.sum() - np.trace(cov)) / (readers * (readers - 1)))
    ms_reader = float(areas.var(ddof=1))
    spread = ms_reader + readers * max(cov2, 0.0)
    known = PanelAuc(
        method=method,
        value=float(areas.mean()),
        ms_reader=ms_reader,
        cov2=cov2,
        reader_aucs=tuple(float(area) for area in areas),
    )
    if spread <= np.finfo(float).eps ** 1.5:
        return replace(known, variance=0.0, reason="the estimated variance is 0, which is not certainty")
    df = inf if ms_reader == 0 else (readers - 1) * (spread / ms_reader) ** 2
    return with_t_test(known, variance=spread / readers, df=df, level=level, null=null)


def with_t_test(known: PanelAuc, *, variance: float, df: float, level: float, null: float) -> PanelAuc:
    """Return `known` with standard error, t limits and the test against `null` added."""
    value, se = known.value, sqrt(variance)
    if value is None:
        raise ValueError("there is nothing to test")
    half = t_quantile((1 + level) / 2, df) * se
    statistic = (value - null) / se
    return replace(
        known,
        variance=variance,
        se=se,
        df=df,
        low=value - half,
        high=value + half,
        statistic=statistic,
        p=t_two_sided_p(statistic, df),
    )


@dataclass(frozen=True, kw_only=True)
class FTest:
    """One F test (df2 None: chi-square with df1, divided by nothing)."""

    statistic: float
    df1: float
    df2: float | None
    p: float


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Difference of the reader-averaged areas of two conditions (first minus second)."""

    first: int
    second: int
    difference: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class ConditionComparison:
    """Several conditions read by the same readers on the same cases; `reason` where nothing can be estimated.

    `areas` is (conditions, readers); the three tests generalise to random readers and cases, to random cases
    with these readers, and to random readers with these cases.
    """

    areas: list[list[float]] = field(default_factory=list)
    var_reader: float | None = None
    var_condition_reader: float | None = None
    error: float | None = None
    cov1: float | None = None
    cov2: float | None = None
    cov3: float | None = None
    ms_condition: float | None = None
    ms_reader: float | None = None
    ms_condition_reader: float | None = None
    random_both: FTest | None = None
    random_cases: FTest | None = None
    random_readers: FTest | None = None
    contrasts: tuple[Contrast, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Covariances:
    error: float
    cov1: float
    cov2: float
    cov3: float


def compare_conditions(
    *, truth: ArrayLike, ratings: FloatArray, covariance: Covariance = "delong", level: float = 0.95
) -> ConditionComparison:
    """Compare conditions (for instance two generators' cases read twice) with readers and cases random.

    `ratings` is (conditions, cases, readers), complete. F = MS_T / (MS_TR + max(J (Cov2 - Cov3), 0)).
    """
    true = as_truth(truth)
    reason = why_not(true, ratings)
    if reason is None and len(ratings) < 2:
        reason = "a comparison needs two conditions"
    if reason:
        return ConditionComparison(reason=reason)
    conditions, cases, readers = ratings.shape
    flat = np.asarray(ratings, dtype=np.float64).transpose(1, 0, 2).reshape(cases, conditions * readers)
    placed = placements(truth=true, scores=flat)
    areas = placed.aucs.reshape(conditions, readers)
    cov = _mean_covariances(_COVARIANCE[covariance](placed), conditions=conditions, readers=readers)
    mean, by_condition, by_reader = areas.mean(), areas.mean(axis=1), areas.mean(axis=0)
    ms_condition = float(readers * ((by_condition - mean) ** 2).sum() / (conditions - 1))
    ms_reader = float(conditions * ((by_reader - mean) ** 2).sum() / (readers - 1))
    rest = areas - by_condition[:, None] - by_reader[None, :] + mean
    ms_both = float((rest**2).sum() / ((conditions - 1) * (readers - 1)))
    between = max(cov.cov2 - cov.cov3, 0.0)
    parts = {
        "areas": areas.tolist(),
        "var_reader": (ms_reader - ms_both) / conditions - cov.cov1 + cov.cov3,
        "var_condition_reader": ms_both - cov.error + cov.cov1 + between,
        **vars(cov),
        "ms_condition": ms_condition,
        "ms_reader": ms_reader,
        "ms_condition_reader": ms_both,
    }
    denominator = ms_both + readers * between
    if denominator <= np.finfo(float).eps ** 1.5 or ms_both == 0:
        return ConditionComparison(**parts, reason="the estimated variance is 0, which is not certainty")
    df1 = conditions - 1
    df2 = (denominator / ms_both) ** 2 * df1 * (readers - 1)
    fixed_readers = cov.error - cov.cov1 + (readers - 1) * between
    return ConditionComparison(
        **parts,
        random_both=_f_test(ms_condition / denominator, df1, df2),
        random_cases=_chi_square(df1 * ms_condition / fixed_readers, df1) if fixed_readers > 0 else None,
        random_readers=_f_test(ms_condition / ms_both, df1, df1 * (readers - 1)),
        contrasts=_contrasts(by_condition, se=sqrt(2 / readers * denominator), df=df2, level=level),
    )


def _mean_covariances(cov: FloatArray, *, conditions: int, readers: int) -> _Covariances:
    block = cov.reshape(conditions, readers, conditions, readers)
    same_reader = np.einsum("ijkj->ik", block)
    same_condition = np.einsum("ijil->jl", block)
    error = float(np.trace(cov))
    across = conditions * (conditions - 1)
    other = readers * (readers - 1)
    cov1 = float(same_reader.sum()) - error
    cov2 = float(same_condition.sum()) - error
    cov3 = float(cov.sum()) - error - cov1 - cov2
    return _Covariances(
        error=error / (conditions * readers),
        cov1=cov1 / (across * readers),
        cov2=cov2 / (conditions * other),
        cov3=cov3 / (across * other),
    )


def _f_test(statistic: float, df1: float, df2: float) -> FTest:
    return FTest(statistic=statistic, df1=df1, df2=df2, p=float(stats.f.sf(statistic, df1, df2)))


def _chi_square(statistic: float, df: float) -> FTest:
    return FTest(statistic=statistic, df1=df, df2=None, p=float(stats.chi2.sf(statistic, df)))


def _contrasts(means: FloatArray, *, se: float, df: float, level: float) -> tuple[Contrast, ...]:
    half = t_quantile((1 + level) / 2, df) * se
    pairs = [(i, j) for i in range(len(means)) for j in range(i + 1, len(means))]
    gaps = {(i, j): float(means[i] - means[j]) for i, j in pairs}
    return tuple(
        Contrast(
            first=i,
            second=j,
            difference=gap,
            se=se,
            low=gap - half,
            high=gap + half,
            p=t_two_sided_p(gap / se, df),
        )
        for (i, j), gap in gaps.items()
    )
