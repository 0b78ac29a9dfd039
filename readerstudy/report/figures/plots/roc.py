"""ROC curves of every rater and their average, and curves like them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import INK, Drawing, Paint, series_colour
from readerstudy.report.figures.plots.axes import CHANCE, PlotArea, clipped, draw_axes, percent_ticks

SIDE, LEFT, TOP, LEGEND = 360.0, 70.0, 16.0, 290.0


@dataclass(frozen=True, kw_only=True)
class RocLine:
    """Points of one curve; `summary` marks the average of the raters."""

    label: str
    false_positive_rate: Sequence[float]
    sensitivity: Sequence[float]
    auc: float | None
    summary: bool = False


@dataclass(frozen=True, kw_only=True)
class CurveWords:
    """What a figure of this kind shows; `chance` is whether its diagonal is that of a rater without skill."""

    title: str
    x_label: str
    y_label: str
    area: str
    chance: bool


ROC_WORDS = CurveWords(
    title="ROC curves: finding the synthetic cases",
    x_label="Real cases called synthetic",
    y_label="Synthetic cases called synthetic",
    area="AUC",
    chance=True,
)


def roc_plot(lines: Sequence[RocLine], words: CurveWords = ROC_WORDS) -> Drawing:
    plot = PlotArea(left=LEFT, top=TOP, right=LEFT + SIDE, bottom=TOP + SIDE, x_range=(0, 1), y_range=(0, 1))
    drawing = Drawing(
        width=LEFT + SIDE + LEGEND,
        height=TOP + max(SIDE + 52, 22.0 * (len(lines) + 2)),
        title=words.title,
        description="; ".join(_description(line) for line in lines) or "No curve could be drawn.",
    )
    draw_axes(
        drawing,
        plot,
        x_ticks=percent_ticks(),
        y_ticks=percent_ticks(),
        x_label=words.x_label,
        y_label=words.y_label,
    )
    if words.chance:
        drawing.line([(plot.x(0), plot.y(0)), (plot.x(1), plot.y(1))], paint=CHANCE)
    for index, line in enumerate(lines):
        colour = INK if line.summary else series_colour(index)
        paint = Paint(stroke=colour, width=3.0 if line.summary else 1.4)
        points = list(zip(line.false_positive_rate, line.sensitivity, strict=True))
        drawing.line([(plot.x(x), plot.y(y)) for x, y in points], paint=paint)
        y = TOP + 18 + 22 * index
        drawing.line([(plot.right + 20, y - 4), (plot.right + 44, y - 4)], paint=paint)
        drawing.text(plot.right + 52, y, _legend(line, words.area), bold=line.summary)
    if words.chance:
        y = TOP + 18 + 22 * len(lines)
        drawing.line([(plot.right + 20, y - 4), (plot.right + 44, y - 4)], paint=CHANCE)
        drawing.text(plot.right + 52, y, "Chance")
    return drawing


def _legend(line: RocLine, area: str) -> str:
    label = clipped(line.label, letters=22)
    return label if line.auc is None else f"{label}, {area} {line.auc:.3f}"


def _description(line: RocLine) -> str:
    return f"{line.label}: area {'not estimable' if line.auc is None else f'{line.auc:.3f}'}"
