"""The planner's answer, arranged for a page."""

import time
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext

from readerstudy.analysis import (
    OUT_OF_TIME,
    AnalysisPlan,
    ComparisonAssumptions,
    DesignPoint,
    PlanGrid,
    PlanningAssumptions,
    Workload,
    assumptions,
    comparison_grid,
    correlation_of_kappa,
    plan_grid,
    share_correct_of_area,
)
from readerstudy.planning.plans import CHOICE_PRIMARIES
from readerstudy.planning.words import BETWEEN_PHASES
from readerstudy.web.planner_form import COMPARISONS, PlannerForm


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
    paragraph: str

    @property
    def each_group(self) -> bool:
        """Whether numbers of raters are those of each of two groups."""
        return isinstance(self.grid.assumptions, ComparisonAssumptions) and self.grid.assumptions.of == "groups"

    @property
    def reason(self) -> str:
        """Why no design is recommended, for the page; the analysis says it in English."""
        if self.grid.reason == OUT_OF_TIME:
            return gettext("The time for simulations was up before the smallest design was settled.")
        return gettext("No design of this grid reaches the target: add raters or cases.")

    @property
    def out_of_time(self) -> bool:
        return bool(self.grid.left_out) or self.grid.reason == OUT_OF_TIME


MEASURE_WORDS = {
    "auc": "AUC averaged over raters, raters and cases random",
    "panel_accuracy": "percent correct of the panel",
    "ensemble": "majority of the panel",
}


def grid_page(values: dict[str, Any], *, seconds: float | None = None) -> GridPage:
    """`values` are the cleaned values of the planner's form; after `seconds` nothing more is begun to be simulated."""
    grid = _grid(values, seconds)
    ordered = sorted(grid.points, key=lambda point: (point.cases, point.raters))
    rows = [_row(grid, list(points)) for _, points in groupby(ordered, key=lambda point: point.cases)]
    best = grid.recommended
    return GridPage(
        grid=grid,
        raters=sorted({point.raters for point in grid.points}),
        rows=rows,
        paragraph=sample_size_paragraph(values, best) if best else "",
    )


def _grid(values: dict[str, Any], seconds: float | None) -> PlanGrid:
    began = time.monotonic()
    assumed, *or_else = beliefs(values)
    # How many cases come twice is the study's to say, and what is practised belongs to no study.
    workload = Workload(seconds_per_case=values["seconds_per_case"], repeat_share=0, practice_cases=0)
    if values["goal"] in COMPARISONS:
        compared = [_comparison(values, one) for one in (assumed, *or_else)]
        return comparison_grid(compared, target=values["target"], workload=workload)
    return plan_grid(
        assumed,
        or_else=or_else,
        target=values["target"],
        workload=workload,
        may_go_on=lambda: seconds is None or time.monotonic() - began < seconds,
    )


def _comparison(values: dict[str, Any], assumed: PlanningAssumptions) -> ComparisonAssumptions:
    return ComparisonAssumptions(
        of=values["goal"],
        first=values["effect"],
        second=values["second"],
        alpha=assumed.alpha,
        case_correlation=assumed.case_correlation,
        rater_sd=assumed.rater_sd,
        kept=values["kept"],
        change_sd=values["change_sd"],
    )


def beliefs(values: dict[str, Any]) -> list[PlanningAssumptions]:
    """What is assumed; with an unknown kappa both ends of its range, of which the worse decides."""
    pilot = values.get("pilot_reading")
    common = PlanningAssumptions(
        goal="detect" if values["goal"] in COMPARISONS else values["goal"],
        measure=values["measure"],
        effect=values["effect"],
        margin=values["margin_points"] / 100,
        alpha=values["alpha"],
        rater_sd=pilot.rater_sd if pilot else values["rater_sd"],
        cases_per_patient=values["cases_per_patient"],
        alike=values["alike"],
    )
    if pilot:
        return [replace(common, case_correlation=pilot.correlation)]
    unknown = values["agreement"] == "unknown"
    kappas = [values["kappa_low"], values["kappa_high"]] if unknown else [values["kappa"]]
    return [replace(common, case_correlation=_correlation(kappa, common)) for kappa in kappas]


def _correlation(kappa: float, assumed: PlanningAssumptions) -> float:
    share = share_correct_of_area(assumed.effect) if assumed.measure == "auc" else assumed.effect
    return correlation_of_kappa(kappa, share_correct=share, rater_sd=assumed.rater_sd)


def sample_size_paragraph(values: dict[str, Any], point: DesignPoint) -> str:
    """The size of the study with everything that was assumed, for the plan and the methods."""
    if values["goal"] in COMPARISONS:
        return _comparison_paragraph(values, point)
    goals = {
        "equivalent": f"equivalence to chance within {values['margin_points']:g} points",
        "detect": "a difference from chance",
    }
    patients = (
        f" from {round(point.cases / values['cases_per_patient'])} patients"
        if values["cases_per_patient"] > 1
        else ", one per patient"
    )
    goal, measure, power = goals[values["goal"]], MEASURE_WORDS[values["measure"]], min(99, round(100 * point.power))
    return (
        f"The size was planned for {point.raters} raters and {point.cases} cases{patients}, which show {goal} in "
        f"{power} of 100 studies ({measure}, alpha {values['alpha']:g}), if its true value is {values['effect']:g}. "
        f"Assumed were {_shared_words(values)}, and half of the cases synthetic{_patient_words(values)}. Positive "
        "controls come on top."
    )


def _comparison_paragraph(values: dict[str, Any], point: DesignPoint) -> str:
    power, phases = min(99, round(100 * point.power)), values["goal"] == "phases"
    who = f"{point.raters} raters" if phases else f"{2 * point.raters} raters ({point.raters} in each of two groups)"
    what = f"a change of the AUC {BETWEEN_PHASES}" if phases else "a difference of the two groups' AUC"
    alike = (
        f", {100 * values['kept']:g} % of the variance of a rater's own errors the same in both phases and a standard "
        f"deviation of the change of d′ between raters of {values['change_sd']:g}"
        if phases
        else ""
    )
    return (
        f"The size was planned for {who} and {point.cases} cases, one per patient, which show {what}, raters and cases "
        f"random, in {power} of 100 studies (two-sided alpha {values['alpha']:g}), if the true values are "
        f"{values['effect']:g} and {values['second']:g}. Assumed were {_shared_words(values)}{alike}, and half of the "
        "cases synthetic. Positive controls come on top."
    )


def _shared_words(values: dict[str, Any]) -> str:
    pilot = values.get("pilot_reading")
    if pilot:
        return (
            f"what a pilot of {pilot.raters} raters and {pilot.cases} cases showed (shared part of a rating's noise "
            f"{pilot.correlation:.2f}, standard deviation of d′ between raters {pilot.rater_sd:.2f})"
        )
    spread = f"a standard deviation of d′ between raters of {values['rater_sd']:g}"
    if values["agreement"] == "unknown":
        return f"a kappa anywhere from {values['kappa_low']:g} to {values['kappa_high']:g} between raters and {spread}"
    return f"a kappa of {values['kappa']:g} between raters, {spread}"


def _patient_words(values: dict[str, Any]) -> str:
    if values["cases_per_patient"] <= 1:
        return ""
    return f", with {values['cases_per_patient']:g} cases per patient of one kind and a likeness of {values['alike']:g}"


@dataclass(frozen=True, kw_only=True)
class PlannersAnswer:
    """What a study takes over that starts from the planner."""

    cases: int
    plan_options: dict[str, Any]


def answered(query: str) -> PlannersAnswer | None:
    """The planner's answer to what stood in its form; None when it has none."""
    form = PlannerForm(QueryDict(query) if query else None)
    if not form.is_valid():
        return None
    best = grid_page(form.cleaned_data).grid.recommended
    if best is None:
        return None
    return PlannersAnswer(cases=best.cases, plan_options=plan_options_of(form.cleaned_data, best))


PRIMARIES: dict[str, str] = {
    "auc": "reader_averaged_auc",
    "panel_accuracy": "case_label_permutation",
    "ensemble": "ensemble",
}


# A goal that compares is a comparison that the plan names.
PLANNED_BY_GOAL: dict[str, dict[str, Any]] = {
    "groups": {"secondary": [*AnalysisPlan().secondary, "groups"]},
    "phases": {"phase_measure": "auc"},
}


def plan_options_of(values: dict[str, Any], point: DesignPoint) -> dict[str, Any]:
    """What a study that starts from the planner's answer takes over into its plan."""
    primary = PRIMARIES[values["measure"]]
    return {
        **PLANNED_BY_GOAL.get(values["goal"], {}),
        "primary": primary,
        "family": "raters" if primary == "ensemble" else "raters_and_ensemble",
        "margin": values["margin_points"] / 100,
        "alpha": values["alpha"],
        "sample_size": sample_size_paragraph(values, point),
    }


def _row(grid: PlanGrid, points: list[DesignPoint]) -> GridRow:
    cells = [
        Cell(point=point, reached=point.power >= grid.target, recommended=point == grid.recommended) for point in points
    ]
    return GridRow(cases=points[0].cases, minutes=points[0].minutes_per_rater, cells=cells)


def planner_defaults(plan: AnalysisPlan) -> dict[str, Any]:
    """The planner's fields that a study's plan decides."""
    # The planner knows no trials of several images: their plan's own page says what they show.
    known = plan.primary not in CHOICE_PRIMARIES
    return {
        **({"measure": assumptions(plan, goal="equivalent", effect=0.5).measure} if known else {}),
        "margin_points": round(100 * plan.margin, 6),
        "alpha": plan.alpha,
    }
