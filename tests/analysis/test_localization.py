"""One marked place per case: worked numbers, what must hold for all data, and what chance does."""

import itertools
from math import isclose

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readerstudy.analysis.panel.localization import central_mark, panel_lroc, places_found
from readerstudy.analysis.patients import patient_numbers
from readerstudy.analysis.rater.auc import auc, delong_spread
from readerstudy.analysis.rater.localization import at_least_by_chance, localized_placements, lroc_curve

# Worked by hand and by RJafroc 2.1.3 (figures of merit ALROC and PCL): six synthetic cases, then four real ones.
TRUTH = np.array([1.0] * 6 + [0.0] * 4)
FIRST = np.array([5.0, 4, 4, 3, 2, 3, 1, 2, 3, 2])
SECOND = np.array([4.0, 4, 3, 2, 5, 1, 2, 1, 3, 4])
SCORES = np.column_stack([FIRST, SECOND])
HITS = np.column_stack([[1.0, 1, 0, 1, 0, 1] + [np.nan] * 4, [1.0, 1, 1, 0, 1, 0] + [np.nan] * 4])


def test_worked_example_of_one_reader():
    placed = localized_placements(truth=TRUTH, scores=SCORES, hits=HITS)
    assert placed.values[:6, 0] == pytest.approx([1, 1, 0, 0.875, 0, 0.875])
    assert placed.values[6:, 0] == pytest.approx([2 / 3, 2 / 3, 1 / 2, 2 / 3])
    assert placed.aucs == pytest.approx([0.625, 0.5625])
    covariance = delong_spread(placed, patients=patient_numbers(None, cases=10)).covariance()
    assert covariance[0, 0] == pytest.approx(0.0413194, abs=1e-6)
    assert covariance[0, 0] ** 0.5 == pytest.approx(0.2032718, abs=1e-6)
    assert covariance[0, 1] == pytest.approx(-0.0122685, abs=1e-6)
    assert auc(truth=TRUTH, scores=FIRST).value == 0.875


def test_worked_example_of_the_curve():
    curve = lroc_curve(truth=TRUTH, scores=FIRST, hits=HITS[:, 0])
    assert curve is not None
    assert curve.area_up_to(1) == pytest.approx(0.625)
    assert curve.area_up_to(0.2) == pytest.approx(0.0933333, abs=1e-6)
    assert curve.localized_at(0.2) == pytest.approx(0.60)
    assert curve.localized[-1] == pytest.approx(4 / 6)


def test_a_reader_without_skill_has_half_the_chance_of_a_hit():
    random = np.random.default_rng(3)
    truth = np.repeat([1.0, 0.0], 20_000)
    hits = np.where(truth == 1, random.random(40_000) < 0.047, np.nan)
    found = localized_placements(truth=truth, scores=random.normal(size=(40_000, 1)), hits=hits[:, None])
    assert found.aucs[0] == pytest.approx(0.024, abs=0.003)


@st.composite
def readings(draw):
    synthetic, real, readers = draw(st.integers(2, 7)), draw(st.integers(2, 7)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = np.repeat([1.0, 0.0], [synthetic, real])
    scores = random.integers(1, 6, (synthetic + real, readers)).astype(float)
    hits = np.where(truth[:, None] == 1, random.random(scores.shape) < 0.6, np.nan)
    return truth, scores, hits.astype(float)


@settings(max_examples=60, deadline=None)
@given(readings())
def test_the_area_is_the_mean_over_all_pairs_and_lies_under_the_curve(case):
    truth, scores, hits = case
    areas = localized_placements(truth=truth, scores=scores, hits=hits).aucs
    for reader in range(scores.shape[1]):
        pairs = itertools.product(np.flatnonzero(truth == 1), np.flatnonzero(truth == 0))
        kernel = [
            hits[i, reader]
            * (float(scores[i, reader] > scores[k, reader]) + 0.5 * (scores[i, reader] == scores[k, reader]))
            for i, k in pairs
        ]
        assert isclose(areas[reader], np.mean(kernel), abs_tol=1e-12)
        curve = lroc_curve(truth=truth, scores=scores[:, reader], hits=hits[:, reader])
        assert curve is not None
        assert isclose(curve.area_up_to(1), areas[reader], abs_tol=1e-12)
        assert curve.localized[-1] == pytest.approx(np.nanmean(hits[:, reader]))


@settings(max_examples=40, deadline=None)
@given(readings())
def test_with_every_place_found_it_is_the_roc_area(case):
    truth, scores, _ = case
    placed = localized_placements(truth=truth, scores=scores, hits=np.ones(scores.shape))
    numbers = patient_numbers(None, cases=len(truth))
    for reader, area in enumerate(placed.aucs):
        plain = auc(truth=truth, scores=scores[:, reader])
        assert plain.value is not None
        assert isclose(area, plain.value, abs_tol=1e-12)
        assert isclose(
            delong_spread(placed, patients=numbers).covariance()[reader, reader], plain.variance or 0.0, abs_tol=1e-12
        )


def test_a_missing_answer_is_left_out_and_a_missing_mark_is_none():
    scores, hits = SCORES.copy(), HITS.copy()
    scores[0, 0] = np.nan
    hits[0, 0] = np.nan
    without = localized_placements(truth=TRUTH[1:], scores=FIRST[1:, None], hits=HITS[1:, :1])
    assert localized_placements(truth=TRUTH, scores=scores, hits=hits).aucs[0] == pytest.approx(without.aucs[0])
    unmarked = _found(distances_mm=np.full((10, 2), np.nan))
    assert unmarked.planned is not None
    assert unmarked.planned.area.value == 0
    assert unmarked.planned.readers[0].p is None


def test_poisson_binomial_counts_every_outcome():
    chances = [0.1, 0.5, 0.3, 0.02]
    for hits in range(6):
        counted = sum(
            np.prod([p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True)])
            for outcome in itertools.product((0, 1), repeat=4)
            if sum(outcome) >= hits
        )
        assert at_least_by_chance(hits, chances=chances) == pytest.approx(counted)


def test_central_mark_is_the_one_with_most_neighbours():
    marks = np.array([[0, 0, 0], [50, 0, 0], [52, 0, 0], [90, 0, 0], [np.nan] * 3])
    assert central_mark(marks, radius_mm=5) in {1, 2}
    assert central_mark(np.full((3, 3), np.nan), radius_mm=5) is None


def _found(**changed):
    distances = np.where(HITS == 1, 3.0, 25.0)
    marks = np.random.default_rng(0).normal(size=(10, 2, 3)) * 40
    known = {
        "truth": TRUTH,
        "scores": SCORES,
        "distances_mm": distances,
        "marks_mm": marks,
        "chances": np.tile([0.05, 0.02, 0.12], (10, 1)),
        "radii_mm": (10.0, 5.0, 20.0),
        "reader_ids": ("1", "2"),
    }
    return places_found(**{**known, **changed})


def test_panel_and_radii():
    found = _found()
    assert found.planned is not None
    assert found.planned.area.value == pytest.approx((0.625 + 0.5625) / 2)
    assert found.planned.chance_area == pytest.approx(0.025)
    assert found.planned.readers[0].hits == 4
    assert found.planned.readers[0].p == pytest.approx(at_least_by_chance(4, chances=[0.05] * 6))
    assert found.planned.found.value == pytest.approx(4 / 6)
    panel = panel_lroc(truth=TRUTH, scores=SCORES, hits=HITS, null=0.025)
    assert found.planned.p == pytest.approx(panel.p / 2)
    # A larger radius makes no hit a miss.
    assert [one.radius_mm for one in found.others] == [5.0, 20.0]
    assert found.others[1].area.value >= found.planned.area.value
    assert _found(distances_mm=np.full((10, 2), 12.0)).planned.area.value == 0
    assert _found(distances_mm=np.full((10, 2), 12.0)).others[1].found.value == 1


def test_nothing_to_judge_says_why():
    assert _found(scores=np.full((10, 2), np.nan)).reason == "nobody answered"
    assert _found(truth=np.zeros(10)).reason == "there is no synthetic case"
