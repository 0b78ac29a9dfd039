"""The same raters in two phases: by how much each one's measure changed, and the panel's, raters and patients random.

Same images: the areas, or shares of right calls, of both phases are correlated through the patients, whose
contributions are subtracted, and four raters or fewer who happen to change alike make no interval narrower than that of
these very raters; beside the interval stands the test that exchanges both phases' answers to a patient's
images, for all raters at once, which holds for any correlation among raters and asks whether any of them changed.
Other images: the patients' contributions of both phases add up. Practice and what the raters were told in between can't
be told apart by either.
Sources: Obuchowski & Rockette, Commun Stat Simul 1995;24:285; Hillis, Stat Med 2014;33:330; Obuchowski, Biometrics
1997;53:567; Good, Permutation Tests, 2nd ed., ch. 7 (paired).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import product

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
from readerstudy.analysis.panel.planned_change import JudgedChange, PlannedChange, Side, judge_change, p_of_side
from readerstudy.analysis.patients import PatientNumbers, PatientSpread, Units, patient_numbers, patient_spread
from readerstudy.analysis.rater.auc import ONE_CLASS, ONE_PATIENT, delong_spread, placements

METHOD = "change between phases"
AREA, RIGHT = "AUC", "share of right answers"
RATERS_AND: dict[Units, str] = {"patients": "raters and patients", "cases": "raters and cases"}
THESE_RATERS: dict[Units, str] = {"patients": "patients, for these raters", "cases": "cases, for these raters"}
# Of so many patients all exchanges are made.
MOST_PATIENTS_EXACT = 12
# Exchanges that differ by less are ties: sums of the same numbers in another order.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class PhaseAnswers:
    """One phase: `truth` (cases,), `answers` (cases, raters) with NaN/None for none, `patients` (cases,).

    Where cases are the units, `patients` names each case, alike in both phases.
    """

    truth: ArrayLike
    answers: MatrixLike
    patients: Sequence[Hashable]


@dataclass(frozen=True, kw_only=True)
class RaterChange:
    """One rater, later phase minus earlier; the limits hold for this rater over patients."""

    rater: str
    n_first: int
    n_second: int
    first: float | None
    second: float | None
    difference: Estimate


@dataclass(frozen=True, kw_only=True)
class PhaseChange:
    """All raters who read both phases. `exchange_p` is there where both show the same images.

    `patients` counts the units, which `units` names.
    """

    measure: str
    same_images: bool
    cases_first: int
    cases_second: int
    patients: int
    raters: tuple[RaterChange, ...]
    first: float | None
    second: float | None
    difference: Estimate
    units: Units = "patients"
    random: str = RATERS_AND["patients"]
    se: float | None = None
    df: float | None = None
    p: float | None = None
    exchange_p: float | None = None
    exchanges: int | None = None
    """How many were drawn; None: all were made."""
    judged: JudgedChange | None = None
    """What the plan asked of it; None where no plan names it. `p` and `exchange_p` are of the planned side."""


def compare_phases(
    first: PhaseAnswers,
    second: PhaseAnswers,
    *,
    rater_ids: Sequence[str],
    scored: bool,
    same_images: bool,
    units: Units = "patients",
    planned: PlannedChange | None = None,
    level: float = 0.95,
    exchanges: int = 2000,
    seed: int = 0,
) -> PhaseChange:
    """Compare two phases, the columns of whose answers are the same raters.

    `scored`: answers are scores, higher = more surely synthetic, and the measure is the area; otherwise they are calls,
    1 for synthetic, and the measure is the share of right ones. `same_images`: the rows of both are the same images,
    and each rater counts with those that were answered in both. `planned` is what a plan asks of the change.
    """
    side: Side = planned.side if planned else "two_sided"
    phases = _Phases.of(first, second, scored=scored, same_images=same_images)
    values, spread = phases.measured()
    gaps = values[1] - values[0]
    there = ~np.isnan(gaps)
    found = PhaseChange(
        measure=AREA if scored else RIGHT,
        same_images=same_images,
        cases_first=len(phases.truths[0]),
        cases_second=len(phases.truths[1]),
        patients=len(np.unique(np.concatenate(phases.patients))),
        raters=tuple(phases.rater(j, str(name), values, spread, level=level) for j, name in enumerate(rater_ids)),
        first=_mean(values[0, there]),
        second=_mean(values[1, there]),
        difference=missing(ONE_CLASS),
        units=units,
        random=RATERS_AND[units],
    )
    if there.any():
        found = _panel(found, gaps, spread, side=side, level=level)
    if same_images and there.any():
        p, drawn = phases.exchanged(side=side, exchanges=exchanges, seed=seed)
        found = replace(found, exchange_p=p, exchanges=drawn)
    return replace(found, judged=_judged(found, planned, alpha=1 - level)) if planned else found


def _judged(found: PhaseChange, planned: PlannedChange, *, alpha: float) -> JudgedChange:
    return judge_change(
        planned,
        gap=found.difference.value,
        se=found.se,
        df=found.df,
        p=found.p,
        raters_random=found.random == RATERS_AND[found.units],
        reason=found.difference.reason,
        alpha=alpha,
    )


def _panel(known: PhaseChange, gaps: FloatArray, spread: PatientSpread, *, side: Side, level: float) -> PhaseChange:
    start = PanelAuc(method=METHOD, value=None)
    averaged = averaged_over_readers(
        start, values=gaps, spread=spread, cautious_readers=WARY_READERS, wary_readers=WARY_READERS
    )
    if averaged.variance and averaged.df is not None and not averaged.reason:
        tested = with_t_test(averaged, variance=averaged.variance, df=averaged.df, level=level, null=0.0)
        difference = _limited(float(np.nanmean(gaps)), tested.low, tested.high)
        return _with_p(replace(known, difference=difference, se=tested.se, df=tested.df), side)
    # One rater: nothing tells how raters differ.
    there = ~np.isnan(gaps)
    apart = spread.contributions[:, there].mean(axis=1)
    determined = bool(spread.determined[there].all())
    difference, se = _over_patients(float(gaps[there].mean()), apart, spread.df, determined=determined, level=level)
    df = None if se is None else spread.df
    return _with_p(replace(known, difference=difference, random=THESE_RATERS[known.units], se=se, df=df), side)


def _with_p(known: PhaseChange, side: Side) -> PhaseChange:
    gap, se, df = known.difference.value, known.se, known.df
    if gap is None or se is None or df is None:
        return known
    return replace(known, p=p_of_side(gap / se, df, side))


def _over_patients(
    gap: float, contributions: FloatArray, df: float, *, determined: bool, level: float
) -> tuple[Estimate, float | None]:
    variance = float(contributions @ contributions)
    if not determined:
        return Estimate(value=gap, reason=ONE_PATIENT), None
    if variance <= SMALLEST_VARIANCE:
        return Estimate(value=gap, reason=NO_SPREAD), None
    found = with_t_test(PanelAuc(method=METHOD, value=gap), variance=variance, df=df, level=level, null=0.0)
    return _limited(gap, found.low, found.high), found.se


def _limited(gap: float, low: float | None, high: float | None) -> Estimate:
    """A difference of shares lies between -1 and 1."""
    if low is None or high is None:
        return Estimate(value=gap, reason=NO_SPREAD)
    return Estimate(value=gap, low=max(-1.0, low), high=min(1.0, high))


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


@dataclass(frozen=True)
class _Phases:
    truths: tuple[FloatArray, FloatArray]
    answers: tuple[FloatArray, FloatArray]
    patients: tuple[PatientNumbers, PatientNumbers]
    """Numbered alike in both."""
    scored: bool

    @classmethod
    def of(cls, first: PhaseAnswers, second: PhaseAnswers, *, scored: bool, same_images: bool) -> _Phases:
        one, other = as_truth(first.truth), as_truth(second.truth)
        answers = as_matrix(first.answers), as_matrix(second.answers)
        if answers[0].shape[1] != answers[1].shape[1]:
            raise ValueError("the phases have different numbers of raters")
        if same_images:
            if len(one) != len(other) or (one != other).any() or list(first.patients) != list(second.patients):
                raise ValueError("these are not the same images")
            both = is_rated(answers[0]) & is_rated(answers[1])
            answers = np.where(both, answers[0], np.nan), np.where(both, answers[1], np.nan)
        numbers = patient_numbers([*first.patients, *second.patients], cases=len(one) + len(other))
        return cls((one, other), answers, (numbers[: len(one)], numbers[len(one) :]), scored)

    def measured(self) -> tuple[FloatArray, PatientSpread]:
        """The measure (phases, raters), and the spread of the change over the patients of both."""
        found = [self._of_phase(*phase) for phase in zip(self.truths, self.answers, self.patients, strict=True)]
        (one, before), (other, after) = found
        return np.stack([one, other]), after.less(before)

    def _of_phase(
        self, truth: FloatArray, answers: FloatArray, patients: PatientNumbers
    ) -> tuple[FloatArray, PatientSpread]:
        if self.scored:
            placed = placements(truth=truth, scores=answers)
            return placed.aucs, delong_spread(placed, patients=patients)
        right = _right(truth, answers)
        counted = np.array([is_rated(right[truth == kind]).sum(axis=0) for kind in (0, 1)])
        weights = counted / np.maximum(counted.sum(axis=0), 1)
        return mean_of_rated(right), patient_spread(truth=truth, values=right, patients=patients, weights=weights)

    def rater(self, column: int, name: str, values: FloatArray, spread: PatientSpread, *, level: float) -> RaterChange:
        first, second = (None if np.isnan(value) else float(value) for value in values[:, column])
        if first is None or second is None:
            difference = missing(ONE_CLASS)
        else:
            own, determined = spread.contributions[:, column], bool(spread.determined[column])
            difference, _ = _over_patients(second - first, own, spread.df, determined=determined, level=level)
        n_first, n_second = (int(is_rated(table[:, column]).sum()) for table in self.answers)
        return RaterChange(
            rater=name, n_first=n_first, n_second=n_second, first=first, second=second, difference=difference
        )

    def exchanged(self, *, side: Side, exchanges: int, seed: int) -> tuple[float | None, int | None]:
        """P of the mean change when both phases' answers to a patient's images change places at random."""
        groups = np.unique(self.patients[0])
        seen = self._extent(np.zeros(len(self.truths[0]), dtype=np.bool_), side)
        if np.isnan(seen):
            return None, None
        if len(groups) <= MOST_PATIENTS_EXACT:
            chosen = np.array(list(product([False, True], repeat=len(groups))))
        else:
            chosen = np.random.default_rng(seed).random((exchanges, len(groups))) < 0.5
        place = np.searchsorted(groups, self.patients[0])
        as_far = sum(self._extent(one[place], side) >= seen - ROUNDING for one in chosen)
        if len(groups) <= MOST_PATIENTS_EXACT:
            return as_far / len(chosen), None
        return (1 + as_far) / (1 + len(chosen)), exchanges

    def _extent(self, swapped: BoolArray, side: Side) -> float:
        change = self._mean_change(swapped)
        return abs(change) if side == "two_sided" else change if side == "higher" else -change

    def _mean_change(self, swapped: BoolArray) -> float:
        before, after = (np.where(swapped[:, None], self.answers[1 - at], self.answers[at]) for at in (0, 1))
        if self.scored:
            placed = placements(truth=self.truths[0], scores=np.concatenate([before, after], axis=1))
            one, other = np.split(placed.aucs, 2)
        else:
            one, other = (mean_of_rated(_right(self.truths[0], table)) for table in (before, after))
        gaps = other - one
        return float(np.nanmean(gaps)) if not np.isnan(gaps).all() else float("nan")


def _right(truth: FloatArray, calls: FloatArray) -> FloatArray:
    return np.where(is_rated(calls), (calls == truth[:, None]).astype(np.float64), np.nan)
