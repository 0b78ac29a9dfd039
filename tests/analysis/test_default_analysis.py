import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readerstudy.analysis import AnalysisOptions, default_analysis, plan_for, signed_rating
from readerstudy.analysis.default.json_form import as_json

SECTIONS = {"primary", "raters", "ensemble", "mrmc", "permutation", "agreement", "roc", "calibration", "difficulty"}


def study(seed=1, *, cases=40, raters=5, effect=0.0, missing=0.0, controls=0):
    random = np.random.default_rng(seed)
    truth = np.repeat([1.0, 0.0, 1.0], [cases // 2, cases // 2, controls])
    control = np.arange(len(truth)) >= cases
    cases = len(truth)
    latent = (
        (effect * truth + 3 * control)[:, None]
        + 0.4 * random.normal(size=(cases, 1))
        + random.normal(size=(cases, raters))
    )
    ratings = np.digitize(latent, np.array([-0.8, -0.4, 0, 0.4, 0.8]) + effect / 2) + 1.0
    ratings[random.random(ratings.shape) < missing] = np.nan
    calls = np.where(np.isnan(ratings), np.nan, ratings > 3)
    return {"truth": truth, "calls": calls, "ratings": ratings, **({"controls": control} if controls else {})}


answers = st.sampled_from([None, 1, 2, 3, 4])


@settings(max_examples=25)
@given(
    st.integers(0, 7).flatmap(
        lambda n: st.tuples(
            st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n),
            st.lists(st.lists(answers, min_size=3, max_size=3), min_size=n, max_size=n),
        )
    ),
    st.sampled_from(["available", "complete_cases"]),
    st.booleans(),
)
def test_any_table_gives_json_without_nan_and_a_verdict(table, rule, with_ratings):
    truth, rows = table
    calls = [[None if value is None else int(value > 2) for value in row] for row in rows]
    found = default_analysis(
        truth=truth,
        calls=calls,
        ratings=rows if with_ratings else None,
        rater_ids=["a", "b", "c"],
        options=AnalysisOptions(missing_rule=rule, permutations=200),
    )
    form = found.as_json()
    assert json.loads(json.dumps(form, allow_nan=False)) == form
    assert set(form) >= SECTIONS
    assert found.primary.sentence
    assert [row.rater for row in found.raters] == ["a", "b", "c"]


def test_order_of_cases_and_raters_does_not_change_the_numbers():
    data, other = study(effect=0.8), study(effect=0.8)
    order = np.random.default_rng(0).permutation(40)
    other = {
        "truth": other["truth"][order],
        "calls": other["calls"][order][:, ::-1],
        "ratings": other["ratings"][order][:, ::-1],
    }
    one, two = default_analysis(**data), default_analysis(**other)
    assert as_json(one.primary.estimate) == pytest.approx(as_json(two.primary.estimate))
    assert (one.primary.p, one.primary.verdict) == (pytest.approx(two.primary.p), two.primary.verdict)
    assert one.permutation.p_two_sided == pytest.approx(two.permutation.p_two_sided)
    assert one.ensemble.correct == two.ensemble.correct
    assert one.agreement.fleiss_kappa.value == pytest.approx(two.agreement.fleiss_kappa.value)


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (study(effect=1.5), "discriminates"),
        (study(seed=2, cases=400, controls=12), "equivalent to chance within the margin"),
        (study(seed=3, cases=800, raters=8, effect=0.3), "detectable but within the margin"),
        (study(cases=10), "inconclusive"),
    ],
)
def test_each_verdict_is_reached_by_data_that_deserve_it(data, verdict):
    assert default_analysis(**data).primary.verdict == verdict


def test_every_rater_keeps_the_answers_given_and_incomplete_cases_can_be_dropped():
    data = study(missing=0.1)
    assert "each rater on the cases that rater answered" in default_analysis(**data).primary.method
    strict = default_analysis(**data, options=AnalysisOptions(missing_rule="complete_cases"))
    assert "Hillis" in strict.primary.method
    assert strict.design.n_cases + strict.design.n_cases_dropped == 40
    assert strict.design.n_missing == 0


def test_without_ratings_or_with_two_raters_the_permutation_test_is_primary():
    data = study(effect=1)
    without = default_analysis(truth=data["truth"], calls=data["calls"])
    assert "permutation" in without.primary.method
    assert without.mrmc.reason
    assert without.roc is None
    two = default_analysis(**{key: value[:, :2] if value.ndim == 2 else value for key, value in data.items()})
    assert "permutation" in two.primary.method


def test_perfect_raters_discriminate_although_the_auc_has_no_variance():
    truth = np.repeat([1.0, 0.0], 10)
    calls = np.repeat(truth[:, None], 4, axis=1)
    found = default_analysis(truth=truth, calls=calls, ratings=1 + 5 * calls)
    assert found.primary.verdict == "discriminates"
    assert found.mrmc.auc.low is None


def test_always_synthetic_at_70_to_30_shows_nothing():
    truth = np.array([1.0] * 70 + [0.0] * 30)
    found = default_analysis(truth=truth, calls=np.ones((100, 3)))
    for row in (*found.raters, found.ensemble):
        assert (row.test, row.p, row.verdict) == ("fisher", pytest.approx(1.0), "not assessable")
        assert row.binomial_note
    assert found.primary.verdict == "not assessable"


def test_a_design_cannot_be_declared_balanced_against_its_truth():
    declared = AnalysisOptions(balanced=True)
    found = default_analysis(truth=[1.0] * 7 + [0.0] * 3, calls=np.ones((10, 3)), options=declared)
    assert found.design.balanced is False
    assert found.design.note
    assert found.raters[0].test == "fisher"
    odd = default_analysis(truth=[1, 0, 1], calls=[[1], [0], [1]], options=declared)
    assert (odd.design.balanced, odd.design.note) == (True, None)


def test_family_and_adjustment_follow_the_options():
    data = study(effect=0.8)
    together = default_analysis(**data)
    alone = default_analysis(**data, options=AnalysisOptions(family="raters", adjustment="bonferroni"))
    assert together.ensemble.p_adjusted is not None
    assert alone.ensemble.p_adjusted is None
    for row in alone.raters:
        assert row.p_adjusted == pytest.approx(min(1.0, 5 * row.p))


def test_a_plan_sets_the_options_and_marks_the_sections():
    data, plan = study(effect=0.8), plan_for("ensemble")
    found = default_analysis(**data, plan=plan)
    assert found.plan_digest == plan.digest()
    assert found.primary.p == found.ensemble.p
    assert (found.status["ensemble"], found.status["model"]) == ("planned", "exploratory")
    with pytest.raises(ValueError, match="one of the two"):
        default_analysis(**data, plan=plan, options=AnalysisOptions())


def test_signed_rating_puts_sure_answers_at_the_ends():
    rating = signed_rating(calls=[[1, 1, 0, 0, None]], confidence=[[3, 1, 1, 3, 2]], levels=3)
    assert rating[0, :4].tolist() == [6, 4, 3, 1]
    assert np.isnan(rating[0, 4])
    with pytest.raises(ValueError, match="lies in"):
        signed_rating(calls=[[1]], confidence=[[4]], levels=3)


@pytest.mark.parametrize(
    "table",
    [
        {"truth": [1, 2], "calls": [[1], [0]]},
        {"truth": [1, 0], "calls": [[1], [0.5]]},
        {"truth": [1], "calls": [[1], [0]]},
        {"truth": [1, 0], "calls": [[1], [0]], "ratings": [[1]]},
        {"truth": [1, 0], "calls": [[1], [0]], "case_ids": ["x", "x"]},
    ],
)
def test_tables_that_contradict_themselves_are_refused(table):
    with pytest.raises(ValueError, match=r"truth|call|ratings|name"):
        default_analysis(**table)


def test_the_package_needs_no_web_framework_and_no_torch():
    code = "import sys, readerstudy.analysis; print([m for m in ('django', 'torch', 'celery') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
