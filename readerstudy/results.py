"""From ledger and truth to results: the only bridge between the web app and readerstudy.analysis.

Nothing here runs before the unblinding, because it all asks for an `UnblindedStudy`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TypeVar

from django.core.cache import cache

from readerstudy.analysis import DefaultAnalysis, default_analysis, signed_rating
from readerstudy.digests import digest_of
from readerstudy.models import Answer, RatingEvent, Study, StudyRater
from readerstudy.planning.plans import executed_plan
from readerstudy.unblinding.opened import UnblindedStudy

T = TypeVar("T")
Matrix = list[list[float | None]]
CACHE_SECONDS = 24 * 3600
# Raise it when a class that is cached changes or moves: after an upgrade the cache still holds pickles of the old one.
CACHED_SHAPE = 3
VERSION = version("turing-ward")


@dataclass(frozen=True, kw_only=True)
class Responses:
    """The response table: cases (rows, by code) x raters (columns); None where nobody rated.

    `order` is the position in the rater's own order from 1, `times_ms` the visible time to the answer.
    """

    case_codes: list[str]
    raters: list[StudyRater]
    truth: list[int]
    calls: Matrix
    confidence: Matrix | None
    order: Matrix
    times_ms: Matrix

    @property
    def rater_ids(self) -> list[str]:
        return [str(rater.number) for rater in self.raters]

    def of_raters(self, numbers: frozenset[str]) -> "Responses":
        keep = [column for column, rater in enumerate(self.raters) if str(rater.number) in numbers]

        def columns(table: Matrix) -> Matrix:
            return [[row[column] for column in keep] for row in table]

        return replace(
            self,
            raters=[self.raters[column] for column in keep],
            calls=columns(self.calls),
            confidence=None if self.confidence is None else columns(self.confidence),
            order=columns(self.order),
            times_ms=columns(self.times_ms),
        )

    def of_cases(self, codes: frozenset[str]) -> "Responses":
        keep = [row for row, code in enumerate(self.case_codes) if code in codes]
        tables = {name: getattr(self, name) for name in ("case_codes", "truth", "calls", "order", "times_ms")}
        confidence = None if self.confidence is None else [self.confidence[row] for row in keep]
        rows = {name: [table[row] for row in keep] for name, table in tables.items()}
        return Responses(raters=self.raters, confidence=confidence, **rows)


def current_events_of_case(opened: UnblindedStudy, code: str) -> list[RatingEvent]:
    """What every rater said last about one case, in the order of the raters."""
    case = opened.truths[code].case
    rows = RatingEvent.objects.filter(presentation__stimulus__case=case, superseded_by=None)
    by_rater = rows.order_by("presentation__session__rater__number")
    return list(by_rater.select_related("presentation__session__rater__user"))


def responses_of(opened: UnblindedStudy) -> Responses:
    truths = opened.truths
    codes = sorted(truths)
    raters = [rater for rater in opened.raters if rater.excluded_at is None]
    row = {code: index for index, code in enumerate(codes)}
    column = {rater.pk: index for index, rater in enumerate(raters)}
    calls, confidence, order, times_ms = (_empty(len(codes), len(raters)) for _ in range(4))
    for event in opened.current_events:
        rater = event.presentation.session.rater_id
        if rater in column:
            i, j = row[event.presentation.stimulus.case.code], column[rater]
            calls[i][j] = float(event.answer == Answer.SYNTHETIC)
            confidence[i][j] = event.confidence
            order[i][j] = event.presentation.position + 1
            times_ms[i][j] = event.reading_ms
    return Responses(
        case_codes=codes,
        raters=raters,
        truth=[int(truths[code].synthetic) for code in codes],
        calls=calls,
        confidence=confidence if opened.study.confidence_levels else None,
        order=order,
        times_ms=times_ms,
    )


def _empty(rows: int, columns: int) -> Matrix:
    return [[None] * columns for _ in range(rows)]


def analysis_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> DefaultAnalysis:
    """The default analysis under the frozen plan, of everything or of a part: case codes, numbers of raters."""
    which = [*(f"case {code}" for code in sorted(cases or ())), *(f"rater {key}" for key in sorted(raters or ()))]
    return computed_once(opened, "analysis", which, lambda: _compute_analysis(opened, cases, raters))


def _compute_analysis(
    opened: UnblindedStudy, cases: frozenset[str] | None, raters: frozenset[str] | None
) -> DefaultAnalysis:
    responses = responses_of(opened)
    if cases is not None:
        responses = responses.of_cases(cases)
    return analyse(opened.study, responses if raters is None else responses.of_raters(raters))


def computed_once(opened: UnblindedStudy, what: str, which: list[str], make: Callable[[], T]) -> T:
    """Compute once what follows from ledger, truth and plan: after the unblinding none of them can change any more."""
    study = opened.study
    fixed = [str(study.pk), study.ledger_head, study.plan_digest, study.unblinded_at]
    key = f"readerstudy-{what}-" + digest_of([*fixed, which, VERSION, CACHED_SHAPE])
    known: T | None = cache.get(key)
    if known is None:
        known = make()
        cache.set(key, known, CACHE_SECONDS)
    return known


def analyse(study: Study, responses: Responses) -> DefaultAnalysis:
    ratings = None
    if responses.confidence is not None and responses.raters:
        ratings = signed_rating(calls=responses.calls, confidence=responses.confidence, levels=study.confidence_levels)
    return default_analysis(
        truth=responses.truth,
        calls=responses.calls,
        ratings=ratings,
        rater_ids=responses.rater_ids,
        case_ids=responses.case_codes,
        order=responses.order,
        times_ms=responses.times_ms,
        plan=executed_plan(study, balanced=2 * sum(responses.truth) == len(responses.truth)),
    )
