"""The case-label permutation test: valid for any correlation of raters, class split and response bias.

Exact where every patient gives one case. Otherwise labels are permuted within patients who have both kinds, and
patients of one kind change places whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Literal

import numpy as np
import numpy.typing as npt

from readerstudy.analysis.estimate import ArrayLike, BoolArray, FloatArray, MatrixLike, as_matrix, as_truth, is_rated
from readerstudy.analysis.patients import (
    PatientNumbers,
    any_repeated,
    leave_one_out_weight,
    patient_numbers,
    sums_by_patient,
)

# Above this many additions the exact distribution takes longer than a page may wait.
EXACT_WORK_LIMIT = 300_000_000
# Counts of label assignments are held as floats, which end at 1e308.
EXACT_CASE_LIMIT = 1000
CHUNK_ELEMENTS = 4_000_000
ONE_KIND = "only one kind of case was rated"
ONE_PATIENT = "all cases of one kind come from one patient, who cannot change places with another"
# Statistics that differ by less are ties: sums of the same numbers in another order.
ROUNDING = 1e-9

IntArray = npt.NDArray[np.int64]
Method = Literal["auto", "exact", "monte_carlo"]


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """Result of permuting the truth labels over cases; p-values are None with a `reason` when undefined.

    `accuracy` is the share of correct readings over all raters, `null_accuracy` its mean over all assignments.
    `permutations` is the number drawn, None when the distribution is exact. `unit` says whether single cases were
    permuted or labels within patients and patients as a whole.
    """

    accuracy: float | None
    null_accuracy: float | None = None
    p_two_sided: float | None = None
    p_greater: float | None = None
    p_less: float | None = None
    n_assignments: int | None = None
    method: str = "exact"
    permutations: int | None = None
    unit: Literal["case", "patient"] = "case"
    reason: str | None = None

    @property
    def above(self) -> bool | None:
        """Whether the answers lie above chance as the test weighs them; None without a test."""
        return None if self.p_greater is None or self.p_less is None else self.p_greater < self.p_less


def case_label_permutation(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    method: Method = "auto",
    permutations: int = 20_000,
    seed: int = 0,
) -> PermutationTest:
    """Test whether the panel discriminates by permuting the truth over cases, every row of answers kept intact.

    `truth` (cases,), `calls` (cases, raters) with NaN/None for no rating. Two-sided p = P(|T-ET| >= |t-ET|) for the
    number of correct readings T; Monte Carlo p = (1+#)/(1+B) (Phipson & Smyth 2010). Source of the test: Good,
    Permutation Tests, 2nd ed., ch. 3; equals the exact two-sample test of the votes per case.

    `patients` (cases,) names each case's patient. Where one gives several cases, see `_patient_p`.
    """
    true, matrix = as_truth(truth), as_matrix(calls)
    rated = is_rated(matrix)
    readings = int(rated.sum())
    if readings == 0:
        return PermutationTest(accuracy=None, reason="no ratings")
    synthetic = true == 1
    correct = int((rated & (matrix == true[:, None])).sum())
    # Moving a case from real to synthetic changes the number of correct readings by its score.
    score: IntArray = (2 * np.nansum(matrix, axis=1) - rated.sum(axis=1)).astype(np.int64)
    seen = rated.any(axis=1)
    score, synthetic = score[seen], synthetic[seen]
    numbers = patient_numbers(patients, cases=len(true))[seen]
    n, m = len(score), int(synthetic.sum())
    base = correct - int(score[synthetic].sum())
    null = (base + m * int(score.sum()) / n) / readings
    if m in {0, n}:
        return PermutationTest(accuracy=correct / readings, null_accuracy=null, reason=ONE_KIND)
    if any_repeated(numbers):
        known = PermutationTest(accuracy=correct / readings, null_accuracy=null, method="monte_carlo", unit="patient")
        blocks = _Blocks.of(score, synthetic, numbers)
        if blocks.fixed:
            return replace(known, reason=ONE_PATIENT)
        greater, less, both = _patient_p(blocks, permutations=permutations, seed=seed)
        return replace(known, p_two_sided=both, p_greater=greater, p_less=less, permutations=permutations)
    exact = method == "exact" or (method == "auto" and _exact_work(score, m) <= EXACT_WORK_LIMIT)
    if exact and n <= EXACT_CASE_LIMIT:
        greater, less, both = _exact_p(score, synthetic)
    else:
        exact = False
        greater, less, both = _monte_carlo_p(score, synthetic, permutations=permutations, seed=seed)
    return PermutationTest(
        accuracy=correct / readings,
        null_accuracy=null,
        p_two_sided=min(1.0, both),
        p_greater=min(1.0, greater),
        p_less=min(1.0, less),
        n_assignments=comb(n, m),
        method="exact" if exact else "monte_carlo",
        permutations=None if exact else permutations,
    )


def _exact_work(score: IntArray, m: int) -> int:
    shifted = score - score.min()
    size = min(m, len(score) - m)
    if len(score) > EXACT_CASE_LIMIT:
        return EXACT_WORK_LIMIT + 1
    return len(score) * (size + 1) * (int(np.sort(shifted)[len(score) - size :].sum()) + 1)


def _tails(sums: IntArray, observed: int, *, expected_times_n: int, n: int) -> tuple[npt.NDArray[np.bool_], ...]:
    distance = np.abs(n * sums - expected_times_n)
    return sums >= observed, sums <= observed, distance >= abs(n * observed - expected_times_n)


def _exact_p(score: IntArray, synthetic: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Count the label assignments by their sum: adding one case at a time to the table (chosen, sum)."""
    n, m = len(score), int(synthetic.sum())
    # The smaller class is followed; the sums of the two classes add up to a constant.
    chosen = synthetic if 2 * m <= n else ~synthetic
    size = int(chosen.sum())
    shifted = score - score.min()
    top = int(np.sort(shifted)[n - size :].sum())
    ways: FloatArray = np.zeros((size + 1, top + 1))
    ways[0, 0] = 1.0
    for step in np.sort(shifted):
        value = int(step)
        ways[1:, value:] += ways[:-1, : top + 1 - value].copy()
    sums = np.arange(top + 1)
    observed, total = int(shifted[chosen].sum()), int(shifted.sum())
    upper, lower, far = _tails(sums, observed, expected_times_n=size * total, n=n)
    weight = ways[size] / ways[size].sum()
    greater, less, both = (float(weight[tail].sum()) for tail in (upper, lower, far))
    return (greater, less, both) if chosen is synthetic else (less, greater, both)


def _monte_carlo_p(
    score: IntArray, synthetic: npt.NDArray[np.bool_], *, permutations: int, seed: int
) -> tuple[float, float, float]:
    n, m = len(score), int(synthetic.sum())
    random = np.random.default_rng(seed)
    observed, total = int(score[synthetic].sum()), int(score.sum())
    counts = np.zeros(3, dtype=np.int64)
    left = permutations
    while left > 0:
        rows = min(left, max(1, CHUNK_ELEMENTS // n))
        # The m cases with the smallest random keys are a uniformly drawn subset.
        keys = random.random((rows, n), dtype=np.float32)
        picked = np.argpartition(keys, m - 1, axis=1)[:, :m]
        tails = _tails(score[picked].sum(axis=1), observed, expected_times_n=m * total, n=n)
        counts += [int(tail.sum()) for tail in tails]
        left -= rows
    greater, less, both = ((1 + int(count)) / (1 + permutations) for count in counts)
    return greater, less, both


@dataclass(frozen=True, kw_only=True)
class _Blocks:
    """The cases by patient, (patients,) each: how many, how many synthetic, their scores' sum, the synthetic ones'."""

    cases: FloatArray
    synthetic: FloatArray
    score: FloatArray
    synthetic_score: FloatArray
    of_patient: tuple[FloatArray, ...]

    @classmethod
    def of(cls, score: IntArray, synthetic: BoolArray, patients: PatientNumbers) -> _Blocks:
        names, numbers = np.unique(patients, return_inverse=True)
        centred = score - _level(score.astype(np.float64), synthetic, numbers, of=len(names))
        columns = np.column_stack([np.ones(len(score)), synthetic, centred, centred * synthetic])
        sums = sums_by_patient(columns, numbers, of=len(names))
        own = tuple(centred[numbers == number] for number in range(len(names)))
        return cls(cases=sums[:, 0], synthetic=sums[:, 1], score=sums[:, 2], synthetic_score=sums[:, 3], of_patient=own)

    @property
    def mixed(self) -> BoolArray:
        """Patients with both kinds of case."""
        return np.asarray((self.synthetic > 0) & (self.synthetic < self.cases))

    @property
    def exchanged(self) -> BoolArray:
        """Patients with one kind of case, where there are such patients of either kind."""
        single, whole = ~self.mixed, self.synthetic > 0
        return single & bool((single & whole).any() and (single & ~whole).any())

    @property
    def studentised(self) -> bool:
        """Whether each kind comes from two patients, so that a standard error exists."""
        return min(int((self.synthetic > 0).sum()), int((self.synthetic < self.cases).sum())) >= 2

    @property
    def fixed(self) -> bool:
        """Whether no permutation is valid: a kind from one patient alone, with whom others would change places."""
        return bool(self.exchanged.any()) and not self.studentised

    def draw(self, random: np.random.Generator, rows: int) -> tuple[FloatArray, FloatArray]:
        """Return synthetic cases and the sum of their scores, (rows, patients), in as many relabelled studies."""
        labels = np.tile((self.synthetic > 0).astype(np.float64), (rows, 1))
        swapped = np.flatnonzero(self.exchanged)
        labels[:, swapped] = random.permuted(labels[:, swapped], axis=1)
        count, total = labels * self.cases, labels * self.score
        for patient in np.flatnonzero(self.mixed):
            own, size = self.of_patient[patient], int(self.synthetic[patient])
            picked = np.argpartition(random.random((rows, len(own))), size - 1, axis=1)[:, :size]
            count[:, patient], total[:, patient] = size, own[picked].sum(axis=1)
        return count, total

    def difference(self, count: FloatArray, total: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean score of synthetic less real cases with its standard error over patients, (rows,) each."""
        pulled = np.zeros(count.shape)
        means = []
        for sign, n, own in ((1, count, total), (-1, self.cases - count, self.score - total)):
            size = n.sum(axis=1, keepdims=True)
            mean = own.sum(axis=1, keepdims=True) / size
            pulled += sign * leave_one_out_weight(n, size) * (own - n * mean)
            means.append(mean[:, 0])
        return means[0] - means[1], np.sqrt((pulled**2).sum(axis=1))


def _level(score: FloatArray, synthetic: BoolArray, patients: PatientNumbers, *, of: int) -> FloatArray:
    """The mean of each case's patient where that has both kinds; the mean of all others where not."""
    count, labels, total = sums_by_patient(np.column_stack([np.ones(len(score)), synthetic, score]), patients, of=of).T
    mixed = (labels > 0) & (labels < count)
    level: FloatArray = np.where(mixed, total / count, total[~mixed].sum() / max(count[~mixed].sum(), 1.0))
    return level[patients]


def _patient_p(blocks: _Blocks, *, permutations: int, seed: int) -> tuple[float, float, float]:
    """Permute labels within patients with both kinds, and patients with one kind as wholes; upper, lower, both tails.

    The statistic is the difference of the kinds' mean scores, each score less the level around which it is permuted,
    over its standard error over patients. Valid exactly within patients and for patients with equally many cases; for
    unequal ones the studentised statistic makes it so in large samples (Janssen, Stat Probab Lett 1997;36:9).
    """
    random, rows = np.random.default_rng(seed), max(1, CHUNK_ELEMENTS // (8 * len(blocks.cases)))
    found = [blocks.difference(blocks.synthetic[None], blocks.synthetic_score[None])]
    sizes = [min(rows, permutations - start) for start in range(0, permutations, rows)]
    found += [blocks.difference(*blocks.draw(random, size)) for size in sizes]
    gap, se = (np.concatenate(part) for part in zip(*found, strict=True))
    distance = np.where(np.abs(gap) < ROUNDING, 0.0, gap)
    if blocks.studentised:
        certain = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
        distance = np.divide(distance, se, out=certain, where=se > ROUNDING)
    observed = distance[0]
    slack = 0.0 if np.isinf(observed) else ROUNDING * max(1.0, abs(float(observed)))
    tails = (distance >= observed - slack, distance <= observed + slack, np.abs(distance) >= abs(observed) - slack)
    greater, less, both = (float(tail.mean()) for tail in tails)
    return greater, less, both
