"""Agreement of raters with themselves on cases that they were shown twice, each rater and all of them together.

Kappa is 1 less the observed over the expected disagreement of first and second answers: of the calls, nominal (Cohen,
Educ Psychol Meas 1960;20:37); of the scores, by squared differences, which with quadratic weights is Cohen's weighted
kappa (Psychol Bull 1968;70:213) and the intraclass correlation of absolute agreement up to terms of 1/n (Fleiss &
Cohen, Educ Psychol Meas 1973;33:613). Raters are strata: each has chance agreement of its own, observed and expected
disagreement are added up over them (Barlow, Lai & Azen, Stat Med 1991;10:1465). Raters are fixed, patients random: the
standard error is that of Fleiss, Cohen & Everitt (Psychol Bull 1969;72:323) with the influences of each patient's pairs
added up and one degree of freedom taken off, so that answers of several raters to one patient count as one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from readerstudy.analysis.estimate import Estimate, FloatArray, MatrixLike, as_matrix, is_rated, missing
from readerstudy.analysis.panel.agreement import NO_VARIATION, ratio_limits
from readerstudy.analysis.patients import PatientNumbers, patient_numbers

NOT_TWICE = "no case was answered twice"
Distance = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, kw_only=True)
class SelfAgreement:
    """First against second answers of one rater, or of all raters together.

    `same` is the share of calls that stayed, its limits Clopper-Pearson's at the effective number of pairs (Korn &
    Graubard, Surv Methodol 1998;24:193). `weighted_kappa` is of the scores; None where the task has none.
    """

    rater: Annotated[str | None, "null: all raters together"]
    n: int
    n_patients: int
    same: Estimate
    kappa: Estimate
    weighted_kappa: Estimate | None


@dataclass(frozen=True, kw_only=True)
class RepeatedReadings:
    """Each rater's agreement with the own first answers, and that of the panel."""

    raters: tuple[SelfAgreement, ...]
    panel: SelfAgreement


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Cases that one rater answered twice: first and second answers, and the cases' patients, each (pairs,)."""

    first: FloatArray
    second: FloatArray
    patients: PatientNumbers


def agreement_with_oneself(
    *,
    calls: MatrixLike,
    calls_again: MatrixLike,
    rater_ids: Sequence[str],
    scores: MatrixLike | None = None,
    scores_again: MatrixLike | None = None,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> RepeatedReadings:
    """Compare first and second answers, all (cases, raters) with NaN/None for none; `patients` (cases,)."""
    numbers = patient_numbers(patients, cases=len(as_matrix(calls)))
    called = _pairs(calls, calls_again, numbers)
    scored = None if scores is None or scores_again is None else _pairs(scores, scores_again, numbers)
    raters = tuple(
        _described(rater, [called[column]], None if scored is None else [scored[column]], level=level)
        for column, rater in enumerate(rater_ids)
    )
    return RepeatedReadings(raters=raters, panel=_described(None, called, scored, level=level))


def _pairs(first: MatrixLike, second: MatrixLike, patients: PatientNumbers) -> list[_Pairs]:
    before, after = as_matrix(first), as_matrix(second)
    if before.shape != after.shape:
        raise ValueError(f"first answers are {before.shape}, second ones {after.shape}")
    both = is_rated(before) & is_rated(after)
    return [
        _Pairs(first=before[rows, column], second=after[rows, column], patients=patients[rows])
        for column, rows in enumerate(both.T)
    ]


def _described(
    rater: str | None, calls: Sequence[_Pairs], scores: Sequence[_Pairs] | None, *, level: float
) -> SelfAgreement:
    of_patients = np.concatenate([pairs.patients for pairs in calls]) if calls else np.zeros(0, dtype=np.int64)
    return SelfAgreement(
        rater=rater,
        n=len(of_patients),
        n_patients=len(np.unique(of_patients)),
        same=_same(calls, level=level),
        kappa=stratified_kappa(calls, distance=_unequal, level=level),
        weighted_kappa=None if scores is None else stratified_kappa(scores, distance=_squared, level=level),
    )


def _same(calls: Sequence[_Pairs], *, level: float) -> Estimate:
    held = [pairs for pairs in calls if len(pairs.first)]
    if not held:
        return missing(NOT_TWICE)
    equal = np.concatenate([pairs.first == pairs.second for pairs in held]).astype(np.float64)
    _, numbers = np.unique(np.concatenate([pairs.patients for pairs in held]), return_inverse=True)
    low, high = ratio_limits(_added(equal, numbers), _added(np.ones_like(equal), numbers), level=level)
    return Estimate(value=float(equal.mean()), low=low, high=high)


def stratified_kappa(strata: Sequence[_Pairs], *, distance: Distance, level: float) -> Estimate:
    """One less observed over expected disagreement, both added up over the strata, with its interval over patients."""
    held = [pairs for pairs in strata if len(pairs.first)]
    if not held:
        return missing(NOT_TWICE)
    observed = [distance(pairs.first, pairs.second) for pairs in held]
    crossed = [distance(pairs.first[:, None], pairs.second[None, :]) for pairs in held]
    expected = sum(len(table) * float(table.mean()) for table in crossed)
    if expected == 0:
        return missing(NO_VARIATION)
    ratio = sum(float(own.sum()) for own in observed) / expected
    # What each pair adds to the expected disagreement, linearised: its row and its column less the mean.
    chance = [table.mean(axis=1) + table.mean(axis=0) - table.mean() for table in crossed]
    influence = np.concatenate(
        [(ratio * by_chance - own) / expected for own, by_chance in zip(observed, chance, strict=True)]
    )
    _, numbers = np.unique(np.concatenate([pairs.patients for pairs in held]), return_inverse=True)
    return _with_interval(1 - ratio, _added(influence, numbers), level=level)


def _added(values: FloatArray, numbers: NDArray[np.int_]) -> FloatArray:
    """By patient."""
    return np.bincount(numbers, weights=values).astype(np.float64)


def _with_interval(value: float, influences: FloatArray, *, level: float) -> Estimate:
    """`influences` (patients,)."""
    patients = len(influences)
    if patients < 2:
        return Estimate(value=value, reason="one patient has no standard error")
    se = sqrt(float((influences**2).sum()) * patients / (patients - 1))
    if se <= np.finfo(float).eps * 10:
        return Estimate(value=value, reason="no variation between patients: no standard error")
    half = float(stats.t.ppf((1 + level) / 2, patients - 1)) * se
    return Estimate(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


def _unequal(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(first != second, dtype=np.float64)


def _squared(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray((first - second) ** 2, dtype=np.float64)
