"""What the default analysis says about the panel: ensemble, primary test, equivalence, agreement, difficulty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from readerstudy.analysis.default.raters import NO_FIXED_CHANCE, nearly_equal, one_kind, rating_area
from readerstudy.analysis.default.sections import (
    AgreementEstimate,
    AveragedAuc,
    CalibrationPoint,
    CaseOutcome,
    Difficulty,
    EnsembleReading,
    MixedModels,
    PanelAgreement,
    PanelEquivalence,
    PanelShares,
    PooledReadings,
    PrimaryTest,
    RatingArea,
    Reading,
    RocCurves,
    TieSensitivity,
    WeightedMajority,
)
from readerstudy.analysis.estimate import Estimate, is_rated, missing
from readerstudy.analysis.options import AnalysisOptions, Primary
from readerstudy.analysis.panel import ensemble
from readerstudy.analysis.panel.agreement import Coefficient, agreement, kappa_of_rare_answers
from readerstudy.analysis.panel.assay import Doubts, guarded, not_assessable
from readerstudy.analysis.panel.difficulty import case_difficulty, surprising_cases
from readerstudy.analysis.panel.equivalence import Tost, auc_tost, judge, margin_of_right_answers, no_tost
from readerstudy.analysis.panel.mixed_binary import panel_model
from readerstudy.analysis.panel.mrmc import PanelAuc, reader_averaged_auc
from readerstudy.analysis.panel.percent_correct import KindOfCase, reader_averaged_accuracy
from readerstudy.analysis.panel.permutation import PermutationTest, case_label_permutation
from readerstudy.analysis.panel.response_time import TimesOfKinds, times_of_kinds
from readerstudy.analysis.rater import proportions
from readerstudy.analysis.rater.auc import roc_curve
from readerstudy.analysis.rater.chance import Confusion, chance_accuracy, confusion
from readerstudy.analysis.table import ResponseTable

# With fewer their spread says too little about raters at large: two rejected a true null in 6 to 14 % of studies.
RATERS_FOR_RANDOM_RATERS = 3
NOBODY_JUDGED_BOTH = "no rater judged both kinds of case, so nothing can be tested"
TWO_RATERS = "two raters say too little of how raters differ"
POOLED_WARNING = (
    "All readings are counted as if they were independent. Raters see the same cases, so this interval is too "
    "narrow and this p-value too small; it is shown only because papers print it."
)
NO_RATINGS = "no confidence ratings were collected"


def ensemble_reading(
    table: ResponseTable, vote: ensemble.Majority, reading: Reading, *, options: AnalysisOptions
) -> EnsembleReading:
    """Return the majority decision with its alternatives: tie rules, weights, mean rating, independent raters."""
    return EnsembleReading(
        **vars(reading),
        tie_rule=options.tie_rule,
        n_ties=vote.n_ties,
        n_without_votes=vote.n_without_votes,
        calls=tuple(None if np.isnan(call) else float(call) for call in vote.calls),
        tie_sensitivity=_tie_sensitivity(table, vote),
        weighted=_weighted(table),
        expected_if_independent=_independent(table),
        mean_rating=_mean_rating(table, options=options),
    )


def _tie_sensitivity(table: ResponseTable, vote: ensemble.Majority) -> TieSensitivity:
    score, voted = ensemble.half_credit(truth=table.truth, majority=vote)
    return TieSensitivity(
        exclude=_accuracy_under(table, vote, "exclude"),
        synthetic=_accuracy_under(table, vote, "synthetic"),
        real=_accuracy_under(table, vote, "real"),
        half_credit=score / voted if voted else None,
    )


def _accuracy_under(table: ResponseTable, vote: ensemble.Majority, rule: ensemble.TieRule) -> float | None:
    counts = confusion(truth=table.truth, calls=vote.decided(tie_rule=rule))
    return counts.correct / counts.n if counts.n else None


def _weighted(table: ResponseTable) -> WeightedMajority:
    vote = ensemble.leave_one_patient_out_vote(truth=table.truth, calls=table.calls, patients=table.patients)
    decided = np.where(vote.calls == ensemble.TIE, np.nan, vote.calls)
    counts = confusion(truth=table.truth, calls=decided)
    return WeightedMajority(
        method=f"log-odds weights learned on all other {'patients' if table.clustered else 'cases'}",
        n=counts.n,
        accuracy=counts.correct / counts.n if counts.n else None,
        weights=tuple(float(weight) for weight in vote.weights),
    )


def _independent(table: ResponseTable) -> ensemble.IndependentPanel | None:
    correct = table.correct
    seen = is_rated(correct).any(axis=0)
    if not seen.any():
        return None
    return ensemble.independent_majority(np.nanmean(correct[:, seen], axis=0))


def _mean_rating(table: ResponseTable, *, options: AnalysisOptions) -> RatingArea | None:
    if table.ratings is None:
        return None
    return rating_area(table, ensemble.mean_rating(table.ratings), options=options)


SHARES: tuple[KindOfCase, KindOfCase] = ("sensitivity", "specificity")


def pooled_section(table: ResponseTable, *, options: AnalysisOptions) -> PooledReadings:
    """Return the pooled binomial that papers print, with the warning and with the honest variance beside it."""
    rated = is_rated(table.calls)
    correct, total = int(np.nansum(table.correct)), int(rated.sum())
    test = proportions.exact_binomial(successes=correct, trials=total)
    seen = rated.any(axis=1)
    nothing = one_kind(int((table.truth[seen] == 1).sum()), int((table.truth[seen] == 0).sum()))
    share = proportions.proportion_interval(successes=correct, trials=total, level=1 - options.alpha)
    return PooledReadings(
        correct=correct,
        n=total,
        accuracy=missing(nothing) if nothing else share,
        binomial_p=None if nothing else test.p_minlike,
        variance_inflation=_inflation(table, correct=correct, total=total),
        warning=POOLED_WARNING,
    )


def shares_section(table: ResponseTable, *, options: AnalysisOptions) -> PanelShares:
    """Return what the average rater finds of each kind, for raters and patients like these."""
    synthetic, real = (_share(table, part, options=options) for part in SHARES)
    return PanelShares(method=synthetic.method, sensitivity=synthetic.estimate(), specificity=real.estimate())


def _share(table: ResponseTable, part: KindOfCase, *, options: AnalysisOptions) -> PanelAuc:
    return reader_averaged_accuracy(
        truth=table.truth, calls=table.calls, patients=table.patients, part=part, level=1 - options.alpha
    )


def _inflation(table: ResponseTable, *, correct: int, total: int) -> float | None:
    """How many times as large the variance of percent correct is with raters and patients random."""
    pooled = correct * (total - correct) / total**3 if total else 0.0
    variance = reader_averaged_accuracy(truth=table.truth, calls=table.calls, patients=table.patients).variance
    return variance / pooled if variance and pooled else None


def panel_auc(table: ResponseTable, *, options: AnalysisOptions) -> PanelAuc:
    """Return the reader-averaged AUC, each rater on the cases that rater answered."""
    if table.ratings is None:
        return PanelAuc(method="reader-averaged AUC", value=None, reason=NO_RATINGS)
    return reader_averaged_auc(
        truth=table.truth,
        ratings=table.ratings,
        patients=table.patients,
        covariance=options.covariance,
        level=1 - options.alpha,
    )


def auc_section(panel: PanelAuc) -> AveragedAuc:
    """Return the reader-averaged AUC for printing."""
    return AveragedAuc(
        method=panel.method,
        auc=panel.estimate(),
        se=panel.se,
        df=panel.df if panel.df is not None and np.isfinite(panel.df) else None,
        t=panel.statistic,
        p=panel.p,
        reader_aucs=panel.reader_aucs,
        reason=panel.reason,
    )


def permutation_test(table: ResponseTable, *, options: AnalysisOptions) -> PermutationTest:
    """Run the case-label permutation test of the panel, within and between patients where one gives several cases.

    Raters who judged one kind alone are left out: their habits would pass for a difference of the kinds.
    """
    return case_label_permutation(
        truth=table.truth,
        calls=np.where(table.judged_both_kinds, table.calls, np.nan),
        patients=table.patients,
        permutations=options.permutations,
        seed=options.seed,
    )


def primary_section(
    table: ResponseTable,
    panel: PanelAuc,
    permuted: PermutationTest,
    majority: EnsembleReading,
    *,
    options: AnalysisOptions,
    primary: Primary | None = None,
    doubts: Doubts,
    balanced: bool,
) -> PrimaryTest:
    """Return the primary test, the equivalence test and the verdict, as far as the answers can carry one.

    Without a planned `primary`: with three or more raters and ratings the reader-averaged AUC, otherwise, or when
    its variance is zero, the permutation test of accuracy with the percent-correct interval. `balanced` tells whether
    the design shows as many cases of each kind.
    """
    nothing = _nothing_of_both_kinds(table, primary)
    if nothing:
        return _nothing_to_test(nothing, options=options)
    if primary == "ensemble":
        return _majority_verdict(table, majority, options=options)
    if primary == "case_label_permutation" or not tested(panel):
        if primary == "reader_averaged_auc":
            return _fallback(table, panel, permuted, options=options, doubts=doubts, balanced=balanced)
        return _permutation_verdict(table, permuted, options=options, doubts=doubts, balanced=balanced)
    return _area_verdict(table, panel, options=options, doubts=doubts)


def tested(panel: PanelAuc) -> bool:
    """Whether the reader-averaged AUC can be the primary test."""
    return enough_raters(panel) and panel.p is not None


def options_of_answers(panel: PanelAuc, *, options: AnalysisOptions, primary: Primary | None) -> AnalysisOptions:
    """Return the options that right answers are judged by, of panel, raters and majority alike.

    Where they stand in for a planned AUC, its margin becomes the one of right answers that it stands for.
    """
    if primary != "reader_averaged_auc" or tested(panel):
        return options
    return replace(options, margin=margin_of_right_answers(options.margin))


def _fallback(
    table: ResponseTable,
    panel: PanelAuc,
    permuted: PermutationTest,
    *,
    options: AnalysisOptions,
    doubts: Doubts,
    balanced: bool,
) -> PrimaryTest:
    """Right answers in the place of the planned AUC, within the margin of right answers that its margin stands for."""
    of_answers = options_of_answers(panel, options=options, primary="reader_averaged_auc")
    margin = of_answers.margin
    found = _permutation_verdict(table, permuted, options=of_answers, doubts=doubts, balanced=balanced)
    why = (
        f"the planned AUC could not be tested: {panel.reason or TWO_RATERS}; its margin of ± {100 * options.margin:g} "
        f"points is one of ± {100 * margin:.1f} points of right answers (signal detection with equal variances)"
    )
    return replace(found, fallback_reason=why)


def _nothing_of_both_kinds(table: ResponseTable, primary: Primary | None) -> str | None:
    """Why nothing can be tested; the majority may know both kinds where no single rater does."""
    rated = is_rated(table.calls).any(axis=1)
    nothing = one_kind(int((table.truth[rated] == 1).sum()), int((table.truth[rated] == 0).sum()))
    if nothing or primary == "ensemble" or not rated.any() or table.judged_both_kinds.any():
        return nothing
    return NOBODY_JUDGED_BOTH


def _nothing_to_test(reason: str, *, options: AnalysisOptions) -> PrimaryTest:
    judged = not_assessable(reason)
    return PrimaryTest(
        method="none",
        random="Nothing is tested.",
        measure="AUC",
        null=None,
        estimate=missing(reason),
        p=None,
        equivalence=PanelEquivalence(
            margin=options.margin,
            level=1 - 2 * options.alpha,
            low=None,
            high=None,
            p=None,
            equivalent=None,
            reason=reason,
        ),
        verdict=judged.verdict,
        sentence=judged.sentence,
    )


def _area_verdict(table: ResponseTable, panel: PanelAuc, *, options: AnalysisOptions, doubts: Doubts) -> PrimaryTest:
    tost = auc_tost(panel=panel, margin=options.margin, alpha=options.alpha)
    return _verdict(
        panel.method,
        measure="AUC",
        null=0.5,
        estimate=panel.estimate(),
        p=panel.p,
        tost=tost,
        random=f"Raters and {_units(table)} are random in the test and in the intervals.",
        options=options,
        doubts=doubts,
    )


def enough_raters(panel: PanelAuc) -> bool:
    """Tell whether enough raters have an area for its test; who never answered, or judged one kind alone, has none."""
    return sum(area is not None for area in panel.reader_aucs) >= RATERS_FOR_RANDOM_RATERS


def _units(table: ResponseTable) -> str:
    return "patients" if table.clustered else "cases"


def _majority_verdict(table: ResponseTable, majority: EnsembleReading, *, options: AnalysisOptions) -> PrimaryTest:
    """Take test and equivalence from the ensemble's own row: its unit is the case, or the patient, already."""
    found, units = majority.equivalence, _units(table)
    return PrimaryTest(
        method=f"majority of the panel, {majority.test} test over {units}",
        random=f"In the test and in the intervals {units} are random and the raters fixed: they speak of this panel.",
        measure="accuracy",
        null=majority.chance_accuracy if found.reason == NO_FIXED_CHANCE else 0.5,
        estimate=majority.accuracy,
        p=majority.p,
        equivalence=PanelEquivalence(
            margin=options.margin,
            level=1 - 2 * options.alpha,
            low=found.interval.low if found.interval else None,
            high=found.interval.high if found.interval else None,
            p=found.p,
            equivalent=found.equivalent,
            reason=found.reason,
        ),
        verdict=majority.verdict,
        sentence=majority.sentence,
    )


def _permutation_verdict(
    table: ResponseTable, permuted: PermutationTest, *, options: AnalysisOptions, doubts: Doubts, balanced: bool
) -> PrimaryTest:
    share = reader_averaged_accuracy(
        truth=table.truth, calls=table.calls, patients=table.patients, level=1 - options.alpha
    )
    fixed, units = balanced and _answered_alike(table), _units(table)
    null = 0.5 if fixed else _chance_of_panel(table)
    tost = auc_tost(panel=share, margin=options.margin, alpha=options.alpha) if fixed else no_tost(NO_FIXED_CHANCE)
    within = ", within and between patients" if permuted.unit == "patient" else ""
    return _verdict(
        f"case-label permutation of accuracy ({permuted.method}{within}), {share.method}{_left_out(table)}",
        measure="accuracy",
        null=null,
        estimate=share.estimate(),
        p=permuted.p_two_sided,
        tost=tost,
        random=(
            f"In the test {units} are random and the raters fixed; in the intervals, and so in the test of "
            f"equivalence, raters and {units} are random."
        ),
        options=options,
        doubts=doubts,
        no_test=permuted.reason,
        no_equivalence=None if fixed else NO_FIXED_CHANCE,
        test_above=permuted.above,
    )


def _counts_of_raters(table: ResponseTable) -> list[Confusion]:
    """The counts of the raters who judged both kinds: the others are in no mean."""
    return [confusion(truth=table.truth, calls=column) for column in table.calls.T[table.judged_both_kinds]]


def _answered_alike(table: ResponseTable) -> bool:
    """Whether one half is chance for every rater of the mean, as it must be for a rater alone."""
    return all(nearly_equal(one.n_synthetic, one.n_real) for one in _counts_of_raters(table))


def _chance_of_panel(table: ResponseTable) -> float:
    """Mean over the raters of the accuracy of answers in their shares that ignore the truth."""
    known = [one for one in map(chance_accuracy, _counts_of_raters(table)) if one is not None]
    return float(np.mean(known)) if known else 0.5


def _left_out(table: ResponseTable) -> str:
    number = int((is_rated(table.calls).any(axis=0) & ~table.judged_both_kinds).sum())
    if number == 0:
        return ""
    return f", {number} rater{'' if number == 1 else 's'} who judged one kind of case alone left out"


def _verdict(
    method: str,
    *,
    measure: str,
    null: float,
    estimate: Estimate,
    p: float | None,
    tost: Tost,
    random: str,
    options: AnalysisOptions,
    doubts: Doubts,
    no_test: str | None = None,
    no_equivalence: str | None = None,
    test_above: bool | None = None,
) -> PrimaryTest:
    difference = tost.interval.limits
    limits = (null + difference[0], null + difference[1]) if difference else None
    judged = judge(
        p_difference=p,
        equivalent=tost.equivalent,
        estimate=estimate,
        margin=options.margin,
        alpha=options.alpha,
        equivalence_interval=limits,
        measure=measure,
        null=null,
        no_test=no_test or tost.reason,
        no_equivalence=no_equivalence,
        test_above=test_above,
    )
    allowed = guarded(judged, doubts)
    return PrimaryTest(
        method=method,
        measure=measure,
        null=null,
        estimate=estimate,
        p=p,
        equivalence=PanelEquivalence(
            margin=options.margin,
            level=1 - 2 * options.alpha,
            low=limits[0] if limits else None,
            high=limits[1] if limits else None,
            p=tost.p,
            equivalent=None if allowed.withheld else tost.equivalent,
            reason=allowed.withheld or tost.reason,
        ),
        verdict=allowed.verdict,
        sentence=allowed.sentence,
        random=random,
    )


def agreement_section(table: ResponseTable, *, options: AnalysisOptions) -> PanelAgreement:
    """Return agreement coefficients of the calls with intervals over patients (or cases), and the prevalence."""
    rated = is_rated(table.calls)
    return PanelAgreement(
        share_called_synthetic=float(np.nansum(table.calls) / rated.sum()) if rated.any() else None,
        percent_agreement=_coefficient(table, "percent_agreement", options=options),
        fleiss_kappa=_coefficient(table, "fleiss_kappa", options=options),
        gwet_ac1=_coefficient(table, "gwet_ac1", options=options),
        krippendorff_alpha=_coefficient(table, "krippendorff_alpha", options=options),
    )


def _coefficient(table: ResponseTable, name: Coefficient, *, options: AnalysisOptions) -> AgreementEstimate:
    level = 1 - options.alpha
    found = agreement(ratings=table.calls, coefficient=name, patients=table.patients, level=level)
    limits = None
    if name == "fleiss_kappa":
        limits = kappa_of_rare_answers(ratings=table.calls, patients=table.patients, level=level)
    if found.coefficient is not None and limits:
        # The test against no agreement rests on the standard error that does not hold here.
        estimate = Estimate(value=found.coefficient, low=limits[0], high=limits[1])
        return AgreementEstimate(**vars(estimate), se=None, p=None)
    return AgreementEstimate(**vars(found.estimate()), se=found.se, p=found.p)


def roc_section(table: ResponseTable) -> RocCurves | None:
    """Return the points of every rater's ROC curve and of the mean rating; None without ratings."""
    if table.ratings is None:
        return None
    return RocCurves(
        raters={
            rater: roc_curve(truth=table.truth, scores=table.ratings[:, column])
            for column, rater in enumerate(table.rater_ids)
        },
        ensemble=roc_curve(truth=table.truth, scores=ensemble.mean_rating(table.ratings)),
    )


def calibration_section(table: ResponseTable, *, options: AnalysisOptions) -> tuple[CalibrationPoint, ...] | None:
    """Return, per rating given, how often the case was synthetic (all raters together); None without ratings."""
    if table.ratings is None:
        return None
    truth = np.broadcast_to(table.truth[:, None], table.ratings.shape)
    points = []
    for value in np.unique(table.ratings[is_rated(table.ratings)]):
        here = table.ratings == value
        share = proportions.proportion_interval(
            successes=int(truth[here].sum()),
            trials=int(here.sum()),
            level=1 - options.alpha,
            method="wilson",
        )
        points.append(CalibrationPoint(rating=float(value), n=int(here.sum()), share_synthetic=share))
    return tuple(points)


def difficulty_section(table: ResponseTable) -> Difficulty:
    """Return how often each case was judged correctly, shrunk to the mean, and the cases worth a look."""
    found = case_difficulty(correct=table.correct)
    surprising = set(surprising_cases(correct=table.correct))
    rows = zip(table.case_ids, table.truth, found.n_ratings, found.n_correct, found.share, found.shrunk, strict=True)
    return Difficulty(
        prior_strength=found.prior_strength,
        cases=tuple(
            CaseOutcome(
                case=case,
                truth=int(truth),
                n=n,
                correct=correct,
                share=share,
                shrunk=shrunk,
                flagged=number in surprising,
            )
            for number, (case, truth, n, correct, share, shrunk) in enumerate(rows)
        ),
    )


def times_section(table: ResponseTable, *, options: AnalysisOptions) -> TimesOfKinds | None:
    """Return how long synthetic cases took against real ones; None without times or the order of reading."""
    if table.times_ms is None or table.order is None:
        return None
    return times_of_kinds(
        times_ms=table.times_ms,
        order=table.order,
        truth=table.truth,
        patients=table.patients,
        level=1 - options.alpha,
    )


def model_section(table: ResponseTable) -> MixedModels:
    """Return the mixed models with crossed raters and cases, and patients (sensitivity analysis)."""
    found = panel_model(truth=table.truth, calls=table.calls, patients=table.patients)
    units = "cases within random patients" if table.clustered else "cases"
    return MixedModels(
        method=f"GLMM with crossed random raters and {units}, Laplace approximation",
        accuracy_logit=found.accuracy,
        detection_probit=found.detection,
        d_prime=found.d_prime,
        criterion=found.criterion,
    )
