"""What the results page shows, verdict first. Every number comes from readerstudy.analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from readerstudy.analysis import DefaultAnalysis, PrimaryTest, Reading
from readerstudy.report.covariates import Covariate, chosen_cases, chosen_raters, covariates_of
from readerstudy.report.data import ReportData, ReportedCase
from readerstudy.report.figures.catalogue import ENSEMBLE, figures
from readerstudy.report.figures.figure_tables import Table, figure_table
from readerstudy.report.html_report import inline
from readerstudy.report.loading import report_data
from readerstudy.report.panel_lines import Line, panel_lines, rater_details
from readerstudy.report.text import level_percent, p_number, p_words
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
    def p(self) -> str:
        return p_number(self.reading.p)

    @property
    def p_adjusted(self) -> str:
        return p_number(self.reading.p_adjusted)


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    name: str
    title: str
    svg: str
    table: Table | None
    section: str
    status: str


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
    status: Mapping[str, str]
    rows: Sequence[ResultRow]
    figures: Sequence[PageFigure]
    lines: Sequence[PanelLine]
    rater_details: Table
    hardest: Sequence[CaseLine]
    covariates: Sequence[Covariate]
    part: str
    level: int

    @property
    def exploratory_part(self) -> bool:
        return bool(self.part)


def results_page(opened: UnblindedStudy, asked: Mapping[str, str] | None = None) -> ResultsPage:
    """`asked` chooses a part by covariates of cases and raters; its page is exploratory from top to bottom."""
    chosen = sorted((name, value) for name, value in (asked or {}).items() if value)
    which = [f"{name}={value}" for name, value in chosen]
    return computed_once(opened, "page", which, lambda: _compute_page(opened, dict(chosen)))


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
        status=status,
        rows=_rows(opened, data),
        figures=_figures(data, status),
        lines=[PanelLine(line=line, status=status[line.section]) for line in panel_lines(data)],
        rater_details=rater_details(data),
        hardest=_hardest(data),
        covariates=covariates_of(whole.cases, whole.raters, asked),
        part=part,
        level=level_percent(data.options),
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
        PageFigure(
            name=figure.name,
            title=figure.drawing.title,
            svg=inline(figure),
            table=figure_table(figure.name, data),
            section=figure.section,
            # Descriptions of times and drift are no part of any plan.
            status=status.get(figure.section, "exploratory") if figure.section else "",
        )
        for figure in figures(data)
    ]


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
