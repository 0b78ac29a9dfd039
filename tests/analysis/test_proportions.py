import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from readerstudy.analysis import exact_binomial, one_sided_limit, proportion_interval

METHODS = [
    "clopper_pearson",
    "wilson",
    "wilson_cc",
    "agresti_coull",
    "wald",
    "jeffreys",
    "jeffreys_raw",
    "midp",
    "blaker",
]
counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@given(counts, st.sampled_from([0.2, 0.5, 0.7]))
def test_two_sided_p_agrees_with_scipy_and_tails_overlap_in_the_observed_count(count, null):
    x, n = count
    test = exact_binomial(successes=x, trials=n, null=null)
    assert test.p_minlike == pytest.approx(stats.binomtest(x, n, null).pvalue, abs=1e-12)
    assert test.p_greater + test.p_less == pytest.approx(1 + stats.binom.pmf(x, n, null))
    assert test.midp_greater + test.midp_less == pytest.approx(1)
    assert test.p_blaker <= test.p_central + 1e-12


@given(counts, levels, st.sampled_from(METHODS))
def test_interval_lies_in_the_unit_interval_and_mirrors(count, level, method):
    x, n = count
    one = proportion_interval(successes=x, trials=n, level=level, method=method)
    other = proportion_interval(successes=n - x, trials=n, level=level, method=method)
    assert 0 <= one.low <= one.high <= 1
    assert one.low == pytest.approx(1 - other.high, abs=1e-9)
    assert one.high == pytest.approx(1 - other.low, abs=1e-9)


@given(counts, levels)
def test_blaker_lies_within_clopper_pearson_and_its_limits_carry_alpha(count, level):
    x, n = count
    wide = proportion_interval(successes=x, trials=n, level=level)
    narrow = proportion_interval(successes=x, trials=n, level=level, method="blaker")
    assert wide.low - 1e-12 <= narrow.low
    assert narrow.high <= wide.high + 1e-12
    if x > 0:
        outside = exact_binomial(successes=x, trials=n, null=max(narrow.low - 1e-7, 0.0))
        assert outside.p_blaker <= 1 - level + 1e-6


@given(counts, levels)
def test_clopper_pearson_and_the_central_p_value_never_contradict_each_other(count, level):
    x, n = count
    for null in (0.3, 0.5):
        share = proportion_interval(successes=x, trials=n, level=level)
        p = exact_binomial(successes=x, trials=n, null=null).p_central
        if abs(p - (1 - level)) > 1e-9:
            assert (p > 1 - level) == (share.low < null < share.high)


@given(counts)
def test_midp_limits_solve_their_equation(count):
    x, n = count
    share = proportion_interval(successes=x, trials=n, method="midp")
    if x > 0:
        assert exact_binomial(successes=x, trials=n, null=share.low).midp_greater == pytest.approx(0.025, abs=1e-9)
    if x < n:
        assert exact_binomial(successes=x, trials=n, null=share.high).midp_less == pytest.approx(0.025, abs=1e-9)


def test_midp_limit_of_nothing_in_twenty_has_a_closed_form():
    share = proportion_interval(successes=0, trials=20, method="midp")
    assert (share.low, share.high) == (0.0, pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-12))


def test_one_sided_limits_are_those_of_the_wider_two_sided_interval():
    two = proportion_interval(successes=7, trials=20, level=0.9)
    assert one_sided_limit(successes=7, trials=20).low == pytest.approx(two.low)
    assert one_sided_limit(successes=7, trials=20, side="upper").high == pytest.approx(two.high)


def test_without_trials_there_is_a_reason_and_no_number():
    test = exact_binomial(successes=0, trials=0)
    share = proportion_interval(successes=0, trials=0)
    assert (test.p_minlike, test.estimate, share.value, share.low) == (None, None, None, None)
    assert test.reason == share.reason == "no trials"


@pytest.mark.parametrize(("x", "n"), [(3, 2), (-1, 2)])
def test_impossible_counts_are_refused(x, n):
    with pytest.raises(ValueError, match="not a count"):
        exact_binomial(successes=x, trials=n)


def test_large_counts_keep_their_precision():
    test = exact_binomial(successes=5200, trials=10_000)
    assert test.p_minlike == pytest.approx(6.6e-5, rel=0.05)
    assert math.isfinite(proportion_interval(successes=5200, trials=10_000, method="blaker").low)
