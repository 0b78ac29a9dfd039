"""What the results page shows, verdict first. Every number comes from readerstudy.analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from ctplatform.documents.document import Picture
from readerstudy.analysis import DefaultAnalysis, PrimaryTest, Reading, Verdict, level_words
from readerstudy.planning.words import ADJUSTMENT_WORDS
from readerstudy.report.arms import arms_status, arms_table, arms_words, families_words
from readerstudy.report.at_the_end import at_the_end_table, at_the_end_words
from readerstudy.report.covariates import Covariate, chosen_cases, chosen_raters, covariates_of
from readerstudy.report.data import ReportData, ReportedCase
from readerstudy.report.figures.catalogue import ENSEMBLE, Figure, figures
from readerstudy.report.figures.figure_tables import Table, figure_table
from readerstudy.report.further_words import further_table, further_words
from readerstudy.report.groups_words import difference_words, groups_table
from readerstudy.report.interactions import interaction_words
from readerstudy.report.loading import report_data
from readerstudy.report.panel_lines import Line, panel_lines, rater_details
from readerstudy.report.phases import told_of_phases
from readerstudy.report.places_words import places_table, places_words
from readerstudy.report.programs import NOTE, programs_table, programs_words
from readerstudy.report.repeats import repeats_table, repeats_words
from readerstudy.report.text import (
    area_interval_words,
    assay_words,
    level_percent,
    p_number,
    p_words,
    percent,
    share_interval_words,
    simulated_words,
    test_words,
    verdict_headline,
)
from readerstudy.results import computed_once
from readerstudy.unblinding.opened import UnblindedStudy

HARDEST = 12


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One rater, or the panel, in the results table."""

    label: str
    name: str
    reading: Reading
    simulated: bool
    summary: bool

    @property
    def called_synthetic(self) -> str:
        return percent(self.reading.share_called_synthetic)

    @property
    def p(self) -> str:
        return p_number(self.reading.p)

    @property
    def p_adjusted(self) -> str:
        return p_number(self.reading.p_adjusted)


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    name: str
    title: str
    description: str
    svg: SafeString
    table: Table | None
    section: str
    status: str

    @property
    def short_title(self) -> str:
        """For a list of contents: without what a colon explains."""
        return self.title.partition(":")[0]


@dataclass(frozen=True, kw_only=True)
class PanelLine:
    line: Line
    status: str


@dataclass(frozen=True, kw_only=True)
class CaseLine:
    """A case with how many raters were right; `flagged` when that is less than guessing would explain."""

    code: str
    kind: str
    correct: int
    n: int
    diameter_mm: float
    flagged: bool


@dataclass(frozen=True, kw_only=True)
class ResultsPage:
    data: ReportData
    primary: PrimaryTest
    primary_p: str
    equivalence_p: str
    equivalence_level: str
    status: Mapping[str, str]
    rows: Sequence[ResultRow]
    figures: Sequence[PageFigure]
    lines: Sequence[PanelLine]
    rater_details: Table
    arms: Table | None
    places: Table | None
    places_words: Sequence[str]
    further: Table | None
    further_words: Sequence[str]
    at_the_end: Table | None
    at_the_end_words: str
    arms_words: Sequence[str]
    programs: Table | None
    programs_words: Sequence[str]
    groups: Table | None
    groups_words: Sequence[str]
    repeats: Table | None
    repeats_words: str
    arms_status: str
    arms_families: str
    hardest: Sequence[CaseLine]
    covariates: Sequence[Covariate]
    part: str
    level: str
    assay: Sequence[str]
    interactions: Sequence[str]
    share_intervals: str
    area_intervals: str
    tests: str
    adjustment: str

    @property
    def headline(self) -> str:
        return verdict_headline(self.primary.verdict)

    @property
    def simulated(self) -> str:
        """Empty where people have read."""
        return simulated_words(self.data)

    @property
    def exploratory_part(self) -> bool:
        return bool(self.part)

    @property
    def leaves_figures_out(self) -> bool:
        """Whether somebody may look for a figure that would show nothing."""
        return self.primary.verdict == Verdict.NOT_ASSESSABLE

    @property
    def contents(self) -> list[tuple[str, str]]:
        """Anchor and short title of every section of the page, from top to bottom."""
        sections = [
            ("verdict", "Verdict", True),
            ("phases", "Against the earlier phase", self.data.phases),
            ("interactions", "This part and the rest", self.interactions),
            ("assay", "Could they have told?", True),
            ("raters", "Raters and panel", True),
            ("programs", "Programs", self.programs),
            ("groups", "Groups of raters", self.groups),
            ("repeats", "Cases shown twice", self.repeats),
            ("places", "Marked places", self.places),
            ("arms", "By arm", self.arms),
            ("further", "Further questions", self.further),
            ("at-the-end", "Asked at the end", self.at_the_end),
            ("panel", "The panel in other ways", True),
            ("parts", "Parts of the study", self.data.comparisons),
            *((figure.name, figure.short_title, True) for figure in self.figures),
            ("hardest", "Hardest cases", self.hardest),
            ("basis", "What this rests on", True),
        ]
        return [(anchor, title) for anchor, title, shown in sections if shown]


def results_page(opened: UnblindedStudy, asked: Mapping[str, str] | None = None) -> ResultsPage:
    """`asked` chooses a part by covariates of cases and raters; its page is exploratory from top to bottom."""
    chosen = {name: value for name, value in (asked or {}).items() if value}
    which = [*part_names(chosen), *told_of_phases(opened.study)]
    return computed_once(opened, "page", which, lambda: _compute_page(opened, chosen))


def part_names(chosen: Mapping[str, str]) -> list[str]:
    """What names a part among the things that are computed once."""
    return [f"{name}={value}" for name, value in sorted(chosen.items())]


def _compute_page(opened: UnblindedStudy, asked: dict[str, str]) -> ResultsPage:
    whole = report_data(opened)
    cases = chosen_cases(whole.cases, asked)
    raters = chosen_raters(whole.raters, asked)
    part = part_words(cases, raters)
    data = report_data(opened, cases=cases, raters=raters) if part else whole
    status = _status(data.analysis, exploratory=bool(part))
    primary = data.analysis.primary
    return ResultsPage(
        data=_without_ratings(data),
        primary=primary,
        primary_p=p_words(primary.p),
        equivalence_p=p_words(primary.equivalence.p),
        equivalence_level=level_words(primary.equivalence.level),
        status=status,
        rows=_rows(opened, data),
        figures=_figures(data, status),
        lines=[PanelLine(line=line, status=status[line.section]) for line in panel_lines(data)],
        rater_details=rater_details(data),
        arms=arms_table(data),
        arms_words=arms_words(data),
        programs=programs_table(data),
        programs_words=[NOTE, *programs_words(data)],
        groups=groups_table(data),
        groups_words=difference_words(data),
        repeats=repeats_table(data),
        repeats_words=repeats_words(data),
        arms_status=arms_status(data),
        arms_families=families_words(data),
        places=places_table(data),
        places_words=places_words(data),
        further=further_table(data.further),
        further_words=further_words(data.further, alpha=data.options.alpha),
        at_the_end=at_the_end_table(data),
        at_the_end_words=at_the_end_words(data),
        hardest=_hardest(data),
        covariates=covariates_of(whole.cases, whole.raters, asked),
        part=part,
        level=level_percent(data.options),
        assay=assay_words(data.analysis.assay, data.rater_labels, level=level_percent(data.options)),
        interactions=interaction_words(opened, cases=cases, raters=raters),
        share_intervals=share_interval_words(data.analysis.design),
        area_intervals=area_interval_words(data.analysis.design),
        tests=test_words(data.analysis.ensemble.test),
        adjustment=ADJUSTMENT_WORDS[data.options.adjustment],
    )


def part_words(cases: frozenset[str] | None, raters: frozenset[str] | None) -> str:
    """What a look at a part is limited to; empty for the whole study."""
    limits = [(cases, "of the cases"), (raters, "of the raters")]
    return " and ".join(f"{len(chosen)} {words}" for chosen, words in limits if chosen is not None)


def _without_ratings(data: ReportData) -> ReportData:
    """Without the rows, which the page does not print: the cached page stays small."""
    return ReportData(**{**vars(data), "ratings": []})


def _status(analysis: DefaultAnalysis, *, exploratory: bool) -> dict[str, str]:
    return {name: "exploratory" if exploratory else status for name, status in (analysis.status or {}).items()}


def _rows(opened: UnblindedStudy, data: ReportData) -> list[ResultRow]:
    names = {str(rater.number): str(rater.user) for rater in opened.raters}
    simulated = {rater.key for rater in data.raters if rater.simulated}
    rows = [
        ResultRow(
            label=data.rater_labels[reading.rater],
            name=names[reading.rater],
            reading=reading,
            simulated=reading.rater in simulated,
            summary=False,
        )
        for reading in data.analysis.raters
    ]
    panel = data.analysis.ensemble
    rows.append(ResultRow(label=ENSEMBLE, name="", reading=panel, simulated=bool(data.simulated_raters), summary=True))
    return rows


def _figures(data: ReportData, status: Mapping[str, str]) -> list[PageFigure]:
    return [
        page_figure(
            figure,
            figure_table(figure.name, data),
            # Descriptions of times and drift are no part of any plan.
            status.get(figure.section, "exploratory") if figure.section else "",
        )
        for figure in figures(data)
    ]


def page_figure(figure: Figure, table: Table | None, status: str) -> PageFigure:
    return PageFigure(
        name=figure.name,
        title=figure.drawing.title,
        description=figure.drawing.description,
        svg=Picture(drawing=figure.drawing, name=figure.name).svg,
        table=table,
        section=figure.section,
        status=status,
    )


def _hardest(data: ReportData) -> list[CaseLine]:
    case_by_code: dict[str, ReportedCase] = {case.code: case for case in data.cases}
    rated = [row for row in data.analysis.difficulty.cases if row.n]
    ordered = sorted(rated, key=lambda row: (not row.flagged, row.shrunk, row.case))
    return [
        CaseLine(
            code=row.case,
            kind="synthetic" if row.truth else "real",
            correct=row.correct,
            n=row.n,
            diameter_mm=case_by_code[row.case].diameter_mm,
            flagged=row.flagged,
        )
        for row in ordered[:HARDEST]
    ]
