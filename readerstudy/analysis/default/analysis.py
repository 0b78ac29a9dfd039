"""The default analysis: one call from the response table to everything that page, report, API and CLI print."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import numpy as np
import scipy

from readerstudy.analysis.default import panel
from readerstudy.analysis.default.raters import (
    adjusted_family,
    design_is_balanced,
    rater_reading,
    reading_of,
    tested_column,
    tested_raters,
)
from readerstudy.analysis.default.sections import DefaultAnalysis, Design, EnsembleReading, RaterReading, Software
from readerstudy.analysis.estimate import ArrayLike, MatrixLike, is_rated
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.ensemble import majority_vote
from readerstudy.analysis.planning.plan import SECTIONS, AnalysisPlan
from readerstudy.analysis.table import ResponseTable, response_table

SCHEMA = "turing-ward-analysis/1"
UNBALANCED = (
    "The design was declared balanced, but the numbers of real and synthetic cases differ: accuracy is not tested "
    "against one half."
)


def default_analysis(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    ratings: MatrixLike | None = None,
    rater_ids: Sequence[str] | None = None,
    case_ids: Sequence[str] | None = None,
    order: MatrixLike | None = None,
    times_ms: MatrixLike | None = None,
    options: AnalysisOptions | None = None,
    plan: AnalysisPlan | None = None,
) -> DefaultAnalysis:
    """Return the full default analysis.

    `truth` (cases,) is 1 = synthetic, 0 = real; `calls`, `ratings`, `order` (position in the rater's sequence) and
    `times_ms` are (cases, raters) with None/NaN for no rating; a higher rating means more surely synthetic (see
    `signed_rating`). A `plan` sets the options and the primary test and marks every section as planned or
    exploratory. What cannot be estimated is None beside a `reason`. ValueError for a table that contradicts
    itself.
    """
    if options is not None and plan is not None:
        raise ValueError("the plan sets the options: give one of the two")
    chosen = plan.options() if plan else options or AnalysisOptions()
    whole = response_table(
        truth=truth,
        calls=calls,
        ratings=ratings,
        rater_ids=rater_ids,
        case_ids=case_ids,
        order=order,
        times_ms=times_ms,
    )
    table = whole.restricted(chosen.missing_rule)
    balanced = design_is_balanced(whole, chosen)
    raters, together = _readings(table, balanced=balanced, options=chosen)
    area = panel.panel_auc(table, options=chosen)
    permuted = panel.permutation_test(table, options=chosen)
    return DefaultAnalysis(
        schema=SCHEMA,
        software=Software(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__),
        options=chosen,
        design=_design(whole, table, balanced=balanced, options=chosen),
        plan_digest=plan.digest() if plan else None,
        primary=panel.primary_section(
            table, area, permuted, together, options=chosen, primary=plan.primary if plan else None
        ),
        raters=raters,
        ensemble=together,
        pooled=panel.pooled_section(table, options=chosen),
        mrmc=panel.auc_section(area),
        permutation=permuted,
        agreement=panel.agreement_section(table, options=chosen),
        roc=panel.roc_section(table),
        calibration=panel.calibration_section(table, options=chosen),
        difficulty=panel.difficulty_section(table),
        model=panel.model_section(table),
        status={name: plan.status(name) for name in ("primary", *SECTIONS)} if plan else None,
    )


def _readings(
    table: ResponseTable, *, balanced: bool, options: AnalysisOptions
) -> tuple[tuple[RaterReading, ...], EnsembleReading]:
    """The rows of raters and ensemble; their p-values are adjusted together, so all are tested before any is judged."""
    vote = majority_vote(table.calls)
    columns = tested_raters(table, balanced=balanced, options=options)
    majority = tested_column(table.truth, vote.decided(tie_rule=options.tie_rule), balanced=balanced, options=options)
    of_raters, of_majority = adjusted_family(columns, majority, options=options)
    raters = tuple(
        rater_reading(table, number, reading_of(tested, p_adjusted=p, options=options), options=options)
        for number, (tested, p) in enumerate(zip(columns, of_raters, strict=True))
    )
    reading = reading_of(majority, p_adjusted=of_majority, options=options)
    return raters, panel.ensemble_reading(table, vote, reading, options=options)


def _design(whole: ResponseTable, table: ResponseTable, *, balanced: bool, options: AnalysisOptions) -> Design:
    rated = is_rated(table.calls)
    return Design(
        n_cases=table.n_cases,
        n_cases_dropped=whole.n_cases - table.n_cases,
        n_synthetic=int((table.truth == 1).sum()),
        n_real=int((table.truth == 0).sum()),
        n_raters=table.n_raters,
        n_ratings=int(rated.sum()),
        n_missing=int((~rated).sum()),
        balanced=balanced,
        complete=table.complete,
        note=UNBALANCED if options.balanced and not balanced else None,
    )
