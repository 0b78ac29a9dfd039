"""Against the earlier phase: the same raters' answers of both, where both asked the same and are unblinded."""

from collections.abc import Sequence
from dataclasses import replace

from readerstudy.analysis import AnalysisPlan, PhaseChange, PlannedChange, compare_phases, panel_doubts
from readerstudy.design.planned_phase import asked_alike
from readerstudy.models import Study, StudyState
from readerstudy.planning.plans import plan_of
from readerstudy.report.data import Phases, Row
from readerstudy.report.phase_answers import answer_rows, answers_of
from readerstudy.results import analysis_of, computed_once
from readerstudy.unblinding.opened import UnblindedStudy

Compared = tuple[PhaseChange, list[Row]]


def phases_of(opened: UnblindedStudy) -> Phases | None:
    """None where the study continues no other one."""
    study = opened.study
    if "continues" not in study.protocol:
        return None
    earlier, plan = earlier_of(study), plan_of(study)
    known = Phases(
        earlier=earlier.asked.title,
        alpha=plan.alpha,
        planned=plan.phase_measure != "none",
        several_images=study.asked.task.images > 1,
    )
    if earlier.state != StudyState.UNBLINDED:
        return replace(known, reason="the earlier study is not unblinded", waits=True)
    if reason := asked_alike(earlier, study):
        return replace(known, reason=reason)
    before = UnblindedStudy(earlier)
    compared = computed_once(opened, "phases", [str(earlier.pk)], lambda: _compared(before, opened, plan))
    if compared is None:
        return replace(known, reason="nobody whose answers count read both")
    change, answers = compared
    return replace(known, change=change, answers=answers)


def earlier_of(study: Study) -> Study:
    """The study that this one continues, as its protocol says."""
    return Study.objects.get(pk=study.protocol["continues"]["study"])


def told_of_phases(study: Study) -> list[str]:
    """Names what is computed once of a later study: it says more when the earlier one is unblinded too."""
    if "continues" not in study.protocol or earlier_of(study).state != StudyState.UNBLINDED:
        return []
    return ["with the earlier phase"]


def _compared(before: UnblindedStudy, after: UnblindedStudy, plan: AnalysisPlan) -> Compared | None:
    readers = {rater.user_id for rater in before.panel}
    both = [rater for rater in after.panel if rater.user_id in readers]
    if not both:
        return None
    task = after.study.asked.task
    scored = task.scored and task.images == 1 and plan.phase_measure != "right"
    people: Sequence[int] = [rater.user_id for rater in both]
    first, second = (answers_of(opened, people, plan, of_scores=scored) for opened in (before, after))
    numbers = [str(rater.number) for rater in both]
    change = compare_phases(
        first.for_analysis(),
        second.for_analysis(),
        rater_ids=numbers,
        scored=scored,
        same_images=list(first.shown) == list(second.shown),
        units="patients" if plan.unit == "patient" else "cases",
        planned=_planned(before, after, plan),
        level=1 - plan.alpha,
        seed=plan.seed,
    )
    return change, answer_rows(first, second, numbers)


def _planned(before: UnblindedStudy, after: UnblindedStudy, plan: AnalysisPlan) -> PlannedChange | None:
    if plan.phase_measure == "none":
        return None
    return PlannedChange(side=plan.phase_side, margin=plan.phase_margin, unproven=_unproven(before, after, plan))


def _unproven(before: UnblindedStudy, after: UnblindedStudy, plan: AnalysisPlan) -> str | None:
    """Raters who could have found nothing in one of the phases changed by nothing."""
    if plan.phase_margin is None:
        return None
    doubts = (panel_doubts(analysis_of(opened).assay).against_equivalence for opened in (before, after))
    return next((doubt for doubt in doubts if doubt), None)
