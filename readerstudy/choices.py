"""From ledger and truth to choices among several images: what the analysis of such trials is handed, and what it says.

Like `results`, it asks for an `UnblindedStudy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ctplatform.errors import ConflictError
from readerstudy.analysis import (
    NO_CONTROL_TRIALS,
    AnalysisPlan,
    ChoiceReading,
    ControlTrials,
    ForcedChoice,
    JointTest,
    Preference,
    adjust_p_values,
    analyse_choices,
    judge_choices,
    judge_control_trials,
    judge_preference,
    most_frequent_share,
    prefer,
    read_choices,
    sureness_test,
)
from readerstudy.analysis.default.json_form import as_json
from readerstudy.design.arms import REAL
from readerstudy.design.cases import arm_of
from readerstudy.models import Presentation, StudyRater
from readerstudy.planning.plans import executed_plan
from readerstudy.unblinding.opened import UnblindedStudy

Matrix = list[list[float | None]]
# Of fewer choices all may stand on one side by chance.
FEWEST_CHOICES = 10


@dataclass(frozen=True, kw_only=True)
class ProgramChoices:
    """One run of a program: who it is, and how often it chose the right image."""

    program: str
    reading: ChoiceReading


@dataclass(frozen=True, kw_only=True)
class ChoiceResults:
    """What a study of several images at a time found. `verdict` is empty where there is no right choice.

    `sides` has for each reader the share of choices on the side that was chosen most. `sureness` holds each reader's
    exact signed rank test of pairs with confidence, `sureness_adjusted` its p-values by Holm; empty where there are
    none. `programs` read beside the readers and count in nothing. `controls` are trials that are in no other number;
    None where there is no right choice.
    """

    raters: tuple[str, ...]
    verdict: str
    sentence: str
    choices: ForcedChoice
    preference: Preference
    sides: tuple[float | None, ...]
    sureness: tuple[JointTest, ...] = ()
    sureness_adjusted: tuple[float | None, ...] = ()
    programs: tuple[ProgramChoices, ...] = ()
    controls: ControlTrials | None = None

    def as_json(self) -> Any:
        return as_json(self)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Trials (rows) by their case codes, the one to find first; `chosen` (trials, raters) numbers them from 0.

    `sides` has the sides that each rater chose, `confidence` how sure each was, beside `chosen`; `patients` numbers the
    patient of the image to find, of each trial; `arms` names the arm of each image.
    """

    trials: list[tuple[str, ...]]
    raters: list[StudyRater]
    chosen: Matrix
    sides: list[list[int]]
    confidence: Matrix
    patients: list[int]
    arms: list[tuple[str, ...]]

    @cached_property
    def counts(self) -> list[list[int]]:
        """How many raters chose each image of each trial."""
        return [
            [sum(answer == image for answer in row) for image in range(len(trial))]
            for row, trial in zip(self.chosen, self.trials, strict=True)
        ]


def choices_of(
    opened: UnblindedStudy, raters: Sequence[StudyRater] | None = None, *, controls: bool = False
) -> Choices:
    """Of the people who take part, or of `raters`, as they chose last; all of them saw the same trials.

    `controls`: of trials of positive controls instead, which are counted apart.
    """
    refuse_single_images(opened)
    raters = opened.panel if raters is None else raters
    trials = [trial for trial in _trials(opened) if any(opened.truths[code].control for code in trial) == controls]
    row = {code: number for number, trial in enumerate(trials) for code in trial}
    column = {rater.pk: number for number, rater in enumerate(raters)}
    chosen: Matrix = [[None] * len(column) for _ in trials]
    confidence: Matrix = [[None] * len(column) for _ in trials]
    sides: list[list[int]] = [[] for _ in column]
    for event in opened.current_events:
        rater, code = event.presentation.session.rater_id, event.presentation.stimulus.case.code
        if rater in column and code in row:
            chosen[row[code]][column[rater]] = trials[row[code]].index(code)
            confidence[row[code]][column[rater]] = event.confidence
            sides[column[rater]].append(event.presentation.side)
    return Choices(
        trials=trials,
        raters=list(raters),
        chosen=chosen,
        sides=sides,
        confidence=confidence,
        patients=[opened.patients[trial[0]] for trial in trials],
        arms=[tuple(arm_of(opened.truths[code]).name for code in trial) for trial in trials],
    )


def refuse_single_images(opened: UnblindedStudy) -> None:
    if opened.study.asked.task.images == 1:
        raise ConflictError("This study showed its images one by one, so there are no choices among several.")


def shown_together(opened: UnblindedStudy) -> dict[tuple[int, int], list[str]]:
    """The codes of the cases that a sitting showed at a position, from left to right."""
    slots = Presentation.objects.filter(session__rater__study=opened.study).order_by("session", "position", "side")
    together: dict[tuple[int, int], list[str]] = {}
    for session, position, code in slots.values_list("session", "position", "stimulus__case__code"):
        together.setdefault((session, position), []).append(code)
    return together


def counted_apart(opened: UnblindedStudy) -> frozenset[str]:
    """The codes of the positive controls and of what stood beside one in its trial: they are in no other number."""
    controls = {code for code, truth in opened.truths.items() if truth.control}
    if not controls or opened.study.asked.task.images == 1:
        return frozenset(controls)
    return frozenset(code for trial in _trials(opened) if controls.intersection(trial) for code in trial)


def _trials(opened: UnblindedStudy) -> list[tuple[str, ...]]:
    finds_synthetic = bool(opened.study.asked.task.put_together()["finds_synthetic"])

    def found_first(code: str) -> tuple[bool, str]:
        return opened.truths[code].synthetic != finds_synthetic, code

    return sorted({tuple(sorted(codes, key=found_first)) for codes in shown_together(opened).values()})


def choice_results(opened: UnblindedStudy) -> ChoiceResults:
    """Under the frozen plan: its level, its margin, its unit, its limit of equal answers."""
    choices, task = choices_of(opened), opened.study.asked.task
    plan = executed_plan(opened.study, balanced=True)
    found = analyse_choices(
        chosen=choices.chosen,
        images=task.images,
        patients=choices.patients if plan.unit == "patient" else None,
        matched=bool(task.put_together()["matched"]),
        margin=plan.margin,
        alpha=plan.alpha,
    )
    preference = prefer(
        arms=choices.arms,
        counts=choices.counts,
        reference=REAL.name,
        patients=choices.patients if found.by_patient else None,
        draws=plan.permutations,
        seed=plan.seed,
    )
    sides = tuple(most_frequent_share(own) for own in choices.sides)
    constant = any(
        share is not None and share > plan.same_answer_limit and len(own) >= FEWEST_CHOICES
        for share, own in zip(sides, choices.sides, strict=True)
    )
    controls = _controls(opened, choices, plan, images=task.images) if task.right_choice else None
    unproven = controls.reason if controls else NO_CONTROL_TRIALS
    judged = judge_choices(found, alpha=plan.alpha, unproven=unproven, constant=constant)
    sureness = _sureness(choices) if task.right_choice and task.images == 2 and task.confidence_levels else ()
    return ChoiceResults(
        raters=tuple(str(rater.number) for rater in choices.raters),
        verdict=str(judged.verdict) if task.right_choice else "",
        sentence=judged.sentence if task.right_choice else judge_preference(preference.p_exact, alpha=plan.alpha),
        choices=found,
        preference=preference,
        sides=sides,
        sureness=sureness,
        sureness_adjusted=tuple(adjust_p_values([one.p for one in sureness], method="holm")),
        programs=_programs(opened, images=task.images, level=1 - plan.alpha) if task.right_choice else (),
        controls=controls,
    )


def _controls(opened: UnblindedStudy, choices: Choices, plan: AnalysisPlan, *, images: int) -> ControlTrials:
    shown = choices_of(opened, controls=True)
    return judge_control_trials(
        chosen=shown.chosen,
        images=images,
        rule=plan.control_rule,
        share=plan.control_share,
        alpha=plan.alpha,
        raters=[str(rater.number) for rater in choices.raters],
        judged=[any(row[reader] is not None for row in choices.chosen) for reader in range(len(choices.raters))],
        units=_units(opened, shown) if plan.unit == "patient" else None,
    )


def _units(opened: UnblindedStudy, shown: Choices) -> list[tuple[str, int]]:
    """Within one patient any image has the same chance; otherwise it goes by the patient of the one to find."""
    return [
        ("trial", number) if len({opened.patients[code] for code in trial}) == 1 else ("patient", patient)
        for number, (trial, patient) in enumerate(zip(shown.trials, shown.patients, strict=True))
    ]


def _sureness(choices: Choices) -> tuple[JointTest, ...]:
    """Of every reader the pairs that were answered, by how sure the reader was of them."""
    tests = []
    for reader in range(len(choices.raters)):
        own = [
            (image == 0, int(sure))
            for image, sure in zip(
                (row[reader] for row in choices.chosen), (row[reader] for row in choices.confidence), strict=True
            )
            if image is not None and sure is not None
        ]
        tests.append(sureness_test(right=[hit for hit, _ in own], confidence=[sure for _, sure in own]))
    return tuple(tests)


def _programs(opened: UnblindedStudy, *, images: int, level: float) -> tuple[ProgramChoices, ...]:
    choices = choices_of(opened, opened.programs)
    readings = []
    for column, rater in enumerate(choices.raters):
        own = [row[column] for row in choices.chosen if row[column] is not None]
        reading = read_choices(right=sum(image == 0 for image in own), n=len(own), images=images, level=level)
        readings.append(ProgramChoices(program=str(rater.user.as_program), reading=reading))
    return tuple(readings)
