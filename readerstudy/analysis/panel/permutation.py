"""The exact case-label permutation test: valid for any correlation of raters, class split and response bias."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
import numpy.typing as npt

from readerstudy.analysis.estimate import ArrayLike, FloatArray, MatrixLike, as_matrix, as_truth, is_rated

# Above this many additions the exact distribution takes longer than a page may wait.
EXACT_WORK_LIMIT = 300_000_000
# Counts of label assignments are held as floats, which end at 1e308.
EXACT_CASE_LIMIT = 1000
CHUNK_ELEMENTS = 4_000_000

IntArray = npt.NDArray[np.int64]
Method = Literal["auto", "exact", "monte_carlo"]


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """Result of permuting the truth labels over cases; p-values are None with a `reason` when undefined.

    `accuracy` is the share of correct readings over all raters, `null_accuracy` its mean over all assignments.
    `permutations` is the number drawn, None when the distribution is exact.
    """

    accuracy: float | None
    null_accuracy: float | None = None
    p_two_sided: float | None = None
    p_greater: float | None = None
    p_less: float | None = None
    n_assignments: int | None = None
    method: str = "exact"
    permutations: int | None = None
    reason: str | None = None


def case_label_permutation(
    *,
    truth: ArrayLike,
    calls: MatrixLike,
    method: Method = "auto",
    permutations: int = 20_000,
    seed: int = 0,
) -> PermutationTest:
    """Test whether the panel discriminates by permuting the truth over cases, every row of answers kept intact.

    `truth` (cases,), `calls` (cases, raters) with NaN/None for no rating. Two-sided p = P(|T-ET| >= |t-ET|) for the
    number of correct readings T; Monte Carlo p = (1+#)/(1+B) (Phipson & Smyth 2010). Source of the test: Good,
    Permutation Tests, 2nd ed., ch. 3; equals the exact two-sample test of the votes per case.
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
    n, m = len(score), int(synthetic.sum())
    base = correct - int(score[synthetic].sum())
    null = (base + m * int(score.sum()) / n) / readings
    if m in {0, n}:
        reason = "only one kind of case was rated"
        return PermutationTest(accuracy=correct / readings, null_accuracy=null, reason=reason)
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
