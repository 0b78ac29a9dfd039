"""Power of comparing two groups of raters and two phases: its laws, and that studies of the model bear it out."""

from dataclasses import replace

import pytest

from bench.comparison_power import simulated
from readerstudy.analysis import ComparisonAssumptions, comparison_grid, comparison_power, comparison_precision

GROUPS = ComparisonAssumptions(of="groups", first=0.6, second=0.75)
PHASES = ComparisonAssumptions(of="phases", first=0.6, second=0.7)


@pytest.mark.parametrize("assumed", [GROUPS, PHASES], ids=["groups", "phases"])
def test_more_of_anything_finds_more(assumed):
    powers = [comparison_power(assumed, raters=5, cases=cases) for cases in (20, 60, 200)]
    assert powers == sorted(powers)
    powers = [comparison_power(assumed, raters=raters, cases=60) for raters in (4, 8, 15)]
    assert powers == sorted(powers)
    powers = [comparison_power(replace(assumed, second=area), raters=6, cases=60) for area in (0.62, 0.7, 0.8)]
    assert powers == sorted(powers)
    wide, narrow = (comparison_precision(assumed, raters=6, cases=cases).half_width for cases in (40, 160))
    assert narrow < wide


@pytest.mark.parametrize("assumed", [GROUPS, PHASES], ids=["groups", "phases"])
def test_which_comes_first_does_not_matter(assumed):
    back = replace(assumed, first=assumed.second, second=assumed.first, change_sd=0.0)
    there = replace(assumed, change_sd=0.0)
    assert comparison_power(back, raters=5, cases=60) == pytest.approx(comparison_power(there, raters=5, cases=60))


@pytest.mark.parametrize("assumed", [GROUPS, PHASES], ids=["groups", "phases"])
def test_where_nothing_differs_no_more_is_found_than_alpha(assumed):
    assert comparison_power(replace(assumed, second=assumed.first), raters=8, cases=100) <= assumed.alpha + 0.01


def test_a_phase_gains_by_what_stays_and_loses_by_what_raters_change():
    kept = [comparison_power(replace(PHASES, kept=share), raters=6, cases=60) for share in (0.0, 0.5, 1.0)]
    assert kept == sorted(kept)
    assert kept[0] < kept[-1]
    spread = [comparison_power(replace(PHASES, change_sd=sd), raters=6, cases=200) for sd in (0.0, 0.3, 0.8)]
    assert spread == sorted(spread, reverse=True)


def test_what_can_not_be_tested_has_no_power():
    assert comparison_power(GROUPS, raters=2, cases=100) == 0
    assert comparison_power(PHASES, raters=1, cases=100) == 0
    assert comparison_precision(PHASES, raters=5, cases=6) is None


@pytest.mark.parametrize(
    ("assumed", "raters"), [(GROUPS, 3), (GROUPS, 6), (PHASES, 6)], ids=["three each", "six each", "phases"]
)
def test_studies_of_the_model_find_as_often_as_planned(assumed, raters):
    """Within three standard errors of so few studies; the bench draws more."""
    seen = simulated(assumed, raters=raters, cases=40, studies=200)
    assert seen == pytest.approx(comparison_power(assumed, raters=raters, cases=40), abs=0.105)


def test_the_grid_names_the_smallest_design_and_counts_both_readings():
    groups, phases = (comparison_grid([one], raters=(4, 8), cases=(40, 100, 200)) for one in (GROUPS, PHASES))
    for grid in (groups, phases):
        enough = [point for point in grid.points if point.power >= 0.8]
        assert grid.recommended == min(enough, key=lambda point: (point.raters * point.cases, point.cases))
    assert phases.points[0].minutes_per_rater == 2 * groups.points[0].minutes_per_rater
    worse = comparison_grid([GROUPS, replace(GROUPS, second=0.7)], raters=(8,), cases=(100,))
    assert worse.points[0].power == comparison_power(replace(GROUPS, second=0.7), raters=8, cases=100)
    nothing = comparison_grid([replace(GROUPS, second=0.61)], raters=(4,), cases=(40,))
    assert nothing.recommended is None
    assert "no design" in nothing.reason
