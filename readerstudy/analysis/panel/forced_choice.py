"""A panel chooses one among m images in every trial: share of right choices, exact joint test, majority, agreement.

The decision is the exact test: were the images alike, each of the m images of a trial would be the one to find with
equal chance, for all readers at once, whatever they chose. The number of right choices is then a sum of independent
draws from the counts of choices in each trial, which holds for any correlation of readers. Images that were put
together at random carry their patient into the trial, so trials whose images to find are of one patient are drawn
together, and as the other images have patients too, the larger of this p and the interval's decides. The interval takes
readers and trials for random (two-way mean squares with Satterthwaite's degrees of freedom; Gallas, Acad Radiol
2006;13:353) and the patient for the unit: trials of one patient move together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from readerstudy.analysis.estimate import Estimate, FloatArray, MatrixLike, as_matrix, is_rated, missing
from readerstudy.analysis.numeric import t_quantile, t_two_sided_p
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.patients import (
    PatientNumbers,
    any_repeated,
    patient_numbers,
    patient_spread,
    sums_by_patient,
)
from readerstudy.analysis.rater.forced_choice import (
    ChoiceReading,
    area_of_share,
    d_prime_of_share,
    read_choices,
    shares_within,
)
from readerstudy.analysis.rater.proportions import exact_binomial

IntArray = npt.NDArray[np.int64]

CASES_ONLY = (
    "the variance over readers and trials together came out negative, so the interval takes the trials alone for "
    "random and is too short; the exact test decides"
)
HARDLY_KNOWN = "less than one degree of freedom is left, so the interval tells nothing; the exact test decides"
NO_CHOICES = "no choices"
SMALLEST_VARIANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class JointTest:
    """Right choices against their exact null distribution; p-values are None where nothing was chosen."""

    right: int
    expected: float | None = None
    sd: float | None = None
    p_greater: float | None = None
    p_less: float | None = None
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class PanelShare:
    """The mean over readers of their shares of right choices.

    `note` says where its interval is not to be trusted; `equivalent`, whether it lies within the margin, is None then.
    """

    share: Estimate
    d_prime: float | None = None
    area: float | None = None
    se: float | None = None
    df: float | None = None
    p: float | None = None
    equivalent: bool | None = None
    equivalence_interval: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Plurality:
    """What most readers chose: right of the trials with one most chosen image; tied trials are out."""

    right: int
    decided: int
    tied: int
    p: float | None


@dataclass(frozen=True, kw_only=True)
class ChoiceAgreement:
    """How often two readers chose the same image, beyond what their share of right choices alone would give."""

    observed: float | None
    expected: float | None = None
    kappa: float | None = None


@dataclass(frozen=True, kw_only=True)
class ForcedChoice:
    """All of one reading of tuples. `p_adjusted` are the readers' p-values by Holm, in their order.

    `by_patient`: patients give several trials that share more than chance; `joint` draws them together, while `readers`
    and `plurality` take all trials for independent. `decision_p` is then the larger p of `joint` and `panel`.
    """

    images: int
    trials: int
    readers: tuple[ChoiceReading, ...]
    p_adjusted: tuple[float | None, ...]
    panel: PanelShare
    joint: JointTest
    plurality: Plurality
    agreement: ChoiceAgreement
    margin: float
    shares_within: tuple[float, float]
    by_patient: bool = False
    decision_p: float | None = None


def analyse_choices(
    *,
    chosen: MatrixLike,
    images: int,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    matched: bool = False,
    margin: float = 0.1,
    alpha: float = 0.05,
) -> ForcedChoice:
    """Analyse `chosen` (trials, readers): numbers of images from 0, of which 0 is the one to find; NaN/None for none.

    `patients` (trials,) names the patient of each trial's image to find; `matched`: all images of a trial are of one
    scan, so that what a patient gives is in each of them and makes none more likely chosen. `margin` is on the scale of
    the area of single images and is converted to shares of right choices among m.
    """
    choice = as_matrix(chosen)
    _refuse_unknown(choice, images)
    right = np.where(is_rated(choice), (choice == 0).astype(np.float64), np.nan)
    readers = [
        read_choices(right=int(np.nansum(one)), n=int(is_rated(one).sum()), images=images, level=1 - alpha)
        for one in right.T
    ]
    counts, numbers = counts_of(choice, images=images), patient_numbers(patients, cases=len(choice))
    by_patient = any_repeated(numbers) and not matched
    panel = panel_share(right=right, images=images, patients=numbers, margin=margin, alpha=alpha)
    joint = joint_test(counts_of_patients(counts, numbers) if by_patient else counts)
    return ForcedChoice(
        images=images,
        trials=len(choice),
        readers=tuple(readers),
        p_adjusted=tuple(adjust_p_values([reader.p for reader in readers], method="holm")),
        panel=panel,
        joint=joint,
        plurality=plurality(counts),
        agreement=choice_agreement(counts),
        margin=margin,
        shares_within=shares_within(margin, images=images),
        by_patient=by_patient,
        decision_p=_larger(joint.p, panel.p) if by_patient else joint.p,
    )


def most_frequent_share(sides: Sequence[int]) -> float | None:
    """Of one reader's choices, how many were of the side that was chosen most."""
    return None if len(sides) == 0 else float(np.bincount(np.asarray(sides)).max() / len(sides))


def _refuse_unknown(choice: FloatArray, images: int) -> None:
    known = choice[is_rated(choice)]
    if not np.isin(known, np.arange(images)).all():
        raise ValueError(f"an image of a trial has a number from 0 to {images - 1}")


def counts_of(choice: FloatArray, *, images: int) -> IntArray:
    """How many readers chose each image of each trial, shape (trials, images)."""
    return np.stack([(choice == image).sum(axis=1) for image in range(images)], axis=1).astype(np.int64)


def counts_of_patients(counts: IntArray, patients: PatientNumbers) -> IntArray:
    """Counts (trials, images) of all trials of each patient together, (patients, images)."""
    return sums_by_patient(counts.astype(np.float64), patients, of=int(patients.max()) + 1).astype(np.int64)


def _larger(p: float | None, other: float | None) -> float | None:
    return p if p is None or other is None else max(p, other)


def joint_test(weights: IntArray) -> JointTest:
    """Whether the first image of each trial was chosen more often than any of the m at random.

    `weights` (trials, images) are counts of choices, or whole numbers that grow with how sure they were. Two-sided p is
    twice the smaller tail.
    """
    right = int(weights[:, 0].sum())
    if weights.sum() == 0:
        return JointTest(right=0)
    null = null_distribution(weights)
    values = np.arange(len(null))
    expected = float((values * null).sum())
    greater, less = float(null[right:].sum()), float(null[: right + 1].sum())
    return JointTest(
        right=right,
        expected=expected,
        sd=float(sqrt(max(0.0, ((values - expected) ** 2 * null).sum()))),
        p_greater=min(1.0, greater),
        p_less=min(1.0, less),
        p=min(1.0, 2 * min(greater, less)),
    )


def null_distribution(weights: IntArray) -> FloatArray:
    """Probability of each total, from 0: in every trial one image's weight is drawn, each with equal chance."""
    total: FloatArray = np.ones(1)
    for trial in weights:
        drawn = np.bincount(trial, minlength=int(trial.max()) + 1) / len(trial)
        total = np.convolve(total, drawn)
    return total


def sureness_test(*, right: Sequence[bool], confidence: Sequence[int]) -> JointTest:
    """One reader's pairs with confidence: the exact signed rank test, ties by midranks.

    The joint test with the ranks as weights: under the null either image of a pair is the one to find. The ranks are
    doubled, so that midranks are whole.
    """
    sure = np.asarray(confidence, dtype=np.int64)
    doubled = np.array([2 * (sure < one).sum() + (sure == one).sum() + 1 for one in sure], dtype=np.int64)
    hit = np.asarray(right, dtype=bool)
    return joint_test(np.stack([np.where(hit, doubled, 0), np.where(hit, 0, doubled)], axis=1))


def panel_share(
    *,
    right: MatrixLike,
    images: int,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    margin: float = 0.1,
    alpha: float = 0.05,
) -> PanelShare:
    """The mean share of right choices with readers and trials random; `right` (trials, readers) 1/0/NaN."""
    matrix = as_matrix(right)
    numbers = patient_numbers(patients, cases=len(matrix))
    matrix, answered = _answered(matrix)
    if not answered.any():
        return PanelShare(share=missing(NO_CHOICES))
    shares = np.nansum(matrix, axis=0) / answered
    value = float(shares.mean())
    squares = _mean_squares(matrix, shares, numbers)
    if isinstance(squares, str):
        return PanelShare(share=Estimate(value=value, reason=squares), **_on_other_scales(value, images))
    se, df = sqrt(squares.variance), squares.df
    half, inner = (t_quantile(1 - tail, df) * se for tail in (alpha / 2, alpha))
    low, high = shares_within(margin, images=images)
    return PanelShare(
        share=Estimate(value=value, low=max(0.0, value - half), high=min(1.0, value + half)),
        se=se,
        df=df,
        p=t_two_sided_p((value - 1 / images) / se, df),
        equivalent=None if squares.note else low <= value - inner and value + inner <= high,
        equivalence_interval=(max(0.0, value - inner), min(1.0, value + inner)),
        note=squares.note,
        **_on_other_scales(value, images),
    )


def _answered(matrix: FloatArray) -> tuple[FloatArray, IntArray]:
    """Only readers who chose at all, with the number of their choices."""
    answered = is_rated(matrix).sum(axis=0)
    return matrix[:, answered > 0], answered[answered > 0]


def _on_other_scales(share: float, images: int) -> dict[str, Any]:
    if not 0 < share < 1:
        return {"d_prime": None, "area": None}
    return {"d_prime": d_prime_of_share(share, images=images), "area": area_of_share(share, images=images)}


@dataclass(frozen=True, kw_only=True)
class _Spread:
    variance: float
    df: float
    note: str = ""


def _mean_squares(matrix: FloatArray, shares: FloatArray, patients: PatientNumbers) -> _Spread | str:
    """Variance of the mean share from mean squares of readers, patients and both, each over the number of trials.

    They follow from the readers' shares and the covariance of the shares over patients, so that missing choices and
    patients of several trials need no other formula; complete, with a trial per patient, they are those of the two-way
    table. A string says why there is none.
    """
    readers = len(shares)
    spread = patient_spread(
        truth=np.ones(len(matrix)),
        values=matrix,
        patients=patients,
        weights=np.array([[0.0] * readers, [1.0] * readers]),
    )
    if not spread.determined.all():
        return "the trials of a reader come from one patient"
    units = len(np.unique(patients[is_rated(matrix).any(axis=1)])) - 1
    units_df = spread.df if any_repeated(patients) and spread.df != inf else float(units)
    covariance = spread.covariance()
    of_trials = float(covariance.sum()) / readers
    if readers == 1:
        return _positive(of_trials, units_df, "one reader: the interval takes the trials alone for random")
    of_readers = float(shares.var(ddof=1))
    of_diagonal = float(np.trace(covariance)) / readers
    of_both = of_diagonal - (float(covariance.sum()) - float(np.trace(covariance))) / (readers * (readers - 1))
    total = of_readers + of_trials - of_both
    if total / readers <= SMALLEST_VARIANCE:
        return _positive(of_trials / readers, units_df, CASES_ONLY)
    squares = ((of_readers, readers - 1), (of_trials, units_df), (of_both, (readers - 1) * units_df))
    df = total**2 / sum(square**2 / own for square, own in squares)
    return _Spread(variance=total / readers, df=df, note=HARDLY_KNOWN if df < 1 else "")


def _positive(variance: float, df: float, note: str) -> _Spread | str:
    if variance <= SMALLEST_VARIANCE:
        return "all choices were alike: no standard error"
    return _Spread(variance=variance, df=df, note=note)


def plurality(counts: IntArray) -> Plurality:
    """The most chosen image of each trial; `counts` (trials, images), the first is the one to find."""
    chosen = counts[counts.sum(axis=1) > 0]
    most = chosen.max(axis=1, initial=0)
    leaders = (chosen == most[:, None]).sum(axis=1)
    decided = leaders == 1
    right = int((chosen[decided, 0] == most[decided]).sum())
    test = exact_binomial(successes=right, trials=int(decided.sum()), null=1 / counts.shape[1])
    return Plurality(right=right, decided=int(decided.sum()), tied=int((~decided).sum()), p=test.p_minlike)


def choice_agreement(counts: IntArray) -> ChoiceAgreement:
    """Pairs of readers who chose the same image, and Fleiss's kappa with the chance of this task.

    Images of different trials have nothing in common but whether they are the one to find: two readers agree by chance
    on it with p^2, and on one of the m - 1 others with (1 - p)^2 / (m - 1). Source: Fleiss, Psychol Bull 1971;76:378.
    """
    images, readers = counts.shape[1], counts.sum(axis=1)
    both = counts[readers >= 2]
    if not len(both):
        return ChoiceAgreement(observed=None)
    pairs = both.sum(axis=1) * (both.sum(axis=1) - 1)
    observed = float(((both * (both - 1)).sum(axis=1) / pairs).mean())
    share = float(counts[:, 0].sum() / readers.sum())
    expected = share**2 + (1 - share) ** 2 / (images - 1)
    kappa = None if expected >= 1 else (observed - expected) / (1 - expected)
    return ChoiceAgreement(observed=observed, expected=expected, kappa=kappa)
