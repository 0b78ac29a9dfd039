"""The default analysis: one call from the response table to everything that page, report, API and CLI print."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import scipy

from readerstudy.analysis.default import panel
from readerstudy.analysis.default.raters import Section, adjust_family, design_is_balanced, rater_rows
from readerstudy.analysis.estimate import ArrayLike, MatrixLike, is_rated
from readerstudy.analysis.options import AnalysisOptions
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
) -> Section:
    """Return the full default analysis as a JSON-serialisable dictionary.

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
    raters = rater_rows(table, balanced=balanced, options=chosen)
    together = panel.ensemble_section(table, balanced=balanced, options=chosen)
    adjust_family(raters, together, options=chosen)
    area = panel.panel_auc(table, options=chosen)
    permuted = panel.permutation_test(table, options=chosen)
    result = {
        "schema": SCHEMA,
        "software": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        "options": asdict(chosen),
        "design": {
            **_design(whole, table, balanced=balanced),
            "note": UNBALANCED if chosen.balanced and not balanced else None,
        },
        "plan_digest": plan.digest() if plan else None,
        "primary": panel.primary_section(
            table, area, permuted, together, options=chosen, primary=plan.primary if plan else None
        ),
        "raters": raters,
        "ensemble": together,
        "pooled": panel.pooled_section(table, options=chosen),
        "mrmc": panel.auc_section(area),
        "permutation": asdict(permuted),
        "agreement": panel.agreement_section(table, options=chosen),
        "roc": panel.roc_section(table),
        "calibration": panel.calibration_section(table, options=chosen),
        "difficulty": panel.difficulty_section(table),
        "model": panel.model_section(table),
    }
    result["status"] = {name: plan.status(name) for name in ("primary", *SECTIONS)} if plan else None
    return result


def _design(whole: ResponseTable, table: ResponseTable, *, balanced: bool) -> Section:
    rated = is_rated(table.calls)
    return {
        "n_cases": table.n_cases,
        "n_cases_dropped": whole.n_cases - table.n_cases,
        "n_synthetic": int((table.truth == 1).sum()),
        "n_real": int((table.truth == 0).sum()),
        "n_raters": table.n_raters,
        "n_ratings": int(rated.sum()),
        "n_missing": int((~rated).sum()),
        "balanced": balanced,
        "complete": table.complete,
    }
