"""The rule of orders in which some cases come twice: the free shuffle, with slots that show an earlier case again.

Every rater has an own choice of slots and of cases, drawn from the same stream without regard to the kinds, so what
`free_order` says holds here as well: an order that is even with probability p tells at most log2(1/p) bits of the whole
truth. Even is asked of all slots, and of the share of synthetic ones among the repeated cases; never an exact count,
for whoever recognised the repeated pictures would know the kind of the last from those of the others. All of it
together stays within `TOLD_BITS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from readerstudy.blinding.free_order import (
    ATTEMPTS,
    SEED,
    SHUFFLES,
    TOLD_BITS,
    Distances,
    Evenness,
    longest_runs,
    lowered,
    smallest,
    unevenness,
)
from readerstudy.blinding.schedule import CaseToOrder, NoOrderError, RawRandom, Spacing, urgent

ALGORITHM = "pcg64-free-shuffle-with-repeats/1"
# Orders without regard to kinds or scans, over which it is measured how often an order is even.
PATTERNS = 20
NEAR = Distances(scan_distance=0, place_distance=0)


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """How many cases every rater is shown twice, with at least `distance` slots from the first time to the second."""

    count: int
    distance: int


@dataclass(frozen=True, kw_only=True)
class RepeatedEvenness:
    """Evenness of all slots, and how far the synthetic among the repeated cases may be from their share of all."""

    slots: Evenness
    repeats_slack: float

    def holds(self, order: Sequence[CaseToOrder]) -> bool:
        share = np.mean([case.synthetic for case in {case.case_id: case for case in order}.values()])
        again = [order[slot].synthetic for slot in shown_again([case.case_id for case in order])]
        off = round(abs(sum(again) - share * len(again)), 9)
        return bool(off <= self.repeats_slack) and self.slots.holds([case.synthetic for case in order])


def shown_again(order: Sequence[str]) -> list[int]:
    """The slots whose case was shown before."""
    first = {case_id: slot for slot, case_id in reversed(list(enumerate(order)))}
    return [slot for slot, case_id in enumerate(order) if first[case_id] < slot]


def draw_order(
    cases: Sequence[CaseToOrder],
    *,
    repeats: Repeats,
    evenness: RepeatedEvenness,
    distances: Distances,
    seed: int,
    rater_number: int,
) -> list[str]:
    """The case ids in the order for one rater, those of repeated cases twice. NoOrderError when none was found."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    if len({case.case_id for case in ordered}) != len(ordered):
        raise ValueError("a case is named once only; how many come twice is said apart")
    random = RawRandom(seed=seed, rater_number=rater_number)
    for _ in range(ATTEMPTS):
        order = _with_repeats(ordered, repeats, distances, random)
        if order is not None and evenness.holds(order):
            return [case.case_id for case in order]
    raise NoOrderError(
        f"no order of {len(ordered)} cases, {repeats.count} of them twice with {repeats.distance} slots between, was "
        f"found within {evenness}, {distances}"
    )


def _with_repeats(
    cases: Sequence[CaseToOrder], repeats: Repeats, distances: Distances, random: RawRandom
) -> list[CaseToOrder] | None:
    """A random order with the repeats in random slots; None where it ran into a slot that nothing may stand in."""
    left, total = random.shuffled(cases), len(cases) + repeats.count
    again = set(random.shuffled(range(min(repeats.distance, total), total))[: repeats.count])
    waiting = Counter(case.scan for case in left)
    spacing = Spacing(**asdict(distances))
    once: dict[CaseToOrder, int] = {}
    order: list[CaseToOrder] = []
    for slot in range(total):
        if slot in again:
            far = [case for case, first in once.items() if slot - first >= repeats.distance]
            allowed = [case for case in far if spacing.allows(case, slot)]
        else:
            allowed = [case for case in left if spacing.allows(case, slot)]
        if not allowed:
            return None
        if slot in again:
            chosen = allowed[random.below(len(allowed))]
            del once[chosen]
        else:
            chosen = urgent(allowed, waiting, slots_left=total - slot, distance=distances.scan_distance)
            left.remove(chosen)
            waiting[chosen.scan] -= 1
            once[chosen] = slot
        spacing.shown(chosen, slot)
        order.append(chosen)
    return order


def evenness_within_budget(
    kinds: Sequence[bool], *, repeats: Repeats, asked_run: int, block_size: int, raters: int
) -> RepeatedEvenness:
    """The most even orders that may be asked for, so that those of all raters together tell at most TOLD_BITS.

    NoOrderError where so many repeats so far apart don't fit.
    """
    rows = _rows(kinds, repeats)
    floor = 2 ** (-TOLD_BITS / max(raters, 1))
    # What may be turned away goes in equal parts to long runs, to lopsided repeats and to uneven blocks.
    third = (1 - floor) / 3
    runs, blocks = longest_runs(rows.slots), unevenness(rows.slots, block_size)
    longest_run = smallest([*range(asked_run, rows.slots.shape[1] + 1)], lambda run: (runs <= run).mean() >= 1 - third)
    within_run = runs <= longest_run
    slack = smallest(np.unique(rows.off), lambda off: (within_run & (rows.off <= off)).mean() >= 1 - 2 * third)
    held = within_run & (rows.off <= slack)
    block_slack = smallest(np.unique(blocks), lambda off: (held & (blocks <= off)).mean() >= floor)
    slots = Evenness(block_size=block_size, block_slack=float(block_slack), longest_run=int(longest_run))
    return RepeatedEvenness(slots=slots, repeats_slack=float(slack))


def told_bits(kinds: Sequence[bool], *, repeats: Repeats, evenness: RepeatedEvenness, raters: int) -> float:
    """How much of the truth the orders of so many raters tell at most, in bits."""
    rows, slots = _rows(kinds, repeats), evenness.slots
    even = (
        (longest_runs(rows.slots) <= slots.longest_run)
        & (unevenness(rows.slots, slots.block_size) <= slots.block_slack)
        & (rows.off <= evenness.repeats_slack)
    )
    return float(-np.log2(even.mean()) * raters)


def feasible_distances(
    cases: Sequence[CaseToOrder],
    *,
    repeats: Repeats,
    evenness: RepeatedEvenness,
    asked: Distances,
    seed: int,
    rater_numbers: Sequence[int],
) -> Distances:
    """The asked distances of scans and places, lowered until every rater gets an order; that of repeats holds."""

    def attempt(held: Distances) -> None:
        for number in rater_numbers:
            draw_order(cases, repeats=repeats, evenness=evenness, distances=held, seed=seed, rater_number=number)

    twice = f"{repeats.count} of them twice with {repeats.distance} slots between"
    return lowered(asked, attempt, what=f"{len(cases)} cases, {twice},")


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Random kinds (1 = synthetic) in orders with repeats, (SHUFFLES, slots), and how lopsided the repeats are."""

    slots: NDArray[np.int8]
    off: NDArray[np.float64]


def _rows(kinds: Sequence[bool], repeats: Repeats) -> _Rows:
    """Some patterns of repeats, each with random kinds of its cases."""
    cases = [CaseToOrder(case_id=f"{n:05d}", synthetic=False, scan="", place="") for n in range(len(kinds))]
    shuffled = np.random.default_rng(SEED).permuted(np.tile(np.asarray(kinds, dtype=np.int8), (SHUFFLES, 1)), axis=1)
    slots, off = [], []
    for pattern, rows in enumerate(np.array_split(shuffled, PATTERNS)):
        order = _pattern(cases, repeats, RawRandom(seed=SEED, rater_number=pattern))
        row = rows[:, order]
        again = row[:, shown_again([cases[number].case_id for number in order])]
        slots.append(row)
        off.append(np.abs(again.sum(axis=1) - repeats.count * np.mean(kinds)))
    return _Rows(slots=np.concatenate(slots), off=np.round(np.concatenate(off), 9))


def _pattern(cases: Sequence[CaseToOrder], repeats: Repeats, random: RawRandom) -> list[int]:
    for _ in range(ATTEMPTS):
        order = _with_repeats(cases, repeats, NEAR, random)
        if order is not None:
            return [int(case.case_id) for case in order]
    raise NoOrderError(f"{repeats.count} of {len(cases)} cases can't come twice with {repeats.distance} slots between")
