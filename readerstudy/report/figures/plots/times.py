"""Reading times: quartiles per rater on a logarithmic axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from ctplatform.figures.drawing import ACCENT, ACCENT_SOFT, INK, LINE, MUTED, Drawing, Paint
from readerstudy.report.figures.plots.axes import PlotArea, clipped

WIDTH, ROW, TOP, LEFT, RIGHT = 720.0, 30.0, 16.0, 200.0, 560.0
TICKS_S = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


@dataclass(frozen=True, kw_only=True)
class TimeRow:
    """Seconds: the 5th, 25th, 50th, 75th and 95th percentile of `n` readings."""

    label: str
    n: int
    seconds: tuple[float, float, float, float, float]


def times_plot(rows: Sequence[TimeRow]) -> Drawing:
    low = log10(max(min((row.seconds[0] for row in rows), default=1.0), 0.05))
    high = log10(max(max((row.seconds[4] for row in rows), default=10.0), 0.1))
    pad = 0.08 * max(high - low, 0.5)
    bottom = TOP + ROW * max(len(rows), 1)
    plot = PlotArea(left=LEFT, top=TOP, right=RIGHT, bottom=bottom, x_range=(low - pad, high + pad), y_range=(0, 1))
    drawing = Drawing(
        width=WIDTH,
        height=bottom + 48,
        title="Reading time per case",
        description="; ".join(f"{row.label}: median {row.seconds[2]:.1f} s of {row.n}" for row in rows) or "No times.",
    )
    for tick in TICKS_S:
        if plot.x_range[0] <= log10(tick) <= plot.x_range[1]:
            drawing.line([(plot.x(log10(tick)), TOP), (plot.x(log10(tick)), bottom)], paint=Paint(stroke=LINE))
            drawing.text(plot.x(log10(tick)), bottom + 16, f"{tick:g} s", anchor="middle", colour=MUTED, size=11)
    for index, row in enumerate(rows):
        _draw_row(drawing, plot, row, y=TOP + ROW * (index + 0.5))
    drawing.text((LEFT + RIGHT) / 2, bottom + 38, "Time to answer (box: middle half, line: 5 to 95 %)", anchor="middle")
    return drawing


def _draw_row(drawing: Drawing, plot: PlotArea, row: TimeRow, *, y: float) -> None:
    p5, p25, p50, p75, p95 = (plot.x(log10(max(value, 0.05))) for value in row.seconds)
    drawing.text(8, y + 4, clipped(row.label, letters=24))
    drawing.line([(p5, y), (p95, y)], paint=Paint(stroke=MUTED))
    drawing.box(p25, y - 7, max(p75 - p25, 1), 14, paint=Paint(fill=ACCENT_SOFT, stroke=ACCENT))
    drawing.line([(p50, y - 7), (p50, y + 7)], paint=Paint(stroke=INK, width=2))
    drawing.text(RIGHT + 16, y + 4, f"{row.seconds[2]:.1f} s (n {row.n})", colour=MUTED)
