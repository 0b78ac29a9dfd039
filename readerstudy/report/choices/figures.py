"""The figures of trials that show several images at a time."""

from ctplatform.figures.drawing import Drawing
from readerstudy.analysis import Estimate
from readerstudy.report.choices.report import ChoiceReport
from readerstudy.report.figures import measures
from readerstudy.report.figures.catalogue import AVERAGE, Figure
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.figures.plots.flow import flow_diagram
from readerstudy.report.figures.plots.forest import ForestRow, Kind, forest_plot
from readerstudy.report.figures.plots.times import times_plot
from readerstudy.report.text import level_percent_of


def choice_figures(report: ChoiceReport) -> list[Figure]:
    drawn = [
        ("forest-right", "choice_raters", _forest(report)),
        ("times", "times", _times(report)),
        ("flow", "", flow_diagram(flow_steps(report))),
    ]
    return [Figure(name=name, section=section, drawing=drawing) for name, section, drawing in drawn if drawing]


def _forest(report: ChoiceReport) -> Drawing | None:
    """Right choices of every rater and of their average, against guessing; nothing where there is no right choice."""
    found = report.results.choices
    if not report.task.right_choice or found.panel.share.value is None:
        return None
    rows = [
        _row(report.rater_labels[number], reading.n, reading.share)
        for number, reading in zip(report.results.raters, found.readers, strict=True)
    ]
    return forest_plot(
        [*rows, _row(AVERAGE, report.analysed_readings, found.panel.share, kind="summary")],
        measure="Right choices",
        chance=1 / found.images,
        band=found.shares_within,
        level=level_percent_of(report.alpha),
    )


def _row(label: str, n: int, share: Estimate, *, kind: Kind = "rater") -> ForestRow:
    return ForestRow(label=label, n=n, value=share.value, low=share.low, high=share.high, kind=kind)


def _times(report: ChoiceReport) -> Drawing | None:
    rows = measures.reading_times(report.counted, [rater for rater in report.raters if not rater.excluded])
    return times_plot(rows) if rows else None
