"""Agreement of several raters on nominal answers: kappa, AC1, alpha and others, with intervals over cases.

All coefficients are (pa - pe) / (1 - pe). Standard errors treat cases as random and raters as fixed, with t on
(cases - 1) degrees of freedom; where patients give several cases, patients are random and counted, each with the sum
of its cases' influences (the infinitesimal jackknife over patients). Source: Gwet, Handbook of Inter-Rater Reliability,
4th ed. 2014; Fleiss, Psychol Bull 1971;76:378; Conger, Psychol Bull 1980;88:322; Krippendorff 2004/2011.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import (
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    is_rated,
    missing,
)
from readerstudy.analysis.patients import PatientNumbers, any_repeated, patient_numbers, sums_by_patient

Coefficient = Literal[
    "percent_agreement", "gwet_ac1", "fleiss_kappa", "conger_kappa", "krippendorff_alpha", "brennan_prediger"
]
Metric = Literal["nominal", "ordinal", "interval", "ratio"]
NO_VARIATION = "not defined: every rating is the same, so agreement by chance is certain"
NO_PAIRS = "no case was rated by two raters"
# Below this share of the rarer of two answers the t interval of kappa no longer covers: 63 to 84 % instead of 95 %.
LOPSIDED_BELOW = 0.2


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One coefficient with its observed (`pa`) and chance (`pe`) agreement; None with a `reason` when undefined."""

    coefficient: float | None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    pa: float | None = None
    pe: float | None = None
    reason: str | None = None

    def estimate(self) -> Estimate:
        """Return coefficient and interval for printing."""
        if self.coefficient is None:
            return missing(self.reason or "not estimable")
        return Estimate(value=self.coefficient, low=self.low, high=self.high, reason=self.reason)


def kappa_of_rare_answers(
    *, ratings: MatrixLike, patients: Sequence[Hashable] | PatientNumbers | None = None, level: float = 0.95
) -> tuple[float, float] | None:
    """Limits of Fleiss' kappa where one of two answers is rare; None where it is not, or nothing can be said.

    With one answer rare, kappa is (R - q) / (1 - q): R is the chance that another rater gives the rare answer to a
    case that one rater gave it to, q its share. R is a ratio over cases with few of them informative, so its limits
    are Clopper-Pearson's at the effective number of pairs (Korn & Graubard, Surv Methodol 1998;24:193), transformed.
    `patients` (cases,) as for `agreement`.
    """
    matrix = as_matrix(ratings)
    if not is_rated(matrix).any():
        return None
    counts = _count(matrix, patient_numbers(patients, cases=len(matrix)))
    if counts.table.shape[1] != 2 or not (counts.per_case >= 2).any():
        return None
    paired = counts.per_case >= 2
    table, numbers = counts.table[paired], counts.patients[paired]
    rare = table[:, int(np.argmin(table.sum(axis=0)))]
    share = float(rare.sum() / table.sum())
    if not 0 < share < LOPSIDED_BELOW:
        return None
    pairs = np.column_stack([rare * (rare - 1), rare * (table.sum(axis=1) - 1)])
    part, whole = _by_patient(pairs, numbers).T
    low, high = ratio_limits(part, whole, level=level)
    return max(-1.0, (low - share) / (1 - share)), (high - share) / (1 - share)


def ratio_limits(part: FloatArray, whole: FloatArray, *, level: float) -> tuple[float, float]:
    """Limits of sum(part) / sum(whole), both (cases,) or (patients,), at the effective number of trials."""
    n, informative, total = len(whole), int((whole > 0).sum()), float(whole.sum())
    ratio = float(part.sum() / total)
    variance = n / max(n - 1, 1) * float((((part - ratio * whole) / total) ** 2).sum())
    trials = float(informative)
    if variance > 0 and 0 < ratio < 1 and informative > 1:
        tail = (1 + level) / 2
        penalty = (stats.norm.ppf(tail) / stats.t.ppf(tail, informative - 1)) ** 2
        trials = float(penalty * min(max(ratio * (1 - ratio) / variance, 1.0), total))
    count = ratio * trials
    low = float(stats.beta.ppf((1 - level) / 2, count, trials - count + 1)) if count > 0 else 0.0
    high = float(stats.beta.ppf((1 + level) / 2, count + 1, trials - count)) if count < trials else 1.0
    return low, high


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """Ratings as counts: `table` (cases, categories), `ratings` (cases, raters) of category numbers; `patients`
    (cases,) numbers the patients.
    """

    ratings: FloatArray
    table: FloatArray
    patients: PatientNumbers

    @property
    def per_case(self) -> FloatArray:
        return np.asarray(self.table.sum(axis=1), dtype=np.float64)

    @property
    def agreeing(self) -> FloatArray:
        """Share of agreeing pairs of raters in each case, 0 where there is no pair."""
        pairs = self.per_case * (self.per_case - 1)
        agreeing = (self.table * (self.table - 1)).sum(axis=1)
        share: FloatArray = np.divide(agreeing, pairs, out=np.zeros(len(pairs)), where=pairs > 0)
        return share

    @property
    def prevalence(self) -> FloatArray:
        return np.asarray((self.table / self.per_case[:, None]).mean(axis=0), dtype=np.float64)


def _by_patient(values: FloatArray, patients: PatientNumbers) -> FloatArray:
    """Sums of `values` (cases, ...) over the cases of each patient."""
    names, numbers = np.unique(patients, return_inverse=True)
    return sums_by_patient(values, numbers, of=len(names))


def _count(ratings: FloatArray, patients: PatientNumbers) -> _Counts:
    """Code the observed categories 0..q-1 and drop cases that nobody rated."""
    seen = is_rated(ratings).any(axis=1)
    kept = ratings[seen]
    categories = np.unique(kept[is_rated(kept)])
    coded = np.where(is_rated(kept), np.searchsorted(categories, kept), np.nan)
    table = np.stack([(coded == k).sum(axis=1) for k in range(len(categories))], axis=1).astype(np.float64)
    return _Counts(ratings=coded, table=table, patients=patients[seen])


def agreement(
    *,
    ratings: MatrixLike,
    coefficient: Coefficient = "fleiss_kappa",
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> Agreement:
    """Return one agreement coefficient; `ratings` (cases, raters) with NaN/None for no rating.

    `patients` (cases,) names each case's patient; where one gives several cases, the standard error is over patients.
    Cases with one rating count for the prevalence of the categories, not for the observed agreement. Undefined when
    every rating is the same (except percent agreement and AC1, which are 1 without a standard error).
    """
    matrix = as_matrix(ratings)
    if not (is_rated(matrix).sum(axis=1) >= 2).any():
        return Agreement(coefficient=None, reason=NO_PAIRS)
    counts = _count(matrix, patient_numbers(patients, cases=len(matrix)))
    if coefficient == "krippendorff_alpha":
        return _krippendorff_with_error(counts, level=level)
    paired = counts.per_case >= 2
    scale = len(paired) / paired.sum()
    pa = float(counts.agreeing[paired].mean())
    if counts.table.shape[1] == 1:
        return _constant(coefficient, pa)
    pe, pe_cases = _CHANCE[coefficient](counts)
    if pe >= 1:
        return Agreement(coefficient=None, pa=pa, pe=pe, reason=NO_VARIATION)
    value = (pa - pe) / (1 - pe)
    case_values = scale * (counts.agreeing - pe * paired) / (1 - pe)
    influence = case_values - 2 * (1 - value) * (pe_cases - pe) / (1 - pe)
    return _with_error(value, influence, counts.patients, pa=pa, pe=pe, level=level)


def _constant(coefficient: Coefficient, pa: float) -> Agreement:
    reason = "every rating is the same: no standard error"
    if coefficient == "percent_agreement":
        return Agreement(coefficient=pa, pa=pa, pe=0.0, reason=reason)
    if coefficient == "gwet_ac1":
        # The limit of one answer becoming ever more frequent.
        return Agreement(coefficient=1.0, pa=pa, pe=1.0, reason=reason)
    return Agreement(coefficient=None, pa=pa, pe=1.0, reason=NO_VARIATION)


def _with_error(
    value: float, influence: FloatArray, patients: PatientNumbers, *, pa: float, pe: float, level: float
) -> Agreement:
    cases, units = len(influence), "patient" if any_repeated(patients) else "case"
    pulled = _by_patient(influence - value, patients)
    n = len(pulled)
    if n < 2:
        return Agreement(coefficient=value, pa=pa, pe=pe, reason=f"one {units} has no standard error")
    se = sqrt(float((pulled**2).sum()) * n / (n - 1)) / cases
    if se <= np.finfo(float).eps * 10:
        return Agreement(coefficient=value, pa=pa, pe=pe, reason=f"no variation between {units}s: no standard error")
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * se
    return Agreement(
        coefficient=value,
        se=se,
        low=max(-1.0, value - half),
        high=min(1.0, value + half),
        p=float(2 * stats.t.sf(abs(value / se), n - 1)),
        pa=pa,
        pe=pe,
    )


def _no_chance(counts: _Counts) -> tuple[float, FloatArray]:
    return 0.0, np.zeros(len(counts.table))


def _ac1_chance(counts: _Counts) -> tuple[float, FloatArray]:
    prevalence, categories = counts.prevalence, counts.table.shape[1]
    pe = float((prevalence * (1 - prevalence)).sum()) / (categories - 1)
    return pe, counts.table @ (1 - prevalence) / counts.per_case / (categories - 1)


def _fleiss_chance(counts: _Counts) -> tuple[float, FloatArray]:
    prevalence = counts.prevalence
    return float((prevalence**2).sum()), counts.table @ prevalence / counts.per_case


def _uniform_chance(counts: _Counts) -> tuple[float, FloatArray]:
    pe = 1 / counts.table.shape[1]
    return pe, np.full(len(counts.table), pe)


def _conger_chance(counts: _Counts) -> tuple[float, FloatArray]:
    """Chance from each rater's own shares, with its linearisation over cases (Gwet 2014, ch. 5)."""
    cases, raters = counts.ratings.shape
    categories = counts.table.shape[1]
    rated = is_rated(counts.ratings).astype(np.float64)
    number = rated.sum(axis=0)
    if (number == 0).any():
        # A rater without a rating has no shares of answers.
        kept = replace(counts, ratings=counts.ratings[:, number > 0])
        return _conger_chance(kept)
    answered = np.stack([counts.ratings == k for k in range(categories)], axis=2).astype(np.float64)
    shares = answered.sum(axis=0) / number[:, None]
    total = shares.sum(axis=0)
    pe = float((total**2 - (shares**2).sum(axis=0)).sum()) / (raters * (raters - 1))
    deviation = answered - (rated - number / cases)[:, :, None] * shares[None]
    weight = (total[None, :] - shares) * (cases / number)[:, None]
    return pe, np.einsum("irk,rk->i", deviation, weight) / (raters * (raters - 1))


_CHANCE: dict[str, Callable[[_Counts], tuple[float, FloatArray]]] = {
    "percent_agreement": _no_chance,
    "gwet_ac1": _ac1_chance,
    "fleiss_kappa": _fleiss_chance,
    "conger_kappa": _conger_chance,
    "brennan_prediger": _uniform_chance,
}


def _krippendorff_with_error(counts: _Counts, *, level: float) -> Agreement:
    """Nominal alpha with Gwet's standard error: cases with one rating carry no information."""
    paired = counts.per_case >= 2
    table = counts.table[paired]
    table = table[:, table.sum(axis=0) > 0]
    cases, per_case = len(table), table.sum(axis=1)
    mean = float(per_case.mean())
    prevalence = (table / mean).mean(axis=0)
    pe = float((prevalence**2).sum())
    small = 1 / (cases * mean)
    raw = (table * (table - 1)).sum(axis=1) / (mean * (per_case - 1))
    pa = (1 - small) * float(raw.mean()) + small
    if table.shape[1] == 1:
        return Agreement(coefficient=None, pa=1.0, pe=1.0, reason=NO_VARIATION)
    value = (pa - pe) / (1 - pe)
    uneven = (per_case - mean) / mean
    pa_cases = raw - pa * uneven
    pe_cases = table @ prevalence / mean - pe * uneven
    centre = (float(raw.mean()) - pe) / (1 - pe)
    influence = (pa_cases - pe) / (1 - pe) - 2 * (1 - centre) * (pe_cases - pe) / (1 - pe)
    return _with_error(value, influence - centre + value, counts.patients[paired], pa=pa, pe=pe, level=level)


def krippendorff_alpha(*, ratings: MatrixLike, metric: Metric = "nominal") -> Estimate:
    """Return Krippendorff's alpha for any metric; `ratings` (cases, raters), values are the category numbers.

    1 - observed / expected disagreement from the coincidence matrix (Krippendorff 2011). No interval: see
    `agreement` for the nominal one.
    """
    matrix = as_matrix(ratings)
    kept = matrix[is_rated(matrix).sum(axis=1) >= 2]
    if len(kept) == 0:
        return missing(NO_PAIRS)
    values = np.unique(kept[is_rated(kept)])
    if len(values) == 1:
        return missing(NO_VARIATION)
    table = np.stack([(kept == value).sum(axis=1) for value in values], axis=1).astype(np.float64)
    per_case = table.sum(axis=1)
    pairs = np.einsum("ik,il,i->kl", table, table, 1 / (per_case - 1))
    pairs -= np.diag((table / (per_case - 1)[:, None]).sum(axis=0))
    number = pairs.sum(axis=1)
    distance = _DISTANCE[metric](values, number)
    expected = float((np.outer(number, number) * distance).sum()) / (number.sum() - 1)
    if expected == 0:
        return missing("not defined: the expected disagreement is 0")
    return Estimate(value=float(1 - (pairs * distance).sum() / expected))


def _nominal(values: FloatArray, number: FloatArray) -> FloatArray:
    return np.asarray(1 - np.eye(len(values)), dtype=np.float64)


def _ordinal(values: FloatArray, number: FloatArray) -> FloatArray:
    ranks = np.cumsum(number) - number / 2
    return np.asarray((ranks[:, None] - ranks[None, :]) ** 2, dtype=np.float64)


def _interval(values: FloatArray, number: FloatArray) -> FloatArray:
    return np.asarray((values[:, None] - values[None, :]) ** 2, dtype=np.float64)


def _ratio(values: FloatArray, number: FloatArray) -> FloatArray:
    total = values[:, None] + values[None, :]
    gap = values[:, None] - values[None, :]
    return np.divide(gap, total, out=np.zeros_like(gap), where=total != 0) ** 2


_DISTANCE: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}
