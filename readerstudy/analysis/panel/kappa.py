"""Kappa for complete tables: Fleiss with its test of no agreement, and Cohen for two readings of the same cases."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, MatrixLike, as_matrix, as_vector, is_rated
from readerstudy.analysis.panel.agreement import NO_VARIATION

Weights = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True, kw_only=True)
class FleissKappa:
    """Fleiss' kappa over cases rated by everybody, its test of kappa = 0 and the kappa of each category."""

    n_cases: int
    n_raters: int
    kappa: float | None
    z: float | None = None
    p: float | None = None
    category_kappa: tuple[float | None, ...] = ()
    categories: tuple[float, ...] = ()
    reason: str | None = None


def fleiss_kappa(*, ratings: MatrixLike) -> FleissKappa:
    """Return Fleiss' kappa of the cases that all raters rated, with the null standard error.

    Source: Fleiss, Psychol Bull 1971;76:378; Fleiss, Nee & Landis 1979;86:974. `ratings` (cases, raters).
    """
    matrix = as_matrix(ratings)
    kept = matrix[is_rated(matrix).all(axis=1)]
    cases, raters = kept.shape
    if cases == 0 or raters < 2:
        return FleissKappa(
            n_cases=cases, n_raters=raters, kappa=None, reason="no case was rated by all of two or more raters"
        )
    categories = np.unique(kept)
    table = np.stack([(kept == value).sum(axis=1) for value in categories], axis=1).astype(np.float64)
    share = table.sum(axis=0) / (cases * raters)
    spread = share * (1 - share)
    if len(categories) == 1:
        return FleissKappa(n_cases=cases, n_raters=raters, kappa=None, reason=NO_VARIATION)
    agree = float(((table**2).sum() - cases * raters) / (cases * raters * (raters - 1)))
    chance = float((share**2).sum())
    kappa = (agree - chance) / (1 - chance)
    total = float(spread.sum())
    skew = float((spread * (1 - 2 * share)).sum())
    variance = 2 * (total**2 - skew) / (total**2 * cases * raters * (raters - 1))
    z = kappa / sqrt(variance) if variance > 0 else None
    single = 1 - (table * (raters - table)).sum(axis=0) / (cases * raters * (raters - 1) * spread)
    return FleissKappa(
        n_cases=cases,
        n_raters=raters,
        kappa=kappa,
        z=z,
        p=None if z is None else float(2 * stats.norm.sf(abs(z))),
        category_kappa=tuple(float(value) for value in single),
        categories=tuple(float(value) for value in categories),
    )


@dataclass(frozen=True, kw_only=True)
class CohenKappa:
    """Agreement of two readings; `z`/`p` test kappa = 0, `se` and the limits hold for any kappa."""

    n: int
    kappa: float | None
    percent_agreement: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    z: float | None = None
    p: float | None = None
    reason: str | None = None


def cohen_kappa(*, first: ArrayLike, second: ArrayLike, weights: Weights = "none", level: float = 0.95) -> CohenKappa:
    """Return (weighted) kappa of two raters, or of one rater's first and repeated reading of the same cases.

    Pairs with a missing value are left out; weights go by the rank of the category. Source: Cohen 1960, 1968;
    standard errors: Fleiss, Cohen & Everitt, Psychol Bull 1969;72:323.
    """
    pair = np.column_stack([as_vector(first), as_vector(second)])
    pair = pair[is_rated(pair).all(axis=1)]
    n = len(pair)
    if n == 0:
        return CohenKappa(n=0, kappa=None, reason="no case was read twice")
    categories = np.unique(pair)
    k = len(categories)
    if k == 1:
        return CohenKappa(n=n, kappa=None, percent_agreement=1.0, reason=NO_VARIATION)
    codes = np.searchsorted(categories, pair)
    table = np.bincount(codes[:, 0] * k + codes[:, 1], minlength=k * k).reshape(k, k) / n
    weight = _weights(k, weights)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    chance = float((weight * np.outer(rows, columns)).sum())
    same = float(np.trace(table))
    if chance >= 1:
        return CohenKappa(n=n, kappa=None, percent_agreement=same, reason=NO_VARIATION)
    agree = float((weight * table).sum())
    kappa = (agree - chance) / (1 - chance)
    se, null_se = _kappa_errors(table, weight, agree=agree, chance=chance, n=n)
    half = float(stats.norm.ppf((1 + level) / 2)) * se
    z = kappa / null_se if null_se > 0 else None
    return CohenKappa(
        n=n,
        kappa=kappa,
        percent_agreement=same,
        se=se,
        low=max(-1.0, kappa - half),
        high=min(1.0, kappa + half),
        z=z,
        p=None if z is None else float(2 * stats.norm.sf(abs(z))),
    )


def _weights(k: int, kind: Weights) -> FloatArray:
    if kind == "none":
        return np.eye(k)
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / (k - 1)
    return np.asarray(1 - (distance if kind == "linear" else distance**2), dtype=np.float64)


def _kappa_errors(table: FloatArray, weight: FloatArray, *, agree: float, chance: float, n: int) -> tuple[float, float]:
    """Large-sample standard errors: for any kappa, and under kappa = 0."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    mean = (weight @ columns)[:, None] + (rows @ weight)[None, :]
    spread = (weight * (1 - chance) - mean * (1 - agree)) ** 2
    general = float((table * spread).sum()) - (agree * chance - 2 * chance + agree) ** 2
    null = float((np.outer(rows, columns) * (weight - mean) ** 2).sum()) - chance**2
    return sqrt(max(general, 0.0) / n) / (1 - chance) ** 2, sqrt(max(null, 0.0) / n) / (1 - chance)
