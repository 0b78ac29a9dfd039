"""Patients as units: what holds when they give one case each, what their cases share, what no pattern of answers ends."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readerstudy.analysis import (
    AnalysisOptions,
    AnalysisPlan,
    auc,
    auc_tost,
    case_label_permutation,
    compare_aucs,
    compare_conditions,
    default_analysis,
    leave_one_patient_out_vote,
    reader_averaged_accuracy,
    reader_averaged_auc,
    share_over_patients,
)
from readerstudy.analysis.patients import patient_numbers
from readerstudy.analysis.rater.auc import delong_spread, jackknife_spread, placements

# Two raters on twelve cases of seven patients, of whom two have both kinds.
PATIENTS = list("aabbbcddeffg")
TRUTH = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0], dtype=float)
RATINGS = np.array(
    [[4, 5, 3, 6, 2, 5, 1, 3, 2, 4, 4, 1], [3, 5, 4, 4, 3, 6, 2, 2, 4, 3, 2, 1]],
    dtype=float,
).T


def reading(seed, *, patients=10, each=3, raters=4, share=0.3, effect=0.0, mixed=True):
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(patients), each)
    truth = (np.arange(len(numbers)) % 2 if mixed else numbers % 2).astype(float)
    level = np.sqrt(share) * random.normal(size=(patients, 1))[numbers] + effect * truth[:, None]
    noise = np.sqrt(1 - share) * random.normal(size=(len(numbers), raters))
    return truth, np.digitize(level + noise, [-1.2, -0.6, 0, 0.6, 1.2]) + 1.0, numbers


def with_holes(ratings, *, seed, share=0.3):
    return np.where(np.random.default_rng(seed).random(ratings.shape) < share, np.nan, ratings)


def kernel_sums(scores):
    """Placements summed over each patient, straight from all pairs."""
    above, below = scores[TRUTH == 1], scores[TRUTH == 0]
    kernel = (above[:, None] > below) + 0.5 * (above[:, None] == below)
    names = np.array(PATIENTS)
    area, own = kernel.mean(), list("abcdefg")
    synthetic = [kernel.mean(axis=1)[names[TRUTH == 1] == name].sum() for name in own]
    real = [kernel.mean(axis=0)[names[TRUTH == 0] == name].sum() for name in own]
    m, n = (np.array([(names[kind == TRUTH] == name).sum() for name in own]) for kind in (1, 0))
    return np.array(synthetic) - m * area, np.array(real) - n * area, m, n


def obuchowski_1997(first, second):
    """The published estimator with its factors I/(I-1)."""
    (s, r, m, n), (t, u, _, _) = kernel_sums(first), kernel_sums(second)
    synthetic, real, every = (m > 0).sum(), (n > 0).sum(), len(m)
    s10 = synthetic / ((synthetic - 1) * m.sum()) * (s * t).sum()
    s01 = real / ((real - 1) * n.sum()) * (r * u).sum()
    s11 = every / (every - 1) * ((s * u).sum() + (t * r).sum())
    return s10 / m.sum() + s01 / n.sum() + s11 / (m.sum() * n.sum())


def test_clustered_covariance_and_panel_are_those_of_r():
    """Recomputed in R from outer() and the model matrix (leave-one-out residuals, df of Bell & McCaffrey)."""
    spread = delong_spread(placements(truth=TRUTH, scores=RATINGS), patients=patient_numbers(PATIENTS, cases=12))
    assert spread.covariance() == pytest.approx(
        np.array([[0.00353652263374486, 0.00536908436213992], [0.00536908436213992, 0.0192965534979424]]), abs=1e-15
    )
    assert spread.df == pytest.approx(4.57512237981674, abs=1e-12)
    panel = reader_averaged_auc(truth=TRUTH, ratings=RATINGS, patients=PATIENTS, scale="identity")
    found = (panel.value, panel.se, panel.df, panel.p)
    # Satterthwaite's 3.990 degrees of freedom, and with so few readers those of a readers' part three times as large.
    assert found == pytest.approx((0.868055555555556, 0.096308537327383, 2.03296124045, 0.06056787552027))


def test_the_published_estimator_is_near_and_never_larger():
    columns = [RATINGS[:, 0], RATINGS[:, 1]]
    published = np.array([[obuchowski_1997(one, other) for one in columns] for other in columns])
    assert published[0, 0] == pytest.approx(0.00352223365340649)
    assert published[1, 1] == pytest.approx(0.0189864826245999)
    placed = placements(truth=TRUTH, scores=RATINGS)
    ours = delong_spread(placed, patients=patient_numbers(PATIENTS, cases=12)).covariance()
    assert ours == pytest.approx(published, rel=0.03)
    assert (np.diag(ours) >= np.diag(published)).all()


def test_equal_patients_of_one_kind_give_the_published_variance_times_a_known_factor():
    truth, ratings, numbers = reading(3, patients=12, each=4, mixed=False)
    placed = placements(truth=truth, scores=ratings)
    found = delong_spread(placed, patients=numbers)
    parts = []
    for kind in (1, 0):
        values, own = placed.values[truth == kind], numbers[truth == kind]
        sums = np.array([(values[own == name] - values.mean(axis=0)).sum(axis=0) for name in np.unique(own)])
        parts.append(6 / 5 * sums.T @ sums / len(values) ** 2)
    factor = (1 - 1 / 24) * 6 / 5
    assert found.covariance() == pytest.approx(factor * (parts[0] + parts[1]))
    assert found.df == pytest.approx(2 * (6 - 1))


def test_twins_have_as_many_degrees_of_freedom_as_patients_less_one():
    truth, ratings, numbers = reading(4, patients=15, each=2)
    assert delong_spread(placements(truth=truth, scores=ratings), patients=numbers).df == pytest.approx(14)


def test_leaving_out_patients_is_the_jackknife_of_r():
    spread = jackknife_spread(placements(truth=TRUTH, scores=RATINGS), patients=patient_numbers(PATIENTS, cases=12))
    expected = np.array([[0.00324625850340136, 0.00451700680272109], [0.00451700680272109, 0.0169897959183673]])
    assert spread.covariance() == pytest.approx(expected, abs=1e-15)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from(["delong", "jackknife"]))
def test_patients_with_one_case_each_change_nothing(seed, complete, covariance):
    truth, ratings, _ = reading(seed, patients=24, each=1)
    truth = np.arange(24) % 2.0
    ratings = ratings if complete else with_holes(ratings, seed=seed)
    names = [f"patient {number}" for number in range(24)][::-1]
    known = {"truth": truth, "ratings": ratings, "covariance": covariance}
    assert reader_averaged_auc(**known) == reader_averaged_auc(**known, patients=names)
    calls = np.where(np.isnan(ratings), np.nan, ratings > 3)
    shares = [reader_averaged_accuracy(truth=truth, calls=calls, patients=one) for one in (None, names)]
    assert shares[0] == shares[1]
    tests = [case_label_permutation(truth=truth, calls=calls, patients=one) for one in (None, names)]
    assert tests[0] == tests[1]
    column = {"truth": truth, "scores": ratings[:, 0]}
    assert auc(**column) == auc(**column, patients=names)
    votes = [leave_one_patient_out_vote(truth=truth, calls=calls, patients=one).score for one in (None, names)]
    assert np.array_equal(*votes, equal_nan=True)


def test_the_whole_analysis_of_one_case_a_patient_is_that_of_cases():
    truth, ratings, _ = reading(8, patients=30, each=1)
    truth = np.arange(30) % 2.0
    data = {"truth": truth, "calls": (ratings > 3).astype(float), "ratings": ratings}
    one, other = default_analysis(**data).as_json(), default_analysis(**data, patients=list(range(30))).as_json()
    assert one == other
    assert one["design"]["unit"] == "case"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_copies_of_a_case_bring_no_information(seed, copies):
    """DeLong's variance of copied cases would shrink by their number; over patients it stays, but for rounding to n-1."""
    truth, ratings, _ = reading(seed, patients=20, each=1)
    truth = np.arange(20) % 2.0
    single = delong_spread(placements(truth=truth, scores=ratings), patients=np.arange(20))
    again = [np.repeat(one, copies, axis=0) for one in (truth, ratings, np.arange(20))]
    copied = delong_spread(placements(truth=again[0], scores=again[1]), patients=again[2])
    factor = (1 - 1 / (10 * copies)) / (1 - 1 / 10)
    assert copied.covariance() == pytest.approx(factor * single.covariance())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from(["delong", "jackknife"]))
def test_order_of_cases_and_names_of_patients_do_not_matter(seed, mixed, covariance):
    truth, ratings, numbers = reading(seed, patients=8, mixed=mixed)
    ratings = with_holes(ratings, seed=seed, share=0.1)
    order = np.random.default_rng(seed).permutation(len(truth))
    one = reader_averaged_auc(truth=truth, ratings=ratings, patients=numbers, covariance=covariance)
    names = [f"p{97 * number % 101}" for number in numbers[order]]
    other = reader_averaged_auc(truth=truth[order], ratings=ratings[order], patients=names, covariance=covariance)
    assert (one.value, one.se, one.df) == pytest.approx((other.value, other.se, other.df))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.8))
def test_no_pattern_of_answers_makes_a_variance_negative(seed, share):
    truth, ratings, numbers = reading(seed, patients=8)
    ratings = with_holes(ratings, seed=seed, share=share)
    found = reader_averaged_auc(truth=truth, ratings=ratings, patients=numbers)
    assert found.variance is None or found.variance >= 0
    assert (found.p is None) == (found.reason is not None)
    placed = placements(truth=truth, scores=ratings)
    assert np.linalg.eigvalsh(delong_spread(placed, patients=numbers).covariance()).min() > -1e-12


def test_raters_who_stop_early_do_not_end_the_planned_test():
    """With the unbiased U-statistic the test vanished in more than a quarter of such studies."""
    tested = 0
    for seed in range(100):
        truth, ratings, _ = reading(seed, patients=24, each=1, raters=3, share=0.05)
        truth = np.arange(24) % 2.0
        for rater, answered in enumerate((24, 12, 6)):
            ratings[answered:, rater] = np.nan
        tested += reader_averaged_auc(truth=truth, ratings=ratings).p is not None
    assert tested == 100


def test_every_rater_counts_alike_however_much_was_answered():
    truth, ratings, _ = reading(5, patients=60, each=1, raters=3, effect=1.5)
    truth = np.arange(60) % 2.0
    ratings[:, 0] = np.where(truth == 1, 6, 1)
    ratings[8:, 1:] = np.nan
    panel = reader_averaged_auc(truth=truth, ratings=ratings)
    own = [auc(truth=truth, scores=column).value for column in ratings.T]
    assert panel.value == pytest.approx(np.mean(own))
    assert panel.reader_aucs == pytest.approx(own)
    calls = np.where(np.isnan(ratings), np.nan, ratings > 3)
    share = reader_averaged_accuracy(truth=truth, calls=calls)
    assert share.value == pytest.approx(np.nanmean(calls == truth[:, None], axis=0, where=~np.isnan(calls)).mean())


def test_raters_of_different_cases_share_no_error():
    """Each rater's cases are an independent sample then: the spread of the raters is all the variance there is."""
    truth, ratings, _ = reading(6, patients=40, each=1, raters=2)
    truth = np.arange(40) // 2 % 2.0
    ratings[::2, 0], ratings[1::2, 1] = np.nan, np.nan
    panel = reader_averaged_auc(truth=truth, ratings=ratings)
    assert panel.cov2 == 0
    assert panel.variance == pytest.approx(np.var(panel.reader_aucs, ddof=1) / 2)
    assert panel.df == pytest.approx(1)


def test_a_negative_covariance_is_taken_as_none():
    truth = np.tile([0.0, 1.0], 10)
    first = np.where(np.arange(20) % 5 < 2, 1 - truth, truth)
    ratings = np.column_stack([first, np.where(first == truth, 1 - truth, truth) + 0.5 * truth])
    panel = reader_averaged_auc(truth=truth, ratings=ratings)
    assert panel.cov2 < 0
    assert panel.variance == pytest.approx(panel.ms_reader / 2)
    assert panel.df == pytest.approx(1)


def test_a_rater_of_one_patient_tells_nothing_of_covariance():
    truth, ratings, numbers = reading(9, patients=10, each=4, raters=3)
    two = reader_averaged_auc(truth=truth, ratings=ratings[:, :2], patients=numbers)
    ratings[numbers > 0, 2] = np.nan
    three = reader_averaged_auc(truth=truth, ratings=ratings, patients=numbers)
    assert three.reader_aucs[2] is not None
    assert three.cov2 == pytest.approx(two.cov2)
    ratings[numbers > 0, 1] = np.nan
    assert "fewer than two readers" in reader_averaged_auc(truth=truth, ratings=ratings, patients=numbers).reason


def test_a_kind_from_one_patient_is_not_tested():
    truth, ratings, _ = reading(7, patients=12, each=1)
    truth = (np.arange(12) < 6).astype(float)
    alone = [*("only one" for _ in range(6)), *range(6)]
    calls = (ratings > 3).astype(float)
    assert "two patients" in reader_averaged_auc(truth=truth, ratings=ratings, patients=alone).reason
    assert "two patients" in reader_averaged_accuracy(truth=truth, calls=calls, patients=alone).reason
    assert "one patient" in case_label_permutation(truth=truth, calls=calls, patients=alone).reason
    assert "one patient" in auc(truth=truth, scores=ratings[:, 0], patients=alone).reason
    assert "one patient" in share_over_patients(truth=truth, calls=calls[:, 0], patients=alone).reason
    assert compare_conditions(truth=truth, ratings=np.stack([ratings, ratings]), patients=alone).reason


def permuted_studies(truth, numbers):
    """All label vectors within patients, as the test draws them for patients with both kinds."""
    own = [np.flatnonzero(numbers == name) for name in np.unique(numbers)]
    for chosen in product(*(combinations(cases, int(truth[cases].sum())) for cases in own)):
        label = np.zeros(len(truth))
        label[[case for part in chosen for case in part]] = 1
        yield label


def studentised(truth, score, numbers):
    kinds = {1: 1.0, 0: -1.0}
    pulled = np.zeros(numbers.max() + 1)
    for kind, sign in kinds.items():
        values, own, count = score[truth == kind], numbers[truth == kind], (truth == kind).sum()
        for name in np.unique(own):
            sums = (values[own == name] - values.mean()).sum()
            pulled[name] += sign * np.sqrt(1 - 1 / count) / (count - (own == name).sum()) * sums
    gap = score[truth == 1].mean() - score[truth == 0].mean()
    return gap, np.sqrt((pulled**2).sum())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_are_permuted_within_patients(seed):
    truth, ratings, numbers = reading(seed, patients=6, each=3, effect=0.7)
    calls = (ratings > 3).astype(float)
    score = (2 * calls - 1).sum(axis=1)
    score -= np.array([score[numbers == name].mean() for name in range(6)])[numbers]
    t = np.array(
        [gap / se for gap, se in (studentised(one, score, numbers) for one in permuted_studies(truth, numbers))]
    )
    gap, se = studentised(truth, score, numbers)
    exact = np.mean(np.abs(t) >= abs(gap / se) - 1e-9)
    found = case_label_permutation(truth=truth, calls=calls, patients=numbers, permutations=20_000)
    assert found.unit == "patient"
    assert found.p_two_sided == pytest.approx(exact, abs=0.015)


def test_patients_of_one_kind_change_places_whole():
    truth, ratings, numbers = reading(4, patients=8, each=4, share=0.6, effect=1.0, mixed=False)
    score = (2 * (ratings > 3) - 1.0).sum(axis=1)
    score -= score.mean()
    every = [
        studentised(np.isin(numbers, chosen).astype(float), score, numbers) for chosen in combinations(range(8), 4)
    ]
    t = np.array([gap / se for gap, se in every])
    gap, se = studentised(truth, score, numbers)
    found = case_label_permutation(truth=truth, calls=(ratings > 3).astype(float), patients=numbers)
    assert found.p_two_sided == pytest.approx(np.mean(np.abs(t) >= abs(gap / se) - 1e-9), abs=0.015)


def test_pairing_within_patients_finds_what_their_differences_hide():
    """A large spread of patients and a small difference within each: only the pairing shows it."""
    numbers = np.repeat(np.arange(30), 2)
    truth = np.tile([0.0, 1.0], 30)
    calls = np.repeat((np.arange(30) % 3 > 0).astype(float), 2)
    calls[:20:2] = 0
    blind = case_label_permutation(truth=truth, calls=calls[:, None]).p_two_sided
    paired = case_label_permutation(truth=truth, calls=calls[:, None], patients=numbers).p_two_sided
    assert paired < 0.05 < blind


def test_error_rate_of_few_large_patients_is_nominal():
    """Ten patients of ten cases, truth constant within each: cases taken as independent reject in over a third."""
    found = np.zeros(3)
    for seed in range(300):
        truth, ratings, numbers = reading(seed, patients=10, each=10, share=0.3, mixed=False)
        calls = (ratings > 3).astype(float)
        tests = [
            reader_averaged_auc(truth=truth, ratings=ratings, patients=None).p,
            reader_averaged_auc(truth=truth, ratings=ratings, patients=numbers).p,
            case_label_permutation(truth=truth, calls=calls, patients=numbers, permutations=199).p_two_sided,
        ]
        found += [p is not None and p <= 0.05 for p in tests]
    independent, areas, permuted = found / 300
    assert independent > 0.25
    assert areas < 0.085
    assert permuted < 0.085


def test_percent_correct_of_few_raters_covers_what_it_estimates():
    """Two raters of varying skill: the normal interval covered 72 to 84 %."""
    covered = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        truth = np.repeat([0.0, 1.0], 40)
        skill = 0.65 + 0.08 * random.normal(size=2)
        right = random.random((80, 2)) < np.clip(skill, 0, 1)
        found = reader_averaged_accuracy(truth=truth, calls=np.where(right, truth[:, None], 1 - truth[:, None]))
        covered += found.low <= 0.65 <= found.high
    assert covered / 300 > 0.95


def test_limits_of_percent_correct_stay_within_one_and_agree_with_equivalence():
    truth = np.repeat([0.0, 1.0], 15)
    random = np.random.default_rng(3)
    right = random.random((30, 3)) < 0.95
    found = reader_averaged_accuracy(truth=truth, calls=np.where(right, truth[:, None], 1 - truth[:, None]))
    assert 0 < found.low < found.value < found.high < 1
    middle = reader_averaged_accuracy(truth=truth, calls=random.integers(0, 2, (30, 3)).astype(float))
    tost = auc_tost(panel=middle, margin=0.15)
    low, high = middle.interval(level=0.9)
    assert tost.equivalent == (low > 0.35 and high < 0.65)
    assert (tost.interval.low, tost.interval.high) == pytest.approx((low - 0.5, high - 0.5))


def test_patients_who_are_alike_leave_the_variance_of_their_cases():
    truth, scores = np.tile([0.0, 0.0, 1.0, 1.0], 5), np.tile([1.0, 3.0, 2.0, 4.0], 5)
    alike = auc(truth=truth, scores=scores, patients=np.repeat(np.arange(5), 4))
    assert (alike.value, alike.df) == (0.75, pytest.approx(4))
    assert alike.variance == pytest.approx(auc(truth=truth, scores=scores).variance)


def test_shares_over_patients_at_the_edges():
    truth, numbers = np.tile([0.0, 1.0], 20), np.repeat(np.arange(10), 4)
    perfect = share_over_patients(truth=truth, calls=truth, patients=numbers)
    assert (perfect.value, perfect.se) == (1, None)
    # Clopper-Pearson with ten patients, not forty cases, as trials: 0.025 ** (1 / 10).
    assert (perfect.low, perfect.high) == pytest.approx((0.025**0.1, 1))
    constant = share_over_patients(truth=truth, calls=np.ones(40), patients=numbers)
    assert (constant.value, constant.low) == (0.5, None)
    assert auc_tost(panel=constant, margin=0.15).equivalent is None
    alike = share_over_patients(truth=truth, calls=np.where(np.arange(40) % 4 < 2, 1 - truth, truth), patients=numbers)
    # Every patient has two of four right: 20 real and 20 synthetic cases leave 2 * (1/2)^2 * 1/4 / 19.
    assert (alike.value, alike.variance) == (0.5, pytest.approx(0.125 / 19))
    nothing = share_over_patients(truth=np.ones(4), calls=np.ones(4), patients=[1, 1, 2, 2], part="specificity")
    assert nothing.value is None
    parts = ("accuracy", "sensitivity", "specificity", "balanced_accuracy")
    calls = np.where(np.arange(40) < 12, 1 - truth, truth)
    found = [share_over_patients(truth=truth, calls=calls, patients=numbers, part=part) for part in parts]
    assert [one.value for one in found] == pytest.approx([0.7, 0.7, 0.7, 0.7])
    assert all(one.low < 0.7 < one.high for one in found)


def test_two_scores_of_the_same_patients_are_compared_over_patients():
    truth, ratings, numbers = reading(5, patients=14, each=4, effect=1.0)
    pair = {"truth": truth, "first": ratings[:, 0], "second": ratings[:, 1]}
    cov = delong_spread(placements(truth=truth, scores=ratings[:, :2]), patients=numbers)
    found = compare_aucs(**pair, patients=numbers)
    gap, change = found.difference.value, np.array([1, -1])
    assert found.z == pytest.approx(gap / np.sqrt(change @ cov.covariance() @ change))
    assert found.p > compare_aucs(**pair).p * 0.2
    two = compare_conditions(truth=truth, ratings=np.stack([ratings, ratings[:, ::-1]]), patients=numbers)
    assert two.random_both is not None or two.reason


def clustered_study(**options):
    truth, ratings, numbers = reading(11, patients=12, each=4, effect=0.4)
    data = {"truth": truth, "calls": (ratings > 3).astype(float), "ratings": ratings, "patients": numbers.tolist()}
    return default_analysis(**data, options=AnalysisOptions(**options))


def test_the_default_analysis_takes_patients_together():
    found = clustered_study()
    assert (found.design.n_patients, found.design.most_cases_of_a_patient, found.design.unit) == (12, 4, "patient")
    assert (found.design.n_patients_both, found.design.note) == (12, None)
    assert "over patients" in found.primary.method
    assert found.permutation.unit == "patient"
    for row in (*found.raters, found.ensemble):
        assert (row.test, row.binomial_valid, row.bf01) == ("permutation", False, None)
        assert row.accuracy.low < row.accuracy.value < row.accuracy.high
    assert "patients are random" in found.primary.random


def test_a_plan_may_count_cases_and_then_says_so():
    found = clustered_study(unit="case")
    assert found.design.unit == "case"
    assert "more than one" in found.design.note
    assert (found.raters[0].test, found.permutation.unit) == ("binomial", "case")
    assert found.design.n_patients == 12


@pytest.mark.parametrize("unit", ["lesion", ""])
def test_a_plan_knows_two_units(unit):
    with pytest.raises(ValueError, match="unit"):
        AnalysisPlan(unit=unit)


def test_the_percent_correct_verdict_says_what_is_random():
    truth, ratings, numbers = reading(12, patients=12, each=4)
    found = default_analysis(truth=truth, calls=(ratings > 3).astype(float), patients=numbers.tolist()).primary
    assert "within and between patients" in found.method
    assert found.random.startswith("In the test patients are random and the raters fixed")


def test_balance_is_judged_on_what_was_answered():
    """Of a balanced design 18 synthetic and 2 real cases were answered, always "synthetic": no discrimination."""
    truth = np.repeat([1.0, 0.0], 20)
    calls = np.full((40, 3), np.nan)
    calls[:18], calls[20:22] = 1, 1
    found = default_analysis(truth=truth, calls=calls)
    assert found.design.balanced is False
    for row in (*found.raters, found.ensemble):
        assert (row.test, row.p, row.verdict) == ("fisher", pytest.approx(1.0), "not assessable")
    assert found.primary.verdict == "not assessable"
    assert found.primary.null == pytest.approx(0.9)


def test_patients_must_be_named_for_every_case():
    with pytest.raises(ValueError, match="2 patients are named for 3 cases"):
        default_analysis(truth=[1, 0, 1], calls=[[1], [0], [1]], patients=["a", "b"])
