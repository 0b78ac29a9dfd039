"""What all rules of drawing an order have in common: cases, random numbers, the digest that is published at the lock.

Randomness is `numpy.random.PCG64(SeedSequence(seed, spawn_key=(rater_number,)))` read through `random_raw`, and
shuffling is Fisher-Yates with rejection sampling. Both are fixed here, because numpy promises stable raw streams
of a bit generator but not stable results of `Generator.permutation`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class NoOrderError(ValueError):
    """No order of these cases meets the constraints."""


@dataclass(frozen=True, kw_only=True)
class CaseToOrder:
    """One case with its kind, the scan it descends from, the place in that scan it shows, and its match of the draw.

    `control`: a positive control, which only trials of several images ask about: it stands in trials of their own.
    """

    case_id: str
    synthetic: bool
    scan: str
    place: str
    pair: int | None = None
    control: bool = False


class RawRandom:
    """Uniform integers from the raw stream of PCG64; `also` parts what is drawn besides from the rater's own stream."""

    def __init__(self, *, seed: int, rater_number: int, also: tuple[int, ...] = ()) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=(rater_number, *also))
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


def longest_run_of(kinds: Sequence[bool]) -> int:
    longest = current = 0
    previous: bool | None = None
    for kind in kinds:
        current = current + 1 if kind == previous else 1
        longest, previous = max(longest, current), kind
    return longest


class Spacing:
    """Where each scan and each place was shown last, and whether a case is far enough from both in some slot."""

    def __init__(self, *, scan_distance: int, place_distance: int) -> None:
        self.scan_distance, self.place_distance = scan_distance, place_distance
        self._last_scan: dict[str, int] = {}
        self._last_place: dict[str, int] = {}

    def allows(self, case: CaseToOrder, slot: int) -> bool:
        return (
            slot - self._last_scan.get(case.scan, -self.scan_distance) >= self.scan_distance
            and slot - self._last_place.get(case.place, -self.place_distance) >= self.place_distance
        )

    def shown(self, case: CaseToOrder, slot: int) -> None:
        self._last_scan[case.scan] = self._last_place[case.place] = slot


def spaced(
    pool: Sequence[CaseToOrder], *, scan_distance: int, place_distance: int, kinds: Sequence[bool] | None = None
) -> list[CaseToOrder] | None:
    """The pool's order with cases held back until scan and place are far enough; scans with many left go first.

    With `kinds` every slot takes a case of its kind; without, what kind they are plays no part.
    """
    left = list(pool)
    waiting = Counter(case.scan for case in left)
    spacing = Spacing(scan_distance=scan_distance, place_distance=place_distance)
    order: list[CaseToOrder] = []
    for slot in range(len(pool)):
        allowed = [
            case for case in left if (kinds is None or case.synthetic == kinds[slot]) and spacing.allows(case, slot)
        ]
        if not allowed:
            return None
        chosen = urgent(allowed, waiting, slots_left=len(pool) - slot, distance=scan_distance)
        left.remove(chosen)
        waiting[chosen.scan] -= 1
        spacing.shown(chosen, slot)
        order.append(chosen)
    return order


def urgent(allowed: list[CaseToOrder], waiting: Counter[str], *, slots_left: int, distance: int) -> CaseToOrder:
    """The first in the pool's random order, unless some scan needs nearly every slot that is left to it."""
    pressing = [case for case in allowed if (waiting[case.scan] - 1) * max(distance, 1) + 1 >= slots_left - distance]
    return (pressing or allowed)[0]


def schedule_digest(
    orders: Mapping[int, Sequence[str]], *, algorithm: str, constraints: Mapping[str, Any], seed: int
) -> str:
    """SHA-256 of the orders of all raters with what they were drawn from; published at the lock."""
    content = {
        "algorithm": algorithm,
        "seed": seed,
        "constraints": dict(constraints),
        "orders": {str(number): list(order) for number, order in sorted(orders.items())},
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
