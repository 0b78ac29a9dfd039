"""The row of numbers that the default analysis prints for one rater or for the ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from readerstudy.analysis.default.sections import (
    AccuracyEquivalence,
    FixedTest,
    RaterReading,
    RatingArea,
    Reading,
    UnansweredBounds,
)
from readerstudy.analysis.estimate import Estimate, FloatArray, is_rated, missing
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.assay import Doubts, guarded, not_assessable
from readerstudy.analysis.panel.ensemble import Majority, half_credit
from readerstudy.analysis.panel.equivalence import (
    THE_PANEL,
    Judgement,
    Subject,
    Tost,
    auc_tost,
    binomial_tost,
    half_point_tost,
    judge,
)
from readerstudy.analysis.panel.mrmc import PanelAuc
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.panel.percent_correct import Part, share_over_patients
from readerstudy.analysis.panel.permutation import PermutationTest, case_label_permutation
from readerstudy.analysis.panel.response_time import MedianTimes, median_times
from readerstudy.analysis.patients import PatientNumbers, any_repeated
from readerstudy.analysis.rater import chance, proportions
from readerstudy.analysis.rater.auc import logit_auc
from readerstudy.analysis.rater.bayes import bayes_binomial
from readerstudy.analysis.rater.drift import Drift, accuracy_drift
from readerstudy.analysis.rater.signal_detection import a_prime, detection_indices
from readerstudy.analysis.table import ResponseTable

NO_FIXED_CHANCE = "with unequal numbers of real and synthetic cases accuracy has no fixed chance level"
HALF_POINTS = "an even split counts half, which no binomial test knows: the truth is permuted over the cases"
NOT_THE_PLANNED_TEST = f"{NO_FIXED_CHANCE}: Fisher's exact test stands in for the binomial test of the plan"
NO_EQUIVALENCE = "withheld, because these answers cannot show it"
DEPENDENT = "cases of one patient are not independent, as this number assumes"
# Missing answers shift the chance level of a rater who always gives one answer by half of this share.
NEARLY_EQUAL = 0.05


@dataclass(frozen=True, kw_only=True)
class HalfPoints:
    """A column in which a tie gives half a point, with its exact test by permuting the truth over the cases.

    `votes` (cases, 2) says the same in whole numbers: a tie is one vote for each answer.
    """

    points: float
    n: int
    votes: FloatArray
    test: PermutationTest


@dataclass(frozen=True, kw_only=True)
class TestedColumn:
    """One column of calls with its tests, before the adjustments that need the p-values of all columns.

    `permuted` is there where some patient gives more than one case: the other tests would count them as independent.
    """

    truth: FloatArray
    calls: FloatArray
    patients: PatientNumbers
    counts: chance.Confusion
    balanced: bool
    binomial: proportions.BinomialTest
    fisher: chance.ExactTest
    permuted: PermutationTest | None
    test: FixedTest
    tost: Tost | None
    half: HalfPoints | None = None

    @property
    def p(self) -> float | None:
        """The p-value of the chosen test; None where only one kind of case was judged."""
        if self.one_kind:
            return None
        if self.half:
            return self.half.test.p_two_sided
        if self.permuted is not None:
            return self.permuted.p_two_sided
        return self.binomial.p_minlike if self.test == "binomial" else self.fisher.p_two_sided

    @property
    def no_test(self) -> str | None:
        """Why there is no p-value."""
        return self.one_kind or (self.binomial.reason if self.permuted is None else self.permuted.reason)

    @property
    def one_kind(self) -> str | None:
        """Why nothing can be tested: only one kind of case was judged. None otherwise."""
        return None if self.half else one_kind(self.counts.n_synthetic, self.counts.n_real)

    @property
    def null(self) -> float | None:
        """The accuracy of answers that ignore the truth."""
        if self.half and not self.balanced:
            return self.half.test.null_accuracy
        return 0.5 if self.balanced else chance.chance_accuracy(self.counts)

    @property
    def independent(self) -> bool:
        """Whether one half is chance and every case counts for itself, as exact tests and the Bayes factor assume."""
        return self.balanced and self.permuted is None and self.half is None and not self.one_kind

    @property
    def above(self) -> bool | None:
        """The side of chance on which a permutation test found the answers; exact tests go by the share itself."""
        permuted = self.half.test if self.half else self.permuted
        return None if permuted is None else permuted.above

    def accuracy(self, *, level: float) -> Estimate:
        """Share of right answers; nothing where only one kind of case was judged, whose share is no accuracy."""
        if self.one_kind:
            return missing(self.one_kind)
        if self.half is None:
            return self.share("accuracy", level=level)
        if self.permuted is not None:
            return self.over_patients(level=level).estimate()
        return proportions.half_point_interval(points=self.half.points, trials=self.half.n, level=level)

    def over_patients(self, *, level: float = 0.95) -> PanelAuc:
        """Share of right answers with its variance over patients; a tie is a right and a wrong vote of one patient."""
        votes = self.half.votes if self.half else self.calls[:, None]
        return votes_over_patients(self.truth, votes, self.patients, level=level)

    def share(self, part: Part, *, level: float) -> Estimate:
        """Return a share of correct calls with its interval, over patients where one gives several cases."""
        if self.permuted is None:
            return _EXACT[part](self.counts, level=level)
        return share_over_patients(
            truth=self.truth, calls=self.calls, patients=self.patients, part=part, level=level
        ).estimate()


def votes_over_patients(truth: FloatArray, votes: FloatArray, patients: PatientNumbers, *, level: float) -> PanelAuc:
    """Share of right votes, (cases, votes), with its variance over patients."""
    many = votes.shape[1]
    return share_over_patients(
        truth=np.tile(truth, many), calls=votes.T.ravel(), patients=np.tile(patients, many), level=level
    )


def one_kind(n_synthetic: int, n_real: int) -> str | None:
    """Say that cases of one kind only were judged; None with both kinds, and with none."""
    if (n_synthetic > 0) == (n_real > 0):
        return None
    return f"only {'synthetic' if n_synthetic else 'real'} cases were judged, so nothing can be tested"


_EXACT: dict[Part, Callable[..., Estimate]] = {
    "accuracy": chance.accuracy,
    "sensitivity": chance.sensitivity,
    "specificity": chance.specificity,
    "balanced_accuracy": chance.balanced_accuracy,
}


def tested_column(
    truth: FloatArray, calls: FloatArray, *, patients: PatientNumbers, balanced: bool, options: AnalysisOptions
) -> TestedColumn:
    """Return counts and tests of one column of calls (cases,); balance is judged on what was answered."""
    counts = chance.confusion(truth=truth, calls=calls)
    equal = balanced and nearly_equal(counts.n_synthetic, counts.n_real)
    permuted = _permuted(truth, calls[:, None], patients, options=options) if any_repeated(patients) else None
    # One half is no chance level of unequal numbers, whatever test the plan names.
    chosen: FixedTest = "binomial" if equal and options.rater_test != "fisher" else "fisher"
    tested = TestedColumn(
        truth=truth,
        calls=calls,
        patients=patients,
        counts=counts,
        balanced=equal,
        binomial=proportions.exact_binomial(successes=counts.correct, trials=counts.n),
        fisher=chance.fisher_exact(counts),
        permuted=permuted,
        test=chosen if permuted is None else "permutation",
        tost=None,
    )
    return replace(tested, tost=rater_tost(tested, options=options))


def nearly_equal(n_synthetic: int, n_real: int) -> bool:
    """Tell whether one half is the chance level of so many cases of each kind."""
    return abs(n_synthetic - n_real) <= max(1.0, NEARLY_EQUAL * (n_synthetic + n_real))


def tested_majority(table: ResponseTable, vote: Majority, *, balanced: bool, options: AnalysisOptions) -> TestedColumn:
    """Return the majority's column under the tie rule; with half credit its accuracy and test count every tie half."""
    decided = vote.decided(tie_rule=options.tie_rule)
    tested = tested_column(table.truth, decided, patients=table.patients, balanced=balanced, options=options)
    if options.tie_rule != "half_credit" or not vote.n_ties:
        return tested
    points, voted = half_credit(truth=table.truth, majority=vote)
    permuted = _permuted(table.truth, vote.votes, table.patients, options=options)
    synthetic = int(table.truth[is_rated(vote.calls)].sum())
    counted = replace(
        tested,
        balanced=balanced and nearly_equal(synthetic, voted - synthetic),
        test="permutation",
        half=HalfPoints(points=points, n=voted, votes=vote.votes, test=permuted),
    )
    return replace(counted, tost=rater_tost(counted, options=options) if permuted.reason is None else None)


def _permuted(
    truth: FloatArray, calls: FloatArray, patients: PatientNumbers, *, options: AnalysisOptions
) -> PermutationTest:
    return case_label_permutation(
        truth=truth, calls=calls, patients=patients, permutations=options.permutations, seed=options.seed
    )


def tested_raters(table: ResponseTable, *, balanced: bool, options: AnalysisOptions) -> list[TestedColumn]:
    """Return the columns of all raters, in the order of the table."""
    return [
        tested_column(table.truth, table.calls[:, column], patients=table.patients, balanced=balanced, options=options)
        for column in range(table.n_raters)
    ]


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """Adjusted p-values of one column: against chance and for equivalence; None outside of the family."""

    difference: float | None = None
    equivalence: float | None = None


def adjusted_family(
    raters: Sequence[TestedColumn], ensemble: TestedColumn, *, options: AnalysisOptions
) -> tuple[list[Adjusted], Adjusted]:
    """Return the adjusted p-values of the raters and of the ensemble: tests and equivalence tests are a family each."""
    family = [*raters] if options.family == "raters" else [*raters, ensemble]
    difference = adjust_p_values([row.p for row in family], method=options.adjustment)
    equivalence = adjust_p_values([row.tost.p if row.tost else None for row in family], method=options.adjustment)
    adjusted = [Adjusted(difference=one, equivalence=other) for one, other in zip(difference, equivalence, strict=True)]
    return (adjusted, Adjusted()) if options.family == "raters" else (adjusted[:-1], adjusted[-1])


def reading_of(
    tested: TestedColumn, *, adjusted: Adjusted, doubts: Doubts, options: AnalysisOptions, subject: Subject = THE_PANEL
) -> Reading:
    """Return counts, shares, tests, detection, equivalence and Bayes factor of one column of calls."""
    counts, level, half = tested.counts, 1 - options.alpha, tested.half
    margin = options.margin
    bayes = bayes_binomial(successes=counts.correct, trials=counts.n, rope=(0.5 - margin, 0.5 + margin))
    accuracy = tested.accuracy(level=level)
    judged = _judged(tested, accuracy, adjusted=adjusted, doubts=doubts, options=options, subject=subject)
    detection = detection_indices(counts)
    return Reading(
        n=half.n if half else counts.n,
        correct=half.points if half else counts.correct,
        tp=counts.tp,
        fn=counts.fn,
        fp=counts.fp,
        tn=counts.tn,
        accuracy=accuracy,
        accuracy_wilson=_wilson(tested, accuracy, level=level),
        sensitivity=tested.share("sensitivity", level=level),
        specificity=tested.share("specificity", level=level),
        balanced_accuracy=tested.share("balanced_accuracy", level=level),
        share_called_synthetic=chance.share_called_synthetic(counts),
        chance_accuracy=None if tested.one_kind else tested.null,
        majority_class_rate=chance.majority_class_rate(counts),
        binomial_p=tested.binomial.p_minlike if not (half or tested.one_kind) else None,
        binomial_midp=tested.binomial.midp_central if not (half or tested.one_kind) else None,
        binomial_valid=tested.independent,
        binomial_note=_binomial_note(tested, options),
        fisher_p=None if tested.one_kind else tested.fisher.p_two_sided,
        test=tested.test,
        p=tested.p,
        p_adjusted=adjusted.difference,
        bf01=bayes.bf01 if tested.independent else None,
        p_in_rope=bayes.p_in_rope if tested.independent else None,
        equivalence=_equivalence(tested, judged, adjusted=adjusted, options=options),
        verdict=judged.verdict,
        sentence=judged.sentence,
        reason=tested.no_test,
        d_prime=detection.d_prime,
        criterion=detection.criterion,
        a_prime=a_prime(counts),
        detection_reason=detection.reason,
    )


def _binomial_note(tested: TestedColumn, options: AnalysisOptions) -> str | None:
    if tested.independent:
        return None
    if tested.one_kind or tested.half:
        return tested.one_kind or HALF_POINTS
    if tested.balanced:
        return DEPENDENT
    stands_in = options.rater_test == "binomial" and tested.test == "fisher"
    return NOT_THE_PLANNED_TEST if stands_in else NO_FIXED_CHANCE


def _wilson(tested: TestedColumn, accuracy: Estimate, *, level: float) -> Estimate:
    if tested.half or tested.one_kind:
        return accuracy
    if tested.permuted is not None:
        return replace(accuracy, low=None, high=None, reason=DEPENDENT)
    counts = tested.counts
    return proportions.proportion_interval(successes=counts.correct, trials=counts.n, level=level, method="wilson")


def rater_tost(tested: TestedColumn, *, options: AnalysisOptions) -> Tost | None:
    """Return the TOST of accuracy against one half, exact or over patients; None where one half is not chance."""
    if not tested.balanced or tested.one_kind:
        return None
    limits = {"margin": options.margin, "alpha": options.alpha}
    if tested.permuted is None and tested.half:
        return half_point_tost(points=tested.half.points, trials=tested.half.n, **limits)
    if tested.permuted is None:
        return binomial_tost(successes=tested.counts.correct, trials=tested.counts.n, **limits)
    share = tested.over_patients()
    found = auc_tost(panel=share, **limits)
    inner = share.interval(level=1 - 2 * options.alpha)
    if inner is None:
        return found
    return replace(found, interval=Estimate(value=share.value, low=inner[0], high=inner[1]))


def _equivalence(
    tested: TestedColumn, judged: Judgement, *, adjusted: Adjusted, options: AnalysisOptions
) -> AccuracyEquivalence:
    tost = tested.tost
    if tost is None:
        reason = tested.one_kind or NO_FIXED_CHANCE
        return AccuracyEquivalence(
            p=None, p_adjusted=None, equivalent=None, interval=None, margin=options.margin, reason=reason
        )
    withheld = judged.withheld is not None
    return AccuracyEquivalence(
        p=tost.p,
        p_adjusted=adjusted.equivalence,
        equivalent=None if withheld else _is_equivalent(tost, adjusted, options),
        interval=tost.interval,
        margin=options.margin,
        reason=NO_EQUIVALENCE if withheld else tost.reason,
    )


def _is_equivalent(tost: Tost | None, adjusted: Adjusted, options: AnalysisOptions) -> bool | None:
    """After the adjustment over the family, where there is one."""
    if tost is None or adjusted.equivalence is None:
        return None if tost is None else tost.equivalent
    return adjusted.equivalence <= options.alpha


def _judged(
    tested: TestedColumn,
    accuracy: Estimate,
    *,
    adjusted: Adjusted,
    doubts: Doubts,
    options: AnalysisOptions,
    subject: Subject,
) -> Judgement:
    if tested.one_kind:
        return not_assessable(tested.one_kind)
    null = tested.null
    judged = judge(
        p_difference=tested.p if adjusted.difference is None else adjusted.difference,
        equivalent=_is_equivalent(tested.tost, adjusted, options),
        estimate=accuracy,
        margin=options.margin,
        alpha=options.alpha,
        equivalence_interval=tested.tost.interval.limits if tested.tost else None,
        measure="accuracy",
        null=0.5 if null is None else null,
        no_test=tested.no_test,
        no_equivalence=None if tested.balanced else NO_FIXED_CHANCE,
        test_above=tested.above,
        subject=subject,
    )
    return guarded(judged, doubts)


def rater_reading(table: ResponseTable, column: int, reading: Reading, *, options: AnalysisOptions) -> RaterReading:
    """Return the row of one rater: its reading, and what ratings, order and times allow beside it."""
    calls = table.calls[:, column]
    area = None if table.ratings is None else rating_area(table, table.ratings[:, column], options=options)
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


def rating_area(table: ResponseTable, scores: FloatArray, *, options: AnalysisOptions) -> RatingArea:
    """Return the AUC of one column of scores (cases,), its interval and test on the logit scale, over patients."""
    area = logit_auc(truth=table.truth, scores=scores, patients=table.patients, level=1 - options.alpha)
    return RatingArea(auc=area.estimate(), auc_se=area.se if not area.degenerate else None, auc_p=area.p)


def design_is_balanced(whole: ResponseTable, options: AnalysisOptions) -> bool:
    """Tell whether half of the cases shown are synthetic, to within the odd one.

    `whole` holds all cases of the study, so that a missing rule cannot unbalance the design. A declaration can only
    withhold the balance, not claim it against the truth: one half would then be the wrong chance level.
    """
    synthetic = int(np.count_nonzero(whole.truth))
    equal = whole.n_cases > 0 and abs(whole.n_cases - 2 * synthetic) <= 1
    return equal and options.balanced is not False


def all_balanced(raters: Sequence[RaterReading]) -> bool:
    """Tell whether every rater answered about as many real as synthetic cases."""
    return all(row.equivalence.reason != NO_FIXED_CHANCE for row in raters)
