"""What the raters of two phases answered, as the comparison and its R script want it: one row per image or trial."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from readerstudy.analysis import AnalysisPlan, PhaseAnswers
from readerstudy.choices import Choices, choices_of
from readerstudy.design.patients import counted_as, patient_key
from readerstudy.report.data import Row
from readerstudy.results import Matrix, responses_of, scores_of
from readerstudy.unblinding.opened import UnblindedStudy

Place = tuple[str, tuple[float, ...], bool]
# Of a trial what each of its images shows, the one to find first.
Shown = tuple[Place, ...]
ANSWERS_MEANINGS = {
    "phase": "1: the earlier study, 2: this one",
    "rater": "Number of the rater in this study",
    "image": "Number of what was shown, an image or a trial of several: the same in both phases where it is the same",
    "unit": "Number of the patient (or case, by the plan), the same in both phases",
    "truth": "1: the image is synthetic, 0: real; of trials always 1",
    "answer": "Score or call of the image, higher for synthetic; of a trial 1: the right image, 0: another one",
}


@dataclass(frozen=True, kw_only=True)
class AnswersOfPhase:
    """`shown` and `units` name the rows of `answers` (rows, raters), alike in both phases."""

    shown: Sequence[Shown]
    truth: Sequence[int]
    answers: Matrix
    units: Sequence[Hashable]

    def for_analysis(self) -> PhaseAnswers:
        return PhaseAnswers(truth=self.truth, answers=self.answers, patients=self.units)


def answers_of(opened: UnblindedStudy, people: Sequence[int], plan: AnalysisPlan, *, of_scores: bool) -> AnswersOfPhase:
    """Of these accounts, in their order; rows in the order of what they show, without positive controls."""
    if opened.study.asked.task.images > 1:
        return _of_choices(opened, people, plan)
    table, places = responses_of(opened).without_controls(), _places(opened)
    given = scores_of(table) if of_scores else table.calls
    codes = table.case_codes
    rows = sorted(range(len(codes)), key=lambda row: places[codes[row]])
    column = {rater.user_id: place for place, rater in enumerate(table.raters)}
    return AnswersOfPhase(
        shown=[(places[codes[row]],) for row in rows],
        truth=[table.truth[row] for row in rows],
        answers=[[given[row][column[person]] for person in people] for row in rows],
        units=[_unit(opened, codes[row], places[codes[row]], plan) for row in rows],
    )


def _of_choices(opened: UnblindedStudy, people: Sequence[int], plan: AnalysisPlan) -> AnswersOfPhase:
    """Whether the right image was chosen. The patient of a trial is that of the image to find."""
    choices, places = choices_of(opened), _places(opened)
    shown = [_shown(trial, places) for trial in choices.trials]
    rows = sorted(range(len(shown)), key=lambda row: shown[row])
    column = {rater.user_id: place for place, rater in enumerate(choices.raters)}
    return AnswersOfPhase(
        shown=[shown[row] for row in rows],
        truth=[1] * len(rows),
        answers=[[_right(choices, row, column[person]) for person in people] for row in rows],
        units=[_unit(opened, choices.trials[row][0], shown[row], plan) for row in rows],
    )


def _shown(trial: Sequence[str], places: dict[str, Place]) -> Shown:
    """The image to find, then the others: where they stood says nothing."""
    return (places[trial[0]], *sorted(places[code] for code in trial[1:]))


def _right(choices: Choices, row: int, column: int) -> float | None:
    chosen = choices.chosen[row][column]
    return None if chosen is None else float(chosen == 0)


def _unit(opened: UnblindedStudy, code: str, shown: Hashable, plan: AnalysisPlan) -> Hashable:
    if plan.unit != "patient":
        return shown
    host = opened.hosts[code]
    return counted_as(patient_key(dataset=host.dataset_id, subject=host.subject), plan.same_names)


def _places(opened: UnblindedStudy) -> dict[str, Place]:
    """What each case shows, by its code; the codes of two studies have nothing in common. Without positive controls."""
    return {
        code: (str(truth.scan_id), tuple(truth.place_lps_mm), truth.synthetic)
        for code, truth in opened.truths.items()
        if not truth.control
    }


def answer_rows(first: AnswersOfPhase, second: AnswersOfPhase, raters: Sequence[str]) -> list[Row]:
    """For the R script. What was shown, and the units, go by number: names of scans and patients stay in the study."""
    phases = (first, second)
    image = {
        shown: number for number, shown in enumerate(dict.fromkeys(one for p in phases for one in p.shown), start=1)
    }
    unit = {name: number for number, name in enumerate(dict.fromkeys(one for p in phases for one in p.units), start=1)}
    return [
        {
            "phase": number,
            "rater": rater,
            "image": image[phase.shown[row]],
            "unit": unit[phase.units[row]],
            "truth": phase.truth[row],
            "answer": phase.answers[row][column],
        }
        for number, phase in enumerate(phases, start=1)
        for row in range(len(phase.shown))
        for column, rater in enumerate(raters)
        if phase.answers[row][column] is not None
    ]
