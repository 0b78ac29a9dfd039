"""Groups of raters after the unblinding, as they were frozen at the lock."""

from collections.abc import Sequence

from readerstudy.analysis import (
    Estimate,
    GroupReading,
    GroupsComparison,
    analyse_choices,
    compare_groups_of_choices,
    compare_reader_groups,
    without_interval,
)
from readerstudy.choices import Choices, choices_of
from readerstudy.planning.plans import plan_of
from readerstudy.results import analysis_of, computed_once, named_part, responses_of, scores_of
from readerstudy.unblinding.opened import UnblindedStudy

AREA, MEAN_OF_BOTH, RIGHT_CHOICES = "AUC", "mean of sensitivity and specificity", "share of right choices"


def groups_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> GroupsComparison:
    """Of the whole study, or of the cases with these codes and the raters with these numbers; without controls."""
    return computed_once(opened, "groups", named_part(cases, raters), lambda: _computed(opened, cases, raters))


def _computed(opened: UnblindedStudy, cases: frozenset[str] | None, raters: frozenset[str] | None) -> GroupsComparison:
    frozen = {str(rater["number"]): rater.get("group", "") for rater in opened.study.protocol["raters"]}
    if opened.study.asked.task.images > 1:
        return _of_choices(opened, frozen)
    responses = responses_of(opened).without_controls().of_part(cases, raters)
    groups = {number: frozen[number] for number in responses.rater_ids}
    names = sorted(set(groups.values()) - {""})
    if not names:
        return GroupsComparison()
    plan = plan_of(opened.study)
    areas = plan.primary == "reader_averaged_auc" and responses.scores is not None
    return GroupsComparison(
        readings=tuple(
            _reading(opened, name, frozenset(n for n, group in groups.items() if group == name), cases, areas=areas)
            for name in names
        ),
        contrast=compare_reader_groups(
            truth=responses.truth,
            scores=scores_of(responses) if areas else responses.calls,
            groups=[groups[number] for number in responses.rater_ids],
            measure=AREA if areas else MEAN_OF_BOTH,
            patients=responses.patients if plan.unit == "patient" else None,
            level=1 - plan.alpha,
        ),
        ungrouped=tuple(number for number, group in groups.items() if not group),
    )


def _of_choices(opened: UnblindedStudy, frozen: dict[str, str]) -> GroupsComparison:
    """By shares of right choices; where no choice is right groups are compared by nothing."""
    study = opened.study
    choices, task, plan = choices_of(opened), study.asked.task, plan_of(study)
    groups = [frozen[str(rater.number)] for rater in choices.raters]
    names = sorted(set(groups) - {""})
    if not names or not task.right_choice:
        return GroupsComparison()
    patients = choices.patients if plan.unit == "patient" else None
    right = [[None if image is None else float(image == 0) for image in row] for row in choices.chosen]
    return GroupsComparison(
        readings=tuple(_reading_of_choices(choices, groups, name, opened) for name in names),
        contrast=compare_groups_of_choices(
            right=right, groups=groups, measure=RIGHT_CHOICES, patients=patients, level=1 - plan.alpha
        ),
        ungrouped=tuple(str(rater.number) for rater, group in zip(choices.raters, groups, strict=True) if not group),
    )


def _reading_of_choices(choices: Choices, groups: Sequence[str], name: str, opened: UnblindedStudy) -> GroupReading:
    own = [column for column, group in enumerate(groups) if group == name]
    task, plan = opened.study.asked.task, plan_of(opened.study)
    found = analyse_choices(
        chosen=[[row[column] for column in own] for row in choices.chosen],
        images=task.images,
        patients=choices.patients if plan.unit == "patient" else None,
        matched=bool(task.put_together()["matched"]),
        margin=plan.margin,
        alpha=plan.alpha,
    )
    return GroupReading(
        group=name,
        raters=tuple(str(choices.raters[column].number) for column in own),
        measure=RIGHT_CHOICES,
        estimate=without_interval(found.panel.share, sum(reader.n > 0 for reader in found.readers)),
    )


def _reading(
    opened: UnblindedStudy, name: str, numbers: frozenset[str], cases: frozenset[str] | None, *, areas: bool
) -> GroupReading:
    """By the panel's own analysis, of this group alone."""
    analysis = analysis_of(opened, cases=cases, raters=numbers)
    found: Estimate = analysis.mrmc.auc if areas else analysis.primary.estimate
    # Who never answered, or too little for an area, says nothing of how far raters of this group differ.
    judged = [one for one in analysis.raters if (one.auc is not None and one.auc.value is not None if areas else one.n)]
    return GroupReading(
        group=name,
        raters=tuple(sorted(numbers, key=int)),
        measure=AREA if areas else analysis.primary.measure,
        estimate=without_interval(found, len(judged)),
    )
