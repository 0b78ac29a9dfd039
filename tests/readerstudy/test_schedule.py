"""Orders of reading: laws that hold for any cases, any seed and any rater."""

import itertools
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readerstudy.blinding.free_order import (
    ALGORITHM,
    TOLD_BITS,
    Distances,
    Evenness,
    draw_order,
    evenness_within_budget,
    feasible_distances,
    told_bits,
)
from readerstudy.blinding.schedule import CaseToOrder, NoOrderError, RawRandom, longest_run_of, schedule_digest
from tests.readerstudy.cases_to_order import case_lists, forty_cases

ROOT = Path(__file__).resolve().parents[2]
ANY = Evenness(block_size=10, block_slack=10, longest_run=100)
NO_DISTANCE = Distances(scan_distance=0, place_distance=0)


@settings(deadline=None, max_examples=120)
@given(
    cases=case_lists(),
    asked=st.builds(Distances, scan_distance=st.integers(0, 4), place_distance=st.integers(0, 8)),
    block_size=st.integers(2, 12),
    seed=st.integers(0, 2**128 - 1),
    rater=st.integers(1, 40),
)
def test_every_order_keeps_all_its_constraints(cases, asked, block_size, seed, rater):
    kinds = [case.synthetic for case in cases]
    evenness = evenness_within_budget(kinds, asked_run=4, block_size=block_size, raters=3)
    held = feasible_distances(cases, evenness=evenness, asked=asked, seed=seed, rater_numbers=[rater])
    order = draw_order(cases, evenness=evenness, distances=held, seed=seed, rater_number=rater)
    by_id = {case.case_id: case for case in cases}
    ordered = [by_id[case_id] for case_id in order]

    assert sorted(order) == sorted(by_id)  # a permutation: nothing lost, nothing twice
    assert longest_run_of([case.synthetic for case in ordered]) <= evenness.longest_run
    for attribute, distance in (("scan", held.scan_distance), ("place", held.place_distance)):
        last = {}
        for slot, case in enumerate(ordered):
            label = getattr(case, attribute)
            assert slot - last.get(label, -(10**6)) >= distance
            last[label] = slot
    for start in range(0, len(ordered), block_size):
        block = ordered[start : start + block_size]
        assert abs(sum(case.synthetic for case in block) - len(block) / 2) <= evenness.block_slack
    assert held.scan_distance <= asked.scan_distance
    assert held.place_distance <= asked.place_distance


@pytest.mark.parametrize("raters", [1, 3, 5, 10, 40])
@pytest.mark.parametrize("cases", [8, 12, 48, 100])
def test_the_orders_of_all_raters_together_tell_hardly_anything(cases, raters):
    kinds = [number % 2 == 0 for number in range(cases)]
    evenness = evenness_within_budget(kinds, asked_run=4, block_size=10, raters=raters)
    assert 0 <= told_bits(kinds, evenness=evenness, raters=raters) <= TOLD_BITS
    # and it is not the loosest there is: very uneven orders are turned away where that tells next to nothing
    if cases >= 48:
        assert not evenness.holds(sorted(kinds))


def test_no_block_has_a_count_that_is_known():
    """Over many orders the first block holds nearly every number of synthetic cases."""
    cases = forty_cases()
    by_id = {case.case_id: case.synthetic for case in cases}
    kinds = [case.synthetic for case in cases]
    evenness = evenness_within_budget(kinds, asked_run=4, block_size=10, raters=10)
    counts = Counter(
        sum(
            by_id[case]
            for case in draw_order(cases, evenness=evenness, distances=NO_DISTANCE, seed=seed, rater_number=1)[:10]
        )
        for seed in range(600)
    )
    assert set(counts) >= {2, 3, 4, 5, 6, 7, 8}
    assert max(counts.values()) < 0.35 * 600


def test_which_cases_follow_each_other_does_not_go_with_their_kind():
    """In a blind order of 20 and 20, 19 of 39 neighbours are of one kind, not fewer."""
    cases = forty_cases()
    by_id = {case.case_id: case.synthetic for case in cases}
    kinds = [case.synthetic for case in cases]
    evenness = evenness_within_budget(kinds, asked_run=4, block_size=10, raters=5)
    alike = 0
    for seed in range(400):
        order = draw_order(cases, evenness=evenness, distances=Distances(), seed=seed, rater_number=2)
        alike += sum(by_id[a] == by_id[b] for a, b in itertools.pairwise(order))
    assert abs(alike / (400 * 39) - 19 / 39) < 0.018  # 4.5 standard errors


@settings(deadline=None, max_examples=40)
@given(cases=case_lists(), seed=st.integers(0, 2**128 - 1), rng=st.randoms())
def test_an_order_depends_on_seed_and_rater_only_not_on_how_cases_are_listed(cases, seed, rng):
    order = draw_order(cases, evenness=ANY, distances=NO_DISTANCE, seed=seed, rater_number=3)
    shuffled = list(cases)
    rng.shuffle(shuffled)
    assert draw_order(shuffled, evenness=ANY, distances=NO_DISTANCE, seed=seed, rater_number=3) == order


def test_raters_get_orders_of_their_own():
    orders = {
        tuple(draw_order(forty_cases(), evenness=Evenness(), distances=Distances(), seed=5, rater_number=number))
        for number in range(20)
    }
    assert len(orders) == 20


def test_an_order_is_the_same_on_another_machine_byte_for_byte():
    """Drawn in another process with another hash seed, and equal to what this version drew when it was published."""
    code = "from tests.readerstudy.test_schedule import published; import sys; sys.stdout.write(published())"
    environment = {"PYTHONHASHSEED": "123", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PATH": "/usr/bin:/bin"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    ).stdout
    assert elsewhere == published()
    assert published() == "910e9d2f22c9e5d8e1dcbe89f6e8d6b5502d9465967ec42afdf202d31efcc945"


def published():
    evenness, distances, seed = Evenness(), Distances(), 2**100 + 7
    orders = {
        number: draw_order(forty_cases(), evenness=evenness, distances=distances, seed=seed, rater_number=number)
        for number in (1, 2)
    }
    held = {**asdict(evenness), **asdict(distances)}
    return schedule_digest(orders, algorithm=ALGORITHM, constraints=held, seed=seed)


def test_random_integers_are_uniform():
    random = RawRandom(seed=1, rater_number=1)
    counts = Counter(random.below(6) for _ in range(60_000))
    assert set(counts) == set(range(6))
    assert sum((count - 10_000) ** 2 / 10_000 for count in counts.values()) < 20.5  # chi-square, 5 df, p = .001


def test_each_slot_is_synthetic_half_of_the_time():
    """Nobody can guess a kind from the position: not at the start of a block, not anywhere."""
    cases = forty_cases()
    by_id = {case.case_id: case.synthetic for case in cases}
    orders = [
        draw_order(cases, evenness=Evenness(), distances=Distances(), seed=seed, rater_number=1) for seed in range(800)
    ]
    for slot in range(40):
        share = sum(by_id[order[slot]] for order in orders) / len(orders)
        assert abs(share - 0.5) < 0.08  # 4.5 standard errors


def test_what_cannot_be_ordered_is_refused():
    alone = [CaseToOrder(case_id=f"c{n}", synthetic=True, scan="s", place=f"p{n}") for n in range(9)]
    with pytest.raises(NoOrderError, match="not even without any distance"):
        feasible_distances(alone, evenness=Evenness(longest_run=3), asked=Distances(), seed=1, rater_numbers=[1])
    with pytest.raises(ValueError, match="once only"):
        draw_order([alone[0], alone[0]], evenness=ANY, distances=NO_DISTANCE, seed=1, rater_number=1)
