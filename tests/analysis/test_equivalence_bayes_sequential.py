import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from readerstudy.analysis import (
    Estimate,
    Verdict,
    auc_tost,
    bayes_binomial,
    bernoulli_confidence_interval,
    binomial_tost,
    e_process,
    group_sequential,
    judge,
    logistic_prior_bf10,
    reader_averaged_auc,
    t_tost,
)

counts = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.05, 0.1, 0.15]), st.sampled_from([0.025, 0.05]))
def test_tost_decision_is_inclusion_of_its_interval(count, margin, alpha):
    x, n = count
    test = binomial_tost(successes=x, trials=n, margin=margin, alpha=alpha)
    inside = 0.5 - margin < test.interval.low and test.interval.high < 0.5 + margin
    if abs(test.p - alpha) > 1e-9:
        assert test.equivalent == inside


def test_tost_of_an_auc_is_inclusion_of_the_90_percent_interval():
    random = np.random.default_rng(1)
    truth = np.repeat([0.0, 1.0], 60)
    panel = reader_averaged_auc(truth=truth, ratings=random.integers(1, 7, (120, 5)))
    test = auc_tost(panel=panel, margin=0.15)
    low, high = panel.interval(level=0.9)
    assert (0.5 + test.interval.low, 0.5 + test.interval.high) == pytest.approx((low, high))
    assert test.equivalent == (low > 0.35 and high < 0.65)


@pytest.mark.parametrize(
    ("p", "equivalent", "verdict"),
    [
        (0.01, False, Verdict.DISCRIMINATES),
        (0.01, True, Verdict.DETECTABLE_WITHIN),
        (0.6, True, Verdict.EQUIVALENT),
        (0.6, False, Verdict.INCONCLUSIVE),
        (None, None, Verdict.INCONCLUSIVE),
    ],
)
def test_the_four_verdicts_and_their_words(p, equivalent, verdict):
    judged = judge(
        p_difference=p, equivalent=equivalent, estimate=Estimate(value=0.56, low=0.5, high=0.6), margin=0.1, alpha=0.05
    )
    assert judged.verdict is verdict
    assert verdict.value.split(" within")[0].split(" to")[0] in judged.sentence.lower()
    assert "indistinguishable" not in judged.sentence


def test_below_chance_is_use_of_information_not_equivalence():
    judged = judge(
        p_difference=0.001, equivalent=False, estimate=Estimate(value=0.27, low=0.15, high=0.4), margin=0.1, alpha=0.05
    )
    assert "swapped labels" in judged.sentence


def test_an_estimate_is_finite_or_has_a_reason():
    with pytest.raises(ValueError, match="reason"):
        Estimate(value=None)
    with pytest.raises(ValueError, match="finite"):
        Estimate(value=math.nan)
    assert binomial_tost(successes=0, trials=0, margin=0.1).reason == "no trials"
    assert t_tost(mean=0.5, sd=0, n=5, null=0.5, low=-0.1, high=0.1).reason


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bayes_factor_is_the_ratio_of_integrated_likelihoods(count):
    x, n = count
    found = bayes_binomial(successes=x, trials=n, rope=(0.4, 0.6))
    marginal = integrate.quad(lambda p: stats.binom.pmf(x, n, p), 0, 1, points=[x / n], limit=200)[0]
    assert found.bf10 == pytest.approx(marginal / stats.binom.pmf(x, n, 0.5), rel=1e-6)
    assert found.bf10 == pytest.approx((found.bf_greater + found.bf_less) / 2)
    assert logistic_prior_bf10(successes=x, trials=n) == pytest.approx(
        logistic_prior_bf10(successes=n - x, trials=n), rel=1e-6
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=60))
def test_e_process_is_the_bayes_factor_at_every_trial_and_its_sequence_excludes_what_it_rejects(trials):
    found = e_process(correct=trials)
    last = bayes_binomial(successes=sum(trials), trials=len(trials))
    assert found.e_value[-1] == pytest.approx(last.bf10)
    assert found.e_value_greater[-1] == pytest.approx(last.bf_greater)
    for e_value, low, high in zip(found.e_value, found.low, found.high, strict=True):
        if abs(e_value - 20) > 1e-6:
            assert (e_value >= 20) == (not low < 0.5 < high)


def test_peeking_after_every_trial_keeps_the_error_below_alpha():
    random = np.random.default_rng(7)
    rejected = sum(e_process(correct=random.integers(0, 2, 100)).first_rejection is not None for _ in range(200))
    assert rejected / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_confidence_sequences_contain_the_share_and_need_trials():
    found = bernoulli_confidence_interval(successes=12, trials=30)
    assert found.low < 0.4 < found.high
    assert bernoulli_confidence_interval(successes=0, trials=0).reason
    assert bernoulli_confidence_interval(successes=0, trials=5).low == 0


@pytest.mark.parametrize("design", ["OF", "P", "WT", "HP", "asOF", "asP", "asKD", "asHSD"])
@pytest.mark.parametrize("sides", [1, 2])
def test_boundaries_spend_exactly_alpha(design, sides):
    found = group_sequential(information_rates=[0.3, 0.6, 1.0], design=design, sides=sides)
    assert found.cumulative_alpha[-1] == pytest.approx(0.05, abs=1e-7)
    assert found.cumulative_alpha == sorted(found.cumulative_alpha)


def test_boundaries_hold_in_simulation():
    found = group_sequential(information_rates=[0.5, 1.0], design="P")
    steps = np.random.default_rng(1).normal(size=(200_000, 2)) * math.sqrt(0.5)
    z = steps.cumsum(axis=1) / np.sqrt([0.5, 1.0])
    crossed = (np.abs(z) >= found.critical_z).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.002)


def test_looks_must_ascend():
    with pytest.raises(ValueError, match="ascend"):
        group_sequential(information_rates=[0.5, 0.5, 1.0])
