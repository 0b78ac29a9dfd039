"""Arms of several generators among shared real cases: worked numbers, and laws."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readerstudy.analysis.panel.arms import READERS_AND, THESE_READERS, PlannedArms, compare_arms
from readerstudy.analysis.panel.mrmc import compare_conditions, reader_averaged_auc
from readerstudy.analysis.panel.multiplicity import adjust_p_values

# One reader: six real cases shared by two generators, six images of each; worked by hand with DeLong's components.
REAL, A, B = [1, 2, 2, 3, 4, 3], [3, 5, 4, 2, 6, 4], [2, 4, 3, 2, 5, 3]
TRUTH = [0] * 6 + [1] * 12
ARMS = ["real"] * 6 + ["A"] * 6 + ["B"] * 6
OWN, TWINS = [*range(18)], [*range(6), *range(6, 12), *range(6, 12)]


def compare(scores, *, arms=ARMS, truth=TRUTH, **more):
    scores = np.asarray(scores, dtype=float)
    scores = scores[:, None] if scores.ndim == 1 else scores
    return compare_arms(arms=arms, truth=truth, calls=(scores > 3).astype(float), ratings=scores, **more)


@pytest.mark.parametrize(("patients", "se", "z"), [(OWN, 0.1631575, 0.94), (TWINS, 0.0740162, 2.06)])
def test_the_worked_example_of_one_reader(patients, se, z):
    [contrast] = compare([*REAL, *A, *B], patients=patients).contrasts
    assert contrast.difference.value == pytest.approx(0.8055556 - 0.6527778, abs=1e-7)
    assert contrast.se_cases == pytest.approx(se, abs=1e-7)
    assert contrast.difference.value / contrast.se_cases == pytest.approx(z, abs=5e-3)
    assert contrast.random in THESE_READERS.values()


def test_variances_and_the_covariance_of_the_shared_reals():
    """var D = vA + vB - 2 cov(v01A, v01B) / n0 with the printed parts."""
    [contrast] = compare([*REAL, *A, *B]).contrasts
    assert contrast.se_cases == pytest.approx(
        sqrt(0.0168210 + 0.0263117 - 2 * 0.0082562), abs=1e-6
    )  # seven printed digits


def panel(seed, *, readers=4, cases=20, lift=(0.0, 0.8)):
    random = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 1], cases)
    arms = np.repeat(["real", "A", "B"], cases).tolist()
    shown = random.normal(size=3 * cases) + np.repeat([0.0, *lift], cases)
    return truth, arms, shown[:, None] + random.normal(size=(3 * cases, readers))


def test_readers_and_cases_are_random_as_in_two_conditions_of_twins():
    """Twins of all synthetic cases read by the same readers are two conditions with the same reals."""
    truth, arms, scores = panel(3)
    patients = [*range(20), *range(20, 40), *range(20, 40)]
    [contrast] = compare(scores, arms=arms, truth=truth, patients=patients).contrasts
    same = np.stack([scores[:40], np.concatenate([scores[:20], scores[40:]])])
    expected = compare_conditions(truth=truth[:40], ratings=same)
    assert contrast.random in READERS_AND.values()
    assert contrast.difference.value == pytest.approx(expected.contrasts[0].difference, abs=1e-12)
    assert contrast.se == pytest.approx(expected.contrasts[0].se, abs=1e-12)


def test_each_arm_is_tested_against_all_real_cases_in_one_family():
    truth, arms, scores = panel(5)
    result = compare(scores, arms=arms, truth=truth)
    real, *synthetic = result.readings
    assert (real.arm, real.auc, real.p) == ("real", None, None)
    single = []
    for number, reading in enumerate(synthetic):
        rows = np.r_[0:20, 20 + 20 * number : 40 + 20 * number]
        alone = reader_averaged_auc(truth=truth[rows], ratings=scores[rows])
        assert (reading.auc, reading.p) == (alone.estimate(), alone.p)
        single.append(alone.p)
    assert [reading.p_adjusted for reading in synthetic] == adjust_p_values(single)
    assert result.overall is None


def test_a_share_is_the_mean_of_the_readers_and_lies_in_its_interval():
    truth, arms, scores = panel(8)
    for reading in compare(scores, arms=arms, truth=truth).readings:
        rows = np.asarray(arms) == reading.arm
        share = reading.called_synthetic
        assert share.value == pytest.approx((scores[rows] > 3).mean())
        assert share.low is None or 0 <= share.low <= share.value <= share.high <= 1


def test_known_bad_controls_are_described_and_in_no_family():
    truth, arms, scores = panel(5)
    with_control = compare(scores, arms=arms, truth=truth, controls=["B"])
    described = with_control.readings[-1]
    assert (described.arm, described.p, described.p_adjusted) == ("B", None, None)
    assert described.auc.value > 0.5
    assert with_control.contrasts == ()
    assert with_control.readings[1].p_adjusted == with_control.readings[1].p


def test_three_arms_are_tested_together_and_then_in_pairs():
    truth, arms, scores = panel(11)
    random = np.random.default_rng(1)
    truth, arms = [*truth, *[1] * 20], [*arms, *["C"] * 20]
    scores = np.vstack([scores, random.normal(size=(20, 1)) + random.normal(size=(20, 4))])
    result = compare(scores, arms=arms, truth=truth)
    assert result.overall.df1 == 2
    assert 0 < result.overall.p < 1
    assert [(c.first, c.second) for c in result.contrasts] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert [c.p_adjusted for c in result.contrasts] == adjust_p_values([c.p for c in result.contrasts])


def four_arms(seed, *, lift=(0.0, 0.0, 0.1, 0.9), readers=5, cases=20):
    random = np.random.default_rng(seed)
    truth, arms = np.repeat([0, 1, 1, 1, 1], cases), np.repeat(["real", "A", "B", "C", "D"], cases).tolist()
    shown = random.normal(size=5 * cases) + np.repeat([0.0, *lift], cases)
    return truth, arms, shown[:, None] + random.normal(size=(5 * cases, readers))


def test_the_arms_of_a_plan_are_families_that_the_others_do_not_enlarge():
    truth, arms, scores = four_arms(2)
    found = compare(scores, arms=arms, truth=truth, planned=PlannedArms(names=["A", "D"], margin=0.2))
    assert [row.arm for row in found.readings if row.planned] == ["A", "D"]
    for planned in (True, False):
        own = [row for row in found.readings if row.p is not None and row.planned == planned]
        assert [row.p_adjusted for row in own] == adjust_p_values([row.p for row in own])
        pairs = [pair for pair in found.contrasts if pair.planned == planned]
        assert [pair.p_adjusted for pair in pairs] == adjust_p_values([pair.p for pair in pairs])
    [pair] = [pair for pair in found.contrasts if pair.planned]
    assert ((pair.first, pair.second), pair.p_adjusted) == (("A", "D"), pair.p)
    assert [pair.equivalence for pair in found.contrasts if not pair.planned] == [None] * 5
    assert compare(scores, arms=arms, truth=truth).contrasts[0].equivalence is None


def test_two_arms_are_equal_when_the_interval_of_their_difference_lies_within_the_margin():
    truth, arms, scores = four_arms(4, lift=(0.3, 0.3, 0.3, 1.5), cases=60, readers=8)
    plan = PlannedArms(names=["A", "B", "C", "D"], margin=0.25)
    found = compare(scores, arms=arms, truth=truth, planned=plan)
    bands = [pair.equivalence for pair in found.contrasts]
    for band in bands:
        assert (band.p <= 0.05) == (band.low > -0.25 and band.high < 0.25)
        assert band.equivalent == (band.p_adjusted <= 0.05)
    assert [band.p_adjusted for band in bands] == adjust_p_values([band.p for band in bands])
    verdicts = {(pair.first, pair.second): pair.equivalence.equivalent for pair in found.contrasts}
    assert (verdicts["A", "B"], verdicts["A", "D"]) == (True, False)


def test_raters_who_may_not_have_looked_make_no_arms_equal():
    truth, arms, scores = four_arms(4, lift=(0.3, 0.3, 0.3, 1.5), cases=60, readers=8)
    plan = PlannedArms(names=["A", "B"], margin=0.25, unproven="no positive controls were shown")
    [pair] = [one for one in compare(scores, arms=arms, truth=truth, planned=plan).contrasts if one.planned]
    assert (pair.equivalence.equivalent, pair.equivalence.reason) == (None, "no positive controls were shown")
    assert pair.equivalence.p < 0.05


def test_an_arm_of_the_plan_without_a_case_is_named():
    found = compare([*REAL, *A, *B], planned=PlannedArms(names=["A", "Z"], margin=0.1))
    assert found.missing == ("Z",)
    assert [row.arm for row in found.readings if row.planned] == ["A"]
    assert [pair.planned for pair in found.contrasts] == [False]
    both = compare([*REAL, *A, *B], planned=PlannedArms(names=["A", "B"], margin=0.1))
    assert both.contrasts[0].equivalence.reason == "nothing tells how readers differ"


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.booleans())
def test_names_and_orders_do_not_matter_and_swapping_turns_the_sign(seed, missing):
    truth, arms, scores = panel(seed, readers=3, cases=6)
    if missing:
        scores[np.random.default_rng(seed).random(scores.shape) < 0.1] = np.nan
    [contrast] = compare(scores, arms=arms, truth=truth).contrasts
    swapped = [{"A": "B", "B": "A"}.get(arm, arm) for arm in arms]
    order = np.random.default_rng(seed).permutation(len(truth))
    [other] = compare(scores[order], arms=[swapped[i] for i in order], truth=truth[order]).contrasts
    sign = 1 if other.first == "B" else -1
    if contrast.difference.value is not None:
        assert sign * other.difference.value == pytest.approx(contrast.difference.value, abs=1e-12)
        assert (contrast.p is None) == (other.p is None)
        assert contrast.p is None or other.p == pytest.approx(contrast.p, abs=1e-9)


def test_arms_that_cannot_be_compared_say_why():
    one_case = compare([*REAL, *A, 9], arms=[*ARMS[:12], "B"], truth=TRUTH[:13])
    assert "patient" in one_case.contrasts[0].difference.reason
    alike = compare([1] * 6 + [2] * 12)
    assert alike.contrasts[0].p is None
    assert "variance is 0" in alike.contrasts[0].difference.reason
    with pytest.raises(ValueError, match="arms are named"):
        compare([*REAL, *A, *B], arms=ARMS[1:])
