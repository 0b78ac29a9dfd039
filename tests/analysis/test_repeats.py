"""Agreement of raters with themselves: worked numbers, laws, and intervals that hold over patients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from readerstudy.analysis import agreement_with_oneself, cohen_kappa
from readerstudy.analysis.panel.agreement import NO_VARIATION
from readerstudy.analysis.panel.repeats import NOT_TWICE


def of_one(first, second, scores=(None, None), patients=None):
    def column(values):
        return None if values is None else np.asarray(values, float).reshape(-1, 1)

    return agreement_with_oneself(
        calls=column(first),
        calls_again=column(second),
        scores=column(scores[0]),
        scores_again=column(scores[1]),
        rater_ids=["1"],
        patients=patients,
    )


# Base R 4.2.2, kappa and standard error written out from Fleiss, Cohen & Everitt 1969, P the table of shares:
#   pe <- sum(W * outer(r, c)); k <- (sum(W * P) - pe) / (1 - pe); wb <- outer(W %*% c, t(W) %*% r, `+`)
#   (sum(P * (W * (1 - pe) - wb * (1 - po))^2) - (po * pe - 2 * pe + po)^2) / (n * (1 - pe)^4)
IN_R = {"none": (0.5, 0.246503324295817), "quadratic": (0.9, 0.0359224094561296)}
FIRST, SECOND = [1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
SURE, SURE_AGAIN = [5, 6, 4, 2, 1, 6, 3, 4, 5, 1, 2, 4], [6, 5, 3, 2, 2, 6, 4, 4, 5, 1, 1, 3]


def test_one_rater_is_cohens_kappa_with_the_standard_error_of_fleiss_cohen_and_everitt():
    found = of_one(FIRST, SECOND, (SURE, SURE_AGAIN))
    rater, n = found.raters[0], len(FIRST)
    for estimate, weights, pair in (
        (rater.kappa, "none", (FIRST, SECOND)),
        (rater.weighted_kappa, "quadratic", (SURE, SURE_AGAIN)),
    ):
        theirs = cohen_kappa(first=pair[0], second=pair[1], weights=weights)
        kappa, se = IN_R[weights]
        assert theirs.kappa == pytest.approx(kappa, abs=1e-12)
        assert estimate.value == pytest.approx(kappa, abs=1e-12)
        half = stats.t.ppf(0.975, n - 1) * se * np.sqrt(n / (n - 1))
        assert estimate.low == pytest.approx(kappa - half, abs=1e-12)
    assert (rater.n, rater.n_patients, rater.same.value) == (12, 12, 9 / 12)
    assert found.panel.kappa == rater.kappa


def test_quadratic_weights_are_the_intraclass_correlation_of_absolute_agreement():
    """Fleiss & Cohen 1973: with mean squares over n in place of n - 1 they are the same number."""
    random = np.random.default_rng(4)
    first = random.normal(size=400)
    second = 0.8 * first + random.normal(0, 0.6, 400) + 0.3
    pair = np.column_stack([first, second])
    n, grand = len(pair), pair.mean()
    of_cases = 2 * ((pair.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    of_times = n * ((pair.mean(axis=0) - grand) ** 2).sum()
    rest = ((pair - pair.mean(axis=1, keepdims=True) - pair.mean(axis=0) + grand) ** 2).sum() / (n - 1)
    icc = (of_cases - rest) / (of_cases + rest + 2 * (of_times - rest) / n)
    found = of_one(first > 0, second > 0, (first, second)).panel
    assert found.weighted_kappa.value == pytest.approx(icc, abs=2e-3)


tables = st.integers(3, 30).flatmap(
    lambda n: st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=n, max_size=n)
)


@given(pairs=tables)
@settings(deadline=None, max_examples=60)
def test_kappa_does_not_know_which_time_was_the_first_and_one_patient_each_is_no_patients(pairs):
    first, second = (np.asarray(column, float) for column in zip(*pairs, strict=True))
    there, back = of_one(first, second).panel.kappa, of_one(second, first).panel.kappa
    named = of_one(first, second, patients=[f"p{n}" for n in range(len(first))]).panel.kappa
    assert there == named
    if there.value is None:
        assert there.reason == NO_VARIATION
    else:
        assert there.value == pytest.approx(back.value, abs=1e-12)
        assert there.value <= 1


def test_raters_are_strata_and_not_one_rater_with_all_answers():
    """Two raters who agree with themselves at chance level, one saying hardly ever and one nearly always synthetic."""
    rare = [1] + [0] * 9
    calls = np.array([rare, [1 - v for v in rare]], float).T
    again = np.array([np.roll(rare, 1), [1 - v for v in np.roll(rare, 1)]], float).T
    found = agreement_with_oneself(calls=calls, calls_again=again, rater_ids=["1", "2"])
    assert found.panel.kappa.value == pytest.approx(found.raters[0].kappa.value)
    assert found.panel.kappa.value < 0
    assert cohen_kappa(first=calls.ravel(), second=again.ravel()).kappa > 0.5


def test_what_nothing_can_be_said_of_has_a_reason():
    none = of_one([1, 0, 1], [None, None, None]).panel
    assert (none.n, none.kappa.reason, none.same.reason) == (0, NOT_TWICE, NOT_TWICE)
    constant = of_one([1, 1, 1], [1, 1, 1]).panel
    assert constant.kappa.reason == NO_VARIATION
    assert constant.same.value == 1
    assert constant.same.low == pytest.approx(0.025 ** (1 / 3))  # Clopper-Pearson of 3 in 3
    perfect = of_one([1, 0, 1], [1, 0, 1]).panel.kappa
    assert perfect.value == 1
    assert perfect.low is None
    assert "no variation" in perfect.reason


def test_intervals_hold_where_raters_share_patients():
    """Simulated panels whose patients are easy or hard for everybody: 95 % limits hold what they promise."""
    random = np.random.default_rng(7)
    held, studies, patients, cases, raters = 0, 400, 30, 60, 4
    of_patient = np.repeat(np.arange(patients), cases // patients)

    def study(size, patient_of):
        shift = random.normal(0, 1, patient_of.max() + 1)[patient_of]
        base = shift[:, None] + random.normal(0, 0.7, (size, raters))
        return [(base + random.normal(0, 0.6, (size, raters)) > 0).astype(float) for _ in range(2)]

    many = np.repeat(np.arange(20_000), 2)
    first, second = study(40_000, many)
    truth = agreement_with_oneself(calls=first[:2500], calls_again=second[:2500], rater_ids=list("1234")).panel
    true = np.mean(
        [
            agreement_with_oneself(
                calls=first[start : start + 1000], calls_again=second[start : start + 1000], rater_ids=list("1234")
            ).panel.kappa.value
            for start in range(0, 40_000, 1000)
        ]
    )
    assert truth.kappa.value == pytest.approx(true, abs=0.05)
    for _ in range(studies):
        calls, again = study(cases, of_patient)
        limits = agreement_with_oneself(
            calls=calls, calls_again=again, rater_ids=list("1234"), patients=list(of_patient)
        ).panel.kappa
        held += limits.low <= true <= limits.high
    assert held / studies > 0.92
