"""What the primary measure hangs on: each number is that of an analysis without the one that was left out."""

from dataclasses import replace

import numpy as np
import pytest

from readerstudy.analysis import AnalysisOptions, AnalysisPlan, default_analysis, logit_auc, plan_for


@pytest.fixture(scope="module")
def study():
    random = np.random.default_rng(6)
    truth, patients = np.tile([1.0, 0.0], 20), np.repeat(np.arange(20), 2)
    ratings = np.clip(np.rint(3.5 + 0.5 * (truth[:, None] - 0.5) + random.normal(size=(40, 4))), 1, 6)
    ratings[::9, 1] = np.nan
    calls = np.where(np.isnan(ratings), np.nan, (ratings > 3).astype(float))
    return {"truth": truth, "calls": calls, "ratings": ratings, "patients": patients}


def without(study, *, rater=None, patient=None):
    keep = np.ones(len(study["truth"]), dtype=bool) if patient is None else study["patients"] != patient
    columns = [column for column in range(study["calls"].shape[1]) if column != rater]
    return {
        "truth": study["truth"][keep],
        "patients": study["patients"][keep],
        **{name: study[name][keep][:, columns] for name in ("calls", "ratings")},
    }


PLANS = {
    "auc": plan_for("lesion_inserted"),
    "panel": plan_for("small_panel"),
    "majority": plan_for("ensemble"),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_row_is_the_primary_measure_of_what_is_left(study, name):
    plan = replace(PLANS[name], permutations=200)
    found = default_analysis(**study, plan=plan).sensitivity
    assert (len(found.raters), len(found.patients)) == (4, 20)
    for row, left in ((found.raters[2], {"rater": 2}), (found.patients[7], {"patient": 7})):
        primary = default_analysis(**without(study, **left), plan=plan).primary
        assert row.value == pytest.approx(primary.estimate.value)
        assert row.low == pytest.approx(primary.estimate.low)
        assert row.p == (pytest.approx(primary.p) if name == "auc" else None)
    assert found.raters[2].left_out == ("3",)
    assert found.patients[7].left_out == ("15", "16")


@pytest.mark.parametrize(("chosen", "other"), [("delong", "jackknife"), ("jackknife", "delong")])
def test_the_other_covariance_is_that_of_a_plan_that_chooses_it(study, chosen, other):
    found = default_analysis(**study, plan=AnalysisPlan(covariance=chosen)).sensitivity
    primary = default_analysis(**study, plan=AnalysisPlan(covariance=other)).primary
    assert (found.covariance, found.p) == (other, pytest.approx(primary.p))
    assert found.other == primary.estimate


def test_with_the_raters_fixed_only_patients_are_random(study):
    found = default_analysis(**study, plan=PLANS["auc"])
    fixed, primary = found.sensitivity.fixed_readers, found.primary
    assert fixed.value == pytest.approx(primary.estimate.value)
    # Four raters who are the same person differ in nothing: nothing is left but what their cases vary.
    same = {**study, **{name: np.tile(study[name][:, [0]], 4) for name in ("calls", "ratings")}}
    alike = default_analysis(**same, plan=PLANS["auc"]).sensitivity.fixed_readers
    alone = logit_auc(truth=study["truth"], scores=study["ratings"][:, 0], patients=study["patients"])
    assert (alike.low, alike.high, alike.p) == pytest.approx((alone.low, alone.high, alone.p))
    majority = default_analysis(**study, plan=replace(PLANS["majority"], permutations=200)).sensitivity.fixed_readers
    assert (majority.value, majority.reason) == (None, "the majority speaks of these very raters already")


@pytest.mark.parametrize(("chosen", "other"), [("available", "complete_cases"), ("complete_cases", "available")])
def test_the_other_rule_for_missing_answers_is_that_of_a_plan_that_chooses_it(study, chosen, other):
    found = default_analysis(**study, plan=AnalysisPlan(missing_rule=chosen)).sensitivity
    primary = default_analysis(**study, plan=AnalysisPlan(missing_rule=other)).primary
    assert (found.missing_rule, found.other_rule.value) == (other, primary.estimate.value)
    assert (found.other_rule.low, found.other_rule.p) == (primary.estimate.low, primary.p)
    complete = {name: values[~np.isnan(study["calls"]).any(axis=1)] for name, values in study.items()}
    assert default_analysis(**complete).sensitivity.missing_rule is None


@pytest.mark.parametrize("name", PLANS)
def test_the_margins_are_those_of_plans_that_choose_them(study, name):
    plan = replace(PLANS[name], permutations=200)
    found = default_analysis(**study, plan=plan).sensitivity
    for point in found.margins:
        other = default_analysis(**study, plan=replace(plan, margin=point.margin)).primary.equivalence
        assert point.p == pytest.approx(other.p)
    low, high = found.smallest_margin - 0.001, found.smallest_margin + 0.001
    reached = [default_analysis(**study, plan=replace(plan, margin=margin)).primary for margin in (low, high)]
    assert [one.equivalence.p <= plan.alpha for one in reached] == [False, True]


def test_nothing_is_left_out_of_what_was_not_tested(study):
    one_kind = {name: values[study["truth"] == 1] for name, values in study.items()}
    found = default_analysis(**one_kind, options=AnalysisOptions()).sensitivity
    assert (found.covariance, found.raters, found.patients, found.margins) == (None, (), (), ())
    assert (found.smallest_margin, found.fixed_readers.value, found.other_rule.value) == (None, None, None)
    assert "only synthetic cases were judged" in found.other.reason
    alone = {**study, "calls": study["calls"][:, :1], "ratings": study["ratings"][:, :1]}
    assert default_analysis(**alone).sensitivity.raters[0].value is None


def test_sensitivity_is_exploratory_unless_the_plan_names_it(study):
    quiet = default_analysis(**study, plan=AnalysisPlan(permutations=200))
    named = default_analysis(**study, plan=AnalysisPlan(permutations=200, secondary=("sensitivity",)))
    assert (quiet.status["sensitivity"], named.status["sensitivity"]) == ("exploratory", "planned")
