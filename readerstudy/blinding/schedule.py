"""The order in which each rater sees the cases: drawn once, from a named generator, reproducible byte for byte.

Randomness is `numpy.random.PCG64(SeedSequence(seed, spawn_key=(rater_number,)))` read through `random_raw`, and
shuffling is Fisher-Yates with rejection sampling. Both are fixed here, because numpy promises stable raw streams
of a bit generator but not stable results of `Generator.permutation`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import numpy as np

ALGORITHM = "pcg64-fisher-yates/1"
ATTEMPTS = 200

T = TypeVar("T")


class NoOrderError(ValueError):
    """No order of these cases meets the constraints."""


@dataclass(frozen=True, kw_only=True)
class CaseToOrder:
    """One case with its kind, the scan it descends from, and the place in that scan it shows."""

    case_id: str
    synthetic: bool
    scan: str
    place: str


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """Balance in every block of `block_size`; at most `longest_run` of one kind in a row; distances in slots."""

    block_size: int = 10
    longest_run: int = 4
    scan_distance: int = 3
    place_distance: int = 10


class RawRandom:
    """Uniform integers from the raw stream of PCG64."""

    def __init__(self, *, seed: int, rater_number: int) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=(rater_number,))
        self._bits = np.random.PCG64(sequence)

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound)."""
        limit = (1 << 64) - (1 << 64) % bound
        while True:
            raw = int(self._bits.random_raw())
            if raw < limit:
                return raw % bound

    def shuffled(self, items: Iterable[T]) -> list[T]:
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            chosen = self.below(last + 1)
            result[last], result[chosen] = result[chosen], result[last]
        return result


def draw_order(cases: Sequence[CaseToOrder], *, constraints: Constraints, seed: int, rater_number: int) -> list[str]:
    """The case ids in the order for one rater. NoOrderError when the constraints cannot be met."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    if len({case.case_id for case in ordered}) != len(ordered):
        raise ValueError("a case may be ordered once only")
    random = RawRandom(seed=seed, rater_number=rater_number)
    for _ in range(ATTEMPTS):
        kinds = _draw_kinds(ordered, constraints, random)
        order = None if kinds is None else _fill(kinds, random.shuffled(ordered), constraints)
        if order is not None:
            return [case.case_id for case in order]
    raise NoOrderError(f"no order of {len(ordered)} cases was found within {constraints}")


def feasible_constraints(
    cases: Sequence[CaseToOrder], *, asked: Constraints, seed: int, rater_numbers: Sequence[int]
) -> Constraints:
    """The asked constraints, with distances lowered (of scans first) until every rater gets an order."""
    without_distances = replace(asked, scan_distance=0, place_distance=0)
    if not _all_have_an_order(cases, without_distances, seed=seed, rater_numbers=rater_numbers):
        raise NoOrderError("the two kinds cannot be mixed with so short a longest run")
    for place_distance in range(asked.place_distance, -1, -1):
        for scan_distance in range(asked.scan_distance, -1, -1):
            candidate = replace(asked, scan_distance=scan_distance, place_distance=place_distance)
            if _all_have_an_order(cases, candidate, seed=seed, rater_numbers=rater_numbers):
                return candidate
    return without_distances


def _all_have_an_order(
    cases: Sequence[CaseToOrder], constraints: Constraints, *, seed: int, rater_numbers: Sequence[int]
) -> bool:
    try:
        for number in rater_numbers:
            draw_order(cases, constraints=constraints, seed=seed, rater_number=number)
    except NoOrderError:
        return False
    return True


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


def _fill(kinds: Sequence[bool], pool: list[CaseToOrder], constraints: Constraints) -> list[CaseToOrder] | None:
    """Put cases into the slots of their kind; scans with many cases left go first, ties in the pool's order."""
    left = list(pool)
    waiting = Counter(case.scan for case in left)
    last_scan: dict[str, int] = {}
    last_place: dict[str, int] = {}
    order: list[CaseToOrder] = []
    for slot, synthetic in enumerate(kinds):
        allowed = [
            case
            for case in left
            if case.synthetic == synthetic
            and slot - last_scan.get(case.scan, -constraints.scan_distance) >= constraints.scan_distance
            and slot - last_place.get(case.place, -constraints.place_distance) >= constraints.place_distance
        ]
        if not allowed:
            return None
        chosen = _urgent(allowed, waiting, slots_left=len(kinds) - slot, distance=constraints.scan_distance)
        left.remove(chosen)
        waiting[chosen.scan] -= 1
        last_scan[chosen.scan] = last_place[chosen.place] = slot
        order.append(chosen)
    return order


def _urgent(allowed: list[CaseToOrder], waiting: Counter[str], *, slots_left: int, distance: int) -> CaseToOrder:
    """The first in the pool's random order, unless some scan needs nearly every slot that is left to it."""
    pressing = [case for case in allowed if (waiting[case.scan] - 1) * max(distance, 1) + 1 >= slots_left - distance]
    return (pressing or allowed)[0]


def longest_run_of(kinds: Sequence[bool]) -> int:
    longest = current = 0
    previous: bool | None = None
    for kind in kinds:
        current = current + 1 if kind == previous else 1
        longest, previous = max(longest, current), kind
    return longest


def schedule_digest(orders: dict[int, list[str]], *, constraints: Constraints, seed: int) -> str:
    """SHA-256 of the orders of all raters with what they were drawn from; published at the lock."""
    content = {
        "algorithm": ALGORITHM,
        "seed": seed,
        "constraints": asdict(constraints),
        "orders": {str(number): order for number, order in sorted(orders.items())},
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
