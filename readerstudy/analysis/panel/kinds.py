"""Whether one further question is answered differently for real and for synthetic cases: grades, numbers, choices.

There is no right answer. Grades and numbers are compared by the area under the visual grading curve, the probability
that a synthetic case is graded higher than a real one, equal grades counting one half (Bath & Mansson, Br J Radiol
2007;80:169), averaged over the readers. Choices are compared by the chi-square of their counts. Both are tested by
permuting the kinds jointly for all readers, every answer kept: within patients who have both kinds, and between whole
patients with equally many cases of one kind, so that the test is valid for any correlation of readers and cases.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, prod

import numpy as np
import numpy.typing as npt
from scipy import stats

from readerstudy.analysis.estimate import (
    ArrayLike,
    BoolArray,
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    is_rated,
)
from readerstudy.analysis.panel.mrmc import reader_averaged_auc
from readerstudy.analysis.patients import PatientNumbers, patient_numbers
from readerstudy.analysis.rater.auc import auc

# Up to so many labellings are counted one by one.
COUNTED = 20_000
# So many labels are held at once.
CHUNK_ELEMENTS = 4_000_000
ROUNDING = 1e-9
NOTHING_TO_EXCHANGE = "no two cases can change kinds: each kind comes from patients unlike those of the other"
ONE_KIND = "only one kind of case was answered"

Statistic = Callable[[FloatArray], FloatArray]
Labels = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class KindsTest:
    """Two-sided p of permuting the kinds; `permutations` is the number drawn, None where all were counted."""

    p: float | None
    permutations: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class KindsComparison:
    """One question over both kinds; `area` is None where answers have no order."""

    area: Estimate | None
    reader_areas: tuple[float | None, ...]
    test: KindsTest


def compare_kinds(
    *,
    truth: ArrayLike,
    answers: MatrixLike,
    ordered: bool,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    permutations: int = 20_000,
    seed: int = 0,
    level: float = 0.95,
) -> KindsComparison:
    """Compare `answers` (cases, readers; NaN/None for none) of both kinds; `ordered` says that higher is more."""
    true, given = as_truth(truth), as_matrix(answers)
    seen: BoolArray = np.asarray(is_rated(given).any(axis=1))
    true, given = true[seen], given[seen]
    numbers = patient_numbers(patients, cases=len(seen))[seen]
    statistic = _mean_area(given) if ordered else _chi_square(given)
    test = _permuted(true, numbers, statistic, permutations=permutations, seed=seed)
    if not ordered:
        return KindsComparison(area=None, reader_areas=(), test=test)
    if given.shape[1] == 1:
        # One reader has no spread between readers: the limits are over cases.
        own = auc(truth=true, scores=given[:, 0], patients=numbers, level=level)
        return KindsComparison(area=own.estimate(), reader_areas=(own.value,), test=test)
    panel = reader_averaged_auc(truth=true, ratings=given, patients=numbers, level=level)
    return KindsComparison(area=panel.estimate(), reader_areas=panel.reader_aucs, test=test)


def _mean_area(answers: FloatArray) -> Statistic:
    """Distance of the reader-averaged area from one half, of labels (labellings, cases); a reader without both kinds
    says nothing.
    """
    rated = is_rated(answers).astype(np.float64)
    ranks = np.zeros(answers.shape)
    for column in range(answers.shape[1]):
        own = rated[:, column] == 1
        ranks[own, column] = stats.rankdata(answers[own, column])

    def statistic(labels: Labels) -> FloatArray:
        synthetic = labels @ rated
        pairs = synthetic * (rated.sum(axis=0) - synthetic)
        wins = labels @ ranks - synthetic * (synthetic + 1) / 2
        share = np.divide(wins, pairs, out=np.full(pairs.shape, 0.5), where=pairs > 0)
        told = np.maximum((pairs > 0).sum(axis=1), 1)
        return np.asarray(np.abs((share - 0.5).sum(axis=1)) / told)

    return statistic


def _chi_square(answers: FloatArray) -> Statistic:
    values = np.unique(answers[is_rated(answers)])
    counts = np.stack([(answers == value).sum(axis=1) for value in values], axis=1).astype(np.float64)
    whole = counts.sum(axis=0)

    def statistic(labels: Labels) -> FloatArray:
        synthetic = labels @ counts
        share = synthetic.sum(axis=1, keepdims=True) / whole.sum()
        gap = (synthetic - share * whole) ** 2
        spread = share * (1 - share) * whole
        return np.asarray(np.divide(gap, spread, out=np.zeros(gap.shape), where=spread > 0).sum(axis=1))

    return statistic


def _permuted(
    truth: FloatArray, patients: PatientNumbers, statistic: Statistic, *, permutations: int, seed: int
) -> KindsTest:
    if len(np.unique(truth)) < 2:
        return KindsTest(p=None, reason=ONE_KIND)
    blocks = list(_blocks(truth, patients))
    if not blocks:
        return KindsTest(p=None, reason=NOTHING_TO_EXCHANGE)
    observed = float(statistic(truth[None])[0])
    counted = prod(comb(len(block.units), block.synthetic) for block in blocks) <= COUNTED
    rows = max(1, CHUNK_ELEMENTS // len(truth))
    made = _all(truth, blocks, rows) if counted else _drawn(truth, blocks, rows, permutations=permutations, seed=seed)
    far, total = 0, 0
    for labels in made:
        far += int((statistic(labels) >= observed - ROUNDING).sum())
        total += len(labels)
    if counted:
        return KindsTest(p=far / total)
    return KindsTest(p=(1 + far) / (1 + total), permutations=permutations)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Units that change kinds among one another, each with its rows; so many of them are synthetic."""

    units: tuple[npt.NDArray[np.int64], ...]
    synthetic: int


def _blocks(truth: FloatArray, patients: PatientNumbers) -> Iterator[_Block]:
    whole: dict[int, list[tuple[npt.NDArray[np.int64], bool]]] = {}
    for number in np.unique(patients):
        rows = np.flatnonzero(patients == number)
        synthetic = int(truth[rows].sum())
        if 0 < synthetic < len(rows):
            yield _Block(units=tuple(rows[:, None]), synthetic=synthetic)
        else:
            whole.setdefault(len(rows), []).append((rows, synthetic > 0))
    for units in whole.values():
        count = sum(kind for _, kind in units)
        if 0 < count < len(units):
            yield _Block(units=tuple(rows for rows, _ in units), synthetic=count)


def _all(truth: FloatArray, blocks: Sequence[_Block], rows: int) -> Iterator[Labels]:
    choices = [list(combinations(range(len(block.units)), block.synthetic)) for block in blocks]
    made = (_labelled(truth, blocks, chosen) for chosen in product(*choices))
    while chunk := [labels for labels, _ in zip(made, range(rows), strict=False)]:
        yield np.stack(chunk)


def _labelled(truth: FloatArray, blocks: Sequence[_Block], chosen: Iterable[Sequence[int]]) -> FloatArray:
    labels = truth.copy()
    for block, synthetic in zip(blocks, chosen, strict=True):
        for unit, rows in enumerate(block.units):
            labels[rows] = unit in synthetic
    return labels


def _drawn(truth: FloatArray, blocks: Sequence[_Block], rows: int, *, permutations: int, seed: int) -> Iterator[Labels]:
    random = np.random.default_rng(seed)
    for start in range(0, permutations, rows):
        size = min(rows, permutations - start)
        labels = np.tile(truth, (size, 1))
        for block in blocks:
            keys = random.random((size, len(block.units))).argsort(axis=1)
            for unit, own in enumerate(block.units):
                labels[:, own] = (keys[:, unit] < block.synthetic)[:, None]
        yield labels
