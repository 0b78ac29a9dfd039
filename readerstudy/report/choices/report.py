"""The plain data of a report on trials that show several images at a time; refuses before the unblinding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from readerstudy.analysis import Software, this_software
from readerstudy.choices import ChoiceResults, Choices, choice_results, choices_of, counted_apart
from readerstudy.design.cases import arm_of
from readerstudy.planning.plans import exclusions_in_words, plan_of
from readerstudy.report.data import Phases, ReportedStudy, Row
from readerstudy.report.further import answers_about_cases
from readerstudy.report.loading import (
    general_deviations,
    groups_not_compared,
    phases_not_compared,
    reported_facts,
)
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify


@dataclass(frozen=True, kw_only=True)
class ChoiceReport(ReportedStudy):
    """`trials` has the case codes of each trial, the one to find first; `control_trials` those of positive controls."""

    lacks: ClassVar[frozenset[str]] = frozenset({"sensitivity.csv"})

    results: ChoiceResults
    trials: Sequence[Sequence[str]]
    control_trials: Sequence[Sequence[str]] = ()
    # Answers to further questions that can be counted, each of one image.
    grades: Sequence[Row] = ()

    @property
    def verdict_sentence(self) -> str:
        return self.results.sentence

    @property
    def software(self) -> Software:
        return this_software()

    @property
    def seed(self) -> int:
        return int(self.plan["seed"])

    @property
    def planned_readings(self) -> int:
        return len(self.trials) + len(self.control_trials)

    @property
    def analysed_readings(self) -> int:
        return sum(reader.n for reader in self.results.choices.readers)

    @property
    def alpha(self) -> float:
        return float(self.plan["alpha"])

    def status(self, section: str) -> str:
        """Whether the plan names it."""
        return "planned" if section in {"primary", *self.plan["secondary"]} else "exploratory"


def choice_report(opened: UnblindedStudy) -> ChoiceReport:
    choices, facts = choices_of(opened), reported_facts(opened)
    return ChoiceReport(
        **facts,
        deviations=_deviations(opened, choices, facts["phases"]),
        results=choice_results(opened),
        trials=choices.trials,
        control_trials=choices_of(opened, controls=True).trials,
        grades=_grades(opened),
    )


def _grades(opened: UnblindedStudy) -> list[Row]:
    numbers = {rater.pk: rater.number for rater in opened.panel}
    counted = [item.name for item in opened.study.asked.questions if item.counted]
    apart = counted_apart(opened)
    return [
        {
            "rater": numbers[rater],
            "case": code,
            "control": int(code in apart),
            "arm": arm_of(opened.truths[code]).name,
            "name": name,
            "answer": answers[name],
        }
        for rater, code, answers in answers_about_cases(opened)
        if rater in numbers
        for name in counted
    ]


def verified_choice_report(opened: UnblindedStudy) -> ChoiceReport:
    """After a verification that reads every pixel; for what goes to readers."""
    outcome = verify(opened.study)
    return replace(choice_report(opened), verified=outcome.sentence(), intact=outcome.intact)


def _deviations(opened: UnblindedStudy, choices: Choices, phases: Phases | None) -> list[str]:
    found = exclusions_in_words(plan_of(opened.study), opened.excluded)
    shown = sum(len(trial) for trial in choices.trials)
    if shown != opened.study.cases_planned:
        found.append(f"{opened.study.cases_planned} images were planned, {shown} shown.")
    return found + groups_not_compared(opened) + phases_not_compared(phases) + general_deviations(opened)
