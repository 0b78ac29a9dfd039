"""Where raters marked, after the unblinding: from ledger and sealed targets to the marks of every arm."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot
from statistics import median
from typing import Any

import numpy as np

from readerstudy.design.arms import Arm, arm_order
from readerstudy.design.cases import arm_of
from readerstudy.models import RatingEvent, Stimulus
from readerstudy.report.arm_marks import ArmMarks, MarkMap, OneMark, ReasonOfArm
from readerstudy.results import computed_once, named_part
from readerstudy.tasks.task import MarkAsked
from readerstudy.unblinding.edits import Edits, lattice_of
from readerstudy.unblinding.marked import chances_of, marks_of
from readerstudy.unblinding.opened import UnblindedStudy

DECIMALS_MM = 2


def mark_map_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> MarkMap:
    """Of the whole study, or of the cases with these codes and the raters with these numbers; controls are arms."""
    asked = opened.study.asked.task.mark
    if asked is None:
        return MarkMap()
    return computed_once(
        opened, "mark-map", named_part(cases, raters), lambda: _Marking(opened, asked).of_part(cases, raters)
    )


@dataclass(frozen=True)
class _Found:
    """One mark with what its arm sums up."""

    mark: OneMark
    chance: float
    edit_radius_mm: float | None
    reason: int | None


@dataclass(frozen=True)
class _Marking:
    opened: UnblindedStudy
    asked: MarkAsked

    def of_part(self, cases: frozenset[str] | None, raters: frozenset[str] | None) -> MarkMap:
        panel = {rater.pk: str(rater.number) for rater in self.opened.panel}
        found: dict[Arm, list[_Found]] = {}
        pictures: dict[str, Stimulus] = {}
        edits: dict[str, Edits] = {}
        for event in self.opened.first_answers:
            stimulus = event.presentation.stimulus
            code, rater = stimulus.case.code, panel.get(event.presentation.session.rater_id)
            out = rater is None or (raters is not None and rater not in raters)
            if out or (cases is not None and code not in cases) or not marks_of(event):
                continue
            truth = self.opened.truths[code]
            pictures[code] = stimulus
            if code not in edits:
                edits[code] = Edits.of(truth, stimulus, apart_mm=self.asked.radius_mm)
            found.setdefault(arm_of(truth), []).extend(self._marks(event, str(rater), edits[code]))
        return MarkMap(
            radius_mm=self.asked.radius_mm,
            picture_half_mm=max((_half_mm(one) for one in pictures.values()), default=0.0),
            arms=tuple(self._summed(arm, found[arm]) for arm in sorted(found, key=arm_order)),
        )

    def _marks(self, event: RatingEvent, rater: str, edits: Edits) -> Iterator[_Found]:
        stimulus, truth = edits.stimulus, edits.truth
        lattice = lattice_of(stimulus)
        middle = lattice.to_patient((np.asarray(stimulus.size_zyx) - 1) / 2)
        chance = chances_of(truth, self.asked)[0] if truth.synthetic else 0.0
        for mark in marks_of(event):
            place = lattice.to_patient([mark["slice"], mark["row"], mark["column"]])
            edit, away = edits.nearest(mark) or (None, None)
            one = OneMark(
                case=stimulus.case.code,
                rater=rater,
                from_edit_mm=None if edit is None else _rounded(place - edit.centre_lps_mm),
                from_middle_mm=_rounded(place - middle),
                distance_mm=None if away is None else round(away, DECIMALS_MM),
                within=away is not None and away <= self.asked.radius_mm if truth.synthetic else None,
            )
            yield _Found(one, chance, None if edit is None else edit.radius_mm, mark.get("reason"))

    def _summed(self, arm: Arm, found: list[_Found]) -> ArmMarks:
        marks = tuple(one.mark for one in found)
        sizes = [one.edit_radius_mm for one in found if one.edit_radius_mm is not None]
        return ArmMarks(
            arm=arm.name,
            real=arm.is_real,
            marks=marks,
            within=None if arm.is_real else sum(bool(mark.within) for mark in marks),
            expected_within=None if arm.is_real else sum(one.chance for one in found),
            in_middle=sum(hypot(*mark.from_middle_mm[:2]) <= self.asked.radius_mm for mark in marks),
            edit_radius_mm=median(sizes) if sizes else None,
            reasons=self._reasons(found),
        )

    def _reasons(self, found: list[_Found]) -> tuple[ReasonOfArm, ...]:
        if self.asked.each is None:
            return ()
        counted = Counter((one.reason, bool(one.mark.within)) for one in found)
        reasons = [
            ReasonOfArm(reason=reason, on_places=counted[number, True], beside=counted[number, False])
            for number, reason in enumerate(self.asked.each.reasons, start=1)
        ]
        return tuple(sorted(reasons, key=lambda one: -one.count))


def _rounded(away: Any) -> tuple[float, ...]:
    return tuple(round(float(value), DECIMALS_MM) + 0.0 for value in away)


def _half_mm(stimulus: Stimulus) -> float:
    """Of the longer side of a slice."""
    _, *sides = (size * step for size, step in zip(stimulus.size_zyx, stimulus.spacing_zyx_mm, strict=True))
    return float(max(sides)) / 2
