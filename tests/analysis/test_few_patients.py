"""Few patients are planned by simulation: each simulated study is judged as the analysis judges it."""

from dataclasses import replace

import numpy as np
import pytest

from readerstudy.analysis import (
    PlanningAssumptions,
    auc_tost,
    case_label_permutation,
    design_power,
    majority_vote,
    patient_pattern,
    reader_averaged_accuracy,
    reader_averaged_auc,
    share_over_patients,
)
from readerstudy.analysis.planning import few_patients
from readerstudy.analysis.planning.design_power import design_powers

OF_ONE_KIND = ((5, 0),) * 6 + ((0, 5),) * 6
UNEQUAL = ((1, 0), (3, 0), (5, 0), (6, 0), (0, 2), (0, 4), (0, 9))
OF_BOTH = ((3, 2),) * 10
PARTLY = ((3, 2),) * 4 + ((4, 0),) * 3 + ((0, 5),) * 4
LAYOUTS = {"one kind": OF_ONE_KIND, "unequal": UNEQUAL, "both kinds": OF_BOTH, "some of both": PARTLY}


@pytest.fixture
def judged(monkeypatch):
    """Run a simulation and hand over which studies reached the goal, with their ratings."""

    def run(assumed, kinds, raters, studies=60):
        monkeypatch.setattr(few_patients, "CHUNK", studies)
        few_patients.power_of_few.cache_clear()
        layout = few_patients._Layout.of(kinds)
        drawn = few_patients._Drawn.of(
            assumed, layout, raters=raters, studies=studies, random=np.random.default_rng(few_patients.SEED)
        )
        power = few_patients.power_of_few(assumed, kinds, (raters,), studies)
        return power[0], layout, drawn.ratings(layout.truth, few_patients.mean_skill(assumed, raters), raters)

    return run


def reached(assumed, layout, ratings):
    """What the analysis says of one study."""
    truth, patients, calls = layout.truth, layout.patients, (ratings > 0) + 0.0
    limits = {"margin": assumed.margin, "alpha": assumed.alpha}
    if assumed.measure == "auc":
        found = reader_averaged_auc(truth=truth, ratings=ratings, patients=patients)
        return found.p <= assumed.alpha if assumed.goal == "detect" else auc_tost(panel=found, **limits).equivalent
    columns = calls if assumed.measure == "panel_accuracy" else majority_vote(calls).decided()[:, None]
    if assumed.goal == "detect":
        found = case_label_permutation(truth=truth, calls=columns, patients=patients, permutations=3000)
        return found.p_two_sided <= assumed.alpha
    if assumed.measure == "panel_accuracy":
        return auc_tost(
            panel=reader_averaged_accuracy(truth=truth, calls=calls, patients=patients), **limits
        ).equivalent
    share = share_over_patients(truth=truth, calls=columns[:, 0], patients=patients)
    return auc_tost(panel=share, **limits).equivalent


# Permutations are drawn anew here, so that a p-value beside the level may fall on its other side.
TOLERATED = {"detect": 0.07, "equivalent": 0.0}


@pytest.mark.parametrize("kinds", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("raters", [3, 5])
@pytest.mark.parametrize("measure", ["auc", "panel_accuracy", "ensemble"])
@pytest.mark.parametrize(("goal", "effect"), [("equivalent", 0.5), ("detect", 0.68)])
def test_every_simulated_study_is_judged_as_the_analysis_judges_it(judged, kinds, raters, measure, goal, effect):
    assumed = PlanningAssumptions(measure=measure, goal=goal, effect=effect, margin=0.2, cases_per_patient=5.0)
    power, layout, ratings = judged(assumed, kinds, raters)
    found = [bool(reached(assumed, layout, one)) for one in ratings]
    tolerated = 0.0 if measure == "auc" else TOLERATED[goal]
    assert power == pytest.approx(np.mean(found), abs=tolerated + 1e-9)
    assert 0 < np.mean(found) < 1


def test_even_splits_are_no_decisions(judged):
    """With four raters the patients who count, and so the degrees of freedom, differ a little from study to study."""
    for goal, effect in (("equivalent", 0.5), ("detect", 0.68)):
        assumed = PlanningAssumptions(measure="ensemble", goal=goal, effect=effect, margin=0.25, cases_per_patient=5.0)
        power, layout, ratings = judged(assumed, OF_ONE_KIND, 4, studies=200)
        assert power == pytest.approx(np.mean([reached(assumed, layout, one) for one in ratings]), abs=0.06)


def test_several_numbers_of_raters_are_the_same_as_each_alone():
    assumed = PlanningAssumptions(margin=0.2, cases_per_patient=5.0)
    together = design_powers(assumed, raters=[3, 5, 8], cases=60)
    assert together == sorted(together)
    assert together[1] == pytest.approx(design_power(assumed, raters=5, cases=60), abs=0.03)
    assert design_powers(assumed, raters=[1, 5], cases=60)[0] == 0


def test_a_pattern_that_is_known_is_simulated_as_it_lies():
    truth, numbers = np.repeat([1.0, 0.0], [20, 30]), np.concatenate([np.repeat(range(10), 2), np.repeat(range(10), 3)])
    assumed = PlanningAssumptions(
        margin=0.2, pattern=patient_pattern(truth=truth, patients=numbers.tolist()), share_synthetic=0.4
    )
    assert few_patients.kinds_of(assumed, 50) == ((3, 2),) * 10
    # What a patient adds cancels out, and shows in no power.
    alike = replace(assumed, alike=0.9)
    assert design_power(alike, raters=5, cases=50) > design_power(assumed, raters=5, cases=50) - 0.02


def test_many_patients_and_single_cases_have_a_closed_form():
    assert few_patients.kinds_of(PlanningAssumptions(), 20) is None
    assert few_patients.kinds_of(PlanningAssumptions(cases_per_patient=5.0), 200) is None
    assert few_patients.kinds_of(PlanningAssumptions(cases_per_patient=4.5), 18) == ((0, 4), (0, 5), (4, 0), (5, 0))


def test_one_patient_of_a_kind_shows_nothing():
    alone = ((9, 0), *((0, 3),) * 6)
    assert few_patients.power_of_few(PlanningAssumptions(cases_per_patient=3.0), alone, (5,), 10) == (0.0,)
