"""Orders of reading: laws that hold for any cases, any seed and any rater."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readerstudy.blinding.schedule import (
    CaseToOrder,
    Constraints,
    NoOrderError,
    RawRandom,
    draw_order,
    feasible_constraints,
    longest_run_of,
    schedule_digest,
)

ROOT = Path(__file__).resolve().parents[2]


@st.composite
def case_lists(draw):
    per_kind = draw(st.integers(2, 25))
    scans = draw(st.integers(1, 8))
    cases = []
    for number in range(2 * per_kind):
        scan = draw(st.integers(0, scans - 1))
        place = draw(st.integers(0, 5))
        cases.append(
            CaseToOrder(
                case_id=f"case-{number:03d}",
                synthetic=number < per_kind,
                scan=f"scan-{scan}",
                place=f"scan-{scan} place-{place}" if draw(st.booleans()) else f"own-{number}",
            )
        )
    return cases


constraints_lists = st.builds(
    Constraints,
    block_size=st.integers(2, 12),
    longest_run=st.integers(2, 5),
    scan_distance=st.integers(0, 4),
    place_distance=st.integers(0, 8),
)


@settings(deadline=None, max_examples=120)
@given(cases=case_lists(), asked=constraints_lists, seed=st.integers(0, 2**128 - 1), rater=st.integers(1, 40))
def test_every_order_keeps_all_its_constraints(cases, asked, seed, rater):
    try:
        held = feasible_constraints(cases, asked=asked, seed=seed, rater_numbers=[rater])
    except NoOrderError:
        assume(False)
    order = draw_order(cases, constraints=held, seed=seed, rater_number=rater)
    by_id = {case.case_id: case for case in cases}
    ordered = [by_id[case_id] for case_id in order]

    assert sorted(order) == sorted(by_id)  # a permutation: nothing lost, nothing twice
    assert longest_run_of([case.synthetic for case in ordered]) <= held.longest_run
    for attribute, distance in (("scan", held.scan_distance), ("place", held.place_distance)):
        last = {}
        for slot, case in enumerate(ordered):
            label = getattr(case, attribute)
            assert slot - last.get(label, -(10**6)) >= distance
            last[label] = slot
    for start in range(0, len(ordered), held.block_size):
        block = ordered[start : start + held.block_size]
        share = sum(case.synthetic for case in block)
        assert abs(share - len(block) / 2) <= 1  # within rounding of its share
    assert held.block_size == asked.block_size
    assert held.longest_run == asked.longest_run
    assert held.scan_distance <= asked.scan_distance
    assert held.place_distance <= asked.place_distance


@settings(deadline=None, max_examples=40)
@given(cases=case_lists(), seed=st.integers(0, 2**128 - 1), rng=st.randoms())
def test_an_order_depends_on_seed_and_rater_only_not_on_how_cases_are_listed(cases, seed, rng):
    loose = Constraints(longest_run=6, scan_distance=0, place_distance=0)
    order = draw_order(cases, constraints=loose, seed=seed, rater_number=3)
    shuffled = list(cases)
    rng.shuffle(shuffled)
    assert draw_order(shuffled, constraints=loose, seed=seed, rater_number=3) == order


def forty_cases():
    return [CaseToOrder(case_id=f"c{n:02d}", synthetic=n % 2 == 0, scan=f"s{n // 4}", place=f"p{n}") for n in range(40)]


def test_raters_get_orders_of_their_own():
    orders = {tuple(draw_order(forty_cases(), constraints=Constraints(), seed=5, rater_number=n)) for n in range(20)}
    assert len(orders) == 20


def test_an_order_is_the_same_on_another_machine_byte_for_byte():
    """Drawn in another process with another hash seed, and equal to what this version drew when it was published."""
    code = "from tests.readerstudy.test_schedule import published; import sys; sys.stdout.write(published())"
    environment = {"PYTHONHASHSEED": "123", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PATH": "/usr/bin:/bin"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    ).stdout
    assert elsewhere == published()
    assert published() == "d87ad41af60c7b3370c6ca953a38ff7fcccb29d69f8b66556b6ab4a8acb24fec"


def published():
    orders = {n: draw_order(forty_cases(), constraints=Constraints(), seed=2**100 + 7, rater_number=n) for n in (1, 2)}
    return schedule_digest(orders, constraints=Constraints(), seed=2**100 + 7)


def test_random_integers_are_uniform():
    random = RawRandom(seed=1, rater_number=1)
    counts = Counter(random.below(6) for _ in range(60_000))
    assert set(counts) == set(range(6))
    assert sum((count - 10_000) ** 2 / 10_000 for count in counts.values()) < 20.5  # chi-square, 5 df, p = .001


def test_each_slot_is_synthetic_half_of_the_time():
    """Nobody can guess a kind from the position: not at the start of a block, not anywhere."""
    cases = forty_cases()
    by_id = {case.case_id: case.synthetic for case in cases}
    orders = [draw_order(cases, constraints=Constraints(), seed=seed, rater_number=1) for seed in range(800)]
    for slot in range(40):
        share = sum(by_id[order[slot]] for order in orders) / len(orders)
        assert abs(share - 0.5) < 0.08  # 4.5 standard errors


def test_what_cannot_be_mixed_is_refused():
    alone = [CaseToOrder(case_id=f"c{n}", synthetic=True, scan="s", place=f"p{n}") for n in range(9)]
    with pytest.raises(NoOrderError):
        feasible_constraints(alone, asked=Constraints(longest_run=3), seed=1, rater_numbers=[1])
    with pytest.raises(ValueError, match="once only"):
        draw_order([alone[0], alone[0]], constraints=Constraints(), seed=1, rater_number=1)
