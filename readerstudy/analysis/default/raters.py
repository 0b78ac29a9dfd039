"""The row of numbers that the default analysis prints for one rater or for the ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.analysis.default.sections import (
    AccuracyEquivalence,
    FixedTest,
    RaterReading,
    RatingArea,
    Reading,
    UnansweredBounds,
)
from readerstudy.analysis.estimate import Estimate, FloatArray, is_rated
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.equivalence import Judgement, Tost, binomial_tost, judge
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.panel.response_time import MedianTimes, median_times
from readerstudy.analysis.rater import chance, proportions
from readerstudy.analysis.rater.auc import auc
from readerstudy.analysis.rater.bayes import bayes_binomial
from readerstudy.analysis.rater.drift import Drift, accuracy_drift
from readerstudy.analysis.rater.signal_detection import a_prime, detection_indices
from readerstudy.analysis.table import ResponseTable

NO_FIXED_CHANCE = "with unequal numbers of real and synthetic cases accuracy has no fixed chance level"


@dataclass(frozen=True, kw_only=True)
class TestedColumn:
    """One column of calls with its tests, before the adjustment that needs the p-values of all columns."""

    counts: chance.Confusion
    balanced: bool
    binomial: proportions.BinomialTest
    fisher: chance.ExactTest
    test: FixedTest

    @property
    def p(self) -> float | None:
        """The p-value of the chosen test."""
        return self.binomial.p_minlike if self.test == "binomial" else self.fisher.p_two_sided


def tested_column(truth: FloatArray, calls: FloatArray, *, balanced: bool, options: AnalysisOptions) -> TestedColumn:
    """Return counts and tests of one column of calls (cases,)."""
    counts = chance.confusion(truth=truth, calls=calls)
    chosen = options.rater_test
    if chosen == "auto":
        chosen = "binomial" if balanced else "fisher"
    return TestedColumn(
        counts=counts,
        balanced=balanced,
        binomial=proportions.exact_binomial(successes=counts.correct, trials=counts.n),
        fisher=chance.fisher_exact(counts),
        test=chosen,
    )


def tested_raters(table: ResponseTable, *, balanced: bool, options: AnalysisOptions) -> list[TestedColumn]:
    """Return the columns of all raters, in the order of the table."""
    return [
        tested_column(table.truth, table.calls[:, column], balanced=balanced, options=options)
        for column in range(table.n_raters)
    ]


def adjusted_family(
    raters: Sequence[TestedColumn], ensemble: TestedColumn, *, options: AnalysisOptions
) -> tuple[list[float | None], float | None]:
    """Return the adjusted p-values of the raters and of the ensemble, None for an ensemble outside of the family."""
    if options.family == "raters":
        return adjust_p_values([row.p for row in raters], method=options.adjustment), None
    *of_raters, of_ensemble = adjust_p_values([row.p for row in (*raters, ensemble)], method=options.adjustment)
    return of_raters, of_ensemble


def reading_of(tested: TestedColumn, *, p_adjusted: float | None, options: AnalysisOptions) -> Reading:
    """Return counts, shares, tests, detection, equivalence and Bayes factor of one column of calls."""
    counts, level, balanced = tested.counts, 1 - options.alpha, tested.balanced
    margin = options.margin
    bayes = bayes_binomial(successes=counts.correct, trials=counts.n, rope=(0.5 - margin, 0.5 + margin))
    equivalence = _equivalence(rater_tost(counts, balanced=balanced, options=options), margin=margin)
    accuracy = chance.accuracy(counts, level=level)
    judged = _judged(tested, accuracy, equivalence, p_adjusted=p_adjusted, options=options)
    detection = detection_indices(counts)
    return Reading(
        n=counts.n,
        correct=counts.correct,
        tp=counts.tp,
        fn=counts.fn,
        fp=counts.fp,
        tn=counts.tn,
        accuracy=accuracy,
        accuracy_wilson=proportions.proportion_interval(
            successes=counts.correct, trials=counts.n, level=level, method="wilson"
        ),
        sensitivity=chance.sensitivity(counts, level=level),
        specificity=chance.specificity(counts, level=level),
        balanced_accuracy=chance.balanced_accuracy(counts, level=level),
        share_called_synthetic=chance.share_called_synthetic(counts),
        chance_accuracy=chance.chance_accuracy(counts),
        majority_class_rate=chance.majority_class_rate(counts),
        binomial_p=tested.binomial.p_minlike,
        binomial_midp=tested.binomial.midp_central,
        binomial_valid=balanced,
        binomial_note=None if balanced else NO_FIXED_CHANCE,
        fisher_p=tested.fisher.p_two_sided,
        test=tested.test,
        p=tested.p,
        p_adjusted=p_adjusted,
        bf01=bayes.bf01 if balanced else None,
        p_in_rope=bayes.p_in_rope if balanced else None,
        equivalence=equivalence,
        verdict=judged.verdict,
        sentence=judged.sentence,
        reason=tested.binomial.reason,
        d_prime=detection.d_prime,
        criterion=detection.criterion,
        a_prime=a_prime(counts),
        detection_reason=detection.reason,
    )


def rater_tost(counts: chance.Confusion, *, balanced: bool, options: AnalysisOptions) -> Tost | None:
    """Return the exact TOST of accuracy against one half; None where one half is not chance."""
    if not balanced:
        return None
    return binomial_tost(successes=counts.correct, trials=counts.n, margin=options.margin, alpha=options.alpha)


def _equivalence(tost: Tost | None, *, margin: float) -> AccuracyEquivalence:
    if tost is None:
        return AccuracyEquivalence(p=None, equivalent=None, interval=None, margin=margin, reason=NO_FIXED_CHANCE)
    return AccuracyEquivalence(
        p=tost.p, equivalent=tost.equivalent, interval=tost.interval, margin=margin, reason=tost.reason
    )


def _judged(
    tested: TestedColumn,
    accuracy: Estimate,
    equivalence: AccuracyEquivalence,
    *,
    p_adjusted: float | None,
    options: AnalysisOptions,
) -> Judgement:
    null = 0.5 if tested.balanced else chance.chance_accuracy(tested.counts)
    return judge(
        p_difference=tested.p if p_adjusted is None else p_adjusted,
        equivalent=equivalence.equivalent,
        estimate=accuracy,
        margin=options.margin,
        alpha=options.alpha,
        equivalence_interval=equivalence.interval.limits if equivalence.interval else None,
        measure="accuracy",
        null=0.5 if null is None else null,
        no_test=tested.binomial.reason,
    )


def rater_reading(table: ResponseTable, column: int, reading: Reading, *, options: AnalysisOptions) -> RaterReading:
    """Return the row of one rater: its reading, and what ratings, order and times allow beside it."""
    calls = table.calls[:, column]
    area = None if table.ratings is None else rating_area(table.truth, table.ratings[:, column], options=options)
    return RaterReading(
        **vars(reading),
        **(vars(area) if area else {}),
        rater=table.rater_ids[column],
        missing=int((~is_rated(calls)).sum()),
        unanswered_bounds=_bounds(table.truth, calls),
        drift=_drift(table, column),
        median_time_ms=_median_times(table, column),
    )


def _drift(table: ResponseTable, column: int) -> Drift | None:
    if table.order is None:
        return None
    done = is_rated(table.calls[:, column]) & is_rated(table.order[:, column])
    return accuracy_drift(correct=table.correct[done, column], order=table.order[done, column])


def _median_times(table: ResponseTable, column: int) -> MedianTimes | None:
    if table.times_ms is None:
        return None
    return median_times(time_ms=table.times_ms[:, column], correct=table.correct[:, column])


def _bounds(truth: FloatArray, calls: FloatArray) -> UnansweredBounds:
    n, open_cases = len(truth), int((~is_rated(calls)).sum())
    if n == 0:
        return UnansweredBounds(worst=None, half=None, best=None)
    correct = int((calls == truth).sum())
    return UnansweredBounds(
        worst=correct / n,
        half=(correct + open_cases / 2) / n,
        best=(correct + open_cases) / n,
    )


def rating_area(truth: FloatArray, scores: FloatArray, *, options: AnalysisOptions) -> RatingArea:
    """Return the AUC of one column of scores with DeLong's interval and test."""
    area = auc(truth=truth, scores=scores, level=1 - options.alpha)
    return RatingArea(auc=area.estimate(), auc_se=area.se if not area.degenerate else None, auc_p=area.p)


def design_is_balanced(whole: ResponseTable, options: AnalysisOptions) -> bool:
    """Tell whether half of the cases shown are synthetic, to within the odd one.

    `whole` holds all cases of the study, so that a missing rule cannot unbalance the design. A declaration can only
    withhold the balance, not claim it against the truth: one half would then be the wrong chance level.
    """
    synthetic = int(np.count_nonzero(whole.truth))
    equal = whole.n_cases > 0 and abs(whole.n_cases - 2 * synthetic) <= 1
    return equal and options.balanced is not False
