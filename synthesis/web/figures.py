"""Estimates with their intervals as dots and lines, one row each, beside lines of reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import ACCENT, INK, LINE, MUTED, SYNTHETIC, Drawing, Paint
from synthesis.generator_reports import AUC_TARGET, AreaRow
from synthesis.report_fields import ClassifierRow, Interval

ROW, TOP, BOTTOM, LABELS, PLOT, RIGHT = 24, 26, 34, 380, 400, 150
TICK = 0.1


@dataclass(frozen=True, kw_only=True)
class Reference:
    at: float
    label: str


def interval_dots(
    rows: Sequence[tuple[str, Interval, bool]],
    *,
    title: str,
    axis: str,
    span: tuple[float, float],
    references: Sequence[Reference] = (),
) -> Drawing:
    """Rows of (label, interval, emphasised) on an axis from span[0] to span[1]."""
    height = TOP + ROW * len(rows) + BOTTOM
    said = "; ".join(f"{label}: {_interval_text(interval)}" for label, interval, _ in rows)
    drawing = Drawing(width=LABELS + PLOT + RIGHT, height=height, title=title, description=said)
    low, high = span

    def x(value: float) -> float:
        return LABELS + PLOT * (min(max(value, low), high) - low) / (high - low)

    floor = TOP + ROW * len(rows)
    for step in range(round((high - low) / TICK) + 1):
        value = low + step * TICK
        drawing.line([(x(value), TOP), (x(value), floor)], paint=Paint(stroke=LINE))
        drawing.text(x(value), floor + 15, f"{value:.2f}", size=11, anchor="middle", colour=MUTED)
    drawing.text(LABELS + PLOT / 2, floor + 30, axis, size=12, anchor="middle", colour=MUTED)
    for reference in references:
        place = x(reference.at)
        drawing.line([(place, TOP - 4), (place, floor)], paint=Paint(stroke=INK, dash=(4, 3)))
        drawing.text(place, TOP - 9, reference.label, size=11, anchor="middle", colour=MUTED)
    for number, (label, interval, strong) in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        colour = SYNTHETIC if strong else ACCENT
        drawing.text(LABELS - 12, y + 4, label, anchor="end", bold=strong)
        drawing.line([(x(interval.low), y), (x(interval.high), y)], paint=Paint(stroke=colour, width=2))
        drawing.circle(x(interval.value), y, 4.5, paint=Paint(fill=colour))
        drawing.text(LABELS + PLOT + 12, y + 4, _interval_text(interval), size=11, colour=MUTED)
    return drawing


def _interval_text(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def areas_figure(rows: Sequence[AreaRow]) -> Drawing:
    """Can a machine tell edited from real? 0.5 is chance."""
    return interval_dots(
        [(f"{row.label}, {row.judge}", row.auc, row.label.startswith(("Inserted", "Removed"))) for row in rows],
        title="Two-sample tests",
        axis="area under the ROC curve",
        span=(0.0, 1.0) if any(row.auc.low < 0.3 for row in rows) else (0.3, 1.0),
        references=[Reference(at=0.5, label="chance"), Reference(at=AUC_TARGET, label=f"{AUC_TARGET:.2f}")],
    )


def classifiers_figure(rows: Sequence[ClassifierRow]) -> Drawing:
    """Accuracy of one classifier on every feature table; signatures stand out."""
    lowest = min((row.accuracy.low for row in rows), default=0.5)
    return interval_dots(
        [
            (f"{row.features}{f', {row.view} view' if row.view else ''}", row.accuracy, "signature" in row.features)
            for row in rows
        ],
        title="Lesion or normal liver",
        axis="accuracy on held-out patients",
        span=(min(0.5, math.floor(lowest / TICK) * TICK), 1.0),
    )
