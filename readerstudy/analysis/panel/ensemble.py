"""The ensemble rater: the panel's decision per case, and what independent raters would have reached."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from readerstudy.analysis.estimate import (
    ArrayLike,
    BoolArray,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    as_vector,
    is_rated,
)
from readerstudy.analysis.patients import PatientNumbers, patient_numbers, sums_by_patient

TieRule = Literal["exclude", "synthetic", "real", "half_credit"]
TIE = 0.5


@dataclass(frozen=True, kw_only=True)
class Majority:
    """The panel's votes per case; `calls` is 1, 0, 0.5 for a tie and NaN where nobody rated."""

    votes_synthetic: list[int]
    votes_total: list[int]
    calls: FloatArray
    n_ties: int
    n_without_votes: int

    @property
    def votes(self) -> FloatArray:
        """The calls in whole numbers, (cases, 2): a tie is one vote for each answer."""
        return np.column_stack([np.ceil(self.calls), np.floor(self.calls)])

    def decided(self, *, tie_rule: TieRule = "exclude") -> FloatArray:
        """Return the calls after the tie rule, NaN where the panel has no decision.

        `half_credit` has no decision for a tie either: see `half_credit`.
        """
        replacement = {"synthetic": 1.0, "real": 0.0}.get(tie_rule, np.nan)
        return np.where(self.calls == TIE, replacement, self.calls)


def majority_vote(calls: MatrixLike) -> Majority:
    """Simple majority of the raters who rated the case; `calls` is cases x raters with NaN/None for no
    rating."""
    matrix = as_matrix(calls)
    if not np.isin(matrix[~np.isnan(matrix)], (0.0, 1.0)).all():
        raise ValueError("a call is 1 (synthetic), 0 (real) or missing")
    total = is_rated(matrix).sum(axis=1)
    synthetic = np.nansum(matrix, axis=1).astype(np.int64)
    decision = np.where(2 * synthetic > total, 1.0, np.where(2 * synthetic < total, 0.0, TIE))
    decision[total == 0] = np.nan
    return Majority(
        votes_synthetic=[int(vote) for vote in synthetic],
        votes_total=[int(count) for count in total],
        calls=decision,
        n_ties=int((decision == TIE).sum()),
        n_without_votes=int((total == 0).sum()),
    )


def half_credit(*, truth: ArrayLike, majority: Majority) -> tuple[float, int]:
    """Return (score, number of cases) where a tie counts half; there is no binomial test for it."""
    true = as_truth(truth)
    voted = ~np.isnan(majority.calls)
    score = 1 - np.abs(true[voted] - majority.calls[voted])
    return float(score.sum()), int(voted.sum())


@dataclass(frozen=True, kw_only=True)
class WeightedVote:
    """Weighted votes per case: `score` > 0 means synthetic; NaN where nobody rated; ties are 0.5 in
    `calls`."""

    weights: FloatArray
    score: FloatArray
    calls: FloatArray


def log_odds_weights(accuracies: ArrayLike) -> FloatArray:
    """Return log(p / (1-p)) per rater; ValueError for accuracies of 0 or 1, whose weight would be infinite.

    Source: Nitzan & Paroush, Int Econ Rev 1982;23:289 (optimal weights of independent raters).
    """
    p = as_vector(accuracies)
    if not ((p > 0) & (p < 1)).all():
        raise ValueError("log-odds weights need accuracies strictly between 0 and 1")
    weights: FloatArray = np.log(p) - np.log1p(-p)
    return weights


def weighted_vote(*, calls: MatrixLike, weights: ArrayLike) -> WeightedVote:
    """Sum the raters' weights with the sign of their call; weights are (raters,) and must be learned
    elsewhere."""
    matrix, weight = as_matrix(calls), as_vector(weights)
    rated = is_rated(matrix)
    score = np.where(rated, (2 * matrix - 1) * weight, 0.0).sum(axis=1)
    return _weighted(score, rated=np.asarray(rated.any(axis=1)), weights=weight)


def leave_one_patient_out_vote(
    *, truth: ArrayLike, calls: MatrixLike, patients: Sequence[Hashable] | PatientNumbers | None = None
) -> WeightedVote:
    """Weighted vote whose weights for a case come from all other patients, so that nothing is judged by itself.

    Without `patients` (cases,) every case counts as a patient of its own. Accuracies carry the log-linear correction
    (correct + 0.5) / (rated + 1); `weights` are those from all cases.
    """
    true, matrix = as_truth(truth), as_matrix(calls)
    numbers = patient_numbers(patients, cases=len(true))
    rated = is_rated(matrix)
    correct = rated & (matrix == true[:, None])
    hits, seen = (_of_other_patients(counted.astype(np.float64), numbers) for counted in (correct, rated))
    weight = np.log((hits + 0.5) / (seen - hits + 0.5))
    score = np.where(rated, (2 * matrix - 1) * weight, 0.0).sum(axis=1)
    overall = np.log((correct.sum(axis=0) + 0.5) / (rated.sum(axis=0) - correct.sum(axis=0) + 0.5))
    return _weighted(score, rated=np.asarray(rated.any(axis=1)), weights=overall)


def _of_other_patients(counted: FloatArray, patients: PatientNumbers) -> FloatArray:
    """Sum over all cases but those of the row's own patient, (cases, raters)."""
    own = sums_by_patient(counted, patients, of=int(patients.max(initial=-1)) + 1)
    return np.asarray(counted.sum(axis=0) - own[patients], dtype=np.float64)


def _weighted(score: FloatArray, *, rated: BoolArray, weights: FloatArray) -> WeightedVote:
    # Sums of logarithms that cancel exactly on paper leave rounding noise behind: that is a tie.
    noise = 1e-12 * max(1.0, float(np.abs(weights).sum()))
    calls = np.where(score > noise, 1.0, np.where(score < -noise, 0.0, TIE))
    calls[~rated] = np.nan
    return WeightedVote(weights=weights, score=np.where(rated, score, np.nan), calls=calls)


def mean_rating(ratings: MatrixLike) -> FloatArray:
    """Mean of the ratings given to each case, shape (cases,); NaN where nobody rated."""
    matrix = as_matrix(ratings)
    count = is_rated(matrix).sum(axis=1)
    total = np.nansum(matrix, axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True, kw_only=True)
class IndependentPanel:
    """What a majority of raters who err independently would reach."""

    p_majority_correct: float
    p_tie: float
    p_correct_random_tiebreak: float
    p_correct_given_decided: float | None
    distribution_number_correct: list[float]


def independent_majority(accuracies: ArrayLike) -> IndependentPanel:
    """Condorcet expectation from each rater's accuracy, by the exact Poisson-binomial distribution.

    Far below it, the observed ensemble shows that the raters share their errors.
    """
    p = as_vector(accuracies)
    if len(p) == 0 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("at least one accuracy, each in [0, 1]")
    distribution = np.ones(1)
    for one in p:
        distribution = np.convolve(distribution, [1 - one, one])
    number = np.arange(len(p) + 1)
    majority = float(distribution[2 * number > len(p)].sum())
    tie = float(distribution[2 * number == len(p)].sum())
    return IndependentPanel(
        p_majority_correct=majority,
        p_tie=tie,
        p_correct_random_tiebreak=majority + tie / 2,
        p_correct_given_decided=majority / (1 - tie) if tie < 1 else None,
        distribution_number_correct=[float(value) for value in distribution],
    )
