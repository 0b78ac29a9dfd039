"""The rule of orders where several images are shown at a time, of which one is to be found.

Which images stand together is drawn once for all raters; order and sides are drawn for every rater anew. An order is a
list of case ids as everywhere: `images` in a row are one trial, from the left. Sides are drawn without regard to each
other. Only orders in which the one to find stands on one side far too often are turned away, as rarely as `free_order`
turns orders away: whoever counts sides, of one rater or of all, learns at most `TOLD_BITS` of the whole truth. Exact
counts would give the last trials of every session away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from readerstudy.blinding.free_order import SEED, SHUFFLES, TOLD_BITS, Distances, lowered
from readerstudy.blinding.schedule import CaseToOrder, NoOrderError, RawRandom

ALGORITHM = "pcg64-tuples/1"
ATTEMPTS = 200
# Of nobody's stream: which images stand together is the same for all raters.
NOBODY, COMPOSING = 0, (1,)

Trial = tuple[CaseToOrder, ...]


@dataclass(frozen=True, kw_only=True)
class Tuples:
    """`images` at a time, one of them of the kind to be found. Matched: those that were drawn for one another."""

    images: int
    finds_synthetic: bool
    matched: bool


def composed(cases: Sequence[CaseToOrder], tuples: Tuples, *, seed: int) -> list[Trial]:
    """What stands together, in each the one to find first; in an order that says nothing but the seed's."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    if len({case.case_id for case in ordered}) != len(ordered):
        raise ValueError("a case may be ordered once only")
    random = RawRandom(seed=seed, rater_number=NOBODY, also=COMPOSING)
    groups = _matched(ordered, tuples, random) if tuples.matched else _at_random(ordered, tuples, random)
    return random.shuffled(groups)


def _at_random(cases: Sequence[CaseToOrder], tuples: Tuples, random: RawRandom) -> list[Trial]:
    found = random.shuffled(case for case in cases if case.synthetic == tuples.finds_synthetic)
    others = random.shuffled(case for case in cases if case.synthetic != tuples.finds_synthetic)
    # Controls that stand beside the one to find fill trials of their own. Without any, and where they are found, the
    # order is the one that was shuffled.
    others.sort(key=lambda case: case.control)
    beside = tuples.images - 1
    if not found or len(others) != beside * len(found):
        raise NoOrderError(
            f"{len(found)} to find and {len(others)} others do not make trials of {tuples.images} images each"
        )
    return [(case, *others[number * beside : (number + 1) * beside]) for number, case in enumerate(found)]


def _matched(cases: Sequence[CaseToOrder], tuples: Tuples, random: RawRandom) -> list[Trial]:
    """Cases without a partner are trials of positive controls: chosen by hand, they are put together at random."""
    groups: dict[int | None, list[CaseToOrder]] = {}
    for case in cases:
        groups.setdefault(case.pair, []).append(case)
    trials = []
    if alone := groups.pop(None, None):
        if not any(case.control for case in alone) or any(case.synthetic > case.control for case in alone):
            raise NoOrderError(f"{len(alone)} cases were drawn without a partner")
        trials = _at_random(alone, tuples, random)
    for group in groups.values():
        group.sort(key=lambda case: case.synthetic != tuples.finds_synthetic)
        found = sum(case.synthetic == tuples.finds_synthetic for case in group)
        if len(group) != tuples.images or found != 1:
            raise NoOrderError(f"a match of {len(group)} cases, {found} of them to find, is no trial")
        trials.append(tuple(group))
    return trials


def draw_order(
    trials: Sequence[Trial], *, side_slack: float, distances: Distances, seed: int, rater_number: int
) -> list[str]:
    """The case ids for one rater, trial by trial, each from the left. NoOrderError when no order was found."""
    random = RawRandom(seed=seed, rater_number=rater_number)
    for _ in range(ATTEMPTS):
        order = _spaced(random.shuffled(trials), distances)
        if order is None:
            continue
        shown = [random.shuffled(trial) for trial in order]
        sides = [row.index(trial[0]) for row, trial in zip(shown, order, strict=True)]
        if side_unevenness(sides, images=len(shown[0])) <= side_slack:
            return [case.case_id for row in shown for case in row]
    raise NoOrderError(f"no order of {len(trials)} trials was found within {distances} and a slack of {side_slack}")


def feasible_distances(
    trials: Sequence[Trial], *, side_slack: float, asked: Distances, seed: int, rater_numbers: Sequence[int]
) -> Distances:
    """The asked distances, lowered (of scans first) until every rater gets an order."""

    def attempt(held: Distances) -> None:
        for number in rater_numbers:
            draw_order(trials, side_slack=side_slack, distances=held, seed=seed, rater_number=number)

    return lowered(asked, attempt, what=f"{len(trials)} trials")


def side_unevenness(sides: Sequence[int], *, images: int) -> float:
    """By how many trials the side farthest from its share is off it; `sides` of the one to find, from 0."""
    counts = Counter(sides)
    return max(abs(counts[side] - len(sides) / images) for side in range(images))


def side_slack_within_budget(*, trials: int, images: int, raters: int) -> float:
    """The least slack that may be asked for, so that the sides of all raters together tell at most TOLD_BITS."""
    floor = 2 ** (-TOLD_BITS / max(raters, 1))
    unevenness = _drawn_unevenness(trials, images)
    values = np.unique(unevenness)
    return float(next(value for value in values if (unevenness <= value).mean() >= floor))


def told_bits(*, trials: int, images: int, side_slack: float, raters: int) -> float:
    """How much of the truth the sides tell at most, in bits: what the rule turned away."""
    return float(-np.log2((_drawn_unevenness(trials, images) <= side_slack).mean()) * raters)


def _drawn_unevenness(trials: int, images: int) -> NDArray[np.float64]:
    counts = np.random.default_rng(SEED).multinomial(trials, [1 / images] * images, size=SHUFFLES)
    off: NDArray[np.float64] = np.abs(counts - trials / images).max(axis=1)
    return off


def _spaced(trials: Sequence[Trial], distances: Distances) -> list[Trial] | None:
    """The trials with those held back whose scans or places came just before; scans with many left go first."""
    left = list(trials)
    waiting = Counter(scan for trial in left for scan in _scans(trial))
    last_scan: dict[str, int] = {}
    last_place: dict[str, int] = {}
    order: list[Trial] = []
    far_scan, far_place = distances.scan_distance, distances.place_distance
    for slot in range(len(trials)):
        allowed = [
            trial
            for trial in left
            if all(slot - last_scan.get(scan, -far_scan) >= far_scan for scan in _scans(trial))
            and all(slot - last_place.get(case.place, -far_place) >= far_place for case in trial)
        ]
        if not allowed:
            return None
        still = (len(trials) - slot - far_scan - 1) / max(far_scan, 1) + 1
        pressing = [trial for trial in allowed if any(waiting[scan] >= still for scan in _scans(trial))]
        chosen = (pressing or allowed)[0]
        left.remove(chosen)
        waiting.subtract(_scans(chosen))
        last_scan.update(dict.fromkeys(_scans(chosen), slot))
        last_place.update({case.place: slot for case in chosen})
        order.append(chosen)
    return order


def _scans(trial: Trial) -> set[str]:
    return {case.scan for case in trial}


def constraints_of(tuples: Tuples, distances: Distances, *, side_slack: float) -> dict[str, int | float]:
    """What a protocol keeps, so that the orders can be drawn once more."""
    return {**asdict(tuples), **asdict(distances), "side_slack": side_slack}
