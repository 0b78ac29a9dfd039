"""Case difficulty: the share of raters who were right, from the hardest case to the easiest."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import MUTED, REAL, SYNTHETIC, Drawing, Paint
from readerstudy.report.figures.plots.axes import PlotArea, draw_axes, percent_ticks

WIDTH, LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 760.0, 70.0, 740.0, 34.0, 244.0, 300.0


@dataclass(frozen=True, kw_only=True)
class CasePoint:
    case: str
    synthetic: bool
    correct: int
    n: int

    @property
    def share(self) -> float:
        return self.correct / self.n


def difficulty_plot(cases: Sequence[CasePoint]) -> Drawing:
    """Of cases that somebody rated."""
    ordered = sorted(cases, key=lambda case: (case.share, case.synthetic, case.case))
    plot = PlotArea(left=LEFT, top=TOP, right=RIGHT, bottom=BOTTOM, x_range=(-0.5, len(ordered) - 0.5), y_range=(0, 1))
    drawing = Drawing(
        width=WIDTH,
        height=HEIGHT,
        title="Case difficulty: share of raters who were right",
        description=_description(ordered),
    )
    draw_axes(
        drawing, plot, x_ticks=[], y_ticks=percent_ticks(), x_label="Cases, hardest first", y_label="Raters right"
    )
    width = (RIGHT - LEFT) / len(ordered)
    for index, case in enumerate(ordered):
        colour = SYNTHETIC if case.synthetic else REAL
        x, y = plot.x(index), plot.y(case.share)
        drawing.line([(x, plot.bottom), (x, y)], paint=Paint(stroke=colour, width=max(min(width * 0.5, 3), 0.5)))
        _draw_mark(drawing, x, y, synthetic=case.synthetic, size=max(min(width * 0.4, 4), 1.5))
    _legend(drawing)
    return drawing


def _draw_mark(drawing: Drawing, x: float, y: float, *, synthetic: bool, size: float) -> None:
    """Square for synthetic, disc for real, so that colour is not the only difference."""
    if synthetic:
        drawing.box(x - size, y - size, 2 * size, 2 * size, paint=Paint(fill=SYNTHETIC))
    else:
        drawing.circle(x, y, size, paint=Paint(fill=REAL))


def _legend(drawing: Drawing) -> None:
    _draw_mark(drawing, LEFT + 8, 16, synthetic=False, size=4)
    drawing.text(LEFT + 18, 20, "real case", size=11, colour=MUTED)
    _draw_mark(drawing, LEFT + 98, 16, synthetic=True, size=4)
    drawing.text(LEFT + 108, 20, "synthetic case", size=11, colour=MUTED)


def _description(ordered: Sequence[CasePoint]) -> str:
    hard = [f"{case.case} ({case.correct} of {case.n} right)" for case in ordered[:5]]
    return f"{len(ordered)} cases. Hardest: {', '.join(hard)}."
