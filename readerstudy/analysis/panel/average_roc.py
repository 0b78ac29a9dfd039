"""The average of several ROC curves: the panel's curve beside those of its raters."""

from __future__ import annotations

from collections.abc import Sequence

from readerstudy.analysis.rater.auc import RocCurve

# Rates are shares of the same number of cases: what differs less than this is the same rate, computed twice.
DECIMALS = 12


def average_roc_curve(curves: Sequence[RocCurve]) -> RocCurve | None:
    """Return the vertical average: mean sensitivity at equal false positive rate, from rate 0 to rate 1.

    Its area is the mean of the areas of `curves`. None without a curve. Source: Chen & Samuelson, Br J Radiol
    2014;87:20140016.
    """
    if not curves:
        return None
    rates = sorted({round(rate, DECIMALS) for curve in curves for rate in curve.false_positive_rate})
    points: list[tuple[float, float]] = []
    for rate in rates:
        low = sum(_sensitivity(curve, rate, upper=False) for curve in curves) / len(curves)
        high = sum(_sensitivity(curve, rate, upper=True) for curve in curves) / len(curves)
        points.append((rate, low))
        if high != low:
            points.append((rate, high))
    return RocCurve(
        false_positive_rate=[rate for rate, _ in points], sensitivity=[sensitivity for _, sensitivity in points]
    )


def _sensitivity(curve: RocCurve, rate: float, *, upper: bool) -> float:
    """Sensitivity at a false positive rate; where the curve rises straight up, its lower or upper end."""
    rounded = (round(value, DECIMALS) for value in curve.false_positive_rate)
    points = sorted(zip(rounded, curve.sensitivity, strict=True))
    here = [sensitivity for at, sensitivity in points if at == rate]
    if here:
        return max(here) if upper else min(here)
    before = max(point for point in points if point[0] < rate)
    after = min(point for point in points if point[0] > rate)
    return before[1] + (after[1] - before[1]) * (rate - before[0]) / (after[0] - before[0])
