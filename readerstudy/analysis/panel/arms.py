"""Several generators' cases among the same real ones: each arm against the real cases, and arm against arm.

Arms that a plan names are families of their own, which the others do not enlarge: against the real cases, in pairs, and
for the equivalence of pairs within the plan's margin.

An arm is compared with all real cases, so two arms share these, and twins share their hosts; both come in through the
patients, whose contributions to the two areas are correlated. Sources: Obuchowski & Rockette, Commun Stat Simul
1995;24:285 (two conditions); Obuchowski, Biometrics 1997;53:567 (patients); Holm, Scand J Stat 1979;6:65.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt

import numpy as np

from readerstudy.analysis.estimate import (
    ArrayLike,
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    is_rated,
    mean_of_rated,
    missing,
)
from readerstudy.analysis.panel.equivalence import difference_tost
from readerstudy.analysis.panel.mrmc import (
    NO_SPREAD,
    SMALLEST_VARIANCE,
    FTest,
    PanelAuc,
    averaged_over_readers,
    compared,
    reader_averaged_auc,
    side_by_side,
    with_t_test,
)
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.panel.percent_correct import CAUTIOUS_READERS
from readerstudy.analysis.patients import (
    PatientNumbers,
    PatientSpread,
    Units,
    any_repeated,
    patient_numbers,
    patient_spread,
)
from readerstudy.analysis.rater.auc import ONE_CLASS, ONE_PATIENT, delong_spread, placements

READERS_AND: dict[Units, str] = {"patients": "readers and patients", "cases": "readers and cases"}
THESE_READERS: dict[Units, str] = {"patients": "patients, for these readers", "cases": "cases, for these readers"}


@dataclass(frozen=True, kw_only=True)
class PlannedArms:
    """The arms that a plan compares: `margin` is what the areas of two may differ by and still count as equal.

    `unproven` says why these raters could not have found a difference, so that "equal" is not said; None: they could.
    """

    names: Sequence[str]
    margin: float
    unproven: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArmEquivalence:
    """Two one-sided tests of a pair of arms within the plan's margin; `low` and `high` are the 1 - 2 alpha limits.

    `equivalent` follows the adjusted p-value, and is None with a `reason` where it may not be said.
    """

    margin: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    equivalent: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArmReading:
    """One arm. `auc` is against all real cases and None for the real arm; known-bad controls are in no family."""

    arm: str
    n_cases: int
    n_ratings: int
    called_synthetic: Estimate
    auc: Estimate | None = None
    p: float | None = None
    p_adjusted: float | None = None
    planned: bool = False


@dataclass(frozen=True, kw_only=True)
class ArmContrast:
    """Difference of the reader-averaged areas of two arms (first minus second); `random` says what limits and p allow.

    `se_cases` is the standard error over patients, or cases, for these very readers. `equivalence` stands only
    where a plan names both arms.
    """

    first: str
    second: str
    difference: Estimate
    se_cases: float | None = None
    se: float | None = None
    df: float | None = None
    random: str = READERS_AND["cases"]
    p: float | None = None
    p_adjusted: float | None = None
    planned: bool = False
    equivalence: ArmEquivalence | None = None


@dataclass(frozen=True, kw_only=True)
class ArmsComparison:
    """All arms, real first; `overall` tests that all areas are equal where there are more than two to compare.

    `missing` names the arms of the plan that no case is of.
    """

    readings: tuple[ArmReading, ...]
    contrasts: tuple[ArmContrast, ...]
    overall: FTest | None = None
    missing: tuple[str, ...] = ()


def compare_arms(
    *,
    arms: Sequence[str],
    truth: ArrayLike,
    calls: MatrixLike,
    ratings: MatrixLike,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    controls: Sequence[str] = (),
    planned: PlannedArms | None = None,
    level: float = 0.95,
) -> ArmsComparison:
    """Describe every arm and compare the synthetic ones, readers and patients random.

    `arms` (cases,) names each case's arm; `truth` (cases,); `calls` and `ratings` (cases, readers) with NaN/None for
    none, higher = more surely synthetic; `patients` (cases,) names each case's patient; `controls` are the names of
    arms made to be found, which are described and neither tested nor compared. `planned` names the arms of the plan.
    """
    true, call, rating = as_truth(truth), as_matrix(calls), as_matrix(ratings)
    numbers, named = patient_numbers(patients, cases=len(true)), np.asarray(arms)
    if len(named) != len(true):
        raise ValueError(f"{len(named)} arms are named for {len(true)} cases")
    real = true == 0
    names = list(dict.fromkeys(named[~real].tolist()))
    readings = [
        _reading(name, call[named == name], numbers[named == name], level=level)
        for name in [*dict.fromkeys(named[real].tolist()), *names]
    ]
    areas = {
        name: reader_averaged_auc(truth=true[rows], ratings=rating[rows], patients=numbers[rows], level=level)
        for name in names
        if (rows := real | (named == name)).any()
    }
    tested = [name for name in names if name not in set(controls)]
    of_plan = [name for name in tested if planned and name in planned.names]
    families = [of_plan, [name for name in tested if name not in of_plan]]
    adjusted = {
        name: p
        for family in families
        for name, p in zip(family, adjust_p_values([areas[name].p for name in family]), strict=True)
    }
    units: Units = "patients" if any_repeated(numbers) else "cases"
    pooled = _Arms(true, named, rating, numbers, units, level)
    contrasts = [pooled.contrast(*pair) for pair in combinations(tested, 2)]
    return ArmsComparison(
        readings=tuple(
            replace(
                reading,
                auc=areas[reading.arm].estimate(),
                p=areas[reading.arm].p if reading.arm in adjusted else None,
                p_adjusted=adjusted.get(reading.arm),
                planned=reading.arm in of_plan,
            )
            if reading.arm in areas
            else reading
            for reading in readings
        ),
        contrasts=_in_families(contrasts, set(of_plan), planned, alpha=1 - level),
        overall=pooled.overall(tested) if len(tested) > 2 else None,
        missing=tuple(name for name in (planned.names if planned else ()) if name not in tested),
    )


def _reading(name: str, calls: FloatArray, patients: PatientNumbers, *, level: float) -> ArmReading:
    return ArmReading(
        arm=name,
        n_cases=len(calls),
        n_ratings=int(is_rated(calls).sum()),
        called_synthetic=_share(calls, patients, level=level),
    )


def _share(calls: FloatArray, patients: PatientNumbers, *, level: float) -> Estimate:
    """Mean of the readers' shares of answers that were synthetic, t limits on the logit scale."""
    if not is_rated(calls).any():
        return missing("no ratings")
    shares = mean_of_rated(calls)
    of_one_kind = np.repeat([[0.0], [1.0]], calls.shape[1], axis=1)
    spread = patient_spread(truth=np.ones(len(calls)), values=calls, patients=patients, weights=of_one_kind)
    known = PanelAuc(method="share called synthetic", value=None, scale="logit")
    found = averaged_over_readers(known, values=shares, spread=spread, cautious_readers=CAUTIOUS_READERS)
    if found.value is None or found.reason or not 0 < found.value < 1:
        return Estimate(value=float(np.nanmean(shares)), reason=found.reason or NO_SPREAD)
    limits = found.interval(level=level)
    return found.estimate() if limits is None else replace(found, low=limits[0], high=limits[1]).estimate()


def _in_families(
    contrasts: Sequence[ArmContrast], of_plan: set[str], planned: PlannedArms | None, *, alpha: float
) -> tuple[ArmContrast, ...]:
    """Adjust the pairs that the plan names and the others apart, and test those of the plan for equivalence."""
    named = [planned is not None and {one.first, one.second} <= of_plan for one in contrasts]
    pairs = _adjusted([replace(one, planned=True) for one, own in zip(contrasts, named, strict=True) if own])
    if planned is not None:
        pairs = _tested_for_equivalence(pairs, planned, alpha=alpha)
    others = _adjusted([one for one, own in zip(contrasts, named, strict=True) if not own])
    by_pair = {(one.first, one.second): one for one in [*pairs, *others]}
    return tuple(by_pair[one.first, one.second] for one in contrasts)


def _adjusted(contrasts: list[ArmContrast]) -> list[ArmContrast]:
    adjusted = adjust_p_values([contrast.p for contrast in contrasts]) if contrasts else []
    return [replace(one, p_adjusted=p) for one, p in zip(contrasts, adjusted, strict=True)]


def _tested_for_equivalence(contrasts: list[ArmContrast], planned: PlannedArms, *, alpha: float) -> list[ArmContrast]:
    found = [_equivalence(one, planned.margin, alpha=alpha) for one in contrasts]
    adjusted = adjust_p_values([one.p for one in found]) if found else []
    return [
        replace(one, equivalence=_judged(band, p, unproven=planned.unproven, alpha=alpha))
        for one, band, p in zip(contrasts, found, adjusted, strict=True)
    ]


def _equivalence(contrast: ArmContrast, margin: float, *, alpha: float) -> ArmEquivalence:
    gap = contrast.difference.value
    if gap is None or contrast.se is None or contrast.df is None:
        return ArmEquivalence(margin=margin, reason=contrast.difference.reason or NO_SPREAD)
    if contrast.random in THESE_READERS.values():
        return ArmEquivalence(margin=margin, reason="nothing tells how readers differ")
    found = difference_tost(gap, se=contrast.se, df=contrast.df, low=-margin, high=margin, alpha=alpha)
    return ArmEquivalence(margin=margin, low=found.interval.low, high=found.interval.high, p=found.p)


def _judged(band: ArmEquivalence, p_adjusted: float | None, *, unproven: str | None, alpha: float) -> ArmEquivalence:
    """Raters who may not have looked make any two arms alike."""
    if band.p is None or p_adjusted is None:
        return band
    within = p_adjusted <= alpha
    if within and unproven:
        return replace(band, p_adjusted=p_adjusted, reason=unproven)
    return replace(band, p_adjusted=p_adjusted, equivalent=within)


@dataclass(frozen=True)
class _Arms:
    truth: FloatArray
    named: np.typing.NDArray[np.str_]
    ratings: FloatArray
    patients: PatientNumbers
    units: Units
    level: float

    def _side_by_side(self, names: Sequence[str]) -> tuple[FloatArray, PatientSpread]:
        """Areas (arms, readers), and their spread over patients: an arm's columns hold its cases and the real."""
        rows = np.isin(self.named, names) | (self.truth == 0)
        truth, named, ratings = self.truth[rows], self.named[rows], self.ratings[rows]
        own = [(truth == 0) | (named == name) for name in names]
        scores = side_by_side(np.stack([np.where(seen[:, None], ratings, np.nan) for seen in own]))
        placed = placements(truth=truth, scores=scores)
        return placed.aucs.reshape(len(names), -1), delong_spread(placed, patients=self.patients[rows])

    def overall(self, names: Sequence[str]) -> FTest | None:
        areas, spread = self._side_by_side(names)
        if areas.shape[1] < 2 or np.isnan(areas).any() or not spread.determined.all():
            return None
        return compared(areas, spread, level=self.level).random_both

    def contrast(self, first: str, second: str) -> ArmContrast:
        areas, spread = self._side_by_side([first, second])
        random = READERS_AND[self.units]
        known = ArmContrast(first=first, second=second, difference=missing(ONE_CLASS), random=random)
        if np.isnan(areas).any() or not areas.size:
            return known
        readers = areas.shape[1]
        gap = float(areas[0].mean() - areas[1].mean())
        if not spread.determined.all():
            return replace(known, difference=Estimate(value=gap, reason=ONE_PATIENT))
        apart = spread.contributions[:, :readers].mean(axis=1) - spread.contributions[:, readers:].mean(axis=1)
        variance = float(apart @ apart)
        se_cases = sqrt(variance)
        both = compared(areas, spread, level=self.level) if readers > 1 else None
        if both is not None and both.contrasts:
            [found] = both.contrasts
            limits = Estimate(value=gap, low=found.low, high=found.high)
            return replace(known, difference=limits, se_cases=se_cases, se=found.se, df=found.df, p=found.p)
        # One reader, or readers whose differences are all alike: nothing tells how readers differ.
        known = replace(known, se_cases=se_cases, random=THESE_READERS[self.units])
        if variance <= SMALLEST_VARIANCE:
            return replace(known, difference=Estimate(value=gap, reason=NO_SPREAD))
        start = PanelAuc(method="difference of arms", value=gap)
        tested = with_t_test(start, variance=variance, df=spread.df, level=self.level, null=0.0)
        limits = Estimate(value=gap, low=tested.low, high=tested.high)
        return replace(known, difference=limits, se=tested.se, df=tested.df, p=tested.p)
