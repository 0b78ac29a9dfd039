"""The first rule of orders: studies that were locked under it must come out as they were drawn."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readerstudy.blinding.block_order import ALGORITHM, Constraints, draw_order
from readerstudy.blinding.schedule import NoOrderError, longest_run_of, schedule_digest
from tests.readerstudy.cases_to_order import case_lists, forty_cases

ROOT = Path(__file__).resolve().parents[2]


constraints_lists = st.builds(
    Constraints,
    block_size=st.integers(2, 12),
    longest_run=st.integers(2, 5),
    scan_distance=st.integers(0, 4),
    place_distance=st.integers(0, 8),
)


@settings(deadline=None, max_examples=80)
@given(cases=case_lists(), held=constraints_lists, seed=st.integers(0, 2**128 - 1), rater=st.integers(1, 40))
def test_every_order_keeps_all_its_constraints(cases, held, seed, rater):
    try:
        order = draw_order(cases, constraints=held, seed=seed, rater_number=rater)
    except NoOrderError:
        assume(False)
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


@settings(deadline=None, max_examples=40)
@given(cases=case_lists(), seed=st.integers(0, 2**128 - 1), rng=st.randoms())
def test_an_order_depends_on_seed_and_rater_only_not_on_how_cases_are_listed(cases, seed, rng):
    loose = Constraints(longest_run=6, scan_distance=0, place_distance=0)
    order = draw_order(cases, constraints=loose, seed=seed, rater_number=3)
    shuffled = list(cases)
    rng.shuffle(shuffled)
    assert draw_order(shuffled, constraints=loose, seed=seed, rater_number=3) == order


def test_an_order_is_the_same_on_another_machine_byte_for_byte():
    """Drawn in another process with another hash seed, and equal to what this version drew when it was published."""
    code = "from tests.readerstudy.test_block_order import published; import sys; sys.stdout.write(published())"
    environment = {"PYTHONHASHSEED": "123", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PATH": "/usr/bin:/bin"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    ).stdout
    assert elsewhere == published()
    assert published() == "d87ad41af60c7b3370c6ca953a38ff7fcccb29d69f8b66556b6ab4a8acb24fec"


def published():
    orders = {n: draw_order(forty_cases(), constraints=Constraints(), seed=2**100 + 7, rater_number=n) for n in (1, 2)}
    return schedule_digest(orders, algorithm=ALGORITHM, constraints=asdict(Constraints()), seed=2**100 + 7)
