"""The crossed model of log time, and how long synthetic cases take against real ones."""

import math

import numpy as np
import pytest

from readerstudy.analysis import RandomTerm, fit_mixed_linear, random_intercept, times_of_kinds
from readerstudy.analysis.panel import response_time
from readerstudy.analysis.panel.mixed_linear import MixedLinear


def reading(seed=3, *, raters=6, cases=40, per_patient=1, ratio=1.25, spread=0.1):
    """Times and positions (cases, raters), truth and patients (cases,)."""
    random = np.random.default_rng(seed)
    truth = np.tile([0.0, 1.0], cases // 2)
    patients = np.arange(cases) // per_patient
    order = np.stack([random.permutation(cases) + 1.0 for _ in range(raters)], axis=1)
    effect = math.log(ratio) + spread * random.normal(size=raters)
    logs = 9 + 0.4 * random.normal(size=raters) + (truth[:, None] - 0.5) * effect - 0.004 * order
    logs = logs + 0.2 * random.normal(size=cases)[:, None] + 0.2 * random.normal(size=cases)[patients][:, None]
    times = np.exp(logs + 0.3 * random.normal(size=(cases, raters)))
    return {"times_ms": times, "order": order, "truth": truth, "patients": patients}


def numbers(found):
    return [found.ratio.value, found.ratio.low, found.ratio.high, found.df, found.p, found.ratio_per_10_cases.value]


@pytest.mark.parametrize("per_patient", [1, 4])
def test_the_ratio_is_found_and_lies_within_its_interval(per_patient):
    found = times_of_kinds(**reading(per_patient=per_patient))
    assert found.ratio.low < 1.25 < found.ratio.high
    assert found.ratio_per_10_cases.value == pytest.approx(math.exp(-0.04), abs=0.03)
    assert (found.n, found.n_raters) == (240, 6)
    assert ("within patients" in found.method) == (per_patient > 1)


def test_a_clock_of_seconds_changes_nothing_and_turned_kinds_turn_the_ratio():
    data = reading()
    found = times_of_kinds(**data)
    seconds = times_of_kinds(**data | {"times_ms": data["times_ms"] / 1000})
    assert numbers(seconds) == pytest.approx(numbers(found), rel=1e-4)
    turned = times_of_kinds(**data | {"truth": 1 - data["truth"]})
    assert turned.ratio.value == pytest.approx(1 / found.ratio.value, rel=1e-5)
    assert turned.p == pytest.approx(found.p, rel=1e-3)


def test_the_order_of_rows_and_of_raters_changes_nothing():
    data, random = reading(per_patient=4), np.random.default_rng(1)
    rows, columns = random.permutation(40), random.permutation(6)
    shuffled = times_of_kinds(
        times_ms=data["times_ms"][rows][:, columns],
        order=data["order"][rows][:, columns],
        truth=data["truth"][rows],
        patients=data["patients"][rows],
    )
    assert numbers(shuffled) == pytest.approx(numbers(times_of_kinds(**data)), rel=1e-4)


def test_raters_who_differ_in_the_ratio_are_no_more_certain_than_raters():
    """Many cases don't tell of other raters: the degrees of freedom stay near those of the raters."""
    found = times_of_kinds(**reading(raters=4, cases=120, spread=0.5))
    assert found.df < 6
    assert found.rater_spread > 0.2


def test_readings_without_a_time_or_a_place_in_the_order_are_left_out():
    data = reading()
    data["times_ms"][0] = np.nan
    data["times_ms"][1, 0] = 0.0
    data["order"][2, 0] = np.nan
    assert times_of_kinds(**data).n == 240 - 6 - 2


def test_where_nearly_nothing_is_known_there_is_no_endless_limit():
    """The exponential of a quantile of hardly any degrees of freedom is no number."""
    fit = MixedLinear(coefficients=(9.0, 0.1), se=(0.1, 0.2), df=(5.0, 0.05))
    ratio = response_time._ratio(fit, 1, level=0.95)
    assert (ratio.value, ratio.limits) == (math.exp(0.1), None)
    assert "factor of 1,000" in ratio.reason


@pytest.mark.parametrize("raters", [0, 1, 2])
def test_too_few_raters_have_a_reason_and_no_number(raters):
    data = reading()
    found = times_of_kinds(**data | {"times_ms": data["times_ms"][:, :raters], "order": data["order"][:, :raters]})
    assert found.ratio.value is None
    assert "3 raters" in found.ratio.reason
    assert found.p is None


def test_one_kind_alone_has_no_ratio():
    data = reading()
    assert times_of_kinds(**data | {"truth": np.ones(40)}).ratio.reason


def dense_deviance(y, x, parts):
    """REML deviance from the whole covariance of the readings, at the fitted variances."""
    variance = sum(parts)
    inverse = np.linalg.inv(variance)
    information = x.T @ inverse @ x
    rest = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    determinants = np.linalg.slogdet(variance)[1] + np.linalg.slogdet(information)[1]
    return determinants + rest @ inverse @ rest + (len(y) - x.shape[1]) * math.log(2 * math.pi)


@pytest.mark.parametrize("swapped", [False, True])
def test_elimination_of_the_largest_term_gives_the_likelihood_of_the_whole_covariance(swapped):
    random = np.random.default_rng(7)
    rater, case = np.repeat(np.arange(5), 12), np.tile(np.arange(12), 5)
    patient, slope = case // 3, random.normal(size=60)
    y = random.normal(size=5)[rater] + slope * random.normal(size=5)[rater] + random.normal(size=60)
    y = y + random.normal(size=12)[case] + random.normal(size=4)[patient]
    x = np.column_stack([np.ones(60), slope])
    sloped = RandomTerm(groups=rater.astype(float), design=x)
    terms = [sloped, random_intercept(case), random_intercept(patient)]
    fit = fit_mixed_linear(response=y, design=x, terms=terms[::-1] if swapped else terms)
    of = dict(zip(("patient", "case", "rater") if swapped else ("rater", "case", "patient"), range(3), strict=True))
    sd, correlation = fit.random_sd[of["rater"]], fit.random_correlation[of["rater"]]
    same_rater = rater[:, None] == rater[None, :]
    parts = [
        same_rater * (x @ (np.outer(sd, sd) * correlation) @ x.T),
        (case[:, None] == case[None, :]) * fit.random_sd[of["case"]][0] ** 2,
        (patient[:, None] == patient[None, :]) * fit.random_sd[of["patient"]][0] ** 2,
        np.eye(60) * fit.residual_sd**2,
    ]
    assert fit.reml_deviance == pytest.approx(dense_deviance(y, x, parts), abs=1e-6)
