import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as reference_fleiss

from readerstudy.analysis import agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha

COEFFICIENTS = [
    "percent_agreement",
    "gwet_ac1",
    "fleiss_kappa",
    "conger_kappa",
    "krippendorff_alpha",
    "brennan_prediger",
]
tables = st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=3, max_size=15)
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=40)


@given(tables)
def test_fleiss_agrees_with_statsmodels_and_with_the_general_coefficient(rows):
    assume(len({value for row in rows for value in row}) > 1)
    expected = reference_fleiss(aggregate_raters(np.array(rows))[0])
    assert fleiss_kappa(ratings=rows).kappa == pytest.approx(expected)
    assert agreement(ratings=rows, coefficient="fleiss_kappa").coefficient == pytest.approx(expected)


@given(tables, st.sampled_from(COEFFICIENTS))
def test_names_of_categories_and_order_of_cases_do_not_matter(rows, coefficient):
    renamed = [[{0: 7, 1: 3, 2: 5}[value] for value in row] for row in reversed(rows)]
    one, other = (agreement(ratings=table, coefficient=coefficient) for table in (rows, renamed))
    assert (one.coefficient is None) == (other.coefficient is None)
    if one.coefficient is not None:
        assert one.coefficient == pytest.approx(other.coefficient)
    assert one.coefficient is not None or one.reason


@given(pairs, st.sampled_from(["none", "linear", "quadratic"]))
def test_cohen_agrees_with_scikit_learn(rows, weights):
    first, second = zip(*rows, strict=True)
    observed = sorted({*first, *second})
    assume(len(observed) > 1)
    rank = {value: index for index, value in enumerate(observed)}
    expected = cohen_kappa_score(
        [rank[v] for v in first], [rank[v] for v in second], weights=None if weights == "none" else weights
    )
    found = cohen_kappa(first=first, second=second, weights=weights)
    if found.kappa is not None:
        assert found.kappa == pytest.approx(expected, abs=1e-9)


@given(tables, st.sampled_from(COEFFICIENTS))
def test_one_case_per_patient_gives_the_interval_over_cases(rows, coefficient):
    alone = agreement(ratings=rows, coefficient=coefficient)
    named = agreement(ratings=rows, coefficient=coefficient, patients=[f"P{row}" for row in range(len(rows))])
    assert alone == named


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_cases_seen_twice_know_no_more_than_cases_seen_once(coefficient):
    """Every patient's case copied three times: counted as cases, the interval would shrink."""
    rows = np.random.default_rng(5).binomial(1, 0.5, (40, 4))
    rows[::2] = rows[::2, :1]
    once = agreement(ratings=rows, coefficient=coefficient)
    copied, patients = np.repeat(rows, 3, axis=0), np.repeat(np.arange(40), 3)
    together = agreement(ratings=copied, coefficient=coefficient, patients=patients)
    apart = agreement(ratings=copied, coefficient=coefficient)
    assert together.coefficient == pytest.approx(once.coefficient, abs=0.01)
    assert together.se == pytest.approx(once.se, rel=0.02)
    assert apart.se < 0.65 * once.se


def test_the_error_over_patients_is_near_the_jackknife_over_patients():
    """Leaving out one patient at a time is the plain way to the same number."""
    random, patients = np.random.default_rng(8), np.repeat(np.arange(25), 4)
    latent = random.normal(size=25)[patients][:, None] + random.normal(size=(100, 1))
    rows = (latent + random.normal(size=(100, 5)) > 0).astype(float)
    found = agreement(ratings=rows, patients=patients)
    left = [agreement(ratings=rows[patients != one]).coefficient for one in range(25)]
    jackknife = np.sqrt(24 / 25 * ((np.array(left) - np.mean(left)) ** 2).sum())
    assert found.se == pytest.approx(jackknife, rel=0.05)
    assert found.se > 1.2 * agreement(ratings=rows).se


def test_krippendorff_published_example_with_missing_values():
    """Units 1-12 by four observers, Krippendorff 2011: 0.743 nominal, 0.815 ordinal, 0.849 interval, 0.797 ratio."""
    observers = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    units = [
        [None if mark == "." else int(mark) for mark in row] for row in zip(*map(str.split, observers), strict=True)
    ]
    published = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
    for metric, value in published.items():
        assert krippendorff_alpha(ratings=units, metric=metric).value == pytest.approx(value, abs=6e-4)
    assert agreement(ratings=units, coefficient="krippendorff_alpha").coefficient == pytest.approx(0.743, abs=6e-4)


def test_a_paradox_shows_low_kappa_beside_high_agreement():
    rows = [[1, 1]] * 18 + [[1, 0], [0, 1]]
    assert agreement(ratings=rows, coefficient="fleiss_kappa").coefficient < 0
    assert agreement(ratings=rows, coefficient="gwet_ac1").coefficient > 0.85


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_degenerate_tables_have_reasons_not_numbers(coefficient):
    constant = agreement(ratings=[[1, 1], [1, 1]], coefficient=coefficient)
    assert constant.reason
    assert constant.coefficient == (1.0 if coefficient in {"percent_agreement", "gwet_ac1"} else None)
    assert constant.se is None
    lonely = agreement(ratings=[[1, None], [None, 0]], coefficient=coefficient)
    assert lonely.coefficient is None
    assert lonely.reason
    assert agreement(ratings=[[1, 0]], coefficient=coefficient).se is None


def test_constant_readings_have_no_kappa():
    assert fleiss_kappa(ratings=[[1, 1], [1, 1]]).reason
    assert cohen_kappa(first=[1, 1], second=[1, 1]).kappa is None
    assert cohen_kappa(first=[None], second=[1]).reason == "no case was read twice"
    assert krippendorff_alpha(ratings=[[1, 1], [1, 1]]).reason


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_interval_of_kappa_covers_about_as_often_as_it_says(seed):
    random = np.random.default_rng(seed)
    hits = 0
    for _ in range(100):
        case = random.random(60) < 0.5
        rows = np.where(random.random((60, 4)) < 0.8, case[:, None], random.random((60, 4)) < 0.5).astype(float)
        found = agreement(ratings=rows)
        hits += found.low <= 0.64 <= found.high
    assert hits >= 85
