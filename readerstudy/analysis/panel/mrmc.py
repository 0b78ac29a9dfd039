"""Reader-averaged AUC and percent correct with readers and cases random, by Obuchowski-Rockette with Hillis' df.

One condition against chance, and two or more conditions read by the same readers on the same cases. Cases of one
patient are taken together, and each reader is estimated on the cases that reader answered. Sources: Obuchowski &
Rockette, Commun Stat Simul 1995;24:285; Hillis, Stat Med 2007;26:596 and 2014;33:330; Obuchowski, Biometrics
1997;53:567.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, sqrt
from typing import Literal

import numpy as np
from scipy import special, stats

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
from readerstudy.analysis.numeric import t_quantile, t_two_sided_p
from readerstudy.analysis.patients import (
    PatientNumbers,
    PatientSpread,
    any_repeated,
    patient_numbers,
)
from readerstudy.analysis.rater.auc import delong_spread, jackknife_spread, placements

Covariance = Literal["delong", "jackknife"]
Scale = Literal["identity", "logit"]
_SPREAD = {"delong": delong_spread, "jackknife": jackknife_spread}
COVARIANCE_NAMES = {"delong": "DeLong covariances", "jackknife": "jackknife covariances"}
PATIENT_COVARIANCE_NAMES = {
    "delong": "covariances over patients (Obuchowski 1997)",
    "jackknife": "jackknife covariances over patients",
}
NO_SPREAD = "the estimated variance is 0, which is not certainty"
# With so few readers Hillis' degrees of freedom rejected a true null in up to 9 % of studies (2 readers: 14 %).
WARY_READERS = 4
SMALLEST_VARIANCE = float(np.finfo(float).eps ** 1.5)


@dataclass(frozen=True, kw_only=True)
class PanelAuc:
    """Reader-averaged AUC (or percent correct) against `null`; what cannot be estimated is None with a `reason`.

    `low`/`high` are the t limits on `scale`: on the identity they are not clipped to [0, 1] (`estimate()` clips them
    for printing), on the logit they cannot leave it. `df_patients` is what the patients know of `cov2`, and
    `fixed_variance` the variance were the readers fixed; None where some reader's patients determine none.
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
    df_patients: float | None = None
    fixed_variance: float | None = None
    reader_aucs: tuple[float | None, ...] = ()
    scale: Scale = "identity"
    reason: str | None = None

    @property
    def beyond_logit(self) -> bool:
        """Whether a value of 0 or 1 has no place on the logit scale."""
        return self.scale == "logit" and self.value in {0.0, 1.0}

    def estimate(self) -> Estimate:
        """Return value and clipped interval for printing."""
        if self.value is None:
            return missing(self.reason or "not estimable")
        if self.low is None or self.high is None:
            return Estimate(value=self.value, reason=self.reason)
        return Estimate(value=self.value, low=max(0.0, self.low), high=min(1.0, self.high))

    def of_these_readers(self) -> PanelAuc:
        """Return the same average with the readers fixed: its variance is that of their cases alone; no test yet."""
        if self.value is None or not self.fixed_variance or self.fixed_variance <= SMALLEST_VARIANCE:
            return replace(self, variance=None, se=None, df=None, reason=self.reason or NO_SPREAD)
        return replace(self, variance=self.fixed_variance, se=sqrt(self.fixed_variance), df=self.df_patients)

    def interval(self, *, level: float) -> tuple[float, float] | None:
        """Return the unclipped t limits at another level; None where there is no standard error."""
        if self.value is None or self.se is None or self.df is None or self.beyond_logit:
            return None
        half = t_quantile((1 + level) / 2, self.df) * self.se
        if self.scale == "identity":
            return self.value - half, self.value + half
        centre, width = float(special.logit(self.value)), half / (self.value * (1 - self.value))
        return float(special.expit(centre - width)), float(special.expit(centre + width))


def why_not(truth: FloatArray, values: FloatArray, patients: PatientNumbers) -> str | None:
    """Return why no average with random readers and cases exists for (cases, readers) answers, None if it does."""
    if values.shape[-1] < 2:
        return "random readers need at least two readers"
    kinds = [truth == 1, truth == 0]
    if min(int(kind.sum()) for kind in kinds) < 2:
        return "each class needs at least two cases"
    answered = is_rated(values).reshape(len(truth), -1).any(axis=1)
    if min(len(np.unique(patients[kind & answered])) for kind in kinds) < 2:
        return "each kind of case needs at least two patients"
    return None


def reader_averaged_auc(
    *,
    truth: ArrayLike,
    ratings: MatrixLike,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    covariance: Covariance = "delong",
    level: float = 0.95,
    null: float = 0.5,
    scale: Scale = "logit",
) -> PanelAuc:
    """Test the reader-averaged AUC against `null`, readers and cases random (Hillis 2014, one condition).

    `truth` (cases,), `ratings` (cases, readers) with NaN/None for no rating, higher = more surely synthetic;
    `patients` (cases,) names each case's patient. Every reader counts alike, with the area over the pairs that reader
    answered; a reader without both kinds has none and is left out.
    var = MS_R / J + max(Cov2, 0), positive by construction, and
    df = var^2 / ((MS_R / J)^2 / (J-1) + max(Cov2, 0)^2 / df_patients), Hillis' where every patient gives one case;
    with four readers or fewer less (see `variance_of_average`).

    Variance and degrees of freedom are those of the area. Test, limits and equivalence take them to the logit `scale`
    by the delta method, so that they agree with each other and no limit leaves [0, 1]; on the identity, which is
    Hillis' own, 95 % limits cover 85 to 92 % of areas of .83 to .93 with 10 to 20 cases of a kind.
    """
    true, rating = as_truth(truth), as_matrix(ratings)
    numbers = patient_numbers(patients, cases=len(true))
    known = PanelAuc(method=_method(rating, numbers, covariance, scale), value=None, scale=scale)
    reason = why_not(true, rating, numbers)
    if reason:
        return replace(known, reason=reason)
    placed = placements(truth=true, scores=rating)
    spread = _SPREAD[covariance](placed, patients=numbers)
    found = averaged_over_readers(known, values=placed.aucs, spread=spread, wary_readers=WARY_READERS)
    if found.variance is None or found.df is None or found.value is None or found.reason:
        return found
    if scale == "identity":
        return with_t_test(found, variance=found.variance, df=found.df, level=level, null=null)
    return _with_logit_test(found, level=level, null=null)


def _method(ratings: FloatArray, patients: PatientNumbers, covariance: Covariance, scale: Scale) -> str:
    names = PATIENT_COVARIANCE_NAMES if any_repeated(patients) else COVARIANCE_NAMES
    own = "" if is_rated(ratings).all() else ", each rater on the cases that rater answered"
    where = " on the logit scale" if scale == "logit" else ""
    return f"Obuchowski-Rockette/Hillis{where}, {names[covariance]}{own}"


def _or_none(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)


def averaged_over_readers(
    known: PanelAuc,
    *,
    values: FloatArray,
    spread: PatientSpread,
    cautious_readers: int = 0,
    wary_readers: int = 0,
) -> PanelAuc:
    """Return `known` with the mean of the readers' `values` (readers,), its variance and degrees of freedom.

    NaN marks a reader who cannot be estimated. Covariances are averaged over the readers whose patients determine one.
    With `cautious_readers` or fewer, readers who happen to be alike do not bring the variance below that of these very
    readers over patients; with `wary_readers` or fewer they bring no degrees of freedom (see `variance_of_average`).
    """
    there = ~np.isnan(values)
    readers, sure = int(there.sum()), there & spread.determined
    known = replace(known, value=float(values[there].mean()) if readers else None, reader_aucs=_or_none(values))
    if readers < 2:
        return replace(known, reason="random readers need at least two readers with both kinds of case")
    if sure.sum() < 2:
        return replace(known, reason="fewer than two readers answered two patients' cases of each kind")
    cov = spread.covariance()[np.ix_(sure, sure)]
    cov2 = float((cov.sum() - np.trace(cov)) / (len(cov) * (len(cov) - 1)))
    ms_reader = float(values[there].var(ddof=1))
    fixed = float(cov.mean()) if sure.sum() == readers else None
    known = replace(known, ms_reader=ms_reader, cov2=cov2, df_patients=spread.df, fixed_variance=fixed)
    variances, dfs = variance_of_average(
        ms_reader=np.array([ms_reader]),
        cov2=np.array([cov2]),
        fixed=np.array([cov.mean()]),
        readers=readers,
        df_patients=spread.df,
        cautious=readers <= cautious_readers,
        wary=readers <= wary_readers,
    )
    variance, df = float(variances[0]), float(dfs[0])
    if variance <= SMALLEST_VARIANCE:
        return replace(known, variance=0.0, reason=NO_SPREAD)
    return replace(known, variance=variance, se=sqrt(variance), df=df)


def variance_of_average(
    *,
    ms_reader: FloatArray,
    cov2: FloatArray,
    fixed: FloatArray,
    readers: int,
    df_patients: float,
    cautious: bool = False,
    wary: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Variance of the readers' mean and its degrees of freedom, of any number of studies: all arrays are (studies,).

    `fixed` is the variance for these very readers, below which it does not fall where that is `cautious`. Readers who
    happen to agree exactly and share no error leave no other variance, with readers - 1 degrees of freedom.

    Few readers are alike by chance, and a small mean square of theirs then passes for many degrees of freedom. `wary`
    takes these, and no standard error, as if the readers' part were (J + 1) / (J - 1) times as large (the mean of a
    squared mean square over the square of its mean) and at least what the cases of these readers leave.
    """
    of_readers, of_cases = ms_reader / readers, np.maximum(cov2, 0.0)
    if cautious:
        of_readers = np.maximum(of_readers, fixed - of_cases)
    variance = of_readers + of_cases
    df = _satterthwaite(of_readers, of_cases, readers=readers, df_patients=df_patients)
    if wary:
        larger = np.maximum(of_readers * (readers + 1) / (readers - 1), fixed - of_cases)
        df = np.minimum(df, _satterthwaite(larger, of_cases, readers=readers, df_patients=df_patients))
    alike = variance <= SMALLEST_VARIANCE
    return np.where(alike, fixed, variance), np.where(alike, readers - 1.0, df)


def _satterthwaite(of_readers: FloatArray, of_cases: FloatArray, *, readers: int, df_patients: float) -> FloatArray:
    variance = of_readers + of_cases
    uncertain = of_readers**2 / (readers - 1) + of_cases**2 / df_patients
    df: FloatArray = np.divide(variance**2, uncertain, out=np.full(variance.shape, inf), where=uncertain > 0)
    return df


def _with_logit_test(known: PanelAuc, *, level: float, null: float) -> PanelAuc:
    limits = known.interval(level=level)
    if limits is None or known.value is None or known.se is None or known.df is None:
        return replace(known, reason=NO_SPREAD)
    distance = float(special.logit(known.value) - special.logit(null))
    statistic = distance * known.value * (1 - known.value) / known.se
    return replace(known, low=limits[0], high=limits[1], statistic=statistic, p=t_two_sided_p(statistic, known.df))


def with_t_test(known: PanelAuc, *, variance: float, df: float, level: float, null: float) -> PanelAuc:
    """Return `known` with standard error, t limits and the test against `null` added, on the identity scale."""
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
    df: float
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
    *,
    truth: ArrayLike,
    ratings: FloatArray,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    covariance: Covariance = "delong",
    level: float = 0.95,
) -> ConditionComparison:
    """Compare conditions (for instance two generators' cases read twice) with readers and cases random.

    `ratings` is (conditions, cases, readers), complete; `patients` (cases,) names each case's patient.
    F = MS_T / (MS_TR + max(J (Cov2 - Cov3), 0)).
    """
    true = as_truth(truth)
    numbers = patient_numbers(patients, cases=len(true))
    reason = _why_no_comparison(true, ratings, numbers)
    if reason:
        return ConditionComparison(reason=reason)
    placed = placements(truth=true, scores=side_by_side(ratings))
    spread = _SPREAD[covariance](placed, patients=numbers)
    return compared(placed.aucs.reshape(len(ratings), -1), spread, level=level)


def side_by_side(ratings: FloatArray) -> FloatArray:
    """Turn (conditions, cases, readers) into (cases, conditions x readers)."""
    flat: FloatArray = np.concatenate(list(np.asarray(ratings, dtype=np.float64)), axis=1)
    return flat


def compared(areas: FloatArray, spread: PatientSpread, *, level: float) -> ConditionComparison:
    """Compare `areas` (conditions, readers), all known; `spread` is of (conditions x readers) in that order.

    Few readers bring fewer degrees of freedom, as in `variance_of_average`.
    """
    conditions, readers = areas.shape
    cov = _mean_covariances(spread.covariance(), conditions=conditions, readers=readers)
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
    # Raters whose differences are alike leave a mean square of rounding, or of exactly 0.
    if min(denominator, ms_both) <= SMALLEST_VARIANCE:
        return ConditionComparison(**parts, reason=NO_SPREAD)
    df1 = conditions - 1
    df2 = denominator**2 / (ms_both**2 / (df1 * (readers - 1)) + (readers * between) ** 2 / spread.df)
    if readers <= WARY_READERS:
        known = df1 * (readers - 1)
        larger = ms_both * (known + 2) / known
        df2 = min(df2, (larger + readers * between) ** 2 / (larger**2 / known + (readers * between) ** 2 / spread.df))
    fixed_readers = cov.error - cov.cov1 + (readers - 1) * between
    return ConditionComparison(
        **parts,
        random_both=_f_test(ms_condition / denominator, df1, df2),
        random_cases=_chi_square(df1 * ms_condition / fixed_readers, df1) if fixed_readers > 0 else None,
        random_readers=_f_test(ms_condition / ms_both, df1, df1 * (readers - 1)),
        contrasts=_contrasts(by_condition, se=sqrt(2 / readers * denominator), df=df2, level=level),
    )


def _why_no_comparison(truth: FloatArray, ratings: FloatArray, patients: PatientNumbers) -> str | None:
    if len(ratings) < 2:
        return "a comparison needs two conditions"
    if not is_rated(ratings).all():
        return "ratings are missing: use the U-statistic"
    return why_not(truth, ratings[0], patients)


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
            df=df,
            low=gap - half,
            high=gap + half,
            p=t_two_sided_p(gap / se, df),
        )
        for (i, j), gap in gaps.items()
    )
