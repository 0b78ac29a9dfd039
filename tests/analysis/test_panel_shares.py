"""Sensitivity and specificity of the average rater: what they are, and how often their intervals hold."""

import numpy as np
import pytest
from scipy import stats

from readerstudy.analysis import default_analysis
from readerstudy.analysis.panel.percent_correct import reader_averaged_accuracy


def answers(random, *, raters=5, of_each=40, patients=16, sd=0.3):
    """Raters differ in how easily they say “synthetic”, patients and cases in how synthetic they look."""
    truth = np.repeat([0.0, 1.0], of_each)
    patient = np.tile(np.arange(of_each) % patients, 2)
    looks = random.normal(0, sd, patients)[patient] + random.normal(0, sd, 2 * of_each)
    ease = random.normal(0, sd, raters)
    seen = 0.7 * (truth - 0.5) + looks
    calls = (seen[:, None] + ease + random.normal(0, 1, (2 * of_each, raters)) > 0).astype(float)
    # The share that raters and patients like these would find of the synthetic cases.
    found = float(stats.norm.cdf(0.35 / np.sqrt(1 + 3 * sd**2)))
    return truth, calls, patient.tolist(), found


def of_part(truth, calls, patients, part):
    return reader_averaged_accuracy(truth=truth, calls=calls, patients=patients, part=part)


def test_they_are_the_means_of_the_raters_own():
    truth, calls, patients, _ = answers(np.random.default_rng(1))
    calls[::7, 1], calls[:20, 2] = np.nan, np.nan
    analysis = default_analysis(truth=truth, calls=calls, patients=patients)
    for part in ("sensitivity", "specificity"):
        own = [getattr(row, part).value for row in analysis.raters]
        estimate = getattr(analysis.panel_shares, part)
        assert estimate.value == pytest.approx(np.mean(own))
        assert estimate.low < estimate.value < estimate.high


def test_turning_truth_and_answers_round_turns_them_round():
    truth, calls, patients, _ = answers(np.random.default_rng(2))
    one = of_part(truth, calls, patients, "sensitivity")
    other = of_part(1 - truth, 1 - calls, patients, "specificity")
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_answers_about_the_other_kind_move_nothing():
    truth, calls, patients, _ = answers(np.random.default_rng(3))
    before = of_part(truth, calls, patients, "sensitivity")
    calls[truth == 0] = np.random.default_rng(4).integers(0, 2, calls[truth == 0].shape)
    after = of_part(truth, calls, patients, "sensitivity")
    assert (after.value, after.low, after.high) == (before.value, before.low, before.high)


def test_without_two_raters_or_patients_there_is_a_reason():
    truth, calls, patients, _ = answers(np.random.default_rng(5))
    for table, who in ((calls[:, :1], patients), (calls, [0] * len(truth))):
        found = of_part(truth, table, who, "specificity")
        assert found.low is None
        assert found.reason


@pytest.mark.parametrize("raters", [3, 5])
def test_the_interval_holds_for_raters_and_patients_like_these(raters):
    random, held, studies = np.random.default_rng(6), 0, 400
    for _ in range(studies):
        truth, calls, patients, share = answers(random, raters=raters)
        found = of_part(truth, calls, patients, "sensitivity")
        held += found.low <= share <= found.high
    # 95 % with a Monte Carlo error of 1.1; the care for few raters makes it too wide rather than too short.
    assert held / studies > 0.91
