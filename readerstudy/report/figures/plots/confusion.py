"""Confusion matrices side by side: truth in rows, answers in columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import ACCENT, CARD, INK, LINE, MUTED, Drawing, Paint
from readerstudy.report.figures.plots.axes import clipped

PER_ROW, CELL, GAP_X, GAP_Y = 4, 62.0, 60.0, 62.0
LEFT, TOP = 66.0, 44.0


@dataclass(frozen=True, kw_only=True)
class ConfusionCounts:
    label: str
    tp: int
    fn: int
    fp: int
    tn: int


def confusion_plot(matrices: Sequence[ConfusionCounts]) -> Drawing:
    columns = min(PER_ROW, max(len(matrices), 1))
    rows = -(-len(matrices) // PER_ROW)
    drawing = Drawing(
        width=LEFT + columns * (2 * CELL + GAP_X),
        height=TOP + max(rows, 1) * (2 * CELL + GAP_Y),
        title="Confusion matrices: truth in rows, answers in columns",
        description="; ".join(_description(matrix) for matrix in matrices) or "No answers.",
    )
    for index, matrix in enumerate(matrices):
        x = LEFT + (index % PER_ROW) * (2 * CELL + GAP_X)
        y = TOP + (index // PER_ROW) * (2 * CELL + GAP_Y)
        _draw_matrix(drawing, matrix, x=x, y=y)
    return drawing


def _draw_matrix(drawing: Drawing, matrix: ConfusionCounts, *, x: float, y: float) -> None:
    drawing.text(x + CELL, y - 22, clipped(matrix.label, letters=20), anchor="middle", bold=True)
    drawing.text(x + CELL / 2, y - 6, "“synthetic”", anchor="middle", size=10, colour=MUTED)
    drawing.text(x + 1.5 * CELL, y - 6, "“real”", anchor="middle", size=10, colour=MUTED)
    cells = ((matrix.tp, matrix.fn), (matrix.fp, matrix.tn))
    for row, (name, counts) in enumerate(zip(("synthetic", "real"), cells, strict=True)):
        drawing.text(x - 6, y + (row + 0.5) * CELL + 4, name, anchor="end", size=10, colour=MUTED)
        for column, count in enumerate(counts):
            share = count / sum(counts) if sum(counts) else 0.0
            _draw_cell(drawing, count, share, x=x + column * CELL, y=y + row * CELL)


def _draw_cell(drawing: Drawing, count: int, share: float, *, x: float, y: float) -> None:
    drawing.box(x, y, CELL, CELL, paint=Paint(fill=CARD, stroke=LINE))
    drawing.box(x, y, CELL, CELL, paint=Paint(fill=ACCENT, opacity=0.45 * share))
    drawing.text(x + CELL / 2, y + CELL / 2 + 1, str(count), anchor="middle", size=15, bold=True)
    drawing.text(x + CELL / 2, y + CELL / 2 + 18, f"{100 * share:.0f} %", anchor="middle", size=11, colour=INK)


def _description(matrix: ConfusionCounts) -> str:
    return (
        f"{matrix.label}: of {matrix.tp + matrix.fn} synthetic cases {matrix.tp} called synthetic, "
        f"of {matrix.fp + matrix.tn} real cases {matrix.tn} called real"
    )
