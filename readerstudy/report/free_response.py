"""Any number of marked places after the unblinding: from ledger and sealed targets to the analysis."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.analysis import (
    FreeResponseReading,
    FreeResponses,
    Marked,
    ReasonCount,
    free_responses_judged,
)
from readerstudy.models import RatingEvent
from readerstudy.planning.plans import plan_of
from readerstudy.results import Responses, computed_once, named_part, responses_of, scores_of
from readerstudy.tasks.task import EachMark, MarkAsked
from readerstudy.unblinding.marked import place_chances, places_hit
from readerstudy.unblinding.opened import UnblindedStudy

NO_PLACES = FreeResponseReading(reason="this study does not ask for any number of places")


def free_response_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> FreeResponseReading:
    """Of the whole study, or of the cases with these codes and the raters with these numbers; without controls."""
    asked = opened.study.asked.task.mark
    if asked is None or asked.each is None:
        return NO_PLACES
    each = asked.each
    return computed_once(
        opened, "free-response", named_part(cases, raters), lambda: _computed(opened, asked, each, cases, raters)
    )


def _computed(
    opened: UnblindedStudy,
    asked: MarkAsked,
    each: EachMark,
    cases: frozenset[str] | None,
    raters: frozenset[str] | None,
) -> FreeResponseReading:
    responses = responses_of(opened).without_controls().of_part(cases, raters)
    if not responses.case_codes or not responses.raters:
        return FreeResponseReading(reason="nobody answered")
    plan = plan_of(opened.study)
    answers = _Answers.of(opened, responses)
    return free_responses_judged(
        [answers.within(radius, column) for column, radius in enumerate(asked.radii_mm)],
        reader_ids=responses.rater_ids,
        patients=responses.patients if plan.unit == "patient" else None,
        reasons=answers.reasons(asked, each),
        level=1 - plan.alpha,
    )


@dataclass(frozen=True)
class _Answers:
    """What counts of the ledger, as (row of the case, column of the reader, event); `answered` (cases, readers)."""

    opened: UnblindedStudy
    codes: Sequence[str]
    given: list[tuple[int, int, RatingEvent]]
    answered: np.ndarray

    @classmethod
    def of(cls, opened: UnblindedStudy, responses: Responses) -> "_Answers":
        row = {code: place for place, code in enumerate(responses.case_codes)}
        column = {rater.pk: place for place, rater in enumerate(responses.raters)}
        named = [
            (event.presentation.stimulus.case.code, event.presentation.session.rater_id, event)
            for event in opened.first_answers
        ]
        given = [(row[code], column[rater], event) for code, rater, event in named if code in row and rater in column]
        answered = ~np.isnan(np.asarray(scores_of(responses), dtype=np.float64))
        return cls(opened, responses.case_codes, given, answered)

    def within(self, radius_mm: float, number: int) -> Marked:
        """Judged by the radius with this number among those of the task."""
        truths = [self.opened.truths[code] for code in self.codes]
        chances = [[shares[number] for shares in place_chances(truth)] for truth in truths]
        first = np.concatenate([[0], np.cumsum([len(one) for one in chances])]).astype(int)
        shape = self.answered.shape
        # One at least, or nothing would tell who marked nothing from who did not answer.
        most = max((1, *(len(event.marks or ()) for *_, event in self.given)))
        marks = np.where(self.answered[..., None], 0.0, np.full((*shape, most), np.nan))
        case_of = np.repeat(np.arange(shape[0]), np.diff(first))
        found = np.where(self.answered[case_of], 0.0, np.nan)
        false_marks = np.zeros(shape)
        for row, column, event in self.given:
            own = event.marks or []
            marks[row, column, : len(own)] = sorted((mark["confidence"] for mark in own), reverse=True)
            for mark, place in zip(own, places_hit(event, truths[row], radius_mm), strict=True):
                if place is None:
                    false_marks[row, column] += 1
                else:
                    at = first[row] + place
                    found[at, column] = max(found[at, column], mark["confidence"])
        responses = FreeResponses(
            truth=np.array([float(truth.synthetic) for truth in truths]),
            marks=marks,
            found=found,
            case_of=case_of,
            chances=np.array([chance for one in chances for chance in one], dtype=np.float64),
        )
        return Marked(radius_mm=radius_mm, responses=responses, false_marks=false_marks)

    def reasons(self, asked: MarkAsked, each: EachMark) -> list[ReasonCount]:
        counted = Counter[tuple[int, str]]()
        for row, _, event in self.given:
            truth = self.opened.truths[self.codes[row]]
            for mark, place in zip(event.marks or [], places_hit(event, truth, asked.radius_mm), strict=True):
                where = "real" if not truth.synthetic else "beside" if place is None else "on"
                counted[mark["reason"], where] += 1
        return [
            ReasonCount(
                reason=reason,
                on_places=counted[number, "on"],
                beside=counted[number, "beside"],
                on_real=counted[number, "real"],
            )
            for number, reason in enumerate(each.reasons, start=1)
        ]
