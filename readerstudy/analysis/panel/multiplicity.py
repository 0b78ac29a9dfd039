"""Adjustment of a family of p-values; missing p-values are not part of the family."""

from __future__ import annotations

from typing import Literal

import numpy as np

from readerstudy.analysis.estimate import ArrayLike, FloatArray, as_vector

Adjustment = Literal["none", "bonferroni", "holm", "hochberg", "hommel", "fdr_bh", "fdr_by"]


def adjust_p_values(p_values: ArrayLike, *, method: Adjustment = "holm") -> list[float | None]:
    """Return adjusted p-values in the order of input, None where the input is missing.

    Missing values (None, NaN) do not count in the number of tests. Source: Holm, Scand J Stat 1979;6:65;
    Hochberg,
    Biometrika 1988;75:800; Hommel 1988;75:383 in Wright's form; Benjamini & Hochberg 1995; Benjamini &
    Yekutieli 2001. ValueError for a p outside [0, 1].
    """
    p = as_vector(p_values)
    known = ~np.isnan(p)
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("p-values lie in [0, 1]")
    adjusted: list[float | None] = [None] * len(p)
    if known.any():
        order = np.argsort(p[known], kind="stable")
        ascending = _METHODS[method](p[known][order])
        positions = np.flatnonzero(known)[order]
        for position, value in zip(positions, np.minimum(1.0, ascending), strict=True):
            adjusted[int(position)] = float(value)
    return adjusted


def _unadjusted(p: FloatArray) -> FloatArray:
    return p


def _bonferroni(p: FloatArray) -> FloatArray:
    return p * len(p)


def _holm(p: FloatArray) -> FloatArray:
    steps: FloatArray = np.maximum.accumulate(p * np.arange(len(p), 0, -1))
    return steps


def _step_up(values: FloatArray) -> FloatArray:
    steps: FloatArray = np.minimum.accumulate(values[::-1])[::-1]
    return steps


def _hochberg(p: FloatArray) -> FloatArray:
    return _step_up(p * np.arange(len(p), 0, -1))


def _benjamini_hochberg(p: FloatArray) -> FloatArray:
    return _step_up(p * len(p) / np.arange(1, len(p) + 1))


def _benjamini_yekutieli(p: FloatArray) -> FloatArray:
    return _benjamini_hochberg(p) * float((1 / np.arange(1, len(p) + 1)).sum())


def _hommel(p: FloatArray) -> FloatArray:
    """Wright, Biometrics 1992;48:1005, algorithm in its appendix."""
    n = len(p)
    adjusted = np.full(n, (n * p / np.arange(1, n + 1)).min())
    for m in range(n - 1, 1, -1):
        head, tail = np.arange(n - m + 1), np.arange(n - m + 1, n)
        smallest = (m * p[tail] / np.arange(2, m + 1)).min()
        adjusted_m = np.empty(n)
        adjusted_m[head] = np.minimum(m * p[head], smallest)
        adjusted_m[tail] = adjusted_m[n - m]
        adjusted = np.maximum(adjusted, adjusted_m)
    capped: FloatArray = np.maximum(adjusted, p)
    return capped


_METHODS = {
    "none": _unadjusted,
    "bonferroni": _bonferroni,
    "holm": _holm,
    "hochberg": _hochberg,
    "hommel": _hommel,
    "fdr_bh": _benjamini_hochberg,
    "fdr_by": _benjamini_yekutieli,
}
