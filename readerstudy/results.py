"""From ledger and truth to results: the only bridge between the web app and readerstudy.analysis.

Nothing here runs before the unblinding, because it all asks for an `UnblindedStudy`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TypeVar

from django.core.cache import cache

from ctplatform.errors import ConflictError
from readerstudy.analysis import (
    AnalysisPlan,
    ArmsComparison,
    DefaultAnalysis,
    PlannedArms,
    ProgramReading,
    RepeatedReadings,
    agreement_with_oneself,
    compare_arms,
    compare_programs,
    default_analysis,
    panel_doubts,
)
from readerstudy.analysis.estimate import MatrixLike
from readerstudy.design.arms import arm_order
from readerstudy.design.cases import arm_of
from readerstudy.digests import digest_of
from readerstudy.models import RatingEvent, Study, StudyRater
from readerstudy.planning.plans import executed_plan
from readerstudy.unblinding.opened import UnblindedStudy

T = TypeVar("T")
Matrix = list[list[float | None]]
CACHE_SECONDS = 24 * 3600
# Raise it when a class that is cached changes or moves: after an upgrade the cache still holds pickles of the old one.
CACHED_SHAPE = 19
VERSION = version("turing-ward")


@dataclass(frozen=True, kw_only=True)
class Responses:
    """The response table: cases (rows, by code) x raters (columns); None where nobody rated.

    `patients` numbers each case's patient, of an edited scan the one whose scan it was made of. `order` is the position
    in the rater's own order from 1, `times_ms` the visible time to the answer. `scores`, higher for what is more surely
    synthetic, are there where the task has answers finer than the calls.
    """

    case_codes: list[str]
    raters: list[StudyRater]
    truth: list[int]
    control: list[int]
    patients: list[int]
    calls: Matrix
    scores: Matrix | None
    order: Matrix
    times_ms: Matrix

    @property
    def rater_ids(self) -> list[str]:
        return [str(rater.number) for rater in self.raters]

    def without_controls(self) -> "Responses":
        return self.of_cases(
            frozenset(c for c, control in zip(self.case_codes, self.control, strict=True) if not control)
        )

    def of_part(self, cases: frozenset[str] | None, raters: frozenset[str] | None) -> "Responses":
        """The cases with these codes and the raters with these numbers; None: all of them."""
        kept = self if cases is None else self.of_cases(cases)
        return kept if raters is None else kept.of_raters(raters)

    def of_raters(self, numbers: frozenset[str]) -> "Responses":
        keep = [column for column, rater in enumerate(self.raters) if str(rater.number) in numbers]

        def columns(table: Matrix) -> Matrix:
            return [[row[column] for column in keep] for row in table]

        return replace(
            self,
            raters=[self.raters[column] for column in keep],
            calls=columns(self.calls),
            scores=None if self.scores is None else columns(self.scores),
            order=columns(self.order),
            times_ms=columns(self.times_ms),
        )

    def of_cases(self, codes: frozenset[str]) -> "Responses":
        keep = [row for row, code in enumerate(self.case_codes) if code in codes]
        names = ("case_codes", "truth", "control", "patients", "calls", "order", "times_ms")
        tables = {name: getattr(self, name) for name in names}
        scores = None if self.scores is None else [self.scores[row] for row in keep]
        rows = {name: [table[row] for row in keep] for name, table in tables.items()}
        return Responses(raters=self.raters, scores=scores, **rows)


def current_events_of_case(opened: UnblindedStudy, code: str) -> list[RatingEvent]:
    """What every rater said last about one case, in the order of the raters; twice who saw it twice."""
    case = opened.truths[code].case
    rows = RatingEvent.objects.filter(presentation__stimulus__case=case, superseded_by=None)
    by_rater = rows.order_by("presentation__session__rater__number", "presentation__stimulus__reading")
    return list(by_rater.select_related("presentation__session__rater__user__program", "presentation__stimulus"))


def responses_of(opened: UnblindedStudy) -> Responses:
    """Of the people who take part; of a case that was shown twice the first answer."""
    return _responses(opened, opened.panel, opened.first_answers)


def _responses(opened: UnblindedStudy, raters: list[StudyRater], events: Iterable[RatingEvent]) -> Responses:
    truths, of = opened.truths, opened.patients
    codes = sorted(truths)
    row = {code: index for index, code in enumerate(codes)}
    column = {rater.pk: index for index, rater in enumerate(raters)}
    task = opened.study.asked.task
    calls, scores, order, times_ms = (_empty(len(codes), len(raters)) for _ in range(4))
    for event in events:
        rater = event.presentation.session.rater_id
        if rater in column:
            i, j = row[event.presentation.stimulus.case.code], column[rater]
            calls[i][j] = task.call(event)
            scores[i][j] = task.score(event)
            order[i][j] = event.presentation.position + 1
            times_ms[i][j] = event.reading_ms
    return Responses(
        case_codes=codes,
        raters=raters,
        truth=[int(truths[code].synthetic) for code in codes],
        control=[int(truths[code].control) for code in codes],
        patients=[of[code] for code in codes],
        calls=calls,
        scores=scores if task.scored else None,
        order=order,
        times_ms=times_ms,
    )


def _empty(rows: int, columns: int) -> Matrix:
    return [[None] * columns for _ in range(rows)]


def analysis_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> DefaultAnalysis:
    """The default analysis under the frozen plan, of everything or of a part: case codes, numbers of raters."""
    return computed_once(
        opened, "analysis", named_part(cases, raters), lambda: _compute_analysis(opened, cases, raters)
    )


def _compute_analysis(
    opened: UnblindedStudy, cases: frozenset[str] | None, raters: frozenset[str] | None
) -> DefaultAnalysis:
    if opened.study.asked.task.images > 1:
        raise ConflictError("Raters chose among several images: look at the choices, single cases have no analysis.")
    return analyse(opened.study, responses_of(opened).of_part(cases, raters))


def arms_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> ArmsComparison | None:
    """Every arm against the real cases, and arm against arm; None where all synthetic cases are of one arm."""
    responses = responses_of(opened).of_part(cases, raters)
    arms = [arm_of(opened.truths[code]) for code in responses.case_codes]
    plan = executed_plan(opened.study, balanced=True)
    if len({arm for arm in arms if not arm.is_real}) < 2 or not responses.raters:
        return None
    rows = sorted(range(len(arms)), key=lambda row: arm_order(arms[row]))
    scores = scores_of(responses)
    return compare_arms(
        arms=[arms[row].name for row in rows],
        truth=[responses.truth[row] for row in rows],
        calls=[responses.calls[row] for row in rows],
        ratings=[scores[row] for row in rows],
        patients=[responses.patients[row] for row in rows] if plan.unit == "patient" else None,
        controls=[arm.name for arm in set(arms) if arm.control],
        planned=_planned_arms(plan, opened, whole=cases is None and raters is None),
        level=1 - plan.alpha,
    )


def _planned_arms(plan: AnalysisPlan, opened: UnblindedStudy, *, whole: bool) -> PlannedArms | None:
    """No plan names a comparison within a part of the study."""
    if not plan.compared_arms or not whole:
        return None
    doubts = panel_doubts(analysis_of(opened).assay)
    return PlannedArms(names=plan.compared_arms, margin=plan.compared_margin, unproven=doubts.against_equivalence)


def programs_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> tuple[ProgramReading, ...]:
    """Every program that read, beside the people; without positive controls. Runs of one program are one."""
    if not opened.programs:
        return ()
    people = responses_of(opened).without_controls().of_part(cases, raters)
    programs = _responses(opened, opened.programs, opened.first_answers).without_controls().of_part(cases, None)
    if not people.raters:
        return ()
    runs: dict[str, list[str]] = {}
    for rater in programs.raters:
        runs.setdefault(_program_name(opened.study, rater), []).append(str(rater.number))
    columns = {name: programs.of_raters(frozenset(numbers)) for name, numbers in runs.items()}
    plan = executed_plan(opened.study, balanced=True)
    return compare_programs(
        truth=people.truth,
        ratings=scores_of(people),
        calls=people.calls,
        programs={name: (scores_of(read), read.calls) for name, read in columns.items()},
        patients=people.patients if plan.unit == "patient" else None,
        level=1 - plan.options().alpha,
    )


def repeats_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> RepeatedReadings | None:
    """How people agree with themselves on cases that they saw twice, no positive controls; None without repeats."""
    if not opened.study.repeats:
        return None
    first = responses_of(opened).without_controls().of_part(cases, raters)
    again = _responses(opened, opened.panel, opened.second_answers).without_controls().of_part(cases, raters)
    plan = executed_plan(opened.study, balanced=True)
    if not first.raters:
        return None
    return agreement_with_oneself(
        calls=first.calls,
        calls_again=again.calls,
        scores=first.scores,
        scores_again=again.scores,
        rater_ids=first.rater_ids,
        patients=first.patients if plan.unit == "patient" else first.case_codes,
        level=1 - plan.alpha,
    )


def _program_name(study: Study, rater: StudyRater) -> str:
    """Name, version and the beginning of the digest, as they were locked."""
    [locked] = [one["program"] for one in study.protocol["raters"] if one["number"] == rater.number]
    return f"{locked['name']} {locked['version']} ({locked['digest'][:8]})"


def named_part(cases: frozenset[str] | None, raters: frozenset[str] | None) -> list[str]:
    """Of a part of a study what tells it from the others: one without any case or rater is not the whole."""
    parts = (("cases", cases), ("raters", raters))
    return [name for kind, part in parts if part is not None for name in (kind, *sorted(part))]


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


def scores_of(responses: Responses) -> MatrixLike:
    """Cases x raters, higher is more surely synthetic: the calls where nothing finer was asked."""
    return responses.calls if responses.scores is None else responses.scores


def analyse(study: Study, responses: Responses) -> DefaultAnalysis:
    scores = responses.scores if responses.raters else None
    counted = [truth for truth, control in zip(responses.truth, responses.control, strict=True) if not control]
    return default_analysis(
        truth=responses.truth,
        calls=responses.calls,
        ratings=scores,
        choices=scores if study.asked.task.varies_by_score else None,
        rater_ids=responses.rater_ids,
        case_ids=responses.case_codes,
        patients=responses.patients,
        order=responses.order,
        times_ms=responses.times_ms,
        controls=responses.control,
        plan=executed_plan(study, balanced=2 * sum(counted) == len(counted)),
    )
