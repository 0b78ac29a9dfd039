"""Quantiles of t, and numerical derivatives of smooth functions for standard errors without a closed form."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis.estimate import FloatArray

Objective = Callable[[FloatArray], float]


def t_quantile(probability: float, df: float) -> float:
    """Quantile of t with `df` degrees of freedom, of the normal where df is infinite."""
    return float(stats.norm.ppf(probability) if df == inf else stats.t.ppf(probability, df))


def t_two_sided_p(statistic: float, df: float) -> float:
    """Two-sided p of t with `df` degrees of freedom, of the normal where df is infinite."""
    tail = stats.norm.sf(abs(statistic)) if df == inf else stats.t.sf(abs(statistic), df)
    return float(2 * tail)


def numeric_gradient(function: Objective, at: FloatArray, *, step: float = 1e-4) -> FloatArray:
    """Central differences of `function` at a point of shape (n,); the step is relative to the parameter."""
    sizes = step * np.maximum(1.0, np.abs(at))
    steps = np.diag(sizes)
    return np.array(
        [(function(at + one) - function(at - one)) / (2 * size) for one, size in zip(steps, sizes, strict=True)]
    )


def numeric_hessian(function: Objective, at: FloatArray, *, step: float = 1e-4) -> FloatArray:
    """Second derivatives (n, n) by central differences; the step is relative to the parameter."""
    n = len(at)
    sizes = step * np.maximum(1.0, np.abs(at))
    steps = np.diag(sizes)
    centre = function(at)
    hessian = np.empty((n, n))
    for i in range(n):
        plus, minus = function(at + steps[i]), function(at - steps[i])
        hessian[i, i] = (plus - 2 * centre + minus) / sizes[i] ** 2
        for j in range(i):
            both = function(at + steps[i] + steps[j]) + function(at - steps[i] - steps[j])
            cross = function(at + steps[i] - steps[j]) + function(at - steps[i] + steps[j])
            hessian[i, j] = hessian[j, i] = (both - cross) / (4 * sizes[i] * sizes[j])
    return hessian


def minimise(function: Objective, start: FloatArray, *, step: float) -> tuple[FloatArray, float]:
    """Minimise a smooth function with central differences; returns the point and the value there.

    One-sided differences are too coarse for the standard errors that are taken at the minimum.
    """
    fit = optimize.minimize(  # type: ignore[call-overload]
        function,
        start,
        jac=lambda at: numeric_gradient(function, at, step=step),
        method="BFGS",
        options={"gtol": 1e-5, "maxiter": 300},
    )
    return np.asarray(fit.x, dtype=np.float64), float(fit.fun)
