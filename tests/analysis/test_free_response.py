"""Any number of marks per case: worked numbers, what must hold for all data, and what chance does."""

import numpy as np
import pytest

from readerstudy.analysis.panel.free_response import (
    Marked,
    above_chance,
    free_responses_judged,
)
from readerstudy.analysis.patients import patient_numbers
from readerstudy.analysis.rater.auc import placements
from readerstudy.analysis.rater.free_response import (
    FreeResponses,
    afroc_areas,
    chance_placements,
    weighted_afroc_curve,
    weighted_afroc_placements,
)

# Worked by hand and by RJafroc 2.1.3: three synthetic cases with two, one and one place, then three real ones.
MARKS = [[4, 0], [3, 2], [0, 0], [3, 0], [0, 0], [2, 1]]
FOUND = [4, 0, 2, 0]
CASE_OF = [0, 0, 1, 2]
TRUTH = np.array([1.0, 1, 1, 0, 0, 0])
# One mark beside every place: the 3 on the second case; all three marks on real cases.
FALSE = [0, 1, 0, 1, 0, 2]
AREA, AREA_OF_PLACES, AREA_OF_CASES = 0.4166667, 0.4583333, 0.6666667


def worked(readers=1, **changed):
    known = {
        "truth": TRUTH,
        "marks": np.repeat(np.array(MARKS, float)[:, None], readers, axis=1),
        "found": np.repeat(np.array(FOUND, float)[:, None], readers, axis=1),
        "case_of": np.array(CASE_OF),
        "chances": np.array([0.1, 0.2, 0.05, 0.1]),
    }
    return FreeResponses(**{**known, **changed})


def test_worked_example():
    given = worked()
    placed = weighted_afroc_placements(given)
    assert placed.aucs == pytest.approx([AREA], abs=1e-6)
    assert placed.values[:3, 0] == pytest.approx([7 / 12, 1 / 2, 1 / 6])
    # both sides of the U-statistic average to the area
    assert placed.values[3:, 0].mean() == pytest.approx(AREA, abs=1e-6)
    assert afroc_areas(given) == pytest.approx([AREA_OF_PLACES], abs=1e-6)
    assert placements(truth=TRUTH, scores=given.scores).aucs == pytest.approx([AREA_OF_CASES], abs=1e-6)
    reading = free_responses_judged(
        [Marked(radius_mm=10, responses=given, false_marks=np.array(FALSE, float)[:, None])], reader_ids=["1"]
    )
    [reader] = reading.planned.readers
    assert (reader.found, reader.places, reader.marks, reader.false_marks) == (2, 4, 6, 4)
    assert reader.false_marks_per_case == pytest.approx(0.6666667, abs=1e-6)
    assert reader.area == pytest.approx(AREA, abs=1e-6)
    assert reading.planned.found.value == pytest.approx(1 / 2)


def test_the_area_lies_under_the_curve_which_ends_with_what_was_not_marked():
    curve = weighted_afroc_curve(worked(), 0)
    assert (curve.false_positive_rate[0], curve.localized[0], curve.localized[-1]) == (0, 0, 1)
    assert np.trapezoid(curve.localized, curve.false_positive_rate) == pytest.approx(AREA, abs=1e-6)
    assert curve.localized[-2] == pytest.approx((1 / 2 + 1) / 3)
    assert curve.false_positive_rate[-2] == pytest.approx(2 / 3)


def test_chance_is_what_marks_set_apart_without_looking_come_to():
    """By all ways in which a place may fall to one of the marks, or to none, each weighed by how likely it is."""
    # a place for which half of the marks would reach everywhere
    given = worked(chances=np.array([0.1, 0.2, 0.7, 0.1]))
    expected = found = 0.0
    for case, weight, places in ((0, 0.5, (0, 1)), (1, 1.0, (2,)), (2, 1.0, (3,))):
        marks = sorted((mark for mark in MARKS[case] if mark), reverse=True)
        for place in places:
            left = 1.0
            for best in (*marks, 0):
                likely = min(given.chances[place], left) if best else left
                left -= likely
                found += likely * (best > 0)
                expected += likely * weight * np.mean([(best > real) + (best == real) / 2 for real in (3, 0, 2)]) / 3
    assert chance_placements(given).aucs == pytest.approx([expected])
    marked = Marked(radius_mm=10, responses=given, false_marks=np.zeros((6, 1)))
    assert free_responses_judged([marked], reader_ids=["1"]).planned.readers[0].expected_found == pytest.approx(found)


def test_an_answer_that_is_missing_is_left_out():
    marks, found = np.array(MARKS, float)[:, None], np.array(FOUND, float)[:, None]
    marks[[0, 3]], found[:2] = np.nan, np.nan
    placed = weighted_afroc_placements(worked(marks=marks, found=found))
    # second and third synthetic case against the second and third real one
    assert placed.aucs == pytest.approx([np.mean([(1 + 0.5) / 2, (0.5 + 0) / 2])])
    assert np.isnan(placed.values[[0, 3]]).all()
    assert np.isnan(chance_placements(worked(marks=marks, found=found)).values[[0, 3]]).all()
    nobody = worked(marks=np.full((6, 1, 2), np.nan), found=np.full((4, 1), np.nan))
    marked = Marked(radius_mm=10, responses=nobody, false_marks=np.zeros((6, 1)))
    assert free_responses_judged([marked], reader_ids=["1"]).reason == "nobody answered"
    real = worked(truth=np.zeros(6), case_of=np.array([], int), found=np.zeros((0, 1)), chances=np.array([]))
    marked = Marked(radius_mm=10, responses=real, false_marks=np.zeros((6, 1)))
    assert free_responses_judged([marked], reader_ids=["1"]).reason == "there is no synthetic case"


def drawn(random, *, readers=5, cases=20, skill=0.0):
    """A study in which all readers tend to the same places; marks fall on the edited one by chance, or by skill."""
    truth = np.repeat([1.0, 0.0], cases // 2)
    odd = random.normal(size=(cases, 1, 1)) + random.normal(size=(cases, readers, 3))
    marks = -np.sort(-np.clip(np.floor(odd + 2), 0, 4), axis=2)
    hit = (random.random((cases, readers, 3)) < 0.1 + skill) & (marks > 0)
    found = np.where(hit, marks, 0).max(axis=2)[truth == 1]
    case_of = np.flatnonzero(truth == 1)
    return FreeResponses(truth=truth, marks=marks, found=found, case_of=case_of, chances=np.full(len(case_of), 0.1))


def p_of(given):
    numbers = patient_numbers(None, cases=len(given.truth))
    return above_chance(weighted_afroc_placements(given), chance_placements(given), patients=numbers)


def spread_blindly(random, *, readers=5, cases=80, most=8, chance=0.1):
    """Marks evenly over the searched region, a ring, so that no two find the same place; nobody looks."""
    truth = np.repeat([1.0, 0.0], cases // 2)
    sure = random.integers(1, 5, (cases, readers, most)) * (
        np.arange(most) < random.integers(0, most + 1, (cases, readers, 1))
    )
    at = (
        random.random((cases, readers, 1))
        + random.permuted(np.tile(np.arange(most), (cases, readers, 1)), axis=2) / most
    ) % 1
    away = np.abs(at - random.random((cases, 1, 1)))
    hit = np.minimum(away, 1 - away) <= chance / 2
    case_of = np.flatnonzero(truth == 1)
    found = np.where(hit, sure, 0).max(axis=2)[case_of].astype(float)
    marks = -np.sort(-sure, axis=2).astype(float)
    return FreeResponses(truth=truth, marks=marks, found=found, case_of=case_of, chances=np.full(len(case_of), chance))


def test_marks_spread_without_looking_are_rarely_called_above_chance():
    """Put independently of one another they would find fewer places: against that 20 % were called above chance."""
    random = np.random.default_rng(7)
    single, panel = [], []
    for _ in range(40):
        given = spread_blindly(random)
        marked = Marked(radius_mm=10, responses=given, false_marks=np.zeros_like(given.scores))
        planned = free_responses_judged([marked], reader_ids=list("abcde")).planned
        single += [reader.p for reader in planned.readers]
        panel.append(planned.p)
    assert np.mean(np.array(single) < 0.05) <= 0.08
    assert np.mean(np.array(panel) < 0.05) <= 0.1


def test_marks_at_random_are_rarely_called_above_chance_and_skill_is_found():
    random = np.random.default_rng(11)
    by_chance = [p_of(drawn(random)) for _ in range(200)]
    assert np.mean(np.array(by_chance, float) < 0.05) <= 0.08
    with_skill = [p_of(drawn(random, skill=0.5)) for _ in range(40)]
    assert np.mean(np.array(with_skill, float) < 0.05) > 0.8
