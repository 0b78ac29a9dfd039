"""Choosing equally many real and synthetic places so that nothing but the lesion tells them apart. Pure functions.

A draw pairs alike places one after the other, many times with other luck, and keeps the draw whose kinds are the least
apart (rerandomisation: Morgan and Rubin 2012, doi 10.1214/12-AOS1008). In every draw both kinds give the same number
of cases per scan, no two cases show the same part of a scan, and the arms give equally many cases as far as they can.
Where more than two images are shown at a time, one of one kind is put together with several of the other, all of one
scan: of two scans, the one to find would stand out beside the others, whatever it shows. Then every scan gives both
kinds in the proportion of a trial, and each of a trial's synthetic images is of another arm if it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from readerstudy.design.arms import quotas
from readerstudy.design.candidate import Candidate, SharesPicture
from readerstudy.design.likeness import MEASURES, distance_from_alike

ALGORITHM = "rerandomised-greedy/1"
# Another scan of the same patient, and another patient, in units of cost: kinds are paired within patients if they can.
OTHER_SCAN_COST = 2.0
OTHER_SUBJECT_COST = 8.0
# Draws take turns in how much that counts: where the same patients offer no like places, another patient's are better.
PATIENT_WEIGHTS = (1.0, 0.5, 0.1)
# Taking a scan once more costs this much, so that the cases spread over scans.
REPEATED_SCAN_COST = 0.5
# One measure alone never makes a pair impossible.
LARGEST_MEASURE_COST = 4.0
# One more of an arm that has given its share: the last resort where the other arms have none that fits.
ARM_IS_FULL_COST = 1e4
# A second image of one arm in a trial: only where the other arms have none that fits.
ARM_IS_THERE_COST = 1e3
LARGEST_POOL = 1500
MOST_DRAWS = 400
# Pairs looked at in all draws together: about half a minute.
EFFORT = 3e9
# How much luck may change what a pair costs from draw to draw.
LUCK = 3.0
# A pair in which the kinds come from different patients weighs like being this far from alike.
OTHER_PATIENT_WEIGHT = 0.1

# What is drawn for one another: indices of real candidates, and of synthetic ones.
Group = tuple[list[int], list[int]]


def matched_draw(
    real: Sequence[Candidate],
    synthetic: Sequence[Candidate],
    *,
    pairs: int,
    seed: int,
    shares_picture: SharesPicture | None = None,
    of_each_kind: tuple[int, int] = (1, 1),
) -> list[tuple[Candidate, ...]]:
    """Up to `pairs` pairs (real, synthetic), numbered from 1. With `shares_picture` no two cases may do so; without
    it twins are allowed. `of_each_kind` is how many real and synthetic ones belong together, one of one kind at least.
    """
    if min(of_each_kind) != 1:
        raise ValueError("one image of one kind stands beside any number of the other")
    if not real or not synthetic or pairs < 1:
        return []
    random = _Luck(seed)
    pools = _Pools(_pool(real, random), _pool(synthetic, random), shares_picture, of_each_kind)
    most = min(pairs, len(pools.real) // of_each_kind[0], len(pools.synthetic) // of_each_kind[1])
    if most < 1:
        return []
    draws = int(np.clip(EFFORT / (pools.cost.size * most), 2, MOST_DRAWS))
    best: list[Group] = []
    least = np.inf
    for number in range(draws):
        luck = random.uniform(pools.cost.shape) * LUCK
        drawn = pools.draw(PATIENT_WEIGHTS[number % len(PATIENT_WEIGHTS)], luck, pairs=most)
        unlike = pools.unlikeness(drawn)
        if (-len(drawn), unlike) < (-len(best), least):
            best, least = drawn, unlike
    return [
        tuple(
            replace(pool[index], pair=number)
            for pool, indices in zip((pools.real, pools.synthetic), group, strict=True)
            for index in indices
        )
        for number, group in enumerate(best, start=1)
    ]


class _Luck:
    """Numbers from the raw stream of PCG64, which numpy keeps stable from version to version."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        raw = self._bits.random_raw(int(np.prod(shape)))
        return (np.asarray(raw, dtype=np.uint64) >> np.uint64(11)).astype(np.float64).reshape(shape) / 2**53


def _pool(candidates: Sequence[Candidate], random: _Luck) -> list[Candidate]:
    """All candidates in random order, so that ties do not follow names; a random part of very many."""
    ordered = sorted(candidates, key=lambda c: (c.scan, c.place_lps_mm))
    order = np.argsort(random.uniform((len(ordered),)), kind="stable")
    return [ordered[index] for index in order[:LARGEST_POOL]]


@dataclass
class _Pools:
    """Both pools with what pairs cost, and which places exclude each other."""

    real: list[Candidate]
    synthetic: list[Candidate]
    shares_picture: SharesPicture | None
    of_each_kind: tuple[int, int]

    def __post_init__(self) -> None:
        self.cost, self.patient_cost = place_costs(self.real, self.synthetic), patient_costs(self.real, self.synthetic)
        self.roots = [np.array([c.root for c in pool]) for pool in (self.real, self.synthetic)]
        self.subjects = [np.array([c.subject for c in pool]) for pool in (self.real, self.synthetic)]
        self.arms = np.array([c.arm.name for c in self.synthetic])
        self.excludes: list[list[NDArray[np.bool_]]] | None = None
        if self.shares_picture is not None:
            kinds = (self.real, self.synthetic)
            self.excludes = [[self._exclusion(one, other, self.shares_picture) for other in kinds] for one in kinds]

    @staticmethod
    def _exclusion(
        some: Sequence[Candidate], others: Sequence[Candidate], shares_picture: SharesPicture
    ) -> NDArray[np.bool_]:
        places = [np.array([c.place_lps_mm for c in pool]) for pool in (some, others)]
        roots = [np.array([c.root for c in pool]) for pool in (some, others)]
        same_scan: NDArray[np.bool_] = roots[0][:, None] == roots[1][None]
        return same_scan & shares_picture(*places)

    def draw(self, patient_weight: float, luck: NDArray[np.float64], *, pairs: int) -> list[Group]:
        """Greedy: the cheapest pair that is left, with what else belongs to it, until there are enough; each closes
        what it makes impossible."""
        # Rounded, so that another processor's last bits do not turn a choice.
        cost = np.round(self.cost + patient_weight * self.patient_cost + luck, 6)
        if self.excludes is not None:
            cost[self.excludes[0][1]] = np.inf
        if max(self.of_each_kind) > 1:
            cost[self.roots[0][:, None] != self.roots[1][None]] = np.inf
        names, counts = np.unique(self.arms, return_counts=True)
        places = pairs * self.of_each_kind[1]
        left = quotas(dict(zip(names.tolist(), counts.tolist(), strict=True)), places=places)
        drawn: list[Group] = []
        while len(drawn) < pairs:
            i, j = (int(n) for n in np.unravel_index(int(cost.argmin()), cost.shape))
            if not np.isfinite(cost[i, j]):
                break
            group = self._group(cost, i, j)
            if group is None:
                cost[np.s_[i] if self.of_each_kind[1] > 1 else np.s_[:, j]] = np.inf
                continue
            drawn.append(group)
            for row, column in product(*group):
                self._close(cost, row, column)
            for column in group[1]:
                left[self.arms[column]] -= 1
                if left[self.arms[column]] == 0:
                    cost[:, self.arms == self.arms[column]] += ARM_IS_FULL_COST
        return drawn

    def _group(self, cost: NDArray[np.float64], i: int, j: int) -> Group | None:
        """This pair with the cheapest of the kind of which more are wanted; None where there are too few."""
        many = int(self.of_each_kind[1] > 1)
        chosen = [(i, j)[many]]
        line = (cost[i] if many else cost[:, j]).copy()
        while len(chosen) < self.of_each_kind[many]:
            latest = chosen[-1]
            line[latest] = np.inf
            if self.excludes is not None:
                line[self.excludes[many][many][latest]] = np.inf
            if many:
                line[self.arms == self.arms[latest]] += ARM_IS_THERE_COST
            following = int(line.argmin())
            if not np.isfinite(line[following]):
                return None
            chosen.append(following)
        return ([i], chosen) if many else (chosen, [j])

    def _close(self, cost: NDArray[np.float64], i: int, j: int) -> None:
        cost[i, :] = cost[:, j] = np.inf
        if self.excludes is not None:
            cost[self.excludes[0][0][i]] = cost[self.excludes[1][0][j]] = np.inf
            cost[:, self.excludes[0][1][i]] = cost[:, self.excludes[1][1][j]] = np.inf
        real_roots, synthetic_roots = self.roots
        first, second = real_roots[i], synthetic_roots[j]
        rows, columns = real_roots == first, synthetic_roots == second
        # Both kinds give the same number of cases per scan: from now on these two scans pair with each other only.
        cost[rows[:, None] ^ columns[None]] = np.inf
        if first != second:
            cost[real_roots == second] = np.inf
            cost[:, synthetic_roots == first] = np.inf
        cost[rows] += REPEATED_SCAN_COST
        cost[:, columns] += REPEATED_SCAN_COST

    def unlikeness(self, drawn: Sequence[Group]) -> float:
        """How far the kinds of a draw are from alike, over all measures, and from coming from the same patients."""
        if not drawn:
            return np.inf
        pools = (self.real, self.synthetic)
        chosen = [[pool[index] for group in drawn for index in group[side]] for side, pool in enumerate(pools)]
        other = np.mean([self.subjects[0][i] != self.subjects[1][j] for group in drawn for i, j in product(*group)])
        return round(distance_from_alike(*chosen) + OTHER_PATIENT_WEIGHT * float(other), 9)


def place_costs(real: Sequence[Candidate], synthetic: Sequence[Candidate]) -> NDArray[np.float64]:
    """How unlike size, place and other lesions are of every real (rows) and every synthetic candidate (columns)."""
    cost = np.zeros((len(real), len(synthetic)))
    for measure in MEASURES:
        values = [np.array([measure.value(c) for c in pool], dtype=np.float64) for pool in (real, synthetic)]
        apart = np.abs(values[0][:, None] - values[1][None]) / measure.unit
        cost += np.nan_to_num(np.minimum(apart, LARGEST_MEASURE_COST), nan=0.0)
    return cost


def patient_costs(real: Sequence[Candidate], synthetic: Sequence[Candidate]) -> NDArray[np.float64]:
    """What it costs that two candidates come from different scans or patients."""
    roots = [np.array([c.root for c in pool]) for pool in (real, synthetic)]
    subjects = [np.array([c.subject for c in pool]) for pool in (real, synthetic)]
    other_subject = subjects[0][:, None] != subjects[1][None]
    other_scan = roots[0][:, None] != roots[1][None]
    cost: NDArray[np.float64] = np.where(other_subject, OTHER_SUBJECT_COST, other_scan * OTHER_SCAN_COST)
    return cost
