"""Verdicts that said more than their answers carry: each with the numbers of the study in which it was once printed."""

from statistics import NormalDist

import numpy as np
import pytest

from readerstudy.analysis import AnalysisOptions, AnalysisPlan, default_analysis, signed_rating
from readerstudy.analysis.panel.equivalence import margin_of_right_answers

TWO_RATERS = "two raters say too little of how raters differ"


def levels(scores):
    return np.digitize(scores, [-1.2, -0.5, 0, 0.5, 1.2]).astype(float)


def ghost_study(raters):
    """Raters who know nothing and find every control, and one column without any answer."""
    random = np.random.default_rng(1)
    ratings = levels(np.vstack([random.normal(0, 1, (240, raters)), random.normal(4, 1, (10, raters))]))
    ratings = np.column_stack([ratings, np.full(250, np.nan)])
    return {
        "truth": np.append(np.repeat([0.0, 1.0], 120), np.ones(10)),
        "ratings": ratings,
        "calls": np.where(np.isnan(ratings), np.nan, ratings >= 3),
        "controls": np.append(np.zeros(240), np.ones(10)),
    }


def test_a_rater_who_never_answered_is_no_third_rater():
    """Two raters and a silent one were once "Equivalent to chance within the margin: AUC 0.527", as planned."""
    found = default_analysis(**ghost_study(2), plan=AnalysisPlan(permutations=200))
    assert found.primary.measure == "accuracy"
    assert found.primary.fallback_reason.startswith(f"the planned AUC could not be tested: {TWO_RATERS}; its margin")
    assert found.status["primary"] == "fallback"
    assert default_analysis(**ghost_study(3), plan=AnalysisPlan(permutations=200)).primary.measure == "AUC"


def test_without_one_of_three_raters_there_is_an_area_but_no_test():
    rows = default_analysis(**ghost_study(3), plan=AnalysisPlan(permutations=200)).sensitivity.raters
    assert [row.p is None for row in rows] == [True, True, True, False]
    assert all(row.low is not None for row in rows)


def uneven_study():
    """One rater with 200 answers, most of them right; two with 12 answers, one right each."""
    random, truth = np.random.default_rng(11), np.tile([0.0, 1.0], 100)
    calls = np.full((200, 3), np.nan)
    calls[:, 0] = np.where(random.random(200) < 0.65, truth, 1 - truth)
    for column, start in ((1, 0), (2, 20)):
        calls[start : start + 12, column] = 1 - truth[start : start + 12]
        calls[start, column] = truth[start]
    return {"truth": truth, "calls": calls}


def test_the_direction_of_a_verdict_is_that_of_its_test():
    """Of all answers more than half were right (p_greater < .01), and the sentence said "with swapped labels"."""
    found = default_analysis(**uneven_study(), plan=AnalysisPlan(primary="case_label_permutation"))
    assert found.permutation.p_greater < 0.01 < 0.99 < found.permutation.p_less
    assert found.primary.estimate.value < found.primary.null
    assert "told synthetic from real" in found.primary.sentence
    assert "swapped" not in found.primary.sentence
    assert "found them above chance, where the number does not lie" in found.primary.sentence


def test_where_test_and_mean_agree_nothing_is_added():
    study = uneven_study()
    alone = {**study, "calls": study["calls"][:, [0, 0, 0]]}
    found = default_analysis(**alone, plan=AnalysisPlan(primary="case_label_permutation")).primary
    assert found.verdict == "discriminates"
    assert "weighs the answers otherwise" not in found.sentence


@pytest.mark.parametrize("primary", ["case_label_permutation", "ensemble"])
def test_a_difference_among_raters_who_press_one_key_is_not_called_small(primary):
    """Seven of eight always pressed "real": once "Detectable but within the margin: accuracy 0.537", p = 2e-9."""
    truth = np.repeat([0.0, 1.0], 200 if primary == "ensemble" else 50)
    one = truth.copy()
    wrong = 168 if primary == "ensemble" else 20
    one[np.random.default_rng(3).choice(len(truth), wrong, replace=False)] -= 1
    calls = np.column_stack([np.abs(one), *np.zeros((7, len(truth)))])
    if primary == "ensemble":
        calls = np.column_stack([np.abs(one), np.abs(one), np.zeros(len(truth))])
    plan = AnalysisPlan(primary=primary, family="raters" if primary == "ensemble" else "raters_and_ensemble")
    found = default_analysis(truth=truth, calls=calls, plan=plan).primary
    assert found.equivalence.p <= 0.05
    assert found.verdict == "discriminates"
    assert found.equivalence.equivalent is None
    assert found.equivalence.reason
    assert "That it lies within the margin is not said: the same answer was given again and again" in found.sentence


def test_few_patients_carry_no_interval_within_the_margin():
    """Four patients of both kinds: once "Detectable but within the margin: AUC 0.582"."""
    random, patients = np.random.default_rng(3), np.repeat(np.arange(4), 50)
    truth = np.tile(np.repeat([0.0, 1.0], 25), 4)
    latent = random.normal(0, 0.3, 4)[patients][:, None] + truth[:, None] * 0.25
    ratings = levels(latent + random.normal(0, 0.4, (200, 1)) + random.normal(0, 0.8, (200, 6)))
    study = {"truth": truth, "calls": (ratings >= 3).astype(float), "ratings": ratings}
    plan = AnalysisPlan(permutations=200)
    found = default_analysis(**study, patients=patients.tolist(), plan=plan)
    assert (found.primary.equivalence.p <= 0.05, found.primary.verdict) == (True, "discriminates")
    assert found.primary.equivalence.equivalent is None
    assert found.primary.equivalence.reason == found.assay.few_patients
    # With every case a patient of its own the same difference may be called small, controls or not.
    apart = default_analysis(**study, plan=plan).primary
    assert (apart.verdict, apart.equivalence.equivalent) == ("detectable but within the margin", True)


def tied_study():
    truth = np.repeat([0.0, 1.0], 30)
    random = np.random.default_rng(11)
    return {"truth": truth, "calls": np.where(random.random((60, 4)) < 0.62, truth[:, None], 1 - truth[:, None])}


@pytest.mark.parametrize("clustered", [False, True])
def test_ties_that_count_half_do_so_in_the_sensitivity_section(clustered):
    """16 ties of 60: primary .733, and "without one patient" lay between .814 and .837."""
    plan = AnalysisPlan(primary="ensemble", family="raters", tie_rule="half_credit", permutations=200)
    patients = [f"p{case // 2}" for case in range(60)] if clustered else None
    found = default_analysis(**tied_study(), patients=patients, plan=plan)
    assert (found.ensemble.n_ties, found.primary.estimate.value) == (16, pytest.approx(44 / 60))
    of_patient = 2 if clustered else 1
    for row in found.sensitivity.patients:
        # What one patient takes away of 44 points in 60 cases, in halves.
        points = row.value * (60 - of_patient)
        assert 2 * points == pytest.approx(round(2 * points))
        assert 44 - of_patient - 1e-9 <= points <= 44 + 1e-9
    without = default_analysis(truth=tied_study()["truth"], calls=tied_study()["calls"][:, 1:], plan=plan)
    assert found.sensitivity.raters[0].value == pytest.approx(without.primary.estimate.value)
    at_margin = next(point for point in found.sensitivity.margins if point.margin == 0.15)
    assert at_margin.p == pytest.approx(found.primary.equivalence.p)


def test_balance_is_judged_on_all_cases_that_count():
    """30 + 30 cases, ties on synthetic ones alone: they count half each, so that one half is chance."""
    truth = np.repeat([0.0, 1.0], 30)
    calls = np.repeat(np.where(np.arange(60) % 2, truth, 1 - truth)[:, None], 4, axis=1)
    calls[40:56, :2], calls[40:56, 2:] = 0.0, 1.0
    row = default_analysis(truth=truth, calls=calls, options=AnalysisOptions(tie_rule="half_credit")).ensemble
    assert (row.n_ties, row.n, row.chance_accuracy) == (16, 60, 0.5)
    assert (row.equivalence.reason, row.equivalence.p is None) == (None, False)


def test_the_sentence_of_a_rater_speaks_of_that_rater():
    found = default_analysis(**uneven_study())
    assert found.raters[0].sentence.startswith("This rater discriminates: they told synthetic from real")
    assert all("panel" not in row.sentence and "raters are needed" not in row.sentence for row in found.raters)
    assert found.primary.sentence.startswith("The panel discriminates: it told")


def test_a_planned_binomial_test_does_not_make_one_half_of_unequal_numbers():
    """70 synthetic, 30 real, 100 times "synthetic": once p = 7.9e-5 and "discriminates (accuracy 0.700, chance 0.70)".

    Fisher's p of a table with one empty column is 1.
    """
    truth, calls = np.repeat([1.0, 0.0], [70, 30]), np.ones((100, 2))
    found = default_analysis(truth=truth, calls=calls, options=AnalysisOptions(rater_test="binomial"))
    for row in (*found.raters, found.ensemble):
        assert (row.test, row.p, row.verdict) == ("fisher", 1.0, "not assessable")
        assert "Fisher's exact test stands in for the binomial test of the plan" in row.binomial_note


def answered(truth, shares, *, raters=5, seed=1, controls=8):
    """Raters who say "synthetic" with probability `shares` of (real, synthetic), and nearly always of controls."""
    random = np.random.default_rng(seed)
    every = np.append(truth, np.ones(controls))
    chance = np.append(np.asarray(shares)[truth.astype(int)], np.full(controls, 0.95))
    return {
        "truth": every,
        "calls": (random.random((len(every), raters)) < chance[:, None]).astype(float),
        "controls": np.append(np.zeros(len(truth)), np.ones(controls)),
    }


RIGHT_ANSWERS = AnalysisPlan(primary="case_label_permutation", permutations=1000)


@pytest.mark.parametrize(
    ("synthetic", "real", "shares"), [(5, 95, (0.15, 0.9)), (3, 57, (0.2, 0.6)), (40, 60, (0.5, 0.5))]
)
def test_unequal_kinds_have_no_fixed_chance_to_be_equivalent_to(synthetic, real, shares):
    """5 + 95 cases, sensitivity .90, false positives .15: once "Detectable but within the margin: accuracy 0.85"."""
    truth = np.repeat([1.0, 0.0], [synthetic, real])
    for seed in range(2):
        primary = default_analysis(**answered(truth, shares, seed=seed), plan=RIGHT_ANSWERS).primary
        assert "no fixed chance level" in primary.equivalence.reason
        assert (primary.equivalence.equivalent, primary.equivalence.low, primary.equivalence.p) == (None,) * 3
        assert primary.verdict in {"discriminates", "inconclusive"}
        assert "lies within" not in primary.sentence
        if primary.verdict == "inconclusive":
            assert "no fixed chance level" in primary.sentence


def test_balance_of_a_panel_is_judged_on_what_was_answered():
    """60 + 60 cases; raters who leave out three quarters of the synthetic ones, at chance but for saying "real"."""
    study = answered(np.repeat([1.0, 0.0], 60), (0.3, 0.3))
    whole = default_analysis(**study, plan=RIGHT_ANSWERS).primary
    assert (whole.null, whole.equivalence.equivalent is None) == (0.5, False)
    study["calls"][15:60] = np.nan
    left = default_analysis(**study, plan=RIGHT_ANSWERS).primary
    assert "no fixed chance level" in left.equivalence.reason
    assert left.null == pytest.approx(0.62, abs=0.03)


def test_raters_of_one_kind_do_not_dilute_the_right_answers():
    """Two raters at .70; four who answered real cases alone, at 1 - .30: once "Equivalent" in 75 of 100 studies."""
    study = answered(np.repeat([1.0, 0.0], 60), (0.3, 0.7), raters=6)
    alone = {**study, "calls": study["calls"][:, :2].copy()}
    study["calls"][:60, 2:] = np.nan
    found, two = (default_analysis(**one, plan=RIGHT_ANSWERS) for one in (study, alone))
    assert found.primary.estimate == two.primary.estimate
    assert (found.primary.p, found.primary.equivalence.p) == (two.primary.p, two.primary.equivalence.p)
    assert found.permutation.accuracy == two.permutation.accuracy
    assert "4 raters who judged one kind of case alone left out" in found.primary.method
    assert "left out" not in two.primary.method


def test_raters_who_share_out_the_kinds_are_tested_against_nothing():
    truth = np.repeat([1.0, 0.0], 10)
    calls = np.full((20, 2), np.nan)
    calls[:10, 0], calls[10:, 1] = 1.0, 0.0
    primary = default_analysis(truth=truth, calls=calls, plan=RIGHT_ANSWERS).primary
    assert (primary.verdict, primary.p) == ("not assessable", None)
    assert "no rater judged both kinds" in primary.sentence


def looking(found, *, rule, rated, cases=40):
    """Raters who answer at random; of eight controls each calls as many synthetic as `found` says."""
    random, raters = np.random.default_rng(7), len(found)
    calls = (random.random((2 * cases + 8, raters)) < 0.5).astype(float)
    calls[-8:] = np.arange(8)[:, None] < np.array(found)
    sure = random.integers(1, 4, calls.shape)
    sure[-8:] = 3
    return default_analysis(
        truth=np.append(np.repeat([1.0, 0.0], cases), np.ones(8)),
        calls=calls,
        ratings=signed_rating(calls=calls, confidence=sure, levels=3) if rated else None,
        controls=np.append(np.zeros(2 * cases), np.ones(8)),
        options=AnalysisOptions(control_rule=rule, margin=0.3, permutations=200),
    )


@pytest.mark.parametrize("rated", [False, True])
@pytest.mark.parametrize("rule", ["auc", "found"])
def test_a_rater_who_did_not_find_the_controls_is_equivalent_to_nothing(rule, rated):
    """One of ten called every control real, one half of them: once "Equivalent" as the others, whose proof is not theirs."""
    found = looking([8] * 8 + [0, 4], rule=rule, rated=rated)
    assert [row.passed for row in found.assay.controls.raters] == [True] * 8 + [False] * 2
    assert found.assay.controls.passed
    assert {row.verdict.value for row in found.raters[:8]} >= {"equivalent to chance within the margin"}
    for row, number in ((found.raters[8], 0), (found.raters[9], 4)):
        assert row.equivalence.p_adjusted <= 0.05
        assert (row.verdict, row.equivalence.equivalent) == ("not assessable", None)
        assert (
            f"did not tell the positive controls from real cases, as the plan asks for ({number} of 8" in row.sentence
        )


def test_whoever_calls_everything_synthetic_found_no_control():
    found = looking([8] * 5, rule="found", rated=False)
    assert [row.passed for row in found.assay.controls.raters] == [True] * 5
    truth, calls = np.repeat([1.0, 0.0, 1.0], [20, 20, 8]), np.ones((48, 3))
    controls = np.repeat([0.0, 1.0], [40, 8])
    for rule in ("found", "auc"):
        every = default_analysis(
            truth=truth, calls=calls, controls=controls, options=AnalysisOptions(control_rule=rule)
        )
        assert [row.passed for row in every.assay.controls.raters] == [False] * 3


def test_a_rater_whose_controls_are_all_above_has_found_them_without_a_standard_error():
    """All controls 6, all others below: the area is 1, and 2 / choose(28, 8) is no chance."""
    random = np.random.default_rng(2)
    ratings = np.vstack([random.integers(1, 6, (40, 3)), np.full((8, 3), 6)]).astype(float)
    truth, controls = np.repeat([1.0, 0.0, 1.0], [20, 20, 8]), np.repeat([0.0, 1.0], [40, 8])
    found = default_analysis(truth=truth, calls=(ratings > 3) + 0.0, ratings=ratings, controls=controls)
    assert [row.passed for row in found.assay.controls.raters] == [True] * 3


def test_the_margin_of_an_area_is_converted_where_right_answers_stand_in():
    """An area of .65 is a share of right answers of .607, so that ± 15 points of an area are ± 10.7 of answers."""
    found = default_analysis(**ghost_study(2), plan=AnalysisPlan(permutations=200)).primary
    band = found.equivalence
    assert band.margin == pytest.approx(0.1074, abs=1e-4)
    assert "± 15 points is one of ± 10.7 points of right answers" in found.fallback_reason
    assert band.equivalent in {None, bool(band.low >= 0.5 - band.margin and band.high <= 0.5 + band.margin)}
    assert "0.50 ± 0.107" in found.sentence
    planned = default_analysis(**ghost_study(2), plan=RIGHT_ANSWERS).primary
    assert (planned.equivalence.margin, planned.fallback_reason) == (0.15, None)


@pytest.mark.parametrize("plan", [AnalysisPlan(permutations=200), RIGHT_ANSWERS])
def test_raters_and_majority_are_held_to_the_margin_that_the_panel_is_held_to(plan):
    """After a fallback the raters' right answers kept the area's ± 15 points, which is an area of .71."""
    found = default_analysis(**ghost_study(2), plan=plan)
    margin = found.primary.equivalence.margin
    rows = [*found.raters, found.ensemble]
    assert {row.equivalence.margin for row in rows} == {margin}
    assert found.options.margin == 0.15
    for row in rows:
        if row.equivalence.interval is not None and row.equivalence.p is not None:
            low, high = row.equivalence.interval.limits
            assert (row.equivalence.p <= 0.05) == (low >= 0.5 - margin and high <= 0.5 + margin)


@pytest.mark.parametrize("margin", [0.05, 0.1, 0.15, 0.3])
def test_a_margin_of_right_answers_is_that_of_the_same_signal(margin):
    noise = NormalDist()
    signal = 2 * noise.inv_cdf(0.5 + margin_of_right_answers(margin))
    assert noise.cdf(signal / 2**0.5) == pytest.approx(0.5 + margin)
