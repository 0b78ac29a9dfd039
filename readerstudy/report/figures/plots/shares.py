"""Shares with intervals over ordered groups: calibration over confidence levels, drift over blocks of trials."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import ACCENT, INK, MUTED, Drawing, Paint, series_colour
from readerstudy.report.figures.plots.axes import CHANCE, PlotArea, clipped, draw_axes, percent_ticks
from readerstudy.report.text import percent

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 330.0, 70.0, 440.0, 16.0, 270.0


@dataclass(frozen=True, kw_only=True)
class Group:
    """One place on the x axis: how many, what share, and its interval."""

    label: str
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class GroupSeries:
    label: str
    groups: Sequence[Group]


def shares_plot(
    total: Sequence[Group],
    series: Sequence[GroupSeries],
    *,
    title: str,
    x_label: str,
    y_label: str,
    reference: float | None,
) -> Drawing:
    """`total` is drawn with intervals; `series` (the raters) as thin lines behind it, over the same groups;
    `reference` is the share that is expected by chance, None where no one share is.
    """
    count = max(len(total), 1)
    plot = PlotArea(left=LEFT, top=TOP, right=RIGHT, bottom=BOTTOM, x_range=(-0.5, count - 0.5), y_range=(0, 1))
    drawing = Drawing(
        width=WIDTH,
        height=max(HEIGHT, TOP + 18 * (len(series) + 3)),
        title=title,
        description="; ".join(_description(group) for group in total) or "No answers.",
    )
    draw_axes(
        drawing,
        plot,
        x_ticks=[(index, group.label) for index, group in enumerate(total)],
        y_ticks=percent_ticks(),
        x_label=x_label,
        y_label=y_label,
    )
    if reference is not None:
        drawing.line([(plot.left, plot.y(reference)), (plot.right, plot.y(reference))], paint=CHANCE)
    for index, one in enumerate(series):
        _draw_thin_line(drawing, plot, one, index=index)
    _draw_total(drawing, plot, total)
    return drawing


def _draw_thin_line(drawing: Drawing, plot: PlotArea, series: GroupSeries, *, index: int) -> None:
    colour = series_colour(index)
    points = [
        (plot.x(place), plot.y(group.value)) for place, group in enumerate(series.groups) if group.value is not None
    ]
    drawing.line(points, paint=Paint(stroke=colour, opacity=0.75))
    for x, y in points:
        drawing.circle(x, y, 2, paint=Paint(fill=colour))
    y = TOP + 36 + 18 * index
    drawing.line([(RIGHT + 16, y - 4), (RIGHT + 36, y - 4)], paint=Paint(stroke=colour))
    drawing.text(RIGHT + 44, y, clipped(series.label, letters=22), size=11)


def _draw_total(drawing: Drawing, plot: PlotArea, total: Sequence[Group]) -> None:
    known = [(plot.x(place), group) for place, group in enumerate(total) if group.value is not None]
    drawing.line(
        [(x, plot.y(group.value)) for x, group in known if group.value is not None],
        paint=Paint(stroke=ACCENT, width=2.6),
    )
    for x, group in known:
        if group.low is not None and group.high is not None:
            ends = [(x, plot.y(group.low)), (x, plot.y(group.high))]
            drawing.line(ends, paint=Paint(stroke=ACCENT, width=1.6))
        drawing.circle(x, plot.y(group.value or 0), 4.5, paint=Paint(fill=ACCENT))
    for place, group in enumerate(total):
        drawing.text(plot.x(place), plot.bottom - 6, f"n {group.n}", anchor="middle", size=10, colour=MUTED)
    drawing.line([(RIGHT + 16, TOP + 14), (RIGHT + 36, TOP + 14)], paint=Paint(stroke=ACCENT, width=2.6))
    drawing.text(RIGHT + 44, TOP + 18, "All raters", size=11, bold=True, colour=INK)


def _description(group: Group) -> str:
    return f"{group.label}: {percent(group.value)} of {group.n}"
