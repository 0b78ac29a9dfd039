"""Which figures a finished study has. Page and report show these same drawings.

A figure in which nothing could be estimated, because nobody answered or all answers are of one kind, is none: empty
axes look like a result.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ctplatform.figures.drawing import Drawing
from readerstudy.analysis import Estimate, PooledReadings, Reading, RocCurve, average_roc_curve
from readerstudy.report.data import ReportData
from readerstudy.report.figures import mark_maps, measures
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.figures.plots.agreement import agreement_plot
from readerstudy.report.figures.plots.confusion import ConfusionCounts, confusion_plot
from readerstudy.report.figures.plots.difficulty import CasePoint, difficulty_plot
from readerstudy.report.figures.plots.flow import flow_diagram
from readerstudy.report.figures.plots.forest import ForestRow, Kind, forest_plot
from readerstudy.report.figures.plots.roc import CurveWords, RocLine, roc_plot
from readerstudy.report.figures.plots.shares import Group, shares_plot
from readerstudy.report.figures.plots.times import times_plot
from readerstudy.report.text import level_percent

ENSEMBLE = "Ensemble (majority)"
AVERAGE = "Average of raters"
AFROC_WORDS = CurveWords(
    title="Weighted AFROC curves: finding the edited places",
    x_label="Real cases with a mark",
    y_label="Edited places found, cases alike",
    area="area",
    chance=False,
)
# More of them do not stand beside each other.
MOST_SCORES = 12


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`section` is the part of the analysis that it draws, "" for descriptions that no test belongs to."""

    name: str
    section: str
    drawing: Drawing


def figures(data: ReportData) -> list[Figure]:
    """Every figure that the data allow: without confidence, say, there is no ROC curve and no calibration."""
    drawn = [(name, section, draw(data)) for name, section, draw in _FIGURES]
    return [
        Figure(name=name, section=section, drawing=drawing) for name, section, drawing in drawn if drawing is not None
    ]


def accuracy_forest(data: ReportData) -> Drawing | None:
    analysis, options = data.analysis, data.options
    rows = [_accuracy_row(data.rater_labels[row.rater], row) for row in analysis.raters]
    rows.append(_accuracy_row(ENSEMBLE, analysis.ensemble, kind="summary"))
    rows.append(_accuracy_row("Pooled (as if independent)", analysis.pooled, kind="naive"))
    if all(row.value is None for row in rows):
        return None
    balanced = analysis.design.balanced
    return forest_plot(
        rows,
        measure="Accuracy",
        # Without equal classes accuracy has no fixed chance level that one line could show.
        chance=0.5 if balanced else None,
        margin=analysis.ensemble.equivalence.margin if balanced else None,
        level=level_percent(options),
    )


def auc_forest(data: ReportData) -> Drawing | None:
    """AUC of every rater and of their average, the primary measure."""
    if data.analysis.roc is None:
        return None
    rows = [_forest_row(data.rater_labels[row.rater], row.n, row.auc) for row in data.analysis.raters if row.auc]
    panel = data.analysis.mrmc.auc
    rows.append(_forest_row(AVERAGE, data.analysis.design.n_ratings, panel, kind="summary"))
    if all(row.value is None for row in rows):
        return None
    return forest_plot(rows, measure="AUC", chance=0.5, margin=data.options.margin, level=level_percent(data.options))


def _accuracy_row(label: str, row: Reading | PooledReadings, *, kind: Kind = "rater") -> ForestRow:
    return _forest_row(label, row.n, row.accuracy, kind=kind)


def _forest_row(label: str, n: int, share: Estimate, *, kind: Kind = "rater") -> ForestRow:
    return ForestRow(label=label, n=n, value=share.value, low=share.low, high=share.high, kind=kind)


def confusion(data: ReportData) -> Drawing | None:
    if not data.analysis.design.n_ratings:
        return None
    rows: list[tuple[str, Reading]] = [(data.rater_labels[row.rater], row) for row in data.analysis.raters]
    return confusion_plot(
        [
            ConfusionCounts(label=label, tp=row.tp, fn=row.fn, fp=row.fp, tn=row.tn)
            for label, row in [*rows, (ENSEMBLE, data.analysis.ensemble)]
        ]
    )


def roc(data: ReportData) -> Drawing | None:
    curves = data.analysis.roc
    if curves is None:
        return None
    aucs = {row.rater: row.auc.value for row in data.analysis.raters if row.auc}
    drawable = {rater: curve for rater, curve in curves.raters.items() if curve is not None}
    if not drawable:
        return None
    lines = [_roc_line(data.rater_labels[rater], curve, auc=aucs[rater]) for rater, curve in drawable.items()]
    average = average_roc_curve(list(drawable.values()))
    if average is not None:
        lines.append(_roc_line(AVERAGE, average, auc=data.analysis.mrmc.auc.value, summary=True))
    return roc_plot(lines)


def _roc_line(label: str, curve: RocCurve, *, auc: float | None, summary: bool = False) -> RocLine:
    return RocLine(
        label=label,
        false_positive_rate=curve.false_positive_rate,
        sensitivity=curve.sensitivity,
        auc=auc,
        summary=summary,
    )


def free_response(data: ReportData) -> Drawing | None:
    """Weighted AFROC curves, of studies in which any number of places was marked."""
    planned = data.free_response.planned
    lines = [
        RocLine(
            label=data.rater_labels[one.reader],
            false_positive_rate=one.false_positive_rate,
            sensitivity=one.localized,
            auc=one.area,
        )
        for one in (planned.readers if planned else ())
        if one.localized
    ]
    return roc_plot(lines, AFROC_WORDS) if lines else None


def marks_at_edits(data: ReportData) -> Drawing | None:
    return mark_maps.marks_at_edits(data.mark_map)


def marks_in_pictures(data: ReportData) -> Drawing | None:
    return mark_maps.marks_in_pictures(data.mark_map)


def calibration(data: ReportData) -> Drawing | None:
    """Per rating, from surely real to surely synthetic: how often the case was synthetic. Not of very fine scales."""
    rows = data.analysis.calibration
    if not rows or len(rows) > MOST_SCORES or all(row.share_synthetic.value is None for row in rows):
        return None
    return shares_plot(
        [
            Group(
                label=data.task.score_label(row.rating),
                n=row.n,
                value=row.share_synthetic.value,
                low=row.share_synthetic.low,
                high=row.share_synthetic.high,
            )
            for row in rows
        ],
        [],
        title="Calibration: how often the case was synthetic, per rating",
        x_label=data.task.score_axis,
        y_label="Cases that were synthetic",
        reference=_share_synthetic(data),
    )


def _share_synthetic(data: ReportData) -> float | None:
    """What every rating would show if it said nothing about the truth."""
    design = data.analysis.design
    return design.n_synthetic / design.n_cases if design.n_cases else None


def agreement(data: ReportData) -> Drawing | None:
    raters = [rater for rater in data.raters if not rater.excluded]
    pairs = measures.pair_agreement(data.counted, raters, data.task)
    if all(pair.share is None for pair in pairs):
        return None
    return agreement_plot([rater.label for rater in raters], pairs)


def drift(data: ReportData) -> Drawing | None:
    raters, rows = [rater for rater in data.raters if not rater.excluded], data.counted
    blocks = measures.blocks_of_trials(rows)
    if not blocks:
        return None
    return shares_plot(
        measures.accuracy_by_block(rows, blocks),
        measures.accuracy_by_block_and_rater(rows, raters, blocks),
        title="Accuracy over the order of reading",
        x_label="Position in the rater's order",
        y_label="Right answers",
        reference=0.5 if data.analysis.design.balanced else None,
    )


def times(data: ReportData) -> Drawing | None:
    rows = measures.reading_times(data.counted, [rater for rater in data.raters if not rater.excluded])
    return times_plot(rows) if rows else None


def difficulty(data: ReportData) -> Drawing | None:
    rated = [row for row in data.analysis.difficulty.cases if row.n]
    points = [CasePoint(case=row.case, synthetic=bool(row.truth), correct=row.correct, n=row.n) for row in rated]
    return difficulty_plot(points) if points else None


def flow(data: ReportData) -> Drawing:
    return flow_diagram(flow_steps(data))


_FIGURES: list[tuple[str, str, Callable[[ReportData], Drawing | None]]] = [
    ("forest-auc", "mrmc", auc_forest),
    ("forest-accuracy", "raters", accuracy_forest),
    ("confusion", "raters", confusion),
    ("roc", "roc", roc),
    ("free-response", "", free_response),
    ("marks-at-edits", "", marks_at_edits),
    ("marks-in-pictures", "", marks_in_pictures),
    ("agreement", "agreement", agreement),
    ("calibration", "calibration", calibration),
    ("drift", "drift", drift),
    ("times", "times", times),
    ("difficulty", "difficulty", difficulty),
    ("flow", "", flow),
]
