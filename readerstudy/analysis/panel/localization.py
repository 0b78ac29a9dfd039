"""One marked place per case, of a panel: area under the LROC curve with readers and patients random, and chance.

Readers agree on what looks odd, so that their hits are no independent trials. The panel's place is therefore tested by
one mark per case: that mark which most others lie near to. Whatever the readers have in common, the number of its hits
is Poisson-binomial when places say nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
import numpy.typing as npt

from readerstudy.analysis.estimate import (
    ArrayLike,
    Estimate,
    FloatArray,
    MatrixLike,
    as_matrix,
    as_truth,
    is_rated,
)
from readerstudy.analysis.panel.mrmc import WARY_READERS, PanelAuc, averaged_over_readers, why_not, with_t_test
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.panel.percent_correct import reader_averaged_accuracy
from readerstudy.analysis.patients import PatientNumbers, patient_numbers
from readerstudy.analysis.rater.auc import delong_spread
from readerstudy.analysis.rater.localization import at_least_by_chance, localized_placements, lroc_curve

METHOD = "area under the LROC curve, Obuchowski-Rockette/Hillis with the covariances of its U-statistic"


@dataclass(frozen=True, kw_only=True)
class PlacesByReader:
    """One reader's marks. `p` is of as many hits or more, were the marks put at random; Holm over the readers."""

    reader: str
    area: Annotated[float | None, "Area under the LROC curve"]
    marks: Annotated[int, "Marks on synthetic cases"]
    hits: int
    expected_hits: Annotated[float, "Were these marks put at random"]
    p: float | None
    p_adjusted: float | None = None
    false_positive_rate: list[float] = field(default_factory=list)
    localized: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PlacesOfPanel:
    """The mark that most others lie near to, one per synthetic case."""

    marks: int
    hits: int
    expected_hits: float
    p: float | None


@dataclass(frozen=True, kw_only=True)
class PlacesWithin:
    """How well places were found with one radius. `area` and `found` average the readers."""

    radius_mm: float
    area: Annotated[Estimate, "Area under the LROC curve, readers and cases random"]
    chance_area: Annotated[float, "Of a reader without skill: half the chance of a hit"]
    p: Annotated[float | None, "Of the area, that it is above chance"]
    found: Annotated[Estimate, "Share of synthetic cases whose mark is a hit"]
    chance_found: Annotated[float, "Were every synthetic case marked at random"]
    panel: PlacesOfPanel
    readers: tuple[PlacesByReader, ...]


@dataclass(frozen=True, kw_only=True)
class PlacesReading:
    """The planned radius, and half and twice of it. `reason` says why there is nothing."""

    planned: PlacesWithin | None = None
    others: tuple[PlacesWithin, ...] = ()
    reason: str | None = None


def places_found(
    *,
    truth: ArrayLike,
    scores: MatrixLike,
    distances_mm: MatrixLike,
    marks_mm: npt.NDArray[np.float64],
    chances: MatrixLike,
    radii_mm: Sequence[float],
    reader_ids: Sequence[str],
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    level: float = 0.95,
) -> PlacesReading:
    """Judge marks by each of `radii_mm`, the first of which was planned.

    `truth` (cases,); `scores` and `distances_mm` (cases, readers): how sure each was, and how far the mark lies from
    what was edited (0 within it), NaN where there is no answer or no mark. `marks_mm` (cases, readers, 3) are the marks
    in patient millimetres, `chances` (cases, radii) how likely a mark is a hit that knows nothing of the case.
    """
    true, score, distance = as_truth(truth), as_matrix(scores), as_matrix(distances_mm)
    numbers = patient_numbers(patients, cases=len(true))
    if not reader_ids or not is_rated(score).any():
        return PlacesReading(reason="nobody answered")
    if not (true == 1).any():
        return PlacesReading(reason="there is no synthetic case")
    of = _Marked(true, score, distance, np.asarray(marks_mm, dtype=np.float64), tuple(reader_ids), numbers, level)
    chance = as_matrix(chances)
    found = [of.within(radius, chance[:, column]) for column, radius in enumerate(radii_mm)]
    return PlacesReading(planned=found[0], others=tuple(found[1:]))


@dataclass(frozen=True)
class _Marked:
    truth: FloatArray
    scores: FloatArray
    distances_mm: FloatArray
    marks_mm: FloatArray
    reader_ids: tuple[str, ...]
    patients: PatientNumbers
    level: float

    def within(self, radius_mm: float, chances: FloatArray) -> PlacesWithin:
        hits = self._hits(radius_mm)
        chance = float(chances[self.truth == 1].mean())
        area = panel_lroc(
            truth=self.truth,
            scores=self.scores,
            hits=hits,
            patients=self.patients,
            null=chance / 2,
            level=self.level,
        )
        return PlacesWithin(
            radius_mm=radius_mm,
            area=area.estimate(),
            chance_area=chance / 2,
            p=_above(area),
            found=self._found(hits),
            chance_found=chance,
            panel=self._panel(radius_mm, hits, chances),
            readers=self._readers(hits, chances, area.reader_aucs),
        )

    def _hits(self, radius_mm: float) -> FloatArray:
        """1 and 0 for answers to synthetic cases, of which one without a mark is no hit; NaN elsewhere."""
        near = np.nan_to_num(self.distances_mm, nan=np.inf) <= radius_mm
        return np.where(is_rated(self.scores) & (self.truth == 1)[:, None], near.astype(np.float64), np.nan)

    def _found(self, hits: FloatArray) -> Estimate:
        calls = np.where(is_rated(self.scores), np.nan_to_num(hits), np.nan)
        panel = reader_averaged_accuracy(
            truth=self.truth, calls=calls, patients=self.patients, part="sensitivity", level=self.level
        )
        return panel.estimate()

    def _readers(
        self, hits: FloatArray, chances: FloatArray, areas: Sequence[float | None]
    ) -> tuple[PlacesByReader, ...]:
        found = [self._reader(column, hits, chances, area) for column, area in enumerate(areas)]
        adjusted = adjust_p_values([one.p for one in found])
        return tuple(replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True))

    def _reader(self, column: int, hits: FloatArray, chances: FloatArray, area: float | None) -> PlacesByReader:
        marked = is_rated(self.distances_mm[:, column]) & (self.truth == 1)
        own = int(np.nansum(hits[marked, column]))
        curve = lroc_curve(truth=self.truth, scores=self.scores[:, column], hits=hits[:, column])
        return PlacesByReader(
            reader=self.reader_ids[column],
            area=area,
            marks=int(marked.sum()),
            hits=own,
            expected_hits=float(chances[marked].sum()),
            p=at_least_by_chance(own, chances=chances[marked]) if marked.any() else None,
            false_positive_rate=curve.false_positive_rate if curve else [],
            localized=curve.localized if curve else [],
        )

    def _panel(self, radius_mm: float, hits: FloatArray, chances: FloatArray) -> PlacesOfPanel:
        chosen = {
            case: central_mark(self.marks_mm[case], radius_mm=radius_mm)
            for case in np.flatnonzero(self.truth == 1)
            if is_rated(self.distances_mm[case]).any()
        }
        marked = [case for case, reader in chosen.items() if reader is not None]
        own = int(sum(hits[case, chosen[case]] for case in marked))
        p = at_least_by_chance(own, chances=chances[marked]) if marked else None
        return PlacesOfPanel(marks=len(marked), hits=own, expected_hits=float(chances[marked].sum()), p=p)


def panel_lroc(
    *,
    truth: ArrayLike,
    scores: MatrixLike,
    hits: MatrixLike,
    patients: Sequence[Hashable] | PatientNumbers | None = None,
    null: float,
    level: float = 0.95,
) -> PanelAuc:
    """Test the readers' mean area under the LROC curve against `null`, readers and cases random.

    `hits` (cases, readers) is 1 or 0 for synthetic cases and ignored for real ones. Components, covariances and degrees
    of freedom as for the ROC area, of the kernel hit * [synthetic above real].
    """
    true, score, hit = as_truth(truth), as_matrix(scores), as_matrix(hits)
    numbers = patient_numbers(patients, cases=len(true))
    placed = localized_placements(truth=true, scores=score, hits=hit)
    areas = placed.aucs
    known = PanelAuc(
        method=METHOD,
        value=float(np.nanmean(areas)) if is_rated(areas).any() else None,
        reader_aucs=tuple(None if np.isnan(area) else float(area) for area in areas),
    )
    reason = why_not(true, score, numbers)
    if reason:
        return replace(known, reason=reason)
    spread = delong_spread(placed, patients=numbers)
    found = averaged_over_readers(known, values=areas, spread=spread, wary_readers=WARY_READERS)
    if found.variance is None or found.df is None or found.reason:
        return found
    return with_t_test(found, variance=found.variance, df=found.df, level=level, null=null)


def _above(area: PanelAuc) -> float | None:
    """One-sided: raters who hit nothing by luck would else be said to lie below chance, in up to 18 % of studies."""
    if area.p is None or area.statistic is None:
        return None
    return area.p / 2 if area.statistic > 0 else 1 - area.p / 2


def central_mark(marks_mm: FloatArray, *, radius_mm: float) -> int | None:
    """Return whose mark, (readers, 3) with NaN for none, has most others within the radius; of several the one that
    lies nearest to all. None where nobody marked.
    """
    there = np.flatnonzero(is_rated(marks_mm).all(axis=1))
    if not len(there):
        return None
    apart = np.linalg.norm(marks_mm[there, None] - marks_mm[None, there], axis=2)
    order = np.lexsort((apart.sum(axis=1), -(apart <= radius_mm).sum(axis=1)))
    return int(there[order[0]])
