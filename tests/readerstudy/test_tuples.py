"""Orders of trials of several images: which stand together, in which order, on which side; pure."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from readerstudy.auditing.by_arm import leaks_by_arm
from readerstudy.blinding import leaks, tuple_order
from readerstudy.blinding.free_order import TOLD_BITS, Distances
from readerstudy.blinding.observables import number_observable
from readerstudy.blinding.rules import RULES
from readerstudy.blinding.schedule import CaseToOrder, NoOrderError
from readerstudy.blinding.tuple_order import Tuples, composed, draw_order
from readerstudy.design.arms import REAL, Arm

NO_DISTANCE = Distances(scan_distance=0, place_distance=0)
ANY = 1000.0


def cases_of(trials, images, *, scans=None):
    """So many trials that were drawn for one another: one real image each, the others synthetic."""
    return [
        CaseToOrder(
            case_id=f"case-{(7 * trial + 3 * image) % 10}-{trial}-{image}",
            synthetic=image > 0,
            scan=f"scan {trial if scans is None else trial % scans}",
            place=f"place {trial}-{image}",
            pair=trial,
        )
        for trial in range(trials)
        for image in range(images)
    ]


def tuples(images=2, *, finds_synthetic=False, matched=True):
    return Tuples(images=images, finds_synthetic=finds_synthetic, matched=matched)


@pytest.mark.parametrize("images", [2, 3, 4, 8])
@pytest.mark.parametrize("matched", [True, False])
def test_every_trial_has_one_image_to_find_and_every_image_one_trial(images, matched):
    cases = cases_of(20, images)
    trials = composed(cases, tuples(images, matched=matched), seed=5)
    assert sorted(case.case_id for trial in trials for case in trial) == sorted(case.case_id for case in cases)
    assert [[case.synthetic for case in trial] for trial in trials] == [[False] + [True] * (images - 1)] * 20
    if matched:
        assert all(len({case.pair for case in trial}) == 1 for trial in trials)


def test_the_synthetic_one_may_be_the_one_to_find():
    trials = composed(cases_of(6, 2), tuples(finds_synthetic=True), seed=5)
    assert all(trial[0].synthetic and not trial[1].synthetic for trial in trials)


def test_what_stands_together_follows_from_the_seed_alone():
    cases = cases_of(20, 2)
    wished = tuples(matched=False)
    together = {frozenset(case.case_id for case in trial) for trial in composed(cases, wished, seed=5)}
    again = {frozenset(case.case_id for case in trial) for trial in composed(cases[::-1], wished, seed=5)}
    other = {frozenset(case.case_id for case in trial) for trial in composed(cases, wished, seed=6)}
    assert together == again
    assert len(together & other) < 8


def test_cases_that_make_no_trials_are_refused():
    cases = cases_of(4, 2)
    with pytest.raises(NoOrderError, match="without a partner"):
        composed([*cases, replace(cases[0], case_id="alone", pair=None)], tuples(), seed=1)
    with pytest.raises(NoOrderError, match="is no trial"):
        composed(cases, tuples(3), seed=1)
    with pytest.raises(NoOrderError, match="do not make trials of 3 images"):
        composed(cases, tuples(3, matched=False), seed=1)
    with pytest.raises(ValueError, match="once only"):
        composed([*cases, cases[0]], tuples(), seed=1)


def drawn(cases, images=2, rater=1, slack=ANY, seed=5, distances=NO_DISTANCE):
    trials = composed(cases, tuples(images), seed=seed)
    order = draw_order(trials, side_slack=slack, distances=distances, seed=seed, rater_number=rater)
    return [order[start : start + images] for start in range(0, len(order), images)]


def sides_of(shown, cases):
    synthetic = {case.case_id: case.synthetic for case in cases}
    return [next(side for side, case in enumerate(trial) if not synthetic[case]) for trial in shown]


def test_all_raters_see_the_same_trials_in_orders_and_on_sides_of_their_own():
    cases = cases_of(30, 4)
    first, second = drawn(cases, 4, rater=1), drawn(cases, 4, rater=2)
    assert {frozenset(trial) for trial in first} == {frozenset(trial) for trial in second}
    assert [frozenset(trial) for trial in first] != [frozenset(trial) for trial in second]
    place = {frozenset(trial): trial for trial in second}
    assert sum(trial == place[frozenset(trial)] for trial in first) < 8
    assert first == drawn(cases[::-1], 4, rater=1)


@pytest.mark.parametrize("images", [2, 3, 8])
def test_the_one_to_find_stands_everywhere_equally_often(images):
    """Over many raters every side has its share, and no block of trials an exact count."""
    cases = cases_of(24, images)
    sides = np.array([sides_of(drawn(cases, images, rater=rater), cases) for rater in range(1, 201)])
    counts = np.bincount(sides.ravel(), minlength=images)
    spread = np.sqrt(sides.size / images * (1 - 1 / images))
    assert np.abs(counts - sides.size / images).max() < 4 * spread
    # what a count over a whole session tells of its last trial: nothing, for the counts vary as those of chance
    of_sessions = (sides == 0).sum(axis=1)
    assert of_sessions.std() == pytest.approx(np.sqrt(24 / images * (1 - 1 / images)), rel=0.25)


def test_only_rare_unevenness_is_turned_away():
    for raters in (1, 3, 20):
        slack = tuple_order.side_slack_within_budget(trials=50, images=2, raters=raters)
        assert tuple_order.told_bits(trials=50, images=2, side_slack=slack, raters=raters) <= TOLD_BITS
    cases = cases_of(50, 2)
    for rater in range(1, 30):
        counts = Counter(sides_of(drawn(cases, rater=rater, slack=slack), cases))
        assert abs(counts[0] - 25) <= slack


def test_trials_of_one_scan_stand_apart():
    cases = cases_of(24, 2, scans=8)
    scan = {case.case_id: case.scan for case in cases}
    order = drawn(cases, distances=Distances(scan_distance=3, place_distance=0))
    scans = [scan[trial[0]] for trial in order]
    assert all(len(set(scans[start : start + 3])) == 3 for start in range(len(scans) - 2))


def test_distances_are_lowered_until_every_rater_has_an_order():
    trials = composed(cases_of(12, 2, scans=2), tuples(), seed=3)
    held = tuple_order.feasible_distances(
        trials, side_slack=ANY, asked=Distances(scan_distance=3, place_distance=2), seed=3, rater_numbers=[1, 2]
    )
    assert held.scan_distance < 3
    with pytest.raises(NoOrderError, match="no order of 12 trials"):
        draw_order(trials, side_slack=ANY, distances=Distances(scan_distance=3), seed=3, rater_number=1)


def test_a_protocol_and_its_seed_give_the_order_once_more():
    cases, wished = cases_of(20, 3), tuples(3)
    distances = Distances(scan_distance=2, place_distance=1)
    kept = tuple_order.constraints_of(wished, distances, side_slack=6.0)
    again = RULES[tuple_order.ALGORITHM](cases, kept, 5, 4)
    shown = drawn(cases, 3, rater=4, slack=6.0, distances=distances)
    assert again == [case for trial in shown for case in trial]


def judged(sides, synthetic, together):
    seen = number_observable("side, rater 1", sides, family="order of the cases")
    return leaks.audit([seen], synthetic=synthetic, together=together)


def test_the_audit_judges_what_differs_within_trials():
    """Twenty pairs: always the left one is found, what is the same for both images of a pair never is."""
    together, synthetic = np.repeat(np.arange(20), 2), [False, True] * 20
    assert judged([0, 1] * 20, synthetic, together)["leaks"] == ["side, rater 1"]
    assert judged(np.repeat(np.arange(20), 2), synthetic, together)["passed"]


def test_the_audit_finds_the_one_that_stands_out_whichever_way():
    """Quartets, each of a brightness of its own: the one to find is brighter than the others or darker by turns."""
    random = np.random.default_rng(8)
    together, synthetic = np.repeat(np.arange(20), 4), [False, True, True, True] * 20
    seen = random.normal(size=(20, 4)) + 60 * random.normal(size=(20, 1))
    assert judged(seen.ravel().tolist(), synthetic, together)["passed"]
    seen[:, 0] += np.where(np.arange(20) % 2, 6.0, -6.0)
    assert "side, rater 1" in judged(seen.ravel().tolist(), synthetic, together)["leaks"]


def test_an_arm_is_judged_within_its_trials():
    """Forty pairs, each of a brightness of its own, in which one of two programs is always a little darker."""
    random = np.random.default_rng(8)
    programs = [Arm(operation="insert", generator=name) for name in ("A", "B")]
    arms = [arm for number in range(40) for arm in (REAL, programs[number % 2])]
    bright = random.normal(size=(40, 2)) + 60 * random.normal(size=(40, 1))
    bright[::2, 1] -= 4
    seen = number_observable("brightness", bright.ravel().tolist(), family="pixels")
    together = np.repeat(np.arange(40), 2).tolist()
    assert set(leaks_by_arm([seen], arms, together=together)) >= {"brightness (A, inserted)"}
    assert not [name for name in leaks_by_arm([seen], arms, together=together) if "(B" in name]
    assert not leaks_by_arm([seen], arms)


def test_sides_by_chance_stop_as_few_studies_as_they_may():
    random = np.random.default_rng(5)
    together, synthetic = np.repeat(np.arange(20), 2), [False, True] * 20
    stopped = 0
    for _ in range(40):
        left = random.integers(0, 2, 20)
        stopped += not judged(np.stack([left, 1 - left], axis=1).ravel(), synthetic, together)["passed"]
    # one in a hundred; were kinds exchanged between trials, seven in a hundred would be stopped
    assert stopped <= 3
