"""The rule of orders: a shuffle that does not look at the kinds, from which only rare, uneven orders are turned away.

Whoever could link the slots of all raters (raters who put their pictures together) would learn from exact blocks and
short runs which case is of which kind: blocks of 10 with at most 4 in a row give away all 48 of 48 cases. Here an
order is drawn and spaced without regard to the kinds and taken unless it is uneven. If an order is even with
probability p, knowing it tells at most log2(1/p) bits of the whole truth, whatever is known besides, and by the
symmetry of equal kinds nothing of any single case. `TOLD_BITS` bounds the sum over all raters; how even an order can
be asked to be follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from readerstudy.blinding.schedule import CaseToOrder, NoOrderError, RawRandom, longest_run_of, spaced

ALGORITHM = "pcg64-free-shuffle/2"
ATTEMPTS = 200
TOLD_BITS = 0.5
# Random sequences of the two kinds, by which it is measured how often an order is even.
SHUFFLES = 20_000
SEED = 20_210_817


@dataclass(frozen=True, kw_only=True)
class Evenness:
    """How even an order is: its longest run of one kind, and how far a block of `block_size` is from its share."""

    block_size: int = 10
    block_slack: float = 4.0
    longest_run: int = 10

    def holds(self, kinds: Sequence[bool]) -> bool:
        row = np.asarray(kinds, dtype=np.int8)[np.newaxis]
        return longest_run_of(kinds) <= self.longest_run and bool(
            unevenness(row, self.block_size)[0] <= self.block_slack
        )


@dataclass(frozen=True, kw_only=True)
class Distances:
    """Least distance in slots between two cases of one scan, and of nearly one place."""

    scan_distance: int = 3
    place_distance: int = 10


def draw_order(
    cases: Sequence[CaseToOrder], *, evenness: Evenness, distances: Distances, seed: int, rater_number: int
) -> list[str]:
    """The case ids in the order for one rater. NoOrderError when no order was found."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    if len({case.case_id for case in ordered}) != len(ordered):
        raise ValueError("a case may be ordered once only")
    random = RawRandom(seed=seed, rater_number=rater_number)
    for _ in range(ATTEMPTS):
        order = spaced(random.shuffled(ordered), **asdict(distances))
        if order is not None and evenness.holds([case.synthetic for case in order]):
            return [case.case_id for case in order]
    raise NoOrderError(f"no order of {len(ordered)} cases was found within {evenness}, {distances}")


def evenness_within_budget(kinds: Sequence[bool], *, asked_run: int, block_size: int, raters: int) -> Evenness:
    """The most even orders that may be asked for, so that those of all raters together tell at most TOLD_BITS."""
    shuffles = _shuffles(kinds)
    floor = 2 ** (-TOLD_BITS / max(raters, 1))
    runs, blocks = longest_runs(shuffles), unevenness(shuffles, block_size)
    # Half of what may be turned away goes to long runs, the rest to uneven blocks.
    longest_run = smallest([*range(asked_run, len(kinds) + 1)], lambda run: (runs <= run).mean() >= (1 + floor) / 2)
    within_run = runs <= longest_run
    slack = smallest(np.unique(blocks), lambda slack: (within_run & (blocks <= slack)).mean() >= floor)
    return Evenness(block_size=block_size, block_slack=float(slack), longest_run=int(longest_run))


def told_bits(kinds: Sequence[bool], *, evenness: Evenness, raters: int) -> float:
    """How much of the truth the orders of so many raters tell at most, in bits."""
    shuffles = _shuffles(kinds)
    even = (longest_runs(shuffles) <= evenness.longest_run) & (
        unevenness(shuffles, evenness.block_size) <= evenness.block_slack
    )
    return float(-np.log2(even.mean()) * raters)


def feasible_distances(
    cases: Sequence[CaseToOrder], *, evenness: Evenness, asked: Distances, seed: int, rater_numbers: Sequence[int]
) -> Distances:
    """The asked distances, lowered (of scans first) until every rater gets an order."""

    def attempt(held: Distances) -> None:
        for number in rater_numbers:
            draw_order(cases, evenness=evenness, distances=held, seed=seed, rater_number=number)

    return lowered(asked, attempt, what=f"{len(cases)} cases")


def lowered(asked: Distances, attempt: Callable[[Distances], None], *, what: str) -> Distances:
    """The first distances, from the asked ones down, at which the attempt succeeds."""
    wishes = product(range(asked.place_distance, -1, -1), range(asked.scan_distance, -1, -1))
    for place_distance, scan_distance in wishes:
        held = replace(asked, scan_distance=scan_distance, place_distance=place_distance)
        # Then at shorter distances; when none are left, that is said.
        with suppress(NoOrderError):
            attempt(held)
            return held
    raise NoOrderError(f"the {what} fit into no order, not even without any distance")


def _shuffles(kinds: Sequence[bool]) -> NDArray[np.int8]:
    """Random orders of the kinds, shape (SHUFFLES, cases), 1 = synthetic."""
    rows = np.tile(np.asarray(kinds, dtype=np.int8), (SHUFFLES, 1))
    return np.random.default_rng(SEED).permuted(rows, axis=1)


def longest_runs(rows: NDArray[np.int8]) -> NDArray[np.int_]:
    longest = current = np.ones(len(rows), dtype=int)
    for before, here in zip(rows.T[:-1], rows.T[1:], strict=True):
        current = np.where(before == here, current + 1, 1)
        longest = np.maximum(longest, current)
    return longest


def unevenness(rows: NDArray[np.int8], block_size: int) -> NDArray[np.float64]:
    """Of each row, by how many cases the block farthest from its share is off it."""
    starts = np.arange(0, rows.shape[1], block_size)
    sizes = np.diff([*starts, rows.shape[1]])
    counts = np.add.reduceat(rows.astype(np.int64), starts, axis=1)
    off: NDArray[np.float64] = np.abs(counts - sizes * rows.mean(axis=1, keepdims=True)).max(axis=1)
    return off


def smallest(values: Sequence[int] | NDArray[np.float64], enough: Callable[[float], bool]) -> float:
    """The first of the rising values that is enough; the last one always is."""
    return next((value for value in values if enough(value)), values[-1])
