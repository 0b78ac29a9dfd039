"""Do parts of a study differ? The test without which two verdicts side by side say nothing about their difference.

The difference of the reader-averaged areas inside and outside of a part, readers and patients random: the variance of
Obuchowski and Rockette with Hillis' degrees of freedom on the raters' differences, their covariance from what each
patient contributes to both areas, each part held against its own mean: where all cases of a kind are one patient's,
nothing tells how patients differ, and there is no test. Of two groups of raters it is his design with readers nested,
each group with its own spread. What the patients know of the covariance bounds the degrees of freedom.
Source: Altman & Bland, BMJ 2003;326:219 (interaction); Hillis, Stat Med 2014;33:330; Welch, Biometrika 1947;34:28;
Obuchowski, Biometrics 1997;53:567 (patients).
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
    mean_of_rated,
    missing,
)
from readerstudy.analysis.panel.mrmc import (
    NO_SPREAD,
    SMALLEST_VARIANCE,
    WARY_READERS,
    PanelAuc,
    averaged_over_readers,
    with_t_test,
)
from readerstudy.analysis.patients import PatientNumbers, PatientSpread, patient_numbers, patient_spread
from readerstudy.analysis.rater.auc import ONE_PATIENT, delong_spread, placements

# Of a single case of a kind no variance is known.
LEAST_OF_KIND = 2
FEW_CASES = "a rater judged fewer than two cases of a kind inside or outside of this part"
FEW_TRIALS = "a rater answered fewer than two trials"
FEW_RATERS = "the spread of raters cannot be estimated"
METHOD = "interaction"
ROUNDING = 1e-12


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
    numbers = patient_numbers(patients, cases=len(true))
    if min(_least_of_kind(true[part], score[part]) for part in (inside, outside)) < LEAST_OF_KIND:
        return _nothing(FEW_CASES)
    if score.shape[1] < 2:
        return _nothing(FEW_RATERS)
    (areas, spread), (others, of_others) = (
        _areas(true[part], score[part], numbers[part]) for part in (inside, outside)
    )
    apart = spread.less(of_others)
    if not apart.determined.all():
        return _untested(float((areas - others).mean()), ONE_PATIENT)
    found = averaged_over_readers(
        PanelAuc(method=METHOD, value=None), values=areas - others, spread=apart, wary_readers=WARY_READERS
    )
    return _tested(found, level=level)


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
    sizes = int(inside.sum()), int((~inside).sum())
    if _least_of_kind(true, score) < LEAST_OF_KIND:
        return _nothing(FEW_CASES)
    if min(sizes) < 1 or sum(sizes) < 3:
        return _nothing(FEW_RATERS)
    areas, spread = _areas(true, score, patient_numbers(patients, cases=len(true)))
    return _groups_apart(areas, spread, inside, level=level)


def share_interaction(
    *,
    right: MatrixLike,
    inside: BoolArray,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> Interaction:
    """Compare two groups of raters by their shares of right choices, `right` (trials, raters), NaN = none; as above.

    `patients` (trials,) names the patient of each trial.
    """
    hits = as_matrix(right)
    if int(is_rated(hits).sum(axis=0).min(initial=len(hits))) < LEAST_OF_KIND:
        return _nothing(FEW_TRIALS)
    if min(int(inside.sum()), int((~inside).sum())) < 1 or hits.shape[1] < 3:
        return _nothing(FEW_RATERS)
    spread = patient_spread(
        truth=np.ones(len(hits)),
        values=hits,
        patients=patient_numbers(patients, cases=len(hits)),
        weights=np.repeat([[0.0], [1.0]], hits.shape[1], axis=1),
    )
    return _groups_apart(mean_of_rated(hits), spread, inside, level=level)


def _groups_apart(areas: FloatArray, spread: PatientSpread, inside: BoolArray, *, level: float) -> Interaction:
    gap = float(areas[inside].mean() - areas[~inside].mean())
    if not spread.determined.all():
        return _untested(gap, ONE_PATIENT)
    own, degrees = _spread_of_readers(areas[inside], areas[~inside])
    covariance = spread.covariance()
    shared = _off_diagonal(covariance, inside) + _off_diagonal(covariance, ~inside)
    shared -= 2 * float(covariance[np.ix_(inside, ~inside)].mean())
    # Raters who are all alike leave the rounding of a difference of equal numbers, which is no variance.
    shared = shared if shared > ROUNDING * float(covariance.max()) else 0.0
    uncertain = own**2 / degrees + shared**2 / spread.df
    df = (own + shared) ** 2 / uncertain if uncertain > 0 else inf
    return _tested(PanelAuc(method=METHOD, value=gap, variance=own + shared, df=df), level=level)


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


def _least_of_kind(truth: FloatArray, scores: FloatArray) -> int:
    """How many cases of the rarer kind the rater judged who judged fewest."""
    return min(int(is_rated(scores[truth == kind]).sum(axis=0).min(initial=len(truth))) for kind in (0, 1))


def _areas(truth: FloatArray, scores: FloatArray, patients: PatientNumbers) -> tuple[FloatArray, PatientSpread]:
    placed = placements(truth=truth, scores=scores)
    return placed.aucs, delong_spread(placed, patients=patients)


def _off_diagonal(covariance: FloatArray, group: BoolArray) -> float:
    block, size = covariance[np.ix_(group, group)], int(group.sum())
    return float((block.sum() - np.trace(block)) / (size * (size - 1))) if size > 1 else float(block[0, 0])


def _tested(known: PanelAuc, *, level: float) -> Interaction:
    if known.value is None:
        return _nothing(known.reason or FEW_RATERS)
    if known.reason or known.df is None or not known.variance or known.variance <= SMALLEST_VARIANCE:
        return _untested(known.value, known.reason or NO_SPREAD)
    found = with_t_test(known, variance=known.variance, df=known.df, level=level, null=0.0)
    limits = Estimate(value=known.value, low=found.low, high=found.high)
    return Interaction(difference=limits, p=found.p, df=None if found.df == inf else found.df)


def _untested(gap: float, reason: str) -> Interaction:
    return Interaction(difference=Estimate(value=gap, reason=reason), reason=reason)


def _nothing(reason: str) -> Interaction:
    return Interaction(difference=missing(reason), reason=reason)
