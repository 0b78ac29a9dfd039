"""Against the earlier phase: the same raters' answers of both, where both asked the same and are unblinded."""

from collections.abc import Hashable, Sequence
from dataclasses import replace

from readerstudy.analysis import AnalysisPlan, PhaseAnswers, PhaseChange, compare_phases
from readerstudy.design.patients import counted_as, patient_key
from readerstudy.models import Study, StudyState
from readerstudy.planning.plans import plan_of
from readerstudy.report.data import Phases
from readerstudy.results import computed_once, responses_of, scores_of
from readerstudy.unblinding.opened import UnblindedStudy

Place = tuple[str, tuple[float, ...], bool]


def phases_of(opened: UnblindedStudy) -> Phases | None:
    """None where the study continues no other one."""
    study = opened.study
    if "continues" not in study.protocol:
        return None
    earlier = Study.objects.get(pk=study.protocol["continues"]["study"])
    alpha = plan_of(study).alpha
    known = Phases(earlier=earlier.asked.title, alpha=alpha)
    if reason := _why_not(study, earlier):
        return replace(known, reason=reason)
    before = UnblindedStudy(earlier)
    change = computed_once(opened, "phases", [str(earlier.pk)], lambda: _compared(before, opened, level=1 - alpha))
    return replace(known, change=change, reason="" if change else "nobody whose answers count read both")


def _why_not(study: Study, earlier: Study) -> str:
    if earlier.state != StudyState.UNBLINDED:
        return "the earlier study is not unblinded"
    tasks = [one.asked.task for one in (earlier, study)]
    if max(task.images for task in tasks) > 1:
        return "raters chose among several images"
    asked = [(one.asked.task_name, one.asked.task.chosen(), one.asked.confidence_levels) for one in (earlier, study)]
    return "" if asked[0] == asked[1] else "the phases asked different things of their raters"


def _compared(before: UnblindedStudy, after: UnblindedStudy, *, level: float) -> PhaseChange | None:
    readers = {rater.user_id for rater in before.panel}
    both = [rater for rater in after.panel if rater.user_id in readers]
    if not both:
        return None
    same_images = set(_places(before).values()) == set(_places(after).values())
    plan = plan_of(after.study)
    first, second = (_answers(opened, [rater.user_id for rater in both], plan) for opened in (before, after))
    return compare_phases(
        first,
        second,
        rater_ids=[str(rater.number) for rater in both],
        scored=after.study.asked.task.scored,
        same_images=same_images,
        units="patients" if plan.unit == "patient" else "cases",
        level=level,
        seed=plan.seed,
    )


def _places(opened: UnblindedStudy) -> dict[str, Place]:
    """What each case shows, by its code; the codes of two studies have nothing in common. Without positive controls."""
    return {
        code: (str(truth.scan_id), tuple(truth.place_lps_mm), truth.synthetic)
        for code, truth in opened.truths.items()
        if not truth.control
    }


def _answers(opened: UnblindedStudy, people: Sequence[int], plan: AnalysisPlan) -> PhaseAnswers:
    """Of these accounts, in their order; cases in the order of what they show, which names them as units."""
    table, places = responses_of(opened).without_controls(), _places(opened)
    scores, codes = scores_of(table), table.case_codes
    rows = sorted(range(len(codes)), key=lambda row: places[codes[row]])
    column = {rater.user_id: place for place, rater in enumerate(table.raters)}
    units: list[Hashable] = [places[codes[row]] for row in rows]
    if plan.unit == "patient":
        hosts = [opened.hosts[codes[row]] for row in rows]
        keys = [patient_key(dataset=host.dataset_id, subject=host.subject) for host in hosts]
        units = [counted_as(key, plan.same_names) for key in keys]
    return PhaseAnswers(
        truth=[table.truth[row] for row in rows],
        answers=[[scores[row][column[person]] for person in people] for row in rows],
        patients=units,
    )
