import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from readerstudy.analysis import (
    Confusion,
    a_prime,
    balanced_accuracy,
    case_label_permutation,
    chance_accuracy,
    confusion,
    detection_indices,
    fisher_exact,
    half_credit,
    independent_majority,
    leave_one_patient_out_vote,
    log_odds_weights,
    majority_vote,
    mean_rating,
    probit_d_prime,
    specificity,
    weighted_vote,
)

cells = st.tuples(*[st.integers(0, 25)] * 4).filter(lambda c: sum(c) > 0)
answers = st.sampled_from([0.0, 1.0, None])


@given(cells)
def test_fisher_agrees_with_scipy(counts):
    tp, fn, fp, tn = counts
    test = fisher_exact(Confusion(tp=tp, fn=fn, fp=fp, tn=tn))
    table = [[tp, fn], [fp, tn]]
    assert test.p_two_sided == pytest.approx(stats.fisher_exact(table).pvalue, abs=1e-9)
    assert test.p_greater == pytest.approx(stats.fisher_exact(table, "greater").pvalue, abs=1e-9)


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_rater_with_one_answer_shows_nothing(n_synthetic, n_real):
    always = Confusion(tp=n_synthetic, fn=0, fp=n_real, tn=0)
    assert fisher_exact(always).p_two_sided == pytest.approx(1)
    assert balanced_accuracy(always).value == 0.5
    assert chance_accuracy(always) == pytest.approx(n_synthetic / (n_synthetic + n_real))
    same = Confusion(tp=n_real, fn=0, fp=n_real, tn=0)
    assert detection_indices(same).d_prime == pytest.approx(0)


@given(cells)
def test_swapping_labels_mirrors_detection(counts):
    tp, fn, fp, tn = counts
    one, other = Confusion(tp=tp, fn=fn, fp=fp, tn=tn), Confusion(tp=fp, fn=tn, fp=tp, tn=fn)
    for correction in ("loglinear", "replace_extremes", "none"):
        found, mirrored = detection_indices(one, correction=correction), detection_indices(other, correction=correction)
        assert (found.d_prime is None) == (found.reason is not None)
        if found.d_prime is not None:
            assert found.d_prime == pytest.approx(-mirrored.d_prime, abs=1e-12)
    if a_prime(one) is not None:
        assert a_prime(one) == pytest.approx(1 - a_prime(other))


def test_the_profile_interval_of_d_prime_loses_the_right_amount_of_likelihood():
    probit = probit_d_prime(Confusion(tp=17, fn=8, fp=10, tn=15))
    assert probit.profile.low < probit.d_prime < probit.profile.high
    assert (probit.profile.low, probit.profile.high) == pytest.approx((probit.wald.low, probit.wald.high), abs=0.03)


def brute_force(truth, calls):
    n, m = len(truth), int(sum(truth))
    scores = []
    for chosen in itertools.combinations(range(n), m):
        label = np.zeros(n)
        label[list(chosen)] = 1
        rated = ~np.isnan(calls)
        scores.append(int((rated & (calls == label[:, None])).sum()))
    rated = ~np.isnan(calls)
    observed = int((rated & (calls == np.array(truth)[:, None])).sum())
    scores, mean = np.array(scores), np.mean(scores)
    far = np.abs(scores - mean) >= abs(observed - mean) - 1e-9
    return (scores >= observed).mean(), (scores <= observed).mean(), far.mean(), mean / rated.sum()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(3, 8).flatmap(lambda n: st.lists(st.lists(answers, min_size=3, max_size=3), min_size=n, max_size=n)),
    st.integers(1, 2),
)
def test_permutation_distribution_equals_full_enumeration(rows, synthetic):
    calls = np.array(rows, dtype=float)
    calls[:, 0] = np.where(np.isnan(calls[:, 0]), 1.0, calls[:, 0])
    truth = [1.0] * synthetic + [0.0] * (len(rows) - synthetic)
    test = case_label_permutation(truth=truth, calls=calls, method="exact")
    greater, less, both, mean = brute_force(truth, calls)
    assert (test.p_greater, test.p_less, test.p_two_sided) == pytest.approx((greater, less, both))
    assert test.null_accuracy == pytest.approx(mean)


def test_monte_carlo_is_seeded_and_close_to_exact():
    random = np.random.default_rng(3)
    truth, calls = np.repeat([1.0, 0.0], 20), (random.random((40, 5)) < 0.5).astype(float)
    exact = case_label_permutation(truth=truth, calls=calls)
    drawn = [case_label_permutation(truth=truth, calls=calls, method="monte_carlo", seed=s) for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0].p_two_sided == pytest.approx(exact.p_two_sided, abs=0.015)
    assert (exact.method, drawn[0].permutations) == ("exact", 20_000)


def test_one_class_or_no_ratings_give_reasons():
    assert case_label_permutation(truth=[1, 1], calls=[[1], [0]]).reason == "only one kind of case was rated"
    assert case_label_permutation(truth=[1, 0], calls=[[None], [None]]).reason == "no ratings"
    assert specificity(confusion(truth=[1, 1], calls=[1, 0])).reason == "no real case was rated"


def test_majority_with_ties_missing_and_an_unrated_case():
    vote = majority_vote([[1, 0], [1, 1], [None, 0], [None, None]])
    assert vote.votes_total == [2, 2, 1, 0]
    assert (vote.n_ties, vote.n_without_votes) == (1, 1)
    assert list(vote.decided(tie_rule="synthetic")[:3]) == [1, 1, 0]
    assert np.isnan(vote.decided()[0])
    assert np.isnan(vote.decided(tie_rule="real")[3])
    assert half_credit(truth=[1, 1, 0, 0], majority=vote) == (2.5, 3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_independent_majority_is_the_distribution_of_the_number_correct(shares):
    found = independent_majority(shares)
    assert sum(found.distribution_number_correct) == pytest.approx(1)
    mean = sum(k * p for k, p in enumerate(found.distribution_number_correct))
    assert mean == pytest.approx(sum(shares))
    mirrored = independent_majority([1 - share for share in shares])
    assert found.p_correct_random_tiebreak == pytest.approx(1 - mirrored.p_correct_random_tiebreak)


def test_weights_of_a_case_never_come_from_that_case():
    truth = np.array([1.0, 0.0, 1.0, 0.0, 1.0])
    calls = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]], dtype=float)
    before = leave_one_patient_out_vote(truth=truth, calls=calls).score[0]
    flipped = truth.copy()
    flipped[0] = 0
    assert leave_one_patient_out_vote(truth=flipped, calls=calls).score[0] == pytest.approx(before)


def test_infinite_weights_are_refused_and_opposite_weights_tie():
    with pytest.raises(ValueError, match="between 0 and 1"):
        log_odds_weights([0.5, 1.0])
    assert weighted_vote(calls=[[1, 0]], weights=log_odds_weights([0.7, 0.7])).calls[0] == 0.5


def test_mean_rating_skips_missing_ratings():
    assert list(mean_rating([[1, None], [2, 4]])) == [1, 3]
    assert np.isnan(mean_rating([[None, None]])[0])
