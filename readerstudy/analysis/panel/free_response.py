"""Any number of marks per case, of a panel: weighted AFROC area with readers and patients random, against chance.

No area is that of chance for everybody: it depends on how many places a reader marks, and how surely. Each reader is
compared with the same marks set apart without looking; the panel by the mean of these differences.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from readerstudy.analysis.estimate import Estimate, FloatArray, is_rated
from readerstudy.analysis.panel.mrmc import WARY_READERS, PanelAuc, averaged_over_readers, why_not, with_t_test
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.patients import PatientNumbers, patient_numbers
from readerstudy.analysis.rater.auc import Placements, delong_spread
from readerstudy.analysis.rater.auc import placements as roc_placements
from readerstudy.analysis.rater.free_response import (
    FreeResponses,
    afroc_areas,
    chance_placements,
    found_by_chance,
    weighted_afroc_curve,
    weighted_afroc_placements,
)
from readerstudy.analysis.rater.localization import at_least_by_chance

METHOD = "weighted AFROC area, Obuchowski-Rockette/Hillis with the covariances of its U-statistic"


@dataclass(frozen=True, kw_only=True)
class FreeResponseByReader:
    """One reader's marks. `p` is of as many found places or more, were they set without looking; Holm over readers."""

    reader: str
    area: Annotated[float | None, "Area under the weighted AFROC curve"]
    chance_area: Annotated[float | None, "Of the same marks set apart without looking"]
    area_of_places: Annotated[float | None, "Area under the AFROC curve: every place counts alike"]
    area_of_cases: Annotated[float | None, "Area under the ROC curve of the surest mark of each case (inferred ROC)"]
    places: Annotated[int, "Edited places in the answered cases"]
    found: Annotated[int, "Places with a mark within the radius"]
    expected_found: Annotated[float, "Were these marks set apart without looking"]
    marks: int
    false_marks: Annotated[int, "Marks beside every edited place, and all on real cases"]
    false_marks_per_case: float | None
    p: float | None
    p_adjusted: float | None = None
    false_positive_rate: list[float] = field(default_factory=list)
    localized: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class FreeResponseWithin:
    """How well places were found with one radius. `area` and `found` average the readers."""

    radius_mm: float
    area: Annotated[Estimate, "Area under the weighted AFROC curve, readers and cases random"]
    chance_area: Annotated[float | None, "Of the same marks set apart without looking, mean of the readers"]
    p: Annotated[float | None, "Of the area, that it is above chance, one-sided"]
    found: Annotated[Estimate, "Share of edited places with a mark within the radius, cases alike"]
    readers: tuple[FreeResponseByReader, ...]


@dataclass(frozen=True, kw_only=True)
class ReasonCount:
    """How often a reason was given, with the planned radius."""

    reason: str
    on_places: int
    beside: Annotated[int, "On synthetic cases, beside every edited place"]
    on_real: int


@dataclass(frozen=True, kw_only=True)
class FreeResponseReading:
    """The planned radius, and half and twice of it. `reason` says why there is nothing."""

    planned: FreeResponseWithin | None = None
    others: tuple[FreeResponseWithin, ...] = ()
    reasons: tuple[ReasonCount, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Marked:
    """What readers marked, judged by one radius. `false_marks` (cases, readers): marks on no edited place."""

    radius_mm: float
    responses: FreeResponses
    false_marks: FloatArray


def free_responses_judged(
    judged: Sequence[Marked],
    *,
    reader_ids: Sequence[str],
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    reasons: Sequence[ReasonCount] = (),
    level: float = 0.95,
) -> FreeResponseReading:
    """The first of `judged` is by the radius that was planned; `patients` (cases,) names each case's patient."""
    given = judged[0].responses
    numbers = patient_numbers(patients, cases=len(given.truth))
    if not reader_ids or not is_rated(given.scores).any():
        return FreeResponseReading(reason="nobody answered")
    if not (given.truth == 1).any():
        return FreeResponseReading(reason="there is no synthetic case")
    planned, *others = (_within(one, tuple(reader_ids), numbers, level) for one in judged)
    return FreeResponseReading(planned=planned, others=tuple(others), reasons=tuple(reasons))


def _within(marked: Marked, reader_ids: tuple[str, ...], patients: PatientNumbers, level: float) -> FreeResponseWithin:
    given = marked.responses
    placed, by_chance = weighted_afroc_placements(given), chance_placements(given)
    area = panel_of(placed, patients=patients, null=0.0, level=level)
    chances = by_chance.aucs
    return FreeResponseWithin(
        radius_mm=marked.radius_mm,
        area=area.estimate(),
        chance_area=float(np.nanmean(chances)) if is_rated(chances).any() else None,
        p=above_chance(placed, by_chance, patients=patients, level=level),
        found=_found(given, patients, level),
        readers=_readers(marked, reader_ids, placed.aucs, chances),
    )


def panel_of(placed: Placements, *, patients: PatientNumbers, null: float, level: float) -> PanelAuc:
    """Test the readers' mean of these placement values against `null`, readers and cases random."""
    areas = placed.aucs
    known = PanelAuc(
        method=METHOD,
        value=float(np.nanmean(areas)) if is_rated(areas).any() else None,
        reader_aucs=tuple(None if np.isnan(area) else float(area) for area in areas),
    )
    reason = why_not(placed.truth, placed.scores, patients)
    if reason:
        return replace(known, reason=reason)
    spread = delong_spread(placed, patients=patients)
    found = averaged_over_readers(known, values=areas, spread=spread, wary_readers=WARY_READERS)
    if found.variance is None or found.df is None or found.reason:
        return found
    return with_t_test(found, variance=found.variance, df=found.df, level=level, null=null)


def above_chance(
    placed: Placements, by_chance: Placements, *, patients: PatientNumbers, level: float = 0.95
) -> float | None:
    """One-sided p of the mean difference to the same marks set apart without looking. Chance varies with the cases as
    the area does, so that the difference is what is averaged.
    """
    apart = replace(placed, values=placed.values - by_chance.values)
    found = panel_of(apart, patients=patients, null=0.0, level=level)
    if found.p is None or found.statistic is None:
        return None
    return found.p / 2 if found.statistic > 0 else 1 - found.p / 2


def _found(given: FreeResponses, patients: PatientNumbers, level: float) -> Estimate:
    """Share of its places that each case had found, averaged over cases and readers: a kernel without real cases."""
    shares = np.zeros(given.scores.shape)
    np.add.at(shares, given.case_of, given.weights[:, None] * (np.nan_to_num(given.found) > 0))
    rated, synthetic = is_rated(given.scores), (given.truth == 1)[:, None]
    answered = (rated & synthetic).sum(axis=0)
    mean = np.where(answered > 0, shares.sum(axis=0, where=rated & synthetic) / np.maximum(answered, 1), np.nan)
    values = np.where(rated, np.where(synthetic, shares, mean), np.nan)
    placed = Placements(truth=given.truth, scores=given.scores, values=values)
    return panel_of(placed, patients=patients, null=0.0, level=level).estimate()


def _readers(
    marked: Marked, reader_ids: tuple[str, ...], areas: FloatArray, chances: FloatArray
) -> tuple[FreeResponseByReader, ...]:
    given = marked.responses
    of_places = afroc_areas(given)
    of_cases = roc_placements(truth=given.truth, scores=given.scores).aucs
    found = [
        replace(
            _reader(marked, column, reader),
            area=_or_none(areas[column]),
            chance_area=_or_none(chances[column]),
            area_of_places=_or_none(of_places[column]),
            area_of_cases=_or_none(of_cases[column]),
        )
        for column, reader in enumerate(reader_ids)
    ]
    adjusted = adjust_p_values([one.p for one in found])
    return tuple(replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True))


def _reader(marked: Marked, column: int, reader: str) -> FreeResponseByReader:
    given = marked.responses
    rated = is_rated(given.scores[:, column])
    answered = is_rated(given.found[:, column])
    own = int((given.found[answered, column] > 0).sum())
    count = (given.marks[:, column] > 0).sum(axis=1)
    by_chance = found_by_chance(given.chances[answered], marks=count[given.case_of[answered]])
    false = int(np.nansum(marked.false_marks[:, column]))
    curve = weighted_afroc_curve(given, column)
    return FreeResponseByReader(
        reader=reader,
        area=None,
        chance_area=None,
        area_of_places=None,
        area_of_cases=None,
        places=int(answered.sum()),
        found=own,
        expected_found=float(by_chance.sum()),
        marks=int(count.sum()),
        false_marks=false,
        false_marks_per_case=false / int(rated.sum()) if rated.any() else None,
        p=at_least_by_chance(own, chances=by_chance) if (by_chance > 0).any() else None,
        false_positive_rate=curve.false_positive_rate if curve else [],
        localized=curve.localized if curve else [],
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
