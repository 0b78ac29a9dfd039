"""Verdicts that said more than their answers carry: each with the numbers of the study in which it was once printed."""

import numpy as np
import pytest

from readerstudy.analysis import AnalysisOptions, AnalysisPlan, default_analysis

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
    assert found.primary.fallback_reason == f"the planned AUC could not be tested: {TWO_RATERS}"
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
