"""The row of numbers that the default analysis prints for one rater or for the ensemble."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from readerstudy.analysis.estimate import Estimate, FloatArray, is_rated
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.equivalence import Tost, binomial_tost, judge
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.panel.response_time import median_times
from readerstudy.analysis.rater import chance, proportions
from readerstudy.analysis.rater.auc import auc
from readerstudy.analysis.rater.bayes import bayes_binomial
from readerstudy.analysis.rater.drift import accuracy_drift
from readerstudy.analysis.rater.signal_detection import a_prime, detection_indices
from readerstudy.analysis.table import ResponseTable

Section = dict[str, Any]
NO_FIXED_CHANCE = "with unequal numbers of real and synthetic cases accuracy has no fixed chance level"


def reading_row(truth: FloatArray, calls: FloatArray, *, balanced: bool, options: AnalysisOptions) -> Section:
    """Return counts, shares, tests, detection, equivalence and Bayes factor of one column of calls (cases,)."""
    counts = chance.confusion(truth=truth, calls=calls)
    level = 1 - options.alpha
    return {
        "n": counts.n,
        "correct": counts.correct,
        "tp": counts.tp,
        "fn": counts.fn,
        "fp": counts.fp,
        "tn": counts.tn,
        "accuracy": chance.accuracy(counts, level=level).as_dict(),
        "accuracy_wilson": proportions.proportion_interval(
            successes=counts.correct, trials=counts.n, level=level, method="wilson"
        ).as_dict(),
        "sensitivity": chance.sensitivity(counts, level=level).as_dict(),
        "specificity": chance.specificity(counts, level=level).as_dict(),
        "balanced_accuracy": chance.balanced_accuracy(counts, level=level).as_dict(),
        "share_called_synthetic": chance.share_called_synthetic(counts),
        "chance_accuracy": chance.chance_accuracy(counts),
        "majority_class_rate": chance.majority_class_rate(counts),
        **_tests(counts, balanced=balanced, options=options),
        **_detection(counts),
    }


def _tests(counts: chance.Confusion, *, balanced: bool, options: AnalysisOptions) -> Section:
    binomial = proportions.exact_binomial(successes=counts.correct, trials=counts.n)
    fisher = chance.fisher_exact(counts)
    name = options.rater_test
    if name == "auto":
        name = "binomial" if balanced else "fisher"
    bayes = bayes_binomial(successes=counts.correct, trials=counts.n, rope=(0.5 - options.margin, 0.5 + options.margin))
    tost = rater_tost(counts, balanced=balanced, options=options)
    return {
        "binomial_p": binomial.p_minlike,
        "binomial_midp": binomial.midp_central,
        "binomial_valid": balanced,
        "binomial_note": None if balanced else NO_FIXED_CHANCE,
        "fisher_p": fisher.p_two_sided,
        "test": name,
        "p": binomial.p_minlike if name == "binomial" else fisher.p_two_sided,
        "p_adjusted": None,
        "bf01": bayes.bf01 if balanced else None,
        "p_in_rope": bayes.p_in_rope if balanced else None,
        "equivalence": {
            "p": None if tost is None else tost.p,
            "equivalent": None if tost is None else tost.equivalent,
            "interval": None if tost is None else tost.interval.as_dict(),
            "margin": options.margin,
            "reason": NO_FIXED_CHANCE if tost is None else tost.reason,
        },
        "verdict": None,
        "sentence": None,
        "reason": binomial.reason,
    }


def rater_tost(counts: chance.Confusion, *, balanced: bool, options: AnalysisOptions) -> Tost | None:
    """Return the exact TOST of accuracy against one half; None where one half is not chance."""
    if not balanced:
        return None
    return binomial_tost(successes=counts.correct, trials=counts.n, margin=options.margin, alpha=options.alpha)


def _detection(counts: chance.Confusion) -> Section:
    found = detection_indices(counts)
    return {
        "d_prime": found.d_prime,
        "criterion": found.criterion,
        "a_prime": a_prime(counts),
        "detection_reason": found.reason,
    }


def rater_rows(table: ResponseTable, *, balanced: bool, options: AnalysisOptions) -> list[Section]:
    """Return one row per rater, in the order of the table."""
    return [_rater_row(table, column, balanced=balanced, options=options) for column in range(table.n_raters)]


def _rater_row(table: ResponseTable, column: int, *, balanced: bool, options: AnalysisOptions) -> Section:
    calls = table.calls[:, column]
    row = {
        "rater": table.rater_ids[column],
        "missing": int((~is_rated(calls)).sum()),
        **reading_row(table.truth, calls, balanced=balanced, options=options),
        "unanswered_bounds": _bounds(table.truth, calls),
    }
    if table.ratings is not None:
        row.update(auc_fields(table.truth, table.ratings[:, column], options=options))
    if table.order is not None:
        done = is_rated(calls) & is_rated(table.order[:, column])
        drift = accuracy_drift(correct=table.correct[done, column], order=table.order[done, column])
        row["drift"] = asdict(drift)
    if table.times_ms is not None:
        times = median_times(time_ms=table.times_ms[:, column], correct=table.correct[:, column])
        row["median_time_ms"] = asdict(times)
    return row


def _bounds(truth: FloatArray, calls: FloatArray) -> Section:
    """Accuracy over all cases if every unanswered one were wrong, half right or right."""
    n, open_cases = len(truth), int((~is_rated(calls)).sum())
    if n == 0:
        return {"worst": None, "half": None, "best": None}
    correct = int((calls == truth).sum())
    return {
        "worst": correct / n,
        "half": (correct + open_cases / 2) / n,
        "best": (correct + open_cases) / n,
    }


def auc_fields(truth: FloatArray, scores: FloatArray, *, options: AnalysisOptions) -> Section:
    """Return the AUC of one column of scores with DeLong's interval and test."""
    area = auc(truth=truth, scores=scores, level=1 - options.alpha)
    return {"auc": area.estimate().as_dict(), "auc_se": area.se if not area.degenerate else None, "auc_p": area.p}


def adjust_family(raters: list[Section], panel: Section, *, options: AnalysisOptions) -> None:
    """Fill `p_adjusted` and the verdicts of the rows that belong to the family of tests."""
    family = [*raters, panel] if options.family == "raters_and_ensemble" else raters
    adjusted = adjust_p_values([row["p"] for row in family], method=options.adjustment)
    for row, p_adjusted in zip(family, adjusted, strict=True):
        row["p_adjusted"] = p_adjusted
    for row in (*raters, panel):
        _judge_row(row, options=options)


def _judge_row(row: Section, *, options: AnalysisOptions) -> None:
    p = row["p"] if row["p_adjusted"] is None else row["p_adjusted"]
    interval = row["equivalence"]["interval"]
    null = 0.5 if row["binomial_valid"] else row["chance_accuracy"]
    judged = judge(
        p_difference=p,
        equivalent=row["equivalence"]["equivalent"],
        estimate=Estimate(**row["accuracy"]),
        margin=options.margin,
        alpha=options.alpha,
        equivalence_interval=(interval["low"], interval["high"]) if interval else None,
        measure="accuracy",
        null=0.5 if null is None else null,
        no_test=row["reason"],
    )
    row["verdict"], row["sentence"] = judged.verdict.value, judged.sentence


def design_is_balanced(whole: ResponseTable, options: AnalysisOptions) -> bool:
    """Tell whether half of the cases shown are synthetic, to within the odd one.

    `whole` holds all cases of the study, so that a missing rule cannot unbalance the design. A declaration can only
    withhold the balance, not claim it against the truth: one half would then be the wrong chance level.
    """
    synthetic = int(np.count_nonzero(whole.truth))
    equal = whole.n_cases > 0 and abs(whole.n_cases - 2 * synthetic) <= 1
    return equal and options.balanced is not False
