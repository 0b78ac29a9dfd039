"""Could these raters have found a difference? Variation of their answers, and the positive controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from readerstudy.analysis.default.panel import panel_auc, permutation_test
from readerstudy.analysis.default.sections import AssaySensitivity, ControlOutcome
from readerstudy.analysis.estimate import BoolArray, Estimate, is_rated, missing
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.assay import (
    NO_CONTROLS,
    ControlsFound,
    Doubts,
    controls_by_rater,
    controls_found,
    hardly_varied,
    not_found_alone,
    response_variation,
    too_few_answered,
    too_few_patients,
)
from readerstudy.analysis.rater.auc import logit_auc, panel_aucs
from readerstudy.analysis.table import ResponseTable


def assay_section(whole: ResponseTable, control: BoolArray, *, options: AnalysisOptions) -> AssaySensitivity:
    """`whole` holds the controls, `control` (cases,) tells which rows they are; all other numbers leave them out."""
    table = whole.of_cases(~control)
    variation = response_variation(
        calls=table.calls, choices=table.choices, rater_ids=table.rater_ids, limit=options.same_answer_limit
    )
    outcome = _controls(whole, control, options=options)
    constant = hardly_varied(variation)
    unproven = outcome.reason or too_few_answered(outcome.raters, of=outcome.n)
    few = too_few_patients(table.truth, table.patients)
    return AssaySensitivity(
        sensitive=constant is None and unproven is None and few is None,
        raters=variation,
        controls=outcome,
        hardly_varied=constant,
        unproven=unproven,
        few_patients=few,
    )


def panel_doubts(assay: AssaySensitivity) -> Doubts:
    """What speaks against a verdict of the whole panel."""
    return Doubts(constant=assay.hardly_varied, unproven=assay.unproven, few_patients=assay.few_patients)


def rater_doubts(assay: AssaySensitivity, column: int) -> Doubts:
    """What speaks against a verdict of one rater: the own answers, the panel's proof, the own answers to controls."""
    controls = assay.controls
    unproven = controls.reason
    for own in controls.raters[column : column + 1]:
        unproven = unproven or too_few_answered((own,), of=controls.n) or not_found_alone(own)
    return Doubts(constant=hardly_varied((assay.raters[column],)), unproven=unproven, few_patients=assay.few_patients)


def _controls(whole: ResponseTable, control: BoolArray, *, options: AnalysisOptions) -> ControlOutcome:
    if not control.any():
        return ControlOutcome(
            n=0,
            rule=options.control_rule,
            auc=missing(NO_CONTROLS),
            p=None,
            found=0,
            needed=None,
            passed=None,
            raters=(),
            reason=NO_CONTROLS,
        )
    count = controls_found(calls=whole.calls[control], share=options.control_share)
    compared = whole.of_cases(control | (whole.truth == 0))
    area, p = _against_real(compared, options=options)
    by_area = p is not None and p <= options.alpha and (area.value or 0) > 0.5
    real = controls_found(calls=whole.calls[whole.truth == 0], share=options.control_share)
    by_count = count.found >= count.needed and real.found < real.needed
    passed = by_area if options.control_rule == "auc" else by_count
    return ControlOutcome(
        n=int(control.sum()),
        rule=options.control_rule,
        auc=area,
        p=p,
        found=count.found,
        needed=count.needed if options.control_rule == "found" else None,
        passed=passed,
        raters=controls_by_rater(
            controls=whole.calls[control],
            others=whole.calls[~control],
            passed=[_found_alone(compared, column, options=options) for column in range(whole.n_raters)],
            rater_ids=whole.rater_ids,
        ),
        reason=None if passed else _not_found(area, count, real, options=options),
    )


def _found_alone(compared: ResponseTable, column: int, *, options: AnalysisOptions) -> bool:
    """Whether one rater found the controls among the real cases, by the rule that the panel is held to."""
    if options.control_rule == "found":
        answers = compared.calls[is_rated(compared.calls[:, column]), column : column + 1]
        kinds = compared.truth[is_rated(compared.calls[:, column])]
        controls, real = (controls_found(calls=answers[kinds == kind], share=options.control_share) for kind in (1, 0))
        return 0 < controls.needed <= controls.found and real.found < real.needed
    scores = (compared.calls if compared.ratings is None else compared.ratings)[:, column]
    area = logit_auc(truth=compared.truth, scores=scores, patients=compared.patients)
    if area.value is None or area.value <= 0.5:
        return False
    p = area.p
    if p is None:
        # A perfect area has no standard error: the labels are permuted over answers cut below the lowest control.
        above = scores >= np.nanmin(scores[compared.truth == 1])
        cut = replace(compared, calls=np.where(is_rated(scores), above, np.nan)[:, None], rater_ids=("",), ratings=None)
        p = permutation_test(cut, options=options).p_two_sided
    return p is not None and p <= options.alpha


def _against_real(table: ResponseTable, *, options: AnalysisOptions) -> tuple[Estimate, float | None]:
    """Controls against real cases: the panel's AUC; where it has no test (perfect, or too few raters), permutation.

    Without confidence the calls are the scores: their AUC is the mean of sensitivity and specificity.
    """
    scored = table if table.ratings is not None else replace(table, ratings=table.calls)
    area = panel_auc(scored, options=options)
    estimate = area.estimate() if area.value is not None else _mean_area(scored)
    p = area.p if area.p is not None else permutation_test(table, options=options).p_two_sided
    return estimate, p


def _mean_area(table: ResponseTable) -> Estimate:
    """One rater has an area too, only no interval over raters."""
    if table.ratings is None:
        return missing("no answers")
    areas = [one.value for one in panel_aucs(truth=table.truth, ratings=table.ratings) if one.value is not None]
    if not areas:
        return missing("no rater judged controls and real cases")
    return Estimate(value=float(np.mean(areas)), reason="too few raters or cases for an interval")


def _not_found(area: Estimate, count: ControlsFound, real: ControlsFound, *, options: AnalysisOptions) -> str:
    if options.control_rule == "found" and count.found < count.needed:
        return f"only {count.found} of {count.n} positive controls were found, fewer than the plan asks for"
    if options.control_rule == "found":
        return (
            f"most raters called {real.found} of {real.n} real cases synthetic too, so whoever calls nearly everything "
            "synthetic would have found the positive controls"
        )
    value = "not estimable" if area.value is None else f"{area.value:.3f}"
    return f"the {count.n} positive controls were not told from real cases (AUC {value}), as the plan asks for"
