"""The default analysis: one call from the response table to everything that page, report, API and CLI print."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from readerstudy.analysis.default import panel
from readerstudy.analysis.default.assay import assay_section, panel_doubts, rater_doubts
from readerstudy.analysis.default.raters import (
    adjusted_family,
    all_balanced,
    design_is_balanced,
    rater_reading,
    reading_of,
    tested_majority,
    tested_raters,
)
from readerstudy.analysis.default.sections import (
    AssaySensitivity,
    DefaultAnalysis,
    Design,
    EnsembleReading,
    PrimaryTest,
    RaterReading,
    Status,
    this_software,
)
from readerstudy.analysis.default.sensitivity import sensitivity_section
from readerstudy.analysis.estimate import ArrayLike, BoolArray, MatrixLike, as_truth, is_rated
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.ensemble import majority_vote
from readerstudy.analysis.panel.equivalence import ONE_RATER
from readerstudy.analysis.planning.plan import SECTIONS, AnalysisPlan
from readerstudy.analysis.table import ResponseTable, response_table

SCHEMA = "turing-ward-analysis/1"
UNBALANCED = (
    "The design was declared balanced, but the numbers of real and synthetic cases differ: accuracy is not tested "
    "against one half."
)
COUNTED_AS_INDEPENDENT = (
    "The plan counts cases as independent, but some patients gave more than one: p-values may be too small and "
    "intervals too narrow, or power was lost."
)


def default_analysis(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    ratings: MatrixLike | None = None,
    rater_ids: Sequence[str] | None = None,
    case_ids: Sequence[str] | None = None,
    patients: Sequence[Hashable] | None = None,
    order: MatrixLike | None = None,
    times_ms: MatrixLike | None = None,
    choices: MatrixLike | None = None,
    controls: ArrayLike | None = None,
    options: AnalysisOptions | None = None,
    plan: AnalysisPlan | None = None,
) -> DefaultAnalysis:
    """Return the full default analysis.

    `truth` (cases,) is 1 = synthetic, 0 = real; `calls`, `ratings`, `order` (position in the rater's sequence) and
    `times_ms` are (cases, raters) with None/NaN for no rating; a higher rating means more surely synthetic (see
    `signed_rating`); `patients` (cases,) names each case's patient, without it every case is a patient of its own.
    `choices` (cases, raters) are the raters' answers where these are finer than the calls: whether somebody gives the
    same answer again and again is then seen in them.
    `controls` (cases,) is 1 for a positive control, a synthetic case made to be found: shown to prove that these
    raters look, it is in no number but those of the section `assay`. A `plan` sets the options and the primary test
    and marks every section as planned or exploratory. What cannot be estimated is None beside a `reason`. ValueError
    for a table that contradicts itself.
    """
    if options is not None and plan is not None:
        raise ValueError("the plan sets the options: give one of the two")
    chosen = plan.options() if plan else options or AnalysisOptions()
    shown = response_table(
        truth=truth,
        calls=calls,
        ratings=ratings,
        rater_ids=rater_ids,
        case_ids=case_ids,
        patients=patients,
        order=order,
        times_ms=times_ms,
        choices=choices,
    )
    control = _control_rows(shown, controls)
    assay = assay_section(shown.by_unit(chosen.unit), control, options=chosen)
    whole = shown.of_cases(~control)
    left = whole.restricted(chosen.missing_rule)
    table = left.by_unit(chosen.unit)
    balanced = design_is_balanced(whole, chosen)
    named = plan.primary if plan else None
    area = panel.panel_auc(table, options=chosen)
    of_answers = panel.options_of_answers(area, options=chosen, primary=named)
    raters, together = _readings(table, assay, balanced=balanced, options=of_answers)
    permuted = panel.permutation_test(table, options=chosen)
    primary = panel.primary_section(
        table,
        area,
        permuted,
        together,
        options=chosen,
        primary=named,
        doubts=panel_doubts(assay),
        balanced=balanced,
    )
    return DefaultAnalysis(
        schema=SCHEMA,
        software=this_software(),
        options=chosen,
        design=_design(
            whole,
            left,
            n_controls=int(control.sum()),
            balanced=balanced and all_balanced(raters),
            options=chosen,
        ),
        plan_digest=plan.digest() if plan else None,
        primary=primary,
        assay=assay,
        raters=raters,
        ensemble=together,
        pooled=panel.pooled_section(table, options=chosen),
        panel_shares=panel.shares_section(table, options=chosen),
        mrmc=panel.auc_section(area),
        permutation=permuted,
        agreement=panel.agreement_section(table, options=chosen),
        roc=panel.roc_section(table),
        calibration=panel.calibration_section(table, options=chosen),
        difficulty=panel.difficulty_section(table),
        model=panel.model_section(table),
        sensitivity=sensitivity_section(
            table,
            whole.by_unit(chosen.unit),
            primary,
            together,
            planned=named,
            options=chosen,
        ),
        times=panel.times_section(table, options=chosen),
        status=_status(plan, primary) if plan else None,
    )


def _control_rows(shown: ResponseTable, controls: ArrayLike | None) -> BoolArray:
    if controls is None:
        return np.zeros(shown.n_cases, dtype=np.bool_)
    marked: BoolArray = as_truth(controls) == 1
    if len(marked) != shown.n_cases or (marked & (shown.truth == 0)).any():
        raise ValueError("controls tell of every case, and a positive control is synthetic")
    return marked


def _status(plan: AnalysisPlan, primary: PrimaryTest) -> dict[str, Status]:
    """What the plan names is planned; the primary that stands in for it is called a fallback."""
    named: dict[str, Status] = {name: plan.status(name) for name in SECTIONS}
    return {"primary": "fallback" if primary.fallback_reason else "planned", "assay": "planned", **named}


def _readings(
    table: ResponseTable, assay: AssaySensitivity, *, balanced: bool, options: AnalysisOptions
) -> tuple[tuple[RaterReading, ...], EnsembleReading]:
    """The rows of raters and ensemble; their p-values are adjusted together, so all are tested before any is judged."""
    vote = majority_vote(table.calls)
    columns = tested_raters(table, balanced=balanced, options=options)
    majority = tested_majority(table, vote, balanced=balanced, options=options)
    of_raters, of_majority = adjusted_family(columns, majority, options=options)
    rows = [
        reading_of(tested, adjusted=adjusted, doubts=rater_doubts(assay, number), options=options, subject=ONE_RATER)
        for number, (tested, adjusted) in enumerate(zip(columns, of_raters, strict=True))
    ]
    raters = tuple(rater_reading(table, number, row, options=options) for number, row in enumerate(rows))
    reading = reading_of(majority, adjusted=of_majority, doubts=panel_doubts(assay), options=options)
    return raters, panel.ensemble_reading(table, vote, reading, options=options)


def _design(
    whole: ResponseTable, table: ResponseTable, *, n_controls: int, balanced: bool, options: AnalysisOptions
) -> Design:
    rated = is_rated(table.calls)
    of_synthetic, of_real = (set(table.patients[table.truth == kind].tolist()) for kind in (1, 0))
    notes = [UNBALANCED] if options.balanced and not balanced else []
    if options.unit == "case" and table.clustered:
        notes.append(COUNTED_AS_INDEPENDENT)
    return Design(
        n_cases=table.n_cases,
        n_cases_dropped=whole.n_cases - table.n_cases,
        n_synthetic=int((table.truth == 1).sum()),
        n_real=int((table.truth == 0).sum()),
        n_controls=n_controls,
        n_raters=table.n_raters,
        n_ratings=int(rated.sum()),
        n_missing=int((~rated).sum()),
        n_patients=len(np.unique(table.patients)),
        n_patients_synthetic=len(of_synthetic),
        n_patients_real=len(of_real),
        n_patients_both=len(of_synthetic & of_real),
        most_cases_of_a_patient=int(np.bincount(table.patients).max(initial=0)),
        unit="patient" if options.unit == "patient" and table.clustered else "case",
        balanced=balanced,
        complete=table.complete,
        note=" ".join(notes) or None,
    )
