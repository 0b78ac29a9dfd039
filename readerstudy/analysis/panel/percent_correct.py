"""Shares of correct calls with t limits on the logit scale: averaged over readers, or of one reader over patients.

The numbers of real and synthetic cases are fixed by the design, so each kind has a variance of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from math import sqrt
from typing import Literal

import numpy as np

from readerstudy.analysis.estimate import (
    ArrayLike,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    as_vector,
    is_rated,
    mean_of_rated,
)
from readerstudy.analysis.panel.mrmc import NO_SPREAD, SMALLEST_VARIANCE, PanelAuc, averaged_over_readers, why_not
from readerstudy.analysis.patients import PatientNumbers, patient_numbers, patient_spread
from readerstudy.analysis.rater.auc import ONE_PATIENT
from readerstudy.analysis.rater.proportions import proportion_interval

Part = Literal["accuracy", "sensitivity", "specificity", "balanced_accuracy"]
KindOfCase = Literal["accuracy", "sensitivity", "specificity"]
KINDS: dict[KindOfCase, tuple[int, ...]] = {"accuracy": (0, 1), "sensitivity": (1,), "specificity": (0,)}
LIMITS = "percent correct, t limits on the logit scale"
# The mean square of two or three readers is often small by chance: intervals covered 88 to 94 % without this care.
CAUTIOUS_READERS = 3


def reader_averaged_accuracy(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    part: KindOfCase = "accuracy",
    level: float = 0.95,
) -> PanelAuc:
    """Return the mean of the readers' shares of correct calls with readers and cases random; no test.

    `truth` (cases,), `calls` (cases, readers) 1/0 with NaN/None for no call, `patients` (cases,) names each case's
    patient. Every reader counts alike, with the share over the cases that reader answered; a reader who did not judge
    each kind that counts is left out, because the share of one kind alone is no accuracy. Variance and degrees of
    freedom as for the reader-averaged AUC; with up to three readers the variance is at least that of these readers.
    `part` says of which cases: sensitivity is the share of the synthetic ones, specificity of the real ones.
    """
    true, call = as_truth(truth), as_matrix(calls)
    numbers = patient_numbers(patients, cases=len(true))
    correct = _correct(true, call)
    known = PanelAuc(method=LIMITS, value=None, scale="logit")
    counted = correct[np.isin(true, KINDS[part])]
    answered = is_rated(counted).sum(axis=0)
    if not answered.any():
        return replace(known, reason="no ratings")
    kinds = np.array([is_rated(correct[true == kind]).sum(axis=0) * (kind in KINDS[part]) for kind in (0, 1)])
    judged = np.all([kinds[kind] > 0 for kind in KINDS[part]], axis=0)
    shares = np.where(judged, mean_of_rated(counted), np.nan)
    reason = why_not(true, correct, numbers)
    if reason:
        return replace(known, value=float(shares[judged].mean()) if judged.any() else None, reason=reason)
    spread = patient_spread(truth=true, values=correct, patients=numbers, weights=kinds / np.maximum(answered, 1))
    found = averaged_over_readers(known, values=shares, spread=spread, cautious_readers=CAUTIOUS_READERS)
    return _limited(found, level=level)


def share_over_patients(
    *,
    truth: ArrayLike,
    calls: ArrayLike,
    patients: Sequence[Hashable] | PatientNumbers,
    part: Part = "accuracy",
    level: float = 0.95,
) -> PanelAuc:
    """Return one reader's (or the majority's) share of correct calls with the variance over patients.

    `truth`, `calls` and `patients` are (cases,); `part` says of which cases. Where all calls are right, or all wrong,
    there is no standard error, and the limits are Clopper-Pearson's with the patients as trials. Patients who all have
    the same share by chance leave the variance of their cases, with the degrees of freedom of patients.
    """
    true, call = as_truth(truth), as_vector(calls)
    rated = is_rated(call)
    numbers, true = patient_numbers(patients, cases=len(true))[rated], true[rated]
    correct = (call[rated] == true).astype(np.float64)[:, None]
    known = PanelAuc(method=LIMITS, value=None, scale="logit")
    weights = _weights(true, part)
    if len(true) == 0 or np.isnan(weights).any():
        return replace(known, reason="no such case was rated")
    means = [float(correct[true == kind].mean()) if (true == kind).any() else 0.0 for kind in (0, 1)]
    value = float(weights[0] * means[0] + weights[1] * means[1])
    known = replace(known, value=value)
    spread = patient_spread(truth=true, values=correct, patients=numbers, weights=weights[:, None])
    if not spread.determined[0]:
        return replace(known, reason=ONE_PATIENT)
    if value in {0.0, 1.0}:
        used = len(np.unique(numbers[weights[true.astype(int)] > 0]))
        exact = proportion_interval(successes=int(value) * used, trials=used, level=level)
        return replace(known, variance=0.0, low=exact.low, high=exact.high, reason=NO_SPREAD)
    variance = float(spread.covariance()[0, 0])
    if variance <= SMALLEST_VARIANCE:
        # Few patients may be alike by chance: what is left then is the variance of the cases.
        alone = np.arange(len(true))
        cases = patient_spread(truth=true, values=correct, patients=alone, weights=weights[:, None])
        variance = float(cases.covariance()[0, 0])
    if variance <= SMALLEST_VARIANCE:
        return replace(known, variance=0.0, reason=NO_SPREAD)
    return _limited(replace(known, variance=variance, se=sqrt(variance), df=spread.df), level=level)


def _correct(truth: FloatArray, calls: FloatArray) -> FloatArray:
    return np.where(is_rated(calls), (calls == truth[:, None]).astype(np.float64), np.nan)


def _weights(truth: FloatArray, part: Part) -> FloatArray:
    """Weights of the shares of real and of synthetic cases, NaN where a kind that is asked for is missing."""
    count = np.array([(truth == kind).sum() for kind in (0, 1)], dtype=np.float64)
    asked = {"sensitivity": [0.0, 1.0], "specificity": [1.0, 0.0], "balanced_accuracy": [0.5, 0.5]}
    weights = count / max(count.sum(), 1.0) if part == "accuracy" else np.array(asked[part])
    return np.where((weights > 0) & (count == 0), np.nan, weights)


def _limited(known: PanelAuc, *, level: float) -> PanelAuc:
    limits = known.interval(level=level)
    return known if limits is None else replace(known, low=limits[0], high=limits[1])
