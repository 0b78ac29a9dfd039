"""The patient as the unit: what each patient contributes to a mean over cases, and what variance follows from it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from readerstudy.analysis.estimate import FloatArray, is_rated

PatientNumbers = npt.NDArray[np.int64]
Units = Literal["patients", "cases"]


def patient_numbers(patients: Sequence[Hashable] | PatientNumbers | None, *, cases: int) -> PatientNumbers:
    """Return the number of the patient of every case, (cases,), from 0 on; None: every case is a patient of its own.

    ValueError when there are not as many patients named as cases.
    """
    if patients is None:
        return np.arange(cases)
    names = list(patients)
    if len(names) != cases:
        raise ValueError(f"{len(names)} patients are named for {cases} cases")
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.int64)


def any_repeated(patients: PatientNumbers) -> bool:
    """Tell whether some patient gives more than one case."""
    return len(np.unique(patients)) < len(patients)


def sums_by_patient(values: FloatArray, patients: PatientNumbers, *, of: int) -> FloatArray:
    """Add up `values` (cases, ...) of each of `of` patients, shape (of, ...)."""
    total = np.zeros((of, *values.shape[1:]))
    np.add.at(total, patients, values)
    return total


def leave_one_out_weight(own: FloatArray, count: FloatArray | float) -> FloatArray:
    """Weight of one patient's sum in the standard error of a mean over `count` cases, of which `own` are the patient's.

    sqrt(1 - 1/n) / n / (1 - n_i/n); 0 where no other patient is there to be compared with.
    """
    n = np.broadcast_to(np.asarray(count, dtype=np.float64), own.shape)
    others = n - own
    weight = np.sqrt(1 - 1 / np.maximum(n, 1))
    return np.divide(weight, others, out=np.zeros(own.shape), where=others > 0)


@dataclass(frozen=True, kw_only=True)
class PatientSpread:
    """What each patient contributes to each rater's estimate, and how much the patients know of its variance.

    `contributions` (patients, raters): their cross products are the covariance of the raters' estimates over patients.
    `determined` (raters,): whether the rater saw each kind that counts in two patients at least. `df`: degrees of
    freedom of the variance over patients, infinite where every patient gives one case, as in Obuchowski-Rockette.
    `too_large`: how many times as large as the true variance the estimated one is on average, were cases independent:
    the price of being held against the others, more than 1 for few patients of several cases.
    """

    contributions: FloatArray
    determined: npt.NDArray[np.bool_]
    df: float
    too_large: float = 1.0

    def covariance(self) -> FloatArray:
        """Covariance (raters, raters) of the estimates over patients; no eigenvalue is negative."""
        return np.asarray(self.contributions.T @ self.contributions, dtype=np.float64)

    def less(self, other: PatientSpread) -> PatientSpread:
        """Spread of these estimates minus the `other` ones, of the same raters, over patients numbered alike in both.

        The smaller degrees of freedom count.
        """
        of = max(len(self.contributions), len(other.contributions))
        return PatientSpread(
            contributions=_padded(self.contributions, of) - _padded(other.contributions, of),
            determined=self.determined & other.determined,
            df=min(self.df, other.df),
        )


def _padded(contributions: FloatArray, of: int) -> FloatArray:
    return np.pad(contributions, ((0, of - len(contributions)), (0, 0)))


def patient_spread(
    *, truth: FloatArray, values: FloatArray, patients: PatientNumbers, weights: FloatArray
) -> PatientSpread:
    """Return the spread of a weighted sum of the two kinds' means of `values`, one patient's cases taken together.

    `truth` (cases,), `values` (cases, raters) with NaN for no rating, `patients` (cases,) numbers, `weights` (2,
    raters) of real and synthetic. Sums over patients as Obuchowski, Biometrics 1997;53:567; each patient is held
    against the mean of the others (leave-one-out residuals, Bell & McCaffrey, Surv Methodol 2002;28:169), because
    Obuchowski's factor I/(I-1) is too small for few or unequal patients. With one case per patient it is DeLong's
    variance exactly. Degrees of freedom: Bell & McCaffrey, cases independent as working model.
    """
    of = int(patients.max()) + 1 if len(patients) else 0
    parts = [_of_kind(values[truth == kind], patients[truth == kind], weights[kind], of=of) for kind in (0, 1)]
    df, too_large = _quality(parts) if any_repeated(patients) else (inf, 1.0)
    return PatientSpread(
        contributions=parts[0].contributions + parts[1].contributions,
        determined=parts[0].determined & parts[1].determined,
        df=df,
        too_large=too_large,
    )


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One kind of case: contributions (patients, raters); cases and weight of each patient (patients,).

    `variance` is that of its weighted mean were cases independent with variance 1.
    """

    contributions: FloatArray
    determined: npt.NDArray[np.bool_]
    cases: FloatArray
    weight: FloatArray
    variance: float


def df_of_patients(truth: FloatArray, patients: PatientNumbers) -> float:
    """What the patients know of the variance of a difference of both kinds' means: `truth`, `patients` (cases,)."""
    nothing, equal = np.zeros((len(truth), 1)), np.ones((2, 1))
    return patient_spread(truth=truth, values=nothing, patients=patients, weights=equal).df


def _of_kind(values: FloatArray, patients: PatientNumbers, weights: FloatArray, *, of: int) -> _Kind:
    rated = is_rated(values).astype(np.float64)
    own, count = sums_by_patient(rated, patients, of=of), rated.sum(axis=0)
    mean = np.divide(np.nansum(values, axis=0), count, out=np.zeros(len(count)), where=count > 0)
    pulled = sums_by_patient(np.where(rated > 0, values - mean, 0.0), patients, of=of)
    seen = sums_by_patient(rated.max(axis=1, initial=0.0), patients, of=of)
    return _Kind(
        contributions=weights * leave_one_out_weight(own, count) * pulled,
        determined=((own > 0).sum(axis=0) >= 2) | (weights == 0),
        cases=seen,
        weight=float(weights.mean()) * leave_one_out_weight(seen, seen.sum()),
        variance=float(weights.mean()) ** 2 / max(float(seen.sum()), 1.0),
    )


def _quality(kinds: Sequence[_Kind]) -> tuple[float, float]:
    """Satterthwaite's degrees of freedom of the sum of the patients' squared contributions, and its mean over the true
    variance; both were cases independent.
    """
    spread = np.diag(sum((kind.cases * kind.weight**2 for kind in kinds), start=np.zeros(len(kinds[0].cases))))
    for kind in kinds:
        total = kind.cases * kind.weight
        spread = spread - np.outer(total, total) / max(kind.cases.sum(), 1.0)
    squares, mean = float((spread**2).sum()), float(np.trace(spread))
    true = sum(kind.variance for kind in kinds)
    return (mean**2 / squares if squares > 0 else 1.0), (mean / true if true > 0 else 1.0)
