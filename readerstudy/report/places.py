"""Marked places after the unblinding: from ledger and sealed targets to the analysis of one place per case."""

import numpy as np

from readerstudy.analysis import PlacesReading, places_found
from readerstudy.planning.plans import plan_of
from readerstudy.results import computed_once, named_part, responses_of, scores_of
from readerstudy.tasks.task import MarkAsked
from readerstudy.unblinding.marked import chances_of, distance_mm
from readerstudy.unblinding.opened import UnblindedStudy

NO_PLACES = PlacesReading(reason="this study does not ask for one place")


def places_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> PlacesReading:
    """Of the whole study, or of the cases with these codes and the raters with these numbers; without controls."""
    asked = opened.study.asked.task.mark
    if asked is None or asked.each is not None:
        return NO_PLACES
    return computed_once(opened, "places", named_part(cases, raters), lambda: _computed(opened, asked, cases, raters))


def _computed(
    opened: UnblindedStudy, asked: MarkAsked, cases: frozenset[str] | None, raters: frozenset[str] | None
) -> PlacesReading:
    responses = responses_of(opened).without_controls().of_part(cases, raters)
    plan, codes = plan_of(opened.study), responses.case_codes
    if not codes or not responses.raters:
        return PlacesReading(reason="nobody answered")
    row = {code: place for place, code in enumerate(codes)}
    column = {rater.pk: place for place, rater in enumerate(responses.raters)}
    distances = np.full((len(codes), len(column)), np.nan)
    marks = np.full((len(codes), len(column), 3), np.nan)
    for event in opened.first_answers:
        code, rater = event.presentation.stimulus.case.code, event.presentation.session.rater_id
        if event.mark is None or code not in row or rater not in column:
            continue
        away = distance_mm(event.mark, opened.truths[code], event.presentation.stimulus)
        distances[row[code], column[rater]] = np.inf if away is None else away
        marks[row[code], column[rater]] = event.mark_lps_mm
    return places_found(
        truth=responses.truth,
        scores=scores_of(responses),
        distances_mm=distances,
        marks_mm=marks,
        chances=[chances_of(opened.truths[code], asked) for code in codes],
        radii_mm=asked.radii_mm,
        reader_ids=responses.rater_ids,
        patients=responses.patients if plan.unit == "patient" else None,
        level=1 - plan.alpha,
    )
