"""The response table that every analysis starts from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from readerstudy.analysis.estimate import ArrayLike, BoolArray, FloatArray, MatrixLike, as_matrix, as_truth, is_rated
from readerstudy.analysis.options import MissingRule, Unit
from readerstudy.analysis.patients import PatientNumbers, any_repeated, patient_numbers


@dataclass(frozen=True, kw_only=True)
class ResponseTable:
    """Truth (cases,), calls and ratings (cases, raters), NaN = no rating; ids name rows and columns.

    `order` is the position in each rater's own sequence and `times_ms` the reading time, both (cases,
    raters). Truth and calls: 1 = synthetic, 0 = real. A higher rating means more surely synthetic. `patients` (cases,)
    numbers the patient of each case. `choices` (cases, raters) are what the raters chose from, where that is finer than
    the calls, whose variation tells whether somebody looks.
    """

    truth: FloatArray
    calls: FloatArray
    ratings: FloatArray | None
    rater_ids: tuple[str, ...]
    case_ids: tuple[str, ...]
    patients: PatientNumbers
    order: FloatArray | None = None
    times_ms: FloatArray | None = None
    choices: FloatArray | None = None

    @property
    def correct(self) -> FloatArray:
        """Return 1 for a correct call, 0 for a wrong one, NaN for none; shape (cases, raters)."""
        right = (self.calls == self.truth[:, None]).astype(np.float64)
        return np.where(is_rated(self.calls), right, np.nan)

    @property
    def n_cases(self) -> int:
        return len(self.truth)

    @property
    def n_raters(self) -> int:
        return len(self.rater_ids)

    @property
    def complete(self) -> bool:
        return not bool(np.isnan(self.calls).any())

    @property
    def clustered(self) -> bool:
        """Whether some patient gives more than one case."""
        return any_repeated(self.patients)

    def by_unit(self, unit: Unit) -> ResponseTable:
        """Return the table with its patients, or with every case as a patient of its own."""
        return self if unit == "patient" else replace(self, patients=np.arange(self.n_cases))

    def restricted(self, rule: MissingRule) -> ResponseTable:
        """Return the table the missing rule leaves: all cases, or those with a call of every rater."""
        if rule == "available":
            return self
        return self.of_cases(np.asarray(is_rated(self.calls).all(axis=1)))

    @property
    def judged_both_kinds(self) -> BoolArray:
        """Which raters judged real and synthetic cases, (raters,): of one kind alone no share is an accuracy."""
        rated = is_rated(self.calls)
        return np.asarray(rated[self.truth == 1].any(axis=0) & rated[self.truth == 0].any(axis=0))

    def of_cases(self, chosen: BoolArray) -> ResponseTable:
        """Return the table of these cases, `chosen` (cases,)."""
        keep = np.flatnonzero(chosen)
        return ResponseTable(
            truth=self.truth[keep],
            calls=self.calls[keep],
            ratings=None if self.ratings is None else self.ratings[keep],
            rater_ids=self.rater_ids,
            case_ids=tuple(self.case_ids[row] for row in keep),
            patients=self.patients[keep],
            order=None if self.order is None else self.order[keep],
            times_ms=None if self.times_ms is None else self.times_ms[keep],
            choices=None if self.choices is None else self.choices[keep],
        )


def response_table(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    ratings: MatrixLike | None = None,
    rater_ids: Sequence[str] | None = None,
    case_ids: Sequence[str] | None = None,
    patients: Sequence[Hashable] | None = None,
    order: MatrixLike | None = None,
    times_ms: MatrixLike | None = None,
    choices: MatrixLike | None = None,
) -> ResponseTable:
    """Check shapes and coding and return the table; ValueError says what does not fit.

    Without `patients` (cases,), which name each case's patient, every case counts as a patient of its own.
    """
    true = as_truth(truth)
    matrix = as_matrix(calls) if len(true) else np.zeros((0, len(rater_ids or ())))
    raters = tuple(rater_ids) if rater_ids is not None else _numbered(matrix.shape[1])
    cases = tuple(case_ids) if case_ids is not None else _numbered(len(true))
    if matrix.shape != (len(true), len(raters)):
        raise ValueError(f"calls are {matrix.shape}, expected {(len(true), len(raters))} (cases, raters)")
    if len(cases) != len(true) or len(set(cases)) != len(cases) or len(set(raters)) != len(raters):
        raise ValueError("every case and every rater has one name of its own")
    if not np.isin(matrix[~np.isnan(matrix)], (0.0, 1.0)).all():
        raise ValueError("a call is 1 (synthetic), 0 (real) or missing")
    extra = {"ratings": ratings, "order": order, "times_ms": times_ms, "choices": choices}
    more = {name: _same_shape(name, values, matrix) for name, values in extra.items()}
    numbers = patient_numbers(patients, cases=len(true))
    return ResponseTable(truth=true, calls=matrix, rater_ids=raters, case_ids=cases, patients=numbers, **more)


def _same_shape(name: str, values: MatrixLike | None, calls: FloatArray) -> FloatArray | None:
    if values is None or len(calls) == 0:
        return None
    matrix = as_matrix(values)
    if matrix.shape != calls.shape:
        raise ValueError(f"{name} are {matrix.shape}, calls are {calls.shape}")
    return matrix


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def signed_rating(*, calls: MatrixLike, confidence: MatrixLike, levels: int) -> FloatArray:
    """Turn a forced choice with confidence 1..levels into one scale 1..2*levels, high = surely synthetic.

    Confidence counts how sure the rater was of the own call; NaN/None in either matrix is a missing rating.
    """
    call, sure = as_matrix(calls), as_matrix(confidence)
    known = sure[~np.isnan(sure)]
    if call.shape != sure.shape or ((known < 1) | (known > levels)).any():
        raise ValueError(f"confidence has the shape of the calls and lies in 1..{levels}")
    return np.where(call == 1, levels + sure, levels + 1 - sure) + 0 * call
