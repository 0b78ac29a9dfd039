"""What the results page of trials that show several images at a time shows: verdict, readers, panel, arms, figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from readerstudy.report.at_the_end import at_the_end_table, at_the_end_words
from readerstudy.report.choices import words
from readerstudy.report.choices.figures import choice_figures
from readerstudy.report.choices.report import ChoiceReport, choice_report
from readerstudy.report.data import PatientCounts, ReportedRater
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.further_words import further_table, further_words
from readerstudy.report.groups_words import difference_words, groups_status, groups_table
from readerstudy.report.phases import told_of_phases
from readerstudy.report.results_page import PageFigure, page_figure
from readerstudy.report.text import simulated_words
from readerstudy.results import computed_once
from readerstudy.unblinding.opened import UnblindedStudy


@dataclass(frozen=True, kw_only=True)
class ChoicePage:
    """`lines` has name, status and words; `status` tells whether what stands under a heading was planned."""

    headline: str
    sentence: str
    pairing: str
    simulated: str
    right_choice: bool
    raters: Table
    raters_status: str
    programs: Table | None
    groups: Table | None
    groups_status: str
    groups_words: Sequence[str]
    further: Table | None
    further_words: Sequence[str]
    at_the_end: Table | None
    at_the_end_words: str
    lines: Sequence[tuple[str, str, str]]
    arms: Table
    arms_words: str
    arms_status: str
    figures: Sequence[PageFigure]
    trials: int
    images: int
    cases: tuple[int, int]
    scans: int
    patients: PatientCounts
    readings: int
    missing: int
    excluded: Sequence[ReportedRater]
    deviations: Sequence[str]


def choice_page(opened: UnblindedStudy) -> ChoicePage:
    return computed_once(opened, "choices", told_of_phases(opened.study), lambda: _compute_page(choice_report(opened)))


def _compute_page(report: ChoiceReport) -> ChoicePage:
    results, raters = report.results, [rater for rater in report.raters if not rater.excluded]
    synthetic = sum(case.synthetic for case in report.judged_cases)
    right = report.task.right_choice
    return ChoicePage(
        headline=words.headline(results),
        sentence=results.sentence if right else f"{results.sentence} {words.NO_RIGHT_CHOICE}",
        pairing=words.pairing_words(report),
        simulated=simulated_words(report),
        right_choice=right,
        raters=words.raters_table(report),
        raters_status=report.status("choice_raters"),
        programs=words.programs_table(report),
        groups=groups_table(report),
        groups_status=groups_status(report),
        groups_words=difference_words(report),
        further=further_table(report.further),
        further_words=further_words(report.further, alpha=report.alpha),
        at_the_end=at_the_end_table(report),
        at_the_end_words=at_the_end_words(report),
        lines=[(name, report.status(section), said) for name, section, said in words.panel_lines(report)],
        arms=words.arms_table(report),
        arms_words=words.arms_words(report),
        arms_status=words.arms_status(report),
        figures=[page_figure(figure, None, _status(report, figure.section)) for figure in choice_figures(report)],
        trials=len(report.trials),
        images=results.choices.images,
        cases=(len(report.judged_cases) - synthetic, synthetic),
        scans=report.n_scans,
        patients=report.patients,
        readings=report.analysed_readings,
        missing=len(report.trials) * len(raters) - report.analysed_readings,
        excluded=[rater for rater in report.raters if rater.excluded],
        deviations=report.deviations,
    )


def _status(report: ChoiceReport, section: str) -> str:
    """Descriptions that no test belongs to have none."""
    return report.status(section) if section else ""
