"""Signal detection from confidence ratings: the ordinal probit (binormal) model by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, as_truth, as_vector, is_rated
from readerstudy.analysis.numeric import numeric_hessian

# A gradient this small on the log-likelihood counts as converged.
GRADIENT_LIMIT = 1e-2
# Beyond this the "estimate" only follows a separated table towards infinity.
LARGEST_MEAN = 12.0


@dataclass(frozen=True, kw_only=True)
class RatingModel:
    """Real ~ N(0, 1), synthetic ~ N(mean, sd); thresholds cut the rating scale. None with a `reason` otherwise.

    `d_a` = mean / sqrt((1 + sd^2) / 2), `auc` = Phi(mean / sqrt(1 + sd^2)); `se` belongs to `mean`.
    """

    mean: float | None
    sd: float | None = None
    se: float | None = None
    d_a: float | None = None
    auc: float | None = None
    thresholds: tuple[float, ...] = ()
    log_likelihood: float | None = None
    reason: str | None = None


def rating_model(*, truth: ArrayLike, ratings: ArrayLike, equal_variance: bool = False) -> RatingModel:
    """Fit the binormal model to ordered ratings (cases,), higher = more surely synthetic; NaN/None is left out.

    Source: Dorfman & Alf, J Math Psychol 1969;6:487; DeCarlo, Psychol Methods 1998;3:186. Needs at least two (equal
    variance) or three rating values in use and overlapping distributions.
    """
    true, rating = as_truth(truth), as_vector(ratings)
    rated = is_rated(rating)
    true, rating = true[rated], rating[rated]
    values = np.unique(rating)
    if len(values) < (2 if equal_variance else 3) or len(np.unique(true)) < 2:
        return RatingModel(mean=None, reason="too few rating values or only one kind of case")
    table = np.array([[((rating == value) & (true == kind)).sum() for value in values] for kind in (0, 1)])
    table = table.astype(np.float64)
    if not _overlaps(table):
        return RatingModel(mean=None, reason="the ratings separate real from synthetic: no finite estimate")
    start = _start(table, equal_variance=equal_variance)
    fit = optimize.minimize(_loss, start, args=(table,), method="BFGS", options={"gtol": 1e-6})
    gradient = float(np.abs(fit.jac).max())
    mean, sd, thresholds = _unpack(fit.x, table.shape[1])
    if gradient > GRADIENT_LIMIT or abs(mean) > LARGEST_MEAN or not 0.01 < sd < 100:
        return RatingModel(mean=None, reason="the fit did not converge")
    return RatingModel(
        mean=mean,
        sd=sd,
        se=_standard_error(fit.x, table),
        d_a=mean / sqrt((1 + sd**2) / 2),
        auc=float(stats.norm.cdf(mean / sqrt(1 + sd**2))),
        thresholds=tuple(float(value) for value in thresholds),
        log_likelihood=-float(fit.fun),
    )


def _overlaps(table: FloatArray) -> bool:
    """Tell whether both kinds of case use the scale so that no shift makes the likelihood perfect."""
    used_real, used_synthetic = np.flatnonzero(table[0]), np.flatnonzero(table[1])
    return bool(used_real[-1] > used_synthetic[0] and used_synthetic[-1] > used_real[0])


def _start(table: FloatArray, *, equal_variance: bool) -> FloatArray:
    categories = table.shape[1]
    cumulative = (table[0].cumsum()[:-1] + 0.5) / (table[0].sum() + 1)
    cuts = stats.norm.ppf(np.maximum.accumulate(cumulative + 1e-3 * np.arange(categories - 1)).clip(0.01, 0.99))
    gaps = np.log(np.maximum(np.diff(cuts), 0.05))
    ranks = np.arange(categories)
    shift = (table[1] @ ranks / table[1].sum() - table[0] @ ranks / table[0].sum()) / 2
    tail = [shift] if equal_variance else [shift, 0.0]
    return np.concatenate([cuts[:1], gaps, tail])


def _unpack(parameters: FloatArray, categories: int) -> tuple[float, float, FloatArray]:
    cuts = parameters[0] + np.concatenate([[0.0], np.cumsum(np.exp(parameters[1 : categories - 1]))])
    sd = exp(float(parameters[categories])) if len(parameters) > categories else 1.0
    return float(parameters[categories - 1]), sd, cuts


def _loss(parameters: FloatArray, table: FloatArray) -> float:
    mean, sd, cuts = _unpack(np.clip(parameters, -50, 50), table.shape[1])
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    total = 0.0
    for counts, scaled in zip(table, (edges, (edges - mean) / sd), strict=True):
        share = np.diff(stats.norm.cdf(scaled))
        total -= float((counts * np.log(np.maximum(share, 1e-300))).sum())
    return total


def _standard_error(parameters: FloatArray, table: FloatArray) -> float | None:
    hessian = numeric_hessian(lambda x: _loss(x, table), parameters)
    try:
        variance = float(np.linalg.inv(hessian)[table.shape[1] - 1, table.shape[1] - 1])
    except np.linalg.LinAlgError:
        # A flat likelihood tells nothing about its width; the estimate then stands without a standard error.
        return None
    return sqrt(variance) if variance > 0 else None
