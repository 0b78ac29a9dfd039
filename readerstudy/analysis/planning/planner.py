"""How many raters and cases: power of the planned tests over a grid, and what it costs each rater."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from readerstudy.analysis.planning.assumptions import PlanningAssumptions
from readerstudy.analysis.planning.comparison import (
    ComparisonAssumptions,
    comparison_power,
    comparison_precision,
)
from readerstudy.analysis.planning.design_power import (
    FEWEST_FOR_MAJORITY,
    design_power,
    design_powers,
    design_precision,
)
from readerstudy.analysis.planning.few_patients import STUDIES, kinds_of
from readerstudy.analysis.planning.power import BinomialSampleSize, binomial_sample_size, tost_sample_size

# Of each design of few patients: the standard error of a power of one half is 1.6 points.
STUDIES_OF_GRID = 1000
OUT_OF_TIME = "the time for simulations was up before the smallest design was settled"
DEFAULT_RATERS = (3, 4, 5, 6, 8, 10, 12, 15, 20)
DEFAULT_CASES = (20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Time per case and what is read besides the cases: repeats (share of cases) and practice cases."""

    seconds_per_case: float = 20.0
    repeat_share: float = 0.1
    practice_cases: int = 5

    def minutes(self, cases: int) -> float:
        """Reading time of one rater in minutes."""
        readings = cases + ceil(cases * self.repeat_share) + self.practice_cases
        return readings * self.seconds_per_case / 60


@dataclass(frozen=True, kw_only=True)
class DesignPoint:
    """One design of the grid; `half_width` is None where the test does not exist."""

    raters: int
    cases: int
    power: float
    half_width: float | None
    minutes_per_rater: float


@dataclass(frozen=True, kw_only=True)
class PlanGrid:
    """Power of every design, and the smallest that reaches the target (fewest readings, then fewest cases).

    Of two groups `raters` are those of each.

    `left_out` are numbers of cases whose designs had to be simulated when the time was up.
    """

    assumptions: PlanningAssumptions | ComparisonAssumptions
    target: float
    points: tuple[DesignPoint, ...]
    recommended: DesignPoint | None
    reason: str | None = None
    left_out: tuple[int, ...] = ()


def plan_grid(
    assumed: PlanningAssumptions,
    *,
    raters: Sequence[int] = DEFAULT_RATERS,
    cases: Sequence[int] = DEFAULT_CASES,
    target: float = 0.8,
    workload: Workload | None = None,
    or_else: Sequence[PlanningAssumptions] = (),
    may_go_on: Callable[[], bool] = lambda: True,
) -> PlanGrid:
    """Compute power and workload of all raters x cases and recommend the smallest sufficient design.

    `or_else` holds what may be true instead of `assumed`: every design is judged by the least of its powers. Before
    each simulation `may_go_on` is asked whether there is time for it; closed forms take none.
    """
    effort = workload or Workload()
    beliefs = (assumed, *or_else)
    columns = {
        n: _powers(beliefs, raters, cases=n, studies=STUDIES_OF_GRID)
        for n in cases
        if not _simulated(beliefs, n) or may_go_on()
    }
    points = tuple(
        _point(beliefs, effort, raters=j, cases=n, power=powers[number])
        for number, j in enumerate(raters)
        for n, powers in columns.items()
    )
    best, reason = _smallest(beliefs, points, target=target, may_go_on=may_go_on)
    points = tuple(
        best if best and (point.raters, point.cases) == (best.raters, best.cases) else point for point in points
    )
    return PlanGrid(
        assumptions=assumed,
        target=target,
        points=points,
        recommended=best,
        reason=reason,
        left_out=tuple(n for n in cases if n not in columns),
    )


def comparison_grid(
    beliefs: Sequence[ComparisonAssumptions],
    *,
    raters: Sequence[int] = DEFAULT_RATERS,
    cases: Sequence[int] = DEFAULT_CASES,
    target: float = 0.8,
    workload: Workload | None = None,
) -> PlanGrid:
    """The same for comparing two groups of raters, or two phases, each of which every rater reads."""
    effort, readings = workload or Workload(), 2 if beliefs[0].of == "phases" else 1
    points = []
    for j in raters:
        for n in cases:
            found = [comparison_precision(one, raters=j, cases=n) for one in beliefs]
            widths = [one.half_width for one in found if one is not None]
            points.append(
                DesignPoint(
                    raters=j,
                    cases=n,
                    power=min(comparison_power(one, raters=j, cases=n) for one in beliefs),
                    half_width=max(widths) if len(widths) == len(found) else None,
                    minutes_per_rater=readings * effort.minutes(n),
                )
            )
    enough = [point for point in points if point.power >= target]
    best = min(enough, key=lambda point: (point.raters * point.cases, point.cases), default=None)
    return PlanGrid(
        assumptions=beliefs[0],
        target=target,
        points=tuple(points),
        recommended=best,
        reason=None if best else "no design of this grid reaches the target: add raters or cases",
    )


def _simulated(beliefs: Sequence[PlanningAssumptions], cases: int) -> bool:
    return any(kinds_of(one, cases) is not None for one in beliefs)


def _powers(beliefs: Sequence[PlanningAssumptions], raters: Sequence[int], *, cases: int, studies: int) -> list[float]:
    """The least power of any belief, with each number of raters."""
    powers = [design_powers(one, raters=raters, cases=cases, studies=studies) for one in beliefs]
    return [min(of) for of in zip(*powers, strict=True)]


def _smallest(
    beliefs: Sequence[PlanningAssumptions],
    points: Sequence[DesignPoint],
    *,
    target: float,
    may_go_on: Callable[[], bool],
) -> tuple[DesignPoint | None, str | None]:
    """The smallest design that reaches the target, judged by as many studies as a single design is; or why none."""
    enough = [point for point in points if point.power >= target]
    for point in sorted(enough, key=lambda point: (point.raters * point.cases, point.cases)):
        if _simulated(beliefs, point.cases) and not may_go_on():
            return None, OUT_OF_TIME
        [power] = _powers(beliefs, [point.raters], cases=point.cases, studies=STUDIES)
        if power >= target:
            return replace(point, power=power), None
    return None, "no design of this grid reaches the target: add cases or widen the margin"


def _point(
    beliefs: Sequence[PlanningAssumptions], effort: Workload, *, raters: int, cases: int, power: float
) -> DesignPoint:
    found = [design_precision(one, raters=raters, cases=cases) for one in beliefs]
    widths = [one.half_width for one in found if one is not None]
    return DesignPoint(
        raters=raters,
        cases=cases,
        power=power,
        half_width=max(widths) if len(widths) == len(found) else None,
        minutes_per_rater=effort.minutes(cases),
    )


def smallest_cases(assumed: PlanningAssumptions, *, raters: int, target: float = 0.8, limit: int = 5000) -> int | None:
    """Fewest cases from which the power stays at the target for this many raters; None beyond `limit`.

    The exact ensemble test has saw-tooth power: the answer is where it no longer falls below the target.
    """
    if assumed.measure == "ensemble" and raters % 2 and not assumed.clustered:
        stable = _ensemble_sample_size(assumed, target=target).stays_from if raters >= FEWEST_FOR_MAJORITY else None
        return stable if stable is not None and stable <= limit else None
    if design_power(assumed, raters=raters, cases=limit) < target:
        return None
    low, high = 1, limit
    while high - low > 1:
        middle = (low + high) // 2
        reached = design_power(assumed, raters=raters, cases=middle) >= target
        low, high = (low, middle) if reached else (middle, high)
    return high


def _ensemble_sample_size(assumed: PlanningAssumptions, *, target: float) -> BinomialSampleSize:
    if assumed.goal == "detect":
        return binomial_sample_size(share=assumed.effect, alpha=assumed.alpha, target=target)
    return tost_sample_size(share=assumed.effect, margin=assumed.margin, alpha=assumed.alpha, target=target)
