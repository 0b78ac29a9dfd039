"""Scales and axes that all plots share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import CARD, INK, LINE, MUTED, Drawing, Paint

Scale = Callable[[float], float]
GRID = Paint(stroke=LINE)
AXIS = Paint(stroke=MUTED)
CHANCE = Paint(stroke=INK, width=1.2, dash=(5, 4))


@dataclass(frozen=True, kw_only=True)
class PlotArea:
    """A plotting area inside a drawing, with its x and y scales."""

    left: float
    top: float
    right: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)


def draw_axes(
    drawing: Drawing,
    plot: PlotArea,
    *,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_label: str,
    y_label: str,
) -> None:
    drawing.box(
        plot.left,
        plot.top,
        plot.right - plot.left,
        plot.bottom - plot.top,
        paint=Paint(fill=CARD, stroke=LINE),
    )
    for value, label in x_ticks:
        drawing.line([(plot.x(value), plot.top), (plot.x(value), plot.bottom)], paint=GRID)
        drawing.text(plot.x(value), plot.bottom + 16, label, anchor="middle", colour=MUTED)
    for value, label in y_ticks:
        drawing.line([(plot.left, plot.y(value)), (plot.right, plot.y(value))], paint=GRID)
        drawing.text(plot.left - 8, plot.y(value) + 4, label, anchor="end", colour=MUTED)
    middle = (plot.left + plot.right) / 2
    drawing.text(middle, plot.bottom + 36, x_label, anchor="middle")
    drawing.text(plot.left - 46, (plot.top + plot.bottom) / 2, y_label, anchor="middle", vertical=True)


def percent_ticks(step: int = 25) -> list[tuple[float, str]]:
    return [(share / 100, f"{share} %") for share in range(0, 101, step)]


def clipped(text: str, *, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
