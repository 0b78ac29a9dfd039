from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from readerstudy.analysis import (
    RocCurve,
    auc,
    auc_tost,
    average_roc_curve,
    compare_aucs,
    compare_conditions,
    panel_accuracy,
    rating_model,
    reader_averaged_auc,
    roc_curve,
    ustatistic_auc,
    ustatistic_difference,
)


def reading(seed, *, cases=40, raters=4, effect=0.5, share=0.5):
    random = np.random.default_rng(seed)
    truth = (np.arange(cases) < round(cases * share)).astype(float)
    latent = effect * truth[:, None] + 0.5 * random.normal(size=(cases, 1)) + random.normal(size=(cases, raters))
    return truth, np.digitize(latent, [-1, -0.4, 0.2, 0.8, 1.4]) + 1.0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(1, 6)), min_size=2, max_size=40))
def test_area_agrees_with_scikit_learn_and_with_its_curve(rows):
    truth, score = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assume(0 < truth.sum() < len(truth))
    area = auc(truth=truth, scores=score)
    assert area.value == pytest.approx(roc_auc_score(truth, score))
    curve = roc_curve(truth=truth, scores=score)
    trapezes = np.trapezoid(curve.sensitivity[::-1], curve.false_positive_rate[::-1])
    assert trapezes == pytest.approx(area.value)
    assert (area.p is None) == (area.se is None or area.degenerate)


def raters_curves(seed):
    truth, ratings = reading(seed)
    return truth, ratings, [roc_curve(truth=truth, scores=column) for column in ratings.T]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_average_curve_has_the_mean_area(seed):
    truth, ratings, curves = raters_curves(seed)
    average = average_roc_curve(curves)
    areas = [auc(truth=truth, scores=column).value for column in ratings.T]
    assert np.trapezoid(average.sensitivity, average.false_positive_rate) == pytest.approx(np.mean(areas), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_average_curve_is_the_mean_of_the_heights_and_never_falls(seed):
    _, _, curves = raters_curves(seed)
    average = average_roc_curve(curves)
    assert (np.diff(average.sensitivity) >= -1e-12).all()
    # Between two cut points no curve rises straight up, so any interpolation must agree.
    edges = np.unique(np.round(average.false_positive_rate, 9))
    rates = (edges[1:] + edges[:-1]) / 2
    heights = [np.interp(rates, curve.false_positive_rate[::-1], curve.sensitivity[::-1]) for curve in curves]
    assert np.interp(rates, average.false_positive_rate, average.sensitivity) == pytest.approx(np.mean(heights, axis=0))


def test_the_average_of_one_curve_is_that_curve():
    curve = RocCurve(sensitivity=[1.0, 0.75, 0.5, 0.0], false_positive_rate=[1.0, 0.5, 0.0, 0.0])
    assert average_roc_curve([curve, curve]) == RocCurve(
        sensitivity=curve.sensitivity[::-1], false_positive_rate=curve.false_positive_rate[::-1]
    )
    assert average_roc_curve([]) is None


def test_perfect_separation_is_not_certainty():
    area = auc(truth=[0, 0, 1, 1], scores=[1, 2, 3, 4])
    assert (area.value, area.p, area.estimate().low) == (1.0, None, None)
    assert area.estimate().reason
    assert auc(truth=[1, 1], scores=[1, 2]).value is None
    assert auc(truth=[0, 1, 1], scores=[1, 1, 2]).se is None


def test_a_score_does_not_differ_from_itself():
    truth, ratings = reading(1)
    same = compare_aucs(truth=truth, first=ratings[:, 0], second=ratings[:, 0])
    assert (same.difference.value, same.p) == (0, None)
    one = compare_aucs(truth=truth, first=ratings[:, 0], second=ratings[:, 1])
    other = compare_aucs(truth=truth, first=ratings[:, 1], second=ratings[:, 0])
    assert (one.z, one.p) == pytest.approx((-other.z, other.p))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["delong", "jackknife"]))
def test_reversing_the_scale_mirrors_the_panel(seed, covariance):
    truth, ratings = reading(seed)
    one = reader_averaged_auc(truth=truth, ratings=ratings, covariance=covariance)
    other = reader_averaged_auc(truth=truth, ratings=7 - ratings, covariance=covariance)
    assert one.value == pytest.approx(1 - other.value)
    assert (one.p, one.df) == pytest.approx((other.p, other.df))
    assert one.interval(level=0.95) == pytest.approx((one.low, one.high))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_ustatistic_of_a_complete_table_is_the_reader_average_and_ignores_labels(seed):
    truth, ratings = reading(seed, cases=24)
    complete = ustatistic_auc(truth=truth, ratings=ratings)
    assert complete.panel.value == pytest.approx(reader_averaged_auc(truth=truth, ratings=ratings).value)
    order = np.random.default_rng(seed).permutation(len(truth))
    shuffled = ustatistic_auc(truth=truth[order], ratings=ratings[order][:, ::-1])
    assert shuffled.panel.variance == pytest.approx(complete.panel.variance)
    biased = ustatistic_auc(truth=truth, ratings=ratings, variance="mle")
    assert biased.panel.variance >= complete.panel.variance - 1e-12 or complete.panel.variance <= 0


def test_ustatistic_variance_is_unbiased_over_subsets_of_a_population():
    """The mean of the variance estimates is the variance of the estimates, over many panels."""
    found = [ustatistic_auc(truth=t, ratings=r).panel for t, r in (reading(s, cases=30) for s in range(400))]
    spread = np.var([one.value for one in found], ddof=1)
    assert np.mean([one.variance for one in found]) == pytest.approx(spread, rel=0.2)


def test_comparing_a_condition_with_itself_finds_nothing():
    truth, ratings = reading(5)
    twice = np.stack([ratings, ratings])
    assert compare_conditions(truth=truth, ratings=twice).reason
    difference = ustatistic_difference(truth=truth, ratings=twice)
    assert difference.value == 0
    assert difference.p is None


def test_conditions_swap_their_sign():
    truth, first = reading(5)
    second = reading(6)[1]
    one = compare_conditions(truth=truth, ratings=np.stack([first, second]))
    other = compare_conditions(truth=truth, ratings=np.stack([second, first]))
    assert one.contrasts[0].difference == pytest.approx(-other.contrasts[0].difference)
    assert one.random_both.p == pytest.approx(other.random_both.p)
    assert one.random_both.p == pytest.approx(one.contrasts[0].p)


def test_what_cannot_be_estimated_says_why():
    truth, ratings = reading(2)
    assert "two readers" in reader_averaged_auc(truth=truth, ratings=ratings[:, :1]).reason
    hole = ratings.copy()
    hole[0, 0] = np.nan
    assert "missing" in compare_conditions(truth=truth, ratings=np.stack([hole, ratings])).reason
    assert "not certainty" in reader_averaged_auc(truth=[0, 0, 1, 1], ratings=[[1, 1], [1, 1], [2, 2], [2, 2]]).reason
    assert ustatistic_auc(truth=[1, 1], ratings=[[1, 2], [3, 4]]).panel.value is None
    assert ustatistic_auc(truth=[1, 0], ratings=[[None], [None]]).panel.reason


def test_panel_accuracy_knows_that_readings_are_not_independent():
    random = np.random.default_rng(1)
    correct = np.repeat((random.random(60) < 0.6).astype(float)[:, None], 8, axis=1)
    flips = random.random(correct.shape) < 0.1
    found = panel_accuracy(correct=np.where(flips, 1 - correct, correct))
    assert found.inflation > 3
    assert panel_accuracy(correct=[[None]]).reason == "no ratings"


def test_rating_model_recovers_what_it_was_given():
    random = np.random.default_rng(4)
    truth = np.repeat([0.0, 1.0], 4000)
    latent = np.where(truth == 1, 1.2 + 1.5 * random.normal(size=8000), random.normal(size=8000))
    rating = np.digitize(latent, [-0.5, 0.3, 1.0, 2.0]) + 1.0
    fit = rating_model(truth=truth, ratings=rating)
    assert (fit.mean, fit.sd) == pytest.approx((1.2, 1.5), abs=0.12)
    assert fit.thresholds == pytest.approx((-0.5, 0.3, 1.0, 2.0), abs=0.08)
    assert rating_model(truth=[0, 0, 1, 1], ratings=[1, 2, 3, 4]).reason
    assert rating_model(truth=[0, 1], ratings=[1, 1]).reason


def test_conditions_without_a_common_reading_are_compared_as_independent():
    truth, ratings = reading(9, cases=40, raters=6)
    apart = np.full((2, 40, 6), np.nan)
    apart[0, ::2, :3], apart[1, 1::2, 3:] = ratings[::2, :3], ratings[1::2, 3:]
    parts = [ustatistic_auc(truth=truth, ratings=one).panel for one in apart]
    difference = ustatistic_difference(truth=truth, ratings=apart)
    assert difference.variance == pytest.approx(parts[0].variance + parts[1].variance)


def small_study(random, area, cases=10, readers=5):
    truth = np.repeat([1.0, 0.0], cases)
    gap = np.sqrt(2) * NormalDist().inv_cdf(area)
    latent = gap * truth[:, None] + 0.6 * random.normal(size=(2 * cases, 1))
    return truth, latent + 0.8 * random.normal(size=(2 * cases, readers))


@pytest.mark.parametrize("area", [0.69, 0.93])
def test_limits_of_a_mean_area_cover_it(area):
    """10 + 10 cases, area .93: t limits on the area itself cover 85 %, and half of them leave [0, 1]."""
    random, covered, plain = np.random.default_rng(3), 0, 0
    for _ in range(400):
        truth, ratings = small_study(random, area)
        found = reader_averaged_auc(truth=truth, ratings=ratings)
        inner = found.interval(level=0.9)
        assert found.low is None or 0 < found.low < inner[0] < found.value < inner[1] < found.high < 1
        covered += found.low is None or found.low <= area <= found.high
        identity = reader_averaged_auc(truth=truth, ratings=ratings, scale="identity")
        plain += identity.low is not None and identity.low <= area <= identity.high
    assert covered / 400 > 0.9
    assert plain < covered


def test_test_limits_and_equivalence_of_a_mean_area_say_the_same():
    """What is printed decides: chance lies outside of the limits, or the inner ones within the margin."""
    random = np.random.default_rng(5)
    for area in np.linspace(0.35, 0.8, 60):
        truth, ratings = small_study(random, area, cases=25)
        found = reader_averaged_auc(truth=truth, ratings=ratings)
        assert (found.p <= 0.05) == (not found.low <= 0.5 <= found.high)
        tost = auc_tost(panel=found, margin=0.15)
        low, high = found.interval(level=0.9)
        assert tost.equivalent == (low >= 0.35 and high <= 0.65)
        assert tost.interval.limits == pytest.approx((low - 0.5, high - 0.5))


def test_a_mean_area_and_its_mirror_are_tested_alike():
    truth, ratings = small_study(np.random.default_rng(8), 0.8)
    one, other = (reader_averaged_auc(truth=truth, ratings=sign * ratings) for sign in (1, -1))
    assert (one.p, one.statistic) == (pytest.approx(other.p), pytest.approx(-other.statistic))
    assert (one.low, one.high) == (pytest.approx(1 - other.high), pytest.approx(1 - other.low))
