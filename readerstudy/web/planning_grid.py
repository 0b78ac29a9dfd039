"""The planner's answer, arranged for a page."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from readerstudy.analysis import (
    AnalysisPlan,
    DesignPoint,
    PlanGrid,
    PlanningAssumptions,
    Workload,
    assumptions,
    plan_grid,
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    point: DesignPoint
    reached: bool
    recommended: bool

    @property
    def percent(self) -> int:
        """Never 100: no study is certain."""
        return min(99, round(100 * self.point.power))


@dataclass(frozen=True, kw_only=True)
class GridRow:
    cases: int
    minutes: float
    cells: list[Cell]


@dataclass(frozen=True, kw_only=True)
class GridPage:
    grid: PlanGrid
    raters: list[int]
    rows: list[GridRow]


def grid_page(values: dict[str, Any]) -> GridPage:
    """`values` are the cleaned values of the planner's form."""
    grid = plan_grid(
        PlanningAssumptions(
            goal=values["goal"],
            measure=values["measure"],
            effect=values["effect"],
            margin=values["margin_points"] / 100,
            alpha=values["alpha"],
            case_correlation=values["case_correlation"],
            rater_sd=values["rater_sd"],
        ),
        target=values["target"],
        # Studies show every case once and have no practice cases.
        workload=Workload(seconds_per_case=values["seconds_per_case"], repeat_share=0, practice_cases=0),
    )
    ordered = sorted(grid.points, key=lambda point: (point.cases, point.raters))
    rows = [_row(grid, list(points)) for _, points in groupby(ordered, key=lambda point: point.cases)]
    return GridPage(grid=grid, raters=sorted({point.raters for point in grid.points}), rows=rows)


def _row(grid: PlanGrid, points: list[DesignPoint]) -> GridRow:
    cells = [
        Cell(point=point, reached=point.power >= grid.target, recommended=point == grid.recommended) for point in points
    ]
    return GridRow(cases=points[0].cases, minutes=points[0].minutes_per_rater, cells=cells)


def planner_defaults(plan: AnalysisPlan) -> dict[str, Any]:
    """The planner's fields that a study's plan decides."""
    return {
        "measure": assumptions(plan, goal="equivalent", effect=0.5).measure,
        "margin_points": round(100 * plan.margin, 6),
        "alpha": plan.alpha,
    }
