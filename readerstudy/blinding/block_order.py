"""The first rule of orders, for studies that were locked under it: every block holds its exact share of both kinds.

No study is drawn by it any more: whoever knows which slots of several raters show the same case can compute from
exact blocks and short runs which kind each case is (`free_order` is the rule since).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from readerstudy.blinding.schedule import CaseToOrder, NoOrderError, RawRandom, longest_run_of, spaced

ALGORITHM = "pcg64-fisher-yates/1"
ATTEMPTS = 200


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """Balance in every block of `block_size`; at most `longest_run` of one kind in a row; distances in slots."""

    block_size: int = 10
    longest_run: int = 4
    scan_distance: int = 3
    place_distance: int = 10


def draw_order(cases: Sequence[CaseToOrder], *, constraints: Constraints, seed: int, rater_number: int) -> list[str]:
    """The case ids in the order for one rater. NoOrderError when the constraints cannot be met."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    if len({case.case_id for case in ordered}) != len(ordered):
        raise ValueError("a case may be ordered once only")
    random = RawRandom(seed=seed, rater_number=rater_number)
    for _ in range(ATTEMPTS):
        kinds = _draw_kinds(ordered, constraints, random)
        if kinds is None:
            continue
        order = spaced(
            random.shuffled(ordered),
            scan_distance=constraints.scan_distance,
            place_distance=constraints.place_distance,
            kinds=kinds,
        )
        if order is not None:
            return [case.case_id for case in order]
    raise NoOrderError(f"no order of {len(ordered)} cases was found within {constraints}")


def _draw_kinds(cases: Sequence[CaseToOrder], constraints: Constraints, random: RawRandom) -> list[bool] | None:
    """Which slots are synthetic: each block holds its share, rounded so that the shares add up."""
    total, synthetic = len(cases), sum(case.synthetic for case in cases)
    kinds: list[bool] = []
    for start in range(0, total, constraints.block_size):
        stop = min(start + constraints.block_size, total)
        here = synthetic * stop // total - synthetic * start // total
        block = _block_within_run(kinds, here, stop - start - here, constraints.longest_run, random)
        if block is None:
            return None
        kinds += block
    return kinds


def _block_within_run(
    before: list[bool], synthetic: int, real: int, longest_run: int, random: RawRandom
) -> list[bool] | None:
    for _ in range(ATTEMPTS):
        block = random.shuffled([True] * synthetic + [False] * real)
        if longest_run_of(before[-longest_run:] + block) <= longest_run:
            return block
    return None
