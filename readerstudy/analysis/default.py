"""The default analysis: one call from the response table to everything that the results page prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from readerstudy.analysis import chance, ensemble, proportions
from readerstudy.analysis.estimate import ArrayLike, MatrixLike
from readerstudy.analysis.multiplicity import adjust_p_values
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.table import ResponseTable, response_table

SCHEMA = "turing-ward-analysis/1"
Section = dict[str, Any]


def default_analysis(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    ratings: MatrixLike | None = None,
    rater_ids: Sequence[str] | None = None,
    case_ids: Sequence[str] | None = None,
    options: AnalysisOptions | None = None,
) -> Section:
    """Return the full default analysis as a JSON-serialisable dictionary.

    `truth` (cases,) is 1 = synthetic, 0 = real; `calls` and `ratings` are (cases, raters) with None/NaN for
    no rating; a higher rating means more surely synthetic (see `signed_rating`). What cannot be estimated is
    None beside a `reason`. ValueError for a table that contradicts itself.
    """
    chosen = options or AnalysisOptions()
    whole = response_table(truth=truth, calls=calls, ratings=ratings, rater_ids=rater_ids, case_ids=case_ids)
    table = whole.restricted(chosen.missing_rule)
    balanced = _is_balanced(table, chosen)
    raters = [_rater(table, column, balanced=balanced, options=chosen) for column in range(table.n_raters)]
    panel = _ensemble(table, balanced=balanced, options=chosen)
    _adjust(raters, panel, options=chosen)
    return {
        "schema": SCHEMA,
        "design": _design(whole, table, balanced=balanced),
        "raters": raters,
        "ensemble": panel,
        "pooled": _pooled(table, options=chosen),
    }


def _is_balanced(table: ResponseTable, options: AnalysisOptions) -> bool:
    if options.balanced is not None:
        return options.balanced
    return 2 * int(table.truth.sum()) == table.n_cases > 0


def _design(whole: ResponseTable, table: ResponseTable, *, balanced: bool) -> Section:
    return {
        "n_cases": table.n_cases,
        "n_cases_dropped": whole.n_cases - table.n_cases,
        "n_synthetic": int(table.truth.sum()),
        "n_real": int((table.truth == 0).sum()),
        "n_raters": table.n_raters,
        "n_ratings": int((~np.isnan(table.calls)).sum()),
        "n_missing": int(np.isnan(table.calls).sum()),
        "balanced": balanced,
    }


def _reading(counts: chance.Confusion, *, balanced: bool, options: AnalysisOptions) -> Section:
    level = 1 - options.alpha
    binomial = proportions.exact_binomial(successes=counts.correct, trials=counts.n)
    fisher = chance.fisher_exact(counts)
    name = options.rater_test
    if name == "auto":
        name = "binomial" if balanced else "fisher"
    return {
        "n": counts.n,
        "correct": counts.correct,
        "tp": counts.tp,
        "fn": counts.fn,
        "fp": counts.fp,
        "tn": counts.tn,
        "accuracy": chance.accuracy(counts, level=level).as_dict(),
        "sensitivity": chance.sensitivity(counts, level=level).as_dict(),
        "specificity": chance.specificity(counts, level=level).as_dict(),
        "balanced_accuracy": chance.balanced_accuracy(counts, level=level).as_dict(),
        "share_called_synthetic": chance.share_called_synthetic(counts),
        "chance_accuracy": chance.chance_accuracy(counts),
        "binomial_p": binomial.p_minlike,
        "fisher_p": fisher.p_two_sided,
        "test": name,
        "p": binomial.p_minlike if name == "binomial" else fisher.p_two_sided,
        "p_adjusted": None,
        "reason": binomial.reason,
    }


def _rater(table: ResponseTable, column: int, *, balanced: bool, options: AnalysisOptions) -> Section:
    calls = table.calls[:, column]
    counts = chance.confusion(truth=table.truth, calls=calls)
    return {
        "rater": table.rater_ids[column],
        "missing": int(np.isnan(calls).sum()),
        **_reading(counts, balanced=balanced, options=options),
    }


def _ensemble(table: ResponseTable, *, balanced: bool, options: AnalysisOptions) -> Section:
    vote = ensemble.majority_vote(table.calls)
    decided = vote.decided(tie_rule=options.tie_rule)
    counts = chance.confusion(truth=table.truth, calls=decided)
    return {
        "tie_rule": options.tie_rule,
        "n_ties": vote.n_ties,
        "n_without_votes": vote.n_without_votes,
        **_reading(counts, balanced=balanced, options=options),
    }


def _adjust(raters: list[Section], panel: Section, *, options: AnalysisOptions) -> None:
    family = [*raters, panel] if options.family == "raters_and_ensemble" else raters
    adjusted = adjust_p_values([row["p"] for row in family], method=options.adjustment)
    for row, p_adjusted in zip(family, adjusted, strict=True):
        row["p_adjusted"] = p_adjusted


def _pooled(table: ResponseTable, *, options: AnalysisOptions) -> Section:
    rated = ~np.isnan(table.calls)
    correct = int((rated & (table.calls == table.truth[:, None])).sum())
    test = proportions.exact_binomial(successes=correct, trials=int(rated.sum()))
    share = proportions.proportion_interval(successes=correct, trials=int(rated.sum()), level=1 - options.alpha)
    return {
        "correct": correct,
        "n": int(rated.sum()),
        "accuracy": share.as_dict(),
        "binomial_p": test.p_minlike,
        "warning": (
            "All readings are counted as if they were independent. Raters see the same cases, so this "
            "interval is too narrow and this p-value too small; it is shown only because papers print it."
        ),
    }
