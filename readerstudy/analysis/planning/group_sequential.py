"""Group-sequential boundaries: classical designs and alpha spending, by exact numerical integration.

Source: Armitage, McPherson & Rowe, JRSS A 1969;132:235 (recursion); Pocock 1977; O'Brien & Fleming 1979; Wang &
Tsiatis 1987; Lan & DeMets, Biometrika 1983;70:659; Jennison & Turnbull 2000, ch. 2 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import e, exp, log, sqrt
from typing import Literal

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis.estimate import FloatArray

Design = Literal["OF", "P", "WT", "HP", "asOF", "asP", "asKD", "asHSD"]
NODES = 201
# Beyond this many standard deviations nothing is left to integrate.
FAR = 9.0


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """|z| (one-sided: z) to reach at each look, its one-sided p and the alpha spent so far (total of both sides)."""

    critical_z: list[float]
    stage_p_one_sided: list[float]
    cumulative_alpha: list[float]


def group_sequential(
    *,
    information_rates: Sequence[float],
    design: Design = "asOF",
    alpha: float = 0.05,
    sides: Literal[1, 2] = 2,
    shape: float | None = None,
) -> Boundaries:
    """Return the boundaries for looks at the given shares of information (ascending, the last one is 1).

    OF/P/WT/HP: O'Brien-Fleming, Pocock, Wang-Tsiatis (`shape` = delta), Haybittle-Peto (`shape` = early z, 3 by
    default). as...: spending functions of O'Brien-Fleming and Pocock type, Kim-DeMets (`shape` = power) and
    Hwang-Shih-DeCani (`shape` = gamma).
    """
    times = np.asarray(information_rates, dtype=np.float64)
    if len(times) == 0 or (np.diff(times) <= 0).any() or times[0] <= 0 or times[-1] > 1 + 1e-12:
        raise ValueError("information rates ascend within (0, 1]")
    if design.startswith("as"):
        spend = _spending(design, alpha=alpha / sides, shape=shape)
        targets = [sides * spend(min(1.0, float(time))) for time in times]
        critical = _by_spending(times, targets, sides=sides)
    elif design == "HP":
        critical = _haybittle_peto(times, early=3.0 if shape is None else shape, alpha=alpha, sides=sides)
    else:
        power = {"OF": 0.0, "P": 0.5}.get(design, 0.25 if shape is None else shape)
        form = (times / times[-1]) ** (power - 0.5)
        total = optimize.brentq(
            lambda factor: _spent(times, factor * form, sides=sides)[-1] - alpha, 0.5, 10.0, xtol=1e-12
        )
        critical = total * form
    return Boundaries(
        critical_z=[float(value) for value in critical],
        stage_p_one_sided=[float(value) for value in stats.norm.sf(critical)],
        cumulative_alpha=_spent(times, critical, sides=sides),
    )


def _spending(design: str, *, alpha: float, shape: float | None) -> Callable[[float], float]:
    if design == "asOF":
        quantile = float(stats.norm.isf(alpha / 2))
        return lambda time: float(2 * stats.norm.sf(quantile / sqrt(time)))
    if design == "asP":
        return lambda time: alpha * log(1 + (e - 1) * time)
    if design == "asKD":
        power = 1.0 if shape is None else shape
        return lambda time: float(alpha * time**power)
    gamma = 1.0 if shape is None else shape
    if gamma == 0:
        return lambda time: alpha * time
    return lambda time: alpha * (1 - exp(-gamma * time)) / (1 - exp(-gamma))


def _haybittle_peto(times: FloatArray, *, early: float, alpha: float, sides: int) -> FloatArray:
    critical = np.full(len(times), early)

    def excess(last: float) -> float:
        critical[-1] = last
        return _spent(times, critical, sides=sides)[-1] - alpha

    critical[-1] = optimize.brentq(excess, 0.5, 10.0, xtol=1e-12)
    return critical


def _by_spending(times: FloatArray, targets: Sequence[float], *, sides: int) -> FloatArray:
    walk, spent = _Walk(sides=sides), 0.0
    critical = np.empty(len(times))
    for look, (time, target) in enumerate(zip(times, targets, strict=True)):
        critical[look] = walk.boundary(float(time), target - spent)
        walk.stop(float(time), float(critical[look]))
        spent = target
    return critical


def _spent(times: FloatArray, critical: FloatArray, *, sides: int) -> list[float]:
    walk, spent = _Walk(sides=sides), []
    total = 0.0
    for time, bound in zip(times, critical, strict=True):
        total += walk.crossing(float(time), float(bound))
        spent.append(total)
        walk.stop(float(time), float(bound))
    return spent


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights


class _Walk:
    """Brownian motion that is still running: its positions and their probability weights."""

    def __init__(self, *, sides: int) -> None:
        self.sides = sides
        self.time = 0.0
        self.positions: FloatArray = np.zeros(1)
        self.weights: FloatArray = np.ones(1)

    def crossing(self, time: float, bound: float) -> float:
        """Probability to be beyond `bound` (z scale) at `time`."""
        spread = sqrt(time - self.time)
        limit = bound * sqrt(time)
        tail = stats.norm.sf((limit - self.positions) / spread)
        if self.sides == 2:
            tail = tail + stats.norm.sf((limit + self.positions) / spread)
        return float(self.weights @ tail)

    def boundary(self, time: float, probability: float) -> float:
        """Bound whose crossing probability is `probability`; very far out when nothing is to be spent."""
        if probability <= 0 or self.crossing(time, FAR) >= probability:
            return FAR
        return float(optimize.brentq(lambda bound: self.crossing(time, bound) - probability, -FAR, FAR, xtol=1e-13))

    def stop(self, time: float, bound: float) -> None:
        """Move on to `time`, keeping only what did not cross `bound`."""
        spread, root = sqrt(time - self.time), sqrt(time)
        low = -min(bound, FAR) if self.sides == 2 else -FAR
        nodes, node_weights = _nodes()
        half = (min(bound, FAR) - low) / 2
        positions = (low + half * (nodes + 1)) * root
        density = stats.norm.pdf((positions[:, None] - self.positions[None, :]) / spread) / spread
        self.weights = (density @ self.weights) * node_weights * half * root
        self.positions = positions
        self.time = time
