import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.api import GLM, Logit, MixedLM, add_constant
from statsmodels.genmod.families import Binomial

from readerstudy.analysis import (
    RandomTerm,
    accuracy_drift,
    case_difficulty,
    cochran_q,
    compare_groups,
    fit_mixed_binary,
    fit_mixed_linear,
    item_statistics,
    mcnemar,
    median_times,
    pairwise_mcnemar,
    panel_model,
    random_intercept,
    rasch_conditional,
    rasch_marginal,
    rater_level_test,
    surprising_cases,
    time_model,
    too_few_persons,
    trend_test,
)
from readerstudy.analysis.panel import mixed_binary

trials = st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=60)


@given(trials)
def test_drift_agrees_with_statsmodels_where_a_slope_exists(correct):
    order = np.arange(1.0, len(correct) + 1)
    found = accuracy_drift(correct=correct, order=order)
    assert (found.slope is None) == (found.reason is not None)
    if found.slope is not None:
        fit = Logit(np.array(correct), add_constant(order)).fit(disp=False)
        assert (found.slope, found.se) == pytest.approx((fit.params[1], fit.bse[1]), rel=1e-3, abs=1e-6)
        assert found.p_lrt == pytest.approx(fit.llr_pvalue, rel=1e-3)


@given(trials, st.randoms())
def test_drift_follows_the_order_and_not_the_rows(correct, random):
    order = list(range(len(correct)))
    together = list(zip(correct, order, strict=True))
    random.shuffle(together)
    one = accuracy_drift(correct=correct, order=order)
    other = accuracy_drift(correct=[c for c, _ in together], order=[o for _, o in together])
    assert one == other


def test_trend_of_two_groups_is_their_chi_square():
    trend = trend_test(correct=[10, 20], n=[40, 40])
    table = compare_groups(correct=[10, 20], n=[40, 40])
    assert trend.chi_square == pytest.approx(table.statistic)
    assert trend_test(correct=[0, 0], n=[5, 5]).reason
    assert compare_groups(correct=[0, 0], n=[5, 5]).reason


def test_cochran_q_of_two_raters_is_mcnemar():
    correct = np.array([[1, 0]] * 9 + [[0, 1]] * 3 + [[1, 1]] * 5, dtype=float)
    assert cochran_q(correct=correct).statistic == pytest.approx(mcnemar(n10=9, n01=3).chi_square)
    assert pairwise_mcnemar(correct=correct)[0, 1] == mcnemar(n10=9, n01=3)
    assert cochran_q(correct=[[1, 1], [0, 0]]).reason
    assert (mcnemar(n10=0, n01=0).p_exact, mcnemar(n10=0, n01=0).p_chi_square) == (1.0, None)


@given(st.lists(st.integers(1, 19).map(lambda k: k / 20), min_size=2, max_size=8))
def test_rater_level_agrees_with_scipy(accuracies):
    found = rater_level_test(accuracies=accuracies)
    if found.t is not None:
        expected = stats.ttest_1samp(accuracies, 0.5)
        assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    differences = np.round(np.array(accuracies) - 0.5, 12)
    used = differences[differences != 0]
    if len(used):
        ranks = stats.rankdata(np.abs(used))
        sums = [ranks @ np.array(signs) for signs in itertools.product((0, 1), repeat=len(used))]
        observed = ranks[used > 0].sum()
        tails = [np.mean(np.array(sums) <= observed + 1e-9), np.mean(np.array(sums) >= observed - 1e-9)]
        assert found.signed_rank_p == pytest.approx(min(1.0, 2 * min(tails)))


def crossed(seed, *, raters=6, cases=80, sd_rater=0.5, sd_case=1.0):
    random = np.random.default_rng(seed)
    rater, case = (grid.ravel() for grid in np.meshgrid(np.arange(raters), np.arange(cases)))
    shift = sd_rater * random.normal(size=raters)[rater] + sd_case * random.normal(size=cases)[case]
    return random, rater, case, shift


def test_mixed_binary_recovers_its_parameters():
    random, rater, case, shift = crossed(1, raters=15, cases=300)
    answer = (random.random(len(rater)) < 1 / (1 + np.exp(-(0.7 + shift)))).astype(float)
    fit = fit_mixed_binary(answer=answer, design=np.ones((len(rater), 1)), rater=rater, case=case)
    assert fit.coefficients[0] == pytest.approx(0.7, abs=3 * fit.se[0])
    assert (fit.sd_rater, fit.sd_case) == pytest.approx((0.5, 1.0), abs=0.25)
    assert not fit.singular


def test_mixed_binary_without_effects_is_the_plain_model_and_says_singular():
    answer = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 1]] * 20, dtype=float).ravel()
    rater, case = np.tile([0, 1], 100), np.repeat(np.arange(100), 2)
    # Cases disagree exactly as often as independent answers do, and both raters are equally often right.
    answer[: 2 * 20] = np.array([[1, 0], [0, 1]] * 10, dtype=float).ravel()
    fit = fit_mixed_binary(answer=answer, design=np.ones((200, 1)), rater=rater, case=case)
    plain = GLM(answer, np.ones(200), family=Binomial()).fit()
    assert (fit.sd_rater, fit.sd_case, fit.singular) == (0, 0, True)
    assert (fit.coefficients[0], fit.se[0]) == pytest.approx((plain.params[0], plain.bse[0]), abs=1e-3)


@pytest.fixture(scope="module")
def of_patients():
    """60 cases of 15 patients who give one kind each, read by five raters."""
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(15), 4)
    truth = (patients % 2).astype(float)
    latent = 0.7 * random.normal(size=15)[patients] + 0.3 * random.normal(size=60)
    noise = 0.3 * random.normal(size=5) + random.normal(size=(60, 5))
    return truth, ((truth - 0.5 + latent)[:, None] + noise > 0).astype(float), patients


def test_patients_are_random_in_the_mixed_models(of_patients):
    """Four cases of one patient say less of d' than four patients do."""
    truth, calls, patients = of_patients
    alone, together = (panel_model(truth=truth, calls=calls, patients=who).detection for who in (None, patients))
    assert alone.sd_patient is None
    assert together.sd_patient > 0.2
    assert together.se[1] > 1.2 * alone.se[1]
    assert together.log_likelihood > alone.log_likelihood
    assert panel_model(truth=truth, calls=calls, patients=np.arange(60)).detection == alone


def test_effects_are_eliminated_as_the_whole_system_would_be_solved(of_patients):
    """Laplace's criterion of raters, patients and cases, against the dense matrix of all effects."""
    truth, calls, patients = of_patients
    case, rater = np.nonzero(calls >= 0)
    design = np.column_stack([np.ones(len(case)), truth[case]])
    data = mixed_binary._Data(
        answer=calls[case, rater],
        design=design,
        rater=rater,
        case=case,
        raters=5,
        cases=60,
        link="probit",
        slope=design[:, 1] - 0.5,
        patient=patients,
        patients=15,
    )
    laplace = mixed_binary._Laplace(data)
    value = laplace(np.array([0.1, 0.5, 0.3, 0.4, 0.2, 0.6]))
    of_raters = rater[:, None] == np.arange(5)
    effects = [0.3 * of_raters, 0.2 * of_raters * data.slope[:, None], 0.6 * (patients[case][:, None] == np.arange(15))]
    every = np.concatenate([*effects, 0.4 * (case[:, None] == np.arange(60))], axis=1)
    mode = laplace.effects
    likelihood, slope, weight = mixed_binary._likelihood(data, design @ [0.1, 0.5] + every @ mode)
    assert slope @ every == pytest.approx(mode, abs=1e-6)
    hessian = np.eye(len(mode)) + every.T @ (weight[:, None] * every)
    assert value == pytest.approx(np.linalg.slogdet(hessian)[1] / 2 - likelihood + mode @ mode / 2)


def test_mixed_binary_refuses_what_it_cannot_fit():
    everyone_right = panel_model(truth=[1, 0], calls=[[1, 1], [0, 0]])
    assert everyone_right.accuracy.reason == "all answers are the same"
    assert panel_model(truth=[1, 0], calls=[[1], [1]]).accuracy.reason
    assert panel_model(truth=[1, 0, 1], calls=[[None, None]] * 3).d_prime is None


def test_mixed_linear_agrees_with_statsmodels_on_one_grouping_factor():
    random, rater, _, _ = crossed(2, raters=12, cases=20)
    x = random.normal(size=len(rater))
    y = 1 + 0.5 * x + random.normal(size=12)[rater] + random.normal(size=len(rater))
    design = np.column_stack([np.ones(len(x)), x])
    fit = fit_mixed_linear(response=y, design=design, terms=[random_intercept(rater)])
    reference = MixedLM(y, design, groups=rater).fit(reml=True)
    assert fit.coefficients == pytest.approx(tuple(reference.fe_params), abs=1e-4)
    assert fit.residual_sd == pytest.approx(math.sqrt(reference.scale), rel=1e-3)
    assert fit.random_sd[0][0] == pytest.approx(math.sqrt(reference.cov_re[0, 0]), rel=1e-2)
    assert fit.df[0] == pytest.approx(11, abs=1.5)


def test_balanced_one_way_model_has_the_textbook_degrees_of_freedom():
    groups = np.repeat(np.arange(8), 5)
    y = np.random.default_rng(3).normal(size=8)[groups] + np.random.default_rng(4).normal(size=40)
    fit = fit_mixed_linear(response=y, design=np.ones((40, 1)), terms=[random_intercept(groups)])
    means = y.reshape(8, 5).mean(axis=1)
    assert fit.se[0] == pytest.approx(means.std(ddof=1) / math.sqrt(8), rel=1e-4)
    assert fit.df[0] == pytest.approx(7, rel=1e-2)


def test_mixed_linear_says_why_it_cannot_be_fitted():
    one = np.ones((4, 1))
    assert fit_mixed_linear(response=[1, 2, 3, 4], design=one, terms=[random_intercept([1, 1, 1, 1])]).reason
    assert fit_mixed_linear(response=[1, 1, 1, 1], design=one, terms=[random_intercept([1, 1, 2, 2])]).reason
    slope = RandomTerm(groups=np.array([1.0, 1, 2, 2]), design=np.ones((4, 1)))
    assert fit_mixed_linear(response=[1, 2], design=np.ones((2, 2)), terms=[slope]).reason


def test_time_model_finds_a_learning_effect():
    random, rater, case, shift = crossed(5, raters=5, cases=40, sd_rater=0.2, sd_case=0.1)
    trial = np.concatenate([random.permutation(40) for _ in range(5)]).reshape(5, 40).T.ravel() + 1.0
    times = np.exp(8 - 0.01 * trial + shift + 0.2 * random.normal(size=200))
    model = time_model(time_ms=times, trial=trial, correct=random.integers(0, 2, 200), rater=rater, case=case)
    assert model.ratio_per_10_trials == pytest.approx(math.exp(-0.1), abs=0.04)
    assert model.fit.p[1] < 0.01
    assert median_times(time_ms=[1, 2, None], correct=[1, 1, 0]).wrong is None


def rasch_data(persons=2000):
    random, difficulty = np.random.default_rng(6), np.array([-1.0, -0.3, 0.2, 1.1])
    ability = random.normal(size=(persons, 1))
    return difficulty, (random.random((persons, 4)) < 1 / (1 + np.exp(-(ability - difficulty)))).astype(float)


def test_rasch_recovers_difficulties_and_frequencies_stand_for_rows():
    difficulty, responses = rasch_data()
    patterns, frequency = np.unique(responses, axis=0, return_counts=True)
    for fit in (rasch_marginal, rasch_conditional):
        rows, grouped = fit(responses=responses), fit(responses=patterns, frequency=frequency)
        assert grouped.difficulty == pytest.approx(rows.difficulty, abs=1e-4)
        centred = np.array(grouped.difficulty) - np.mean(grouped.difficulty)
        assert centred == pytest.approx(difficulty - difficulty.mean(), abs=0.2)
    assert item_statistics(responses=patterns, frequency=frequency).share_correct == pytest.approx(
        responses.mean(axis=0)
    )


def test_rasch_refuses_and_difficulty_shrinks():
    assert rasch_marginal(responses=[[1, 1], [1, 0]]).reason
    assert too_few_persons(5)
    assert too_few_persons(30) is None
    found = case_difficulty(correct=[[1, 1, 1], [0, 0, 0], [1, 0, None], [None, None, None]])
    assert found.n_ratings == [3, 3, 2, 0]
    assert found.share[3] is None
    assert found.share[1] < found.shrunk[1] < found.shrunk[0] < found.share[0]
    assert surprising_cases(correct=np.vstack([np.ones((30, 10)), np.zeros((1, 10))])) == [30]
