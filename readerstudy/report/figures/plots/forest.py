"""Forest plot: one row per rater, then ensemble and pooled readings, against chance and the margin around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ctplatform.figures.drawing import ACCENT, ACCENT_SOFT, INK, LINE, MUTED, Drawing, Paint
from readerstudy.report.figures.plots.axes import CHANCE, PlotArea, clipped
from readerstudy.report.text import percent

WIDTH, ROW, TOP, FOOT = 780.0, 28.0, 30.0, 56.0
LEFT, RIGHT, N_X = 220.0, 580.0, 204.0

# A rater; the planned summary of the panel; readings counted as if independent, shown only because papers print it.
Kind = Literal["rater", "summary", "naive"]


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    label: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    kind: Kind = "rater"


def forest_plot(
    rows: Sequence[ForestRow],
    *,
    measure: str,
    chance: float | None,
    level: str,
    margin: float | None = None,
    band: tuple[float, float] | None = None,
) -> Drawing:
    """The margin is as wide on both sides of chance, or its limits are the `band`."""
    label = _axis_label(measure, chance, margin, band)
    if band is None and chance is not None and margin is not None:
        band = chance - margin, chance + margin
    axis_y = TOP + ROW * len(rows) + 4
    plot = PlotArea(left=LEFT, top=TOP - 8, right=RIGHT, bottom=axis_y, x_range=(0, 1), y_range=(0, 1))
    drawing = Drawing(
        width=WIDTH,
        height=axis_y + FOOT,
        title=f"{measure} with {level} % intervals",
        description=_description(rows),
    )
    _draw_ground(drawing, plot, chance=chance, band=band)
    drawing.text(RIGHT + 24, TOP - 14, f"{measure} [{level} %]", size=11, colour=MUTED)
    drawing.text(N_X, TOP - 14, "n", size=11, colour=MUTED, anchor="end")
    for index, row in enumerate(rows):
        _draw_row(drawing, plot, row, y=TOP + ROW * (index + 0.5))
    drawing.text((LEFT + RIGHT) / 2, axis_y + 38, label, anchor="middle")
    return drawing


def _draw_ground(drawing: Drawing, plot: PlotArea, *, chance: float | None, band: tuple[float, float] | None) -> None:
    height = plot.bottom - plot.top
    if band is not None:
        left, right = plot.x(max(band[0], 0)), plot.x(min(band[1], 1))
        drawing.box(left, plot.top, right - left, height, paint=Paint(fill=ACCENT_SOFT))
        for x in (left, right):
            drawing.line([(x, plot.top), (x, plot.bottom)], paint=Paint(stroke=ACCENT, dash=(2, 3)))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawing.line([(plot.x(share), plot.bottom), (plot.x(share), plot.bottom + 5)], paint=Paint(stroke=MUTED))
        drawing.text(plot.x(share), plot.bottom + 19, f"{share:g}", anchor="middle", colour=MUTED, size=11)
    drawing.line([(plot.left, plot.bottom), (plot.right, plot.bottom)], paint=Paint(stroke=LINE))
    if chance is not None:
        drawing.line([(plot.x(chance), plot.top), (plot.x(chance), plot.bottom)], paint=CHANCE)


def _draw_row(drawing: Drawing, plot: PlotArea, row: ForestRow, *, y: float) -> None:
    colour = {"rater": INK, "summary": ACCENT, "naive": MUTED}[row.kind]
    drawing.text(8, y + 4, clipped(row.label, letters=26), colour=colour, bold=row.kind == "summary")
    drawing.text(N_X, y + 4, str(row.n), anchor="end", colour=MUTED)
    if row.value is None:
        drawing.text(RIGHT + 24, y + 4, "not estimable", colour=MUTED)
        return
    x = plot.x(row.value)
    low, high = (x if limit is None else plot.x(limit) for limit in (row.low, row.high))
    if row.kind == "summary":
        drawing.area([(low, y), (x, y - 7), (high, y), (x, y + 7)], paint=Paint(fill=colour, stroke=colour))
    else:
        dash = (3.0, 3.0) if row.kind == "naive" else None
        drawing.line([(low, y), (high, y)], paint=Paint(stroke=colour, width=1.6, dash=dash))
        drawing.box(x - 4, y - 4, 8, 8, paint=Paint(fill=colour))
    drawing.text(RIGHT + 24, y + 4, _numbers(row), colour=colour)


def _numbers(row: ForestRow) -> str:
    if row.value is None:
        return "not estimable"
    if row.low is None or row.high is None:
        return f"{row.value:.3f} (no interval)"
    return f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"


def _axis_label(measure: str, chance: float | None, margin: float | None, band: tuple[float, float] | None) -> str:
    if chance is None:
        return f"{measure}; unequal classes have no common chance line"
    label = f"{measure}; dashed line: chance"
    if band is not None:
        return f"{label}; band: within the margin, {band[0]:.3f} to {band[1]:.3f}"
    return label if margin is None else f"{label}; band: chance ± {percent(margin)}"


def _description(rows: Sequence[ForestRow]) -> str:
    return "; ".join(f"{row.label}, n = {row.n}: {_numbers(row)}" for row in rows) or "No rows."
