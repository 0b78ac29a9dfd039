"""Programs that read the same cases as people: each one's area, and by how much the people's mean differs from it.

A program is one fixed reader, people are a sample of readers: their differences from it are averaged over readers with
readers and cases random. Sources: Hillis, Stat Med 2014;33:330 (one condition, applied to the differences);
Obuchowski, Biometrics 1997;53:567 (patients). RJafroc calls it StCadVsRad, method 1T-RRRC; with four people or fewer
there are fewer degrees of freedom here (see `mrmc.variance_of_average`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

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
from readerstudy.analysis.panel.mrmc import WARY_READERS, PanelAuc, averaged_over_readers, why_not, with_t_test
from readerstudy.analysis.patients import PatientNumbers, PatientSpread, patient_numbers
from readerstudy.analysis.rater.auc import delong_spread, logit_auc, placements


@dataclass(frozen=True, kw_only=True)
class ProgramReading:
    """One program. Of several runs the scores are averaged: runs are not readers.

    `same_errors` is the share of the people's wrong calls on cases that the program got wrong too.
    """

    program: str
    runs: int
    n_answered: int
    auc: Estimate
    called_synthetic: float | None
    difference: Estimate
    se: float | None = None
    df: float | None = None
    p: float | None = None
    same_errors: float | None = None


def compare_programs(
    *,
    truth: ArrayLike,
    ratings: MatrixLike,
    calls: MatrixLike,
    programs: dict[str, tuple[MatrixLike, MatrixLike]],
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> tuple[ProgramReading, ...]:
    """Describe every program and hold the people's mean area against it (people minus program).

    `truth` (cases,); `ratings` and `calls` (cases, people) with NaN/None for none, higher = more surely synthetic;
    `programs` has by name the same two tables (cases, runs); `patients` (cases,) names each case's patient.
    """
    true, rating, call = as_truth(truth), as_matrix(ratings), as_matrix(calls)
    numbers = patient_numbers(patients, cases=len(true))
    read = []
    for name, (scores, answers) in programs.items():
        score, answer = _mean_of_runs(as_matrix(scores)), _mean_of_runs(as_matrix(answers))
        found = _people_minus_program(true, rating, score, numbers, level=level)
        read.append(
            ProgramReading(
                program=name,
                runs=as_matrix(scores).shape[1],
                n_answered=int(is_rated(score).sum()),
                auc=logit_auc(truth=true, scores=score, patients=numbers, level=level).estimate(),
                called_synthetic=float(np.nanmean(answer)) if is_rated(answer).any() else None,
                difference=_estimate(found),
                se=found.se,
                df=found.df,
                p=found.p,
                same_errors=_same_errors(true, call, answer),
            )
        )
    return tuple(read)


def _mean_of_runs(table: FloatArray) -> FloatArray:
    """Mean over the runs that answered a case; NaN where none did."""
    answered = is_rated(table).sum(axis=1)
    total = np.nansum(table, axis=1)
    mean: FloatArray = np.divide(total, answered, out=np.full(len(table), np.nan), where=answered > 0)
    return mean


def _people_minus_program(
    truth: FloatArray, ratings: FloatArray, score: FloatArray, patients: PatientNumbers, *, level: float
) -> PanelAuc:
    """The mean difference of areas. Its covariances are of the differences, not of the areas: both saw these cases."""
    known = PanelAuc(method="Obuchowski-Rockette/Hillis on differences from a fixed reader", value=None)
    reason = why_not(truth, ratings, patients) or why_not(truth, np.column_stack([score, score]), patients)
    if reason:
        return PanelAuc(method=known.method, value=None, reason=reason)
    placed = placements(truth=truth, scores=np.column_stack([ratings, score]))
    spread = delong_spread(placed, patients=patients)
    of_differences = PatientSpread(
        contributions=spread.contributions[:, :-1] - spread.contributions[:, -1:],
        determined=spread.determined[:-1] & spread.determined[-1],
        df=spread.df,
    )
    differences = placed.aucs[:-1] - placed.aucs[-1]
    found = averaged_over_readers(known, values=differences, spread=of_differences, wary_readers=WARY_READERS)
    if not found.variance or found.df is None or found.reason:
        return found
    return with_t_test(found, variance=found.variance, df=found.df, level=level, null=0.0)


def _estimate(found: PanelAuc) -> Estimate:
    """A difference lies between -1 and 1 and not, as an area does, between 0 and 1."""
    if found.value is None:
        return missing(found.reason or "not estimable")
    if found.low is None or found.high is None:
        return Estimate(value=found.value, reason=found.reason)
    return Estimate(value=found.value, low=max(-1.0, found.low), high=min(1.0, found.high))


def _same_errors(truth: FloatArray, calls: FloatArray, answer: FloatArray) -> float | None:
    wrong = is_rated(calls) & (calls != truth[:, None]) & is_rated(answer)[:, None]
    too = wrong & (np.abs(answer - truth) > 0.5)[:, None]
    return float(too.sum() / wrong.sum()) if wrong.any() else None
