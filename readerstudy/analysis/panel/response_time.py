"""Response times: medians per rater, the crossed mixed model of log time over trials, and synthetic against real."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf, log
from typing import Annotated

import numpy as np

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
from readerstudy.analysis.numeric import t_quantile
from readerstudy.analysis.panel.mixed_linear import MixedLinear, RandomTerm, fit_mixed_linear, random_intercept
from readerstudy.analysis.patients import PatientNumbers, any_repeated

# Two raters tell too little of how raters differ: the test rejected a true null in one study of ten.
LEAST_RATERS = 3
# In logarithms; a limit beyond that says nothing, and may be no number any more.
WIDEST = log(1000)


@dataclass(frozen=True, kw_only=True)
class MedianTimes:
    """Median times in ms over all, correct and wrong readings; None where there is no such reading."""

    overall: float | None
    correct: float | None
    wrong: float | None


def median_times(*, time_ms: ArrayLike, correct: ArrayLike) -> MedianTimes:
    """Return one rater's medians; `time_ms` and `correct` (trials,), NaN/None is left out."""
    times, right = as_vector(time_ms), as_vector(correct)
    known = is_rated(times)
    return MedianTimes(
        overall=_median(times[known]),
        correct=_median(times[known & (right == 1)]),
        wrong=_median(times[known & (right == 0)]),
    )


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if len(values) else None


@dataclass(frozen=True, kw_only=True)
class TimeModel:
    """log(time) ~ trial/10 + correct + (1|rater) + (1|case); `ratio_per_10_trials` < 1 means getting faster."""

    fit: MixedLinear

    @property
    def ratio_per_10_trials(self) -> float | None:
        """Ratio of geometric mean times ten trials apart."""
        return exp(self.fit.coefficients[1]) if self.fit.coefficients else None

    @property
    def ratio_correct(self) -> float | None:
        """Ratio of geometric mean times of correct to wrong readings."""
        return exp(self.fit.coefficients[2]) if self.fit.coefficients else None


def time_model(
    *, time_ms: ArrayLike, trial: ArrayLike, correct: ArrayLike, rater: ArrayLike, case: ArrayLike
) -> TimeModel:
    """Fit the crossed model of log time by REML with Satterthwaite tests; all arrays (readings,), times positive."""
    times = as_vector(time_ms)
    known = is_rated(times) & (times > 0)
    columns = [np.ones(int(known.sum())), as_vector(trial)[known] / 10, as_vector(correct)[known]]
    return TimeModel(
        fit=fit_mixed_linear(
            response=np.log(times[known]),
            design=np.column_stack(columns),
            terms=[random_intercept(as_vector(rater)[known]), random_intercept(as_vector(case)[known])],
        )
    )


@dataclass(frozen=True, kw_only=True)
class TimesOfKinds:
    """Reading times of synthetic against those of real cases; ratios are of geometric means."""

    method: str
    n: Annotated[int, "Readings with a time"]
    n_raters: int
    ratio: Annotated[Estimate, "Time on a synthetic over that on a real case, read at the same position"]
    df: Annotated[float | None, "Satterthwaite's degrees of freedom of the ratio's logarithm"]
    p: float | None
    ratio_per_10_cases: Annotated[Estimate, "Time over that ten cases earlier"]
    rater_spread: Annotated[float | None, "Standard deviation of the ratio's logarithm between raters"]


def times_of_kinds(
    *, times_ms: MatrixLike, order: MatrixLike, truth: ArrayLike, patients: PatientNumbers, level: float = 0.95
) -> TimesOfKinds:
    """Fit log(time) ~ kind + position/10 + (1|rater) + (kind|rater) + (1|case) [+ (1|patient)] by REML.

    `times_ms` and `order` (position in the rater's own sequence) are (cases, raters), `truth` and `patients` (cases,).
    Raters differ in their time and in how much longer one kind takes them, independently of one another because kinds
    are coded around 0. A reading without a positive time, or without a position, is left out.
    """
    times, when, true = as_matrix(times_ms), as_matrix(order), as_truth(truth)
    known = is_rated(times) & (times > 0) & is_rated(when)
    case, rater = (codes.astype(np.float64) for codes in np.nonzero(known))
    kind = true[case.astype(np.intp)] - 0.5
    of_patients = any_repeated(patients)
    units = "cases within patients" if of_patients else "cases"
    raters = len(np.unique(rater))
    empty = TimesOfKinds(
        method=f"linear mixed model of log time (REML, Satterthwaite), raters, their ratios and {units} random",
        n=len(kind),
        n_raters=raters,
        ratio=missing("no reading has a time"),
        df=None,
        p=None,
        ratio_per_10_cases=missing("no reading has a time"),
        rater_spread=None,
    )
    if raters < LEAST_RATERS or len(np.unique(kind)) < 2:
        return _without(empty, f"it takes {LEAST_RATERS} raters with times, and both kinds of case")
    terms = [
        random_intercept(rater),
        RandomTerm(groups=rater, design=kind[:, None]),
        random_intercept(case),
        *([random_intercept(patients[case.astype(np.intp)])] if of_patients else []),
    ]
    design = np.column_stack([np.ones(len(kind)), kind, when[known] / 10])
    fit = fit_mixed_linear(response=np.log(times[known]), design=design, terms=terms)
    if fit.reason or fit.df[1] is None:
        return _without(empty, fit.reason or "the degrees of freedom can't be estimated")
    return replace(
        empty,
        ratio=_ratio(fit, 1, level=level),
        df=fit.df[1],
        p=fit.p[1],
        ratio_per_10_cases=_ratio(fit, 2, level=level),
        rater_spread=fit.random_sd[1][0],
    )


def _without(known: TimesOfKinds, reason: str) -> TimesOfKinds:
    return replace(known, ratio=missing(reason), ratio_per_10_cases=missing(reason))


def _ratio(fit: MixedLinear, column: int, *, level: float) -> Estimate:
    value, df = fit.coefficients[column], fit.df[column]
    half = t_quantile((1 + level) / 2, inf if df is None else df) * fit.se[column]
    if half > WIDEST:
        return Estimate(value=exp(value), reason="the interval spans more than a factor of 1,000 to either side")
    return Estimate(value=exp(value), low=exp(value - half), high=exp(value + half))
