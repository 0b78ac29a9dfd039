"""Do parts of a study differ? The test without which two verdicts side by side say nothing about their difference.

The difference of the reader-averaged areas inside and outside of a part, readers and cases random: the variance of
Obuchowski and Rockette with Hillis' degrees of freedom on the raters' differences, their covariance by leaving out one
case at a time. Of two groups of raters it is his design with readers nested, each group with its own spread.
Source: Altman & Bland, BMJ 2003;326:219 (interaction); Hillis, Stat Med 2014;33:330; Welch, Biometrika 1947;34:28.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from readerstudy.analysis.estimate import (
    ArrayLike,
    BoolArray,
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    is_rated,
    missing,
)
from readerstudy.analysis.panel.mrmc import PanelAuc, with_t_test
from readerstudy.analysis.patients import PatientNumbers, patient_numbers, sums_by_patient

# Of a single case of a kind no variance is known.
LEAST_OF_KIND = 2
FEW_CASES = "a rater judged fewer than two cases of a kind inside or outside of this part"
FEW_RATERS = "the spread of raters cannot be estimated"
NO_VARIANCE = "the estimated variance is 0, which is not certainty"


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """Difference of the areas, inside minus outside; p is None with a `reason` where it cannot be tested."""

    difference: Estimate
    p: float | None = None
    df: float | None = None
    reason: str | None = None


def case_interaction(
    *,
    truth: ArrayLike,
    scores: MatrixLike,
    inside: BoolArray,
    outside: BoolArray,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> Interaction:
    """Compare two parts of the cases, `inside` and `outside` (cases,); a case may belong to both.

    `scores` (cases, raters), NaN = none: ratings, or calls, whose area is the mean of sensitivity and specificity.
    `patients` (cases,) names each case's patient, whose cases are taken together.
    """
    true, score = as_truth(truth), as_matrix(scores)
    parts = [[_area(true, score[:, j], part) for j in range(score.shape[1])] for part in (inside, outside)]
    if any(one is None for part in parts for one in part):
        return _nothing(FEW_CASES)
    if score.shape[1] < 2:
        return _nothing(FEW_RATERS)
    (areas, left), (others, others_left) = (_stacked(part) for part in parts)
    used, numbers = inside | outside, patient_numbers(patients, cases=len(true))
    gaps, covariance = areas - others, _jackknife((left - others_left)[used], numbers[used])
    raters = len(gaps)
    shared = float((covariance.sum() - np.trace(covariance)) / (raters * (raters - 1)))
    own = float(gaps.var(ddof=1))
    return _tested(float(gaps.mean()), own / raters, max(shared, 0.0), degrees=raters - 1, level=level)


def rater_interaction(
    *,
    truth: ArrayLike,
    scores: MatrixLike,
    inside: BoolArray,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> Interaction:
    """Compare two groups of raters, `inside` (raters,) and the others, on the same cases; see `case_interaction`.

    Raters are nested in the groups and crossed with the cases: the groups' covariances within less those between are
    what the cases add.
    """
    true, score = as_truth(truth), as_matrix(scores)
    found = [_area(true, score[:, j], np.ones(len(true), dtype=np.bool_)) for j in range(score.shape[1])]
    sizes = int(inside.sum()), int((~inside).sum())
    if any(one is None for one in found):
        return _nothing(FEW_CASES)
    if min(sizes) < 1 or sum(sizes) < 3:
        return _nothing(FEW_RATERS)
    areas, left = _stacked(found)
    own, degrees = _spread_of_readers(areas[inside], areas[~inside])
    covariance = _jackknife(left, patient_numbers(patients, cases=len(true)))
    shared = _off_diagonal(covariance, inside) + _off_diagonal(covariance, ~inside)
    shared -= 2 * float(covariance[np.ix_(inside, ~inside)].mean())
    gap = float(areas[inside].mean() - areas[~inside].mean())
    return _tested(gap, own, max(shared, 0.0), degrees=degrees, level=level)


def _spread_of_readers(areas: FloatArray, others: FloatArray) -> tuple[float, float]:
    """Variance of the gap of the means from how raters differ, and its degrees of freedom.

    Each group has its own spread, for beginners may differ more than experts; a single rater gets that of the others.
    """
    groups = sorted((areas, others), key=len)
    small, large = (len(group) for group in groups)
    if small < 2:
        return float(groups[1].var(ddof=1)) * (1 / small + 1 / large), large - 1
    parts = [float(group.var(ddof=1)) / len(group) for group in groups]
    own = sum(parts)
    if own == 0:
        return 0.0, small + large - 2
    return own, own**2 / sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))


def _area(truth: FloatArray, score: FloatArray, part: BoolArray) -> tuple[float, FloatArray] | None:
    """The area in this part, and without each case (cases,): unchanged where a case does not belong to it."""
    used = part & is_rated(score)
    synthetic, real = used & (truth == 1), used & (truth == 0)
    m, n = int(synthetic.sum()), int(real.sum())
    if min(m, n) < LEAST_OF_KIND:
        return None
    above, below = score[synthetic][:, None], score[real][None, :]
    kernel = (above > below) + 0.5 * (above == below)
    area = float(kernel.mean())
    left = np.full(len(truth), area)
    left[synthetic] = (m * area - kernel.mean(axis=1)) / (m - 1)
    left[real] = (n * area - kernel.mean(axis=0)) / (n - 1)
    return area, left


def _stacked(found: list[tuple[float, FloatArray] | None]) -> tuple[FloatArray, FloatArray]:
    known = [one for one in found if one is not None]
    return np.array([area for area, _ in known]), np.stack([left for _, left in known], axis=1)


def _jackknife(left: FloatArray, patients: PatientNumbers) -> FloatArray:
    """Covariance (raters, raters) of values (cases, raters) without one case each, added up within patients.

    With one case per patient it is the jackknife.
    """
    n = len(left)
    own = sums_by_patient((left - left.mean(axis=0)) * (n - 1) / n, patients, of=int(patients.max()) + 1)
    groups = len(np.unique(patients))
    return np.asarray(own.T @ own * groups / max(groups - 1, 1), dtype=np.float64)


def _off_diagonal(covariance: FloatArray, group: BoolArray) -> float:
    block, size = covariance[np.ix_(group, group)], int(group.sum())
    return float((block.sum() - np.trace(block)) / (size * (size - 1))) if size > 1 else float(block[0, 0])


def _tested(gap: float, own: float, shared: float, *, degrees: float, level: float) -> Interaction:
    if own + shared <= np.finfo(float).eps ** 1.5:
        return Interaction(difference=Estimate(value=gap, reason=NO_VARIANCE), reason=NO_VARIANCE)
    df = inf if own == 0 else degrees * ((own + shared) / own) ** 2
    known = PanelAuc(method="interaction", value=gap)
    found = with_t_test(known, variance=own + shared, df=df, level=level, null=0.0)
    return Interaction(
        difference=Estimate(value=gap, low=found.low, high=found.high), p=found.p, df=None if df == inf else df
    )


def _nothing(reason: str) -> Interaction:
    return Interaction(difference=missing(reason), reason=reason)
