"""Difficulty of cases: shares with shrinkage for small panels, item statistics and Rasch models for large ones."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize, special, stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, MatrixLike, as_matrix, as_vector, is_rated
from readerstudy.analysis.numeric import minimise, numeric_hessian

# Fewer persons than this leave Rasch difficulties barely identified.
RASCH_MIN_PERSONS = 30
QUADRATURE_POINTS = 41


@dataclass(frozen=True, kw_only=True)
class CaseDifficulty:
    """Per case: number of ratings, correct ones, their share and the share shrunk to the mean of all cases."""

    n_ratings: list[int]
    n_correct: list[int]
    share: list[float | None]
    shrunk: list[float]
    prior_strength: float


def case_difficulty(*, correct: MatrixLike) -> CaseDifficulty:
    """Describe how hard each case was; `correct` (cases, raters) 1/0 with NaN/None for no rating.

    Empirical-Bayes shrinkage with a beta prior fitted by maximum likelihood (Morris, JASA 1983;78:47); a case that
    nobody rated gets the mean. `prior_strength` is the number of ratings that the prior is worth.
    """
    matrix = as_matrix(correct)
    rated = is_rated(matrix).sum(axis=1).astype(np.float64)
    hits = np.nansum(matrix, axis=1)
    total = float(rated.sum())
    mean = float(hits.sum() / total) if total else 0.5
    strength = _prior_strength(hits, rated, mean)
    shrunk = (hits + strength * mean) / np.maximum(rated + strength, 1e-300)
    return CaseDifficulty(
        n_ratings=[int(value) for value in rated],
        n_correct=[int(value) for value in hits],
        share=[float(hit / n) if n else None for hit, n in zip(hits, rated, strict=True)],
        shrunk=[float(value) for value in shrunk],
        prior_strength=strength,
    )


def _prior_strength(hits: FloatArray, rated: FloatArray, mean: float) -> float:
    if not 0 < mean < 1 or rated.max(initial=0) < 2:
        return 1e6

    def loss(log_strength: float) -> float:
        a, b = mean * np.exp(log_strength), (1 - mean) * np.exp(log_strength)
        return -float((special.betaln(a + hits, b + rated - hits) - special.betaln(a, b)).sum())

    fit = optimize.minimize_scalar(loss, bounds=(np.log(1e-2), np.log(1e6)), method="bounded")
    return float(np.exp(fit.x))


@dataclass(frozen=True, kw_only=True)
class ItemStatistics:
    """Share correct per item and the correlation of each item with the rest score (None without variation)."""

    share_correct: list[float]
    point_biserial_rest: list[float | None]


def item_statistics(*, responses: MatrixLike, frequency: ArrayLike | None = None) -> ItemStatistics:
    """Classical item analysis; `responses` (patterns, items) 1/0, `frequency` (patterns,) how often each occurred."""
    table = as_matrix(responses)
    weight = np.ones(len(table)) if frequency is None else as_vector(frequency)
    total = float(weight.sum())
    scores = table.sum(axis=1)
    return ItemStatistics(
        share_correct=[float(value) for value in weight @ table / total],
        point_biserial_rest=[
            _weighted_correlation(table[:, item], scores - table[:, item], weight) for item in range(table.shape[1])
        ],
    )


def _weighted_correlation(x: FloatArray, y: FloatArray, weight: FloatArray) -> float | None:
    total = float(weight.sum())
    dx, dy = x - weight @ x / total, y - weight @ y / total
    spread = float((weight * dx**2).sum() * (weight * dy**2).sum())
    return float((weight * dx * dy).sum()) / sqrt(spread) if spread > 0 else None


@dataclass(frozen=True, kw_only=True)
class RaschModel:
    """Item difficulties (items,), common discrimination and log-likelihood; empty with a `reason`."""

    difficulty: tuple[float, ...] = ()
    se: tuple[float | None, ...] = ()
    discrimination: float | None = None
    log_likelihood: float | None = None
    reason: str | None = None


def _cannot_fit(table: FloatArray, weight: FloatArray) -> str | None:
    share = weight @ table / weight.sum()
    if not is_rated(table).all():
        return "responses are missing"
    if table.shape[1] < 2:
        return "one item has no model"
    if ((share == 0) | (share == 1)).any():
        return "an item was always right or always wrong: its difficulty is infinite"
    return None


def rasch_marginal(
    *, responses: MatrixLike, frequency: ArrayLike | None = None, discrimination: float | None = None
) -> RaschModel:
    """Marginal maximum likelihood with persons ~ N(0, 1): P(right) = expit(a (person - difficulty)).

    `responses` (patterns, items) 1/0, `frequency` (patterns,); `discrimination` fixes a, None estimates it. Source:
    Bock & Lieberman, Psychometrika 1970;35:179; Gauss-Hermite quadrature.
    """
    table = as_matrix(responses)
    weight = np.ones(len(table)) if frequency is None else as_vector(frequency)
    reason = _cannot_fit(table, weight)
    if reason:
        return RaschModel(reason=reason)
    nodes, masses = np.polynomial.hermite_e.hermegauss(QUADRATURE_POINTS)
    log_masses = np.log(masses / masses.sum())
    items = table.shape[1]

    def loss(parameters: FloatArray) -> float:
        slope = parameters[items] if discrimination is None else discrimination
        eta = slope * (nodes[None, :] - parameters[:items, None])
        right, wrong = special.log_expit(eta), special.log_expit(-eta)
        pattern = table @ right + (1 - table) @ wrong + log_masses
        return -float(weight @ special.logsumexp(pattern, axis=1))

    share = weight @ table / weight.sum()
    start = -special.logit(share) * 1.2
    start = np.append(start, 0.8) if discrimination is None else start
    found, value = minimise(loss, start, step=1e-5)
    return RaschModel(
        difficulty=tuple(float(one) for one in found[:items]),
        se=_errors(numeric_hessian(loss, found, step=1e-4), items),
        discrimination=float(found[items]) if discrimination is None else discrimination,
        log_likelihood=-value,
    )


def _errors(hessian: FloatArray, items: int) -> tuple[float | None, ...]:
    try:
        variances = np.diag(np.linalg.inv(hessian))[:items]
    except np.linalg.LinAlgError:
        return (None,) * items
    return tuple(sqrt(float(variance)) if variance > 0 else None for variance in variances)


def rasch_conditional(*, responses: MatrixLike, frequency: ArrayLike | None = None) -> RaschModel:
    """Conditional maximum likelihood given each person's score; difficulties sum to zero.

    Source: Andersen, JRSS B 1972;34:42; elementary symmetric functions by the summation algorithm.
    """
    table = as_matrix(responses)
    weight = np.ones(len(table)) if frequency is None else as_vector(frequency)
    items = table.shape[1]
    inside = (table.sum(axis=1) > 0) & (table.sum(axis=1) < items)
    table, weight = table[inside], weight[inside]
    reason = "every person was always right or always wrong" if len(table) == 0 else _cannot_fit(table, weight)
    if reason:
        return RaschModel(reason=reason)
    totals = weight @ table
    by_score = np.bincount(table.sum(axis=1).astype(np.intp), weight, minlength=items + 1)

    def loss(free: FloatArray) -> float:
        easiness = -np.append(free, -free.sum())
        symmetric = np.ones(1)
        for one in np.exp(easiness):
            symmetric = np.convolve(symmetric, [1.0, one])
        return -float(totals @ easiness - by_score @ np.log(symmetric))

    start = -special.logit(totals / weight.sum())
    found, value = minimise(loss, (start - start.mean())[:-1], step=1e-5)
    covariance = np.linalg.pinv(numeric_hessian(loss, found, step=1e-4))
    expand = np.vstack([np.eye(items - 1), -np.ones(items - 1)])
    variances = np.diag(expand @ covariance @ expand.T)
    return RaschModel(
        difficulty=tuple(float(one) for one in np.append(found, -found.sum())),
        se=tuple(sqrt(float(one)) if one > 0 else None for one in variances),
        discrimination=1.0,
        log_likelihood=-value,
    )


def too_few_persons(persons: int) -> str | None:
    """Return why a Rasch model should not be shown for this many persons, None when it may be."""
    if persons >= RASCH_MIN_PERSONS:
        return None
    return f"Rasch difficulties need about {RASCH_MIN_PERSONS} raters; {persons} are too few"


def surprising_cases(*, correct: MatrixLike, alpha: float = 0.05) -> list[int]:
    """Row numbers of cases on which the panel was wrong more often than its mean accuracy explains.

    One-sided exact binomial against the mean share, Bonferroni over cases; a list for a person to look at.
    """
    matrix = as_matrix(correct)
    rated, hits = is_rated(matrix).sum(axis=1), np.nansum(matrix, axis=1)
    if rated.sum() == 0:
        return []
    p_values = stats.binom.cdf(hits, rated, float(hits.sum() / rated.sum()))
    return [int(row) for row in np.flatnonzero((rated > 0) & (p_values <= alpha / len(matrix)))]
