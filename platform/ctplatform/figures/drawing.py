"""A figure as a list of simple shapes: the same drawing becomes the SVG of a page and the SVG and PNG of a report."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

INK, MUTED, LINE, PAPER, CARD = "#17212b", "#4c5b69", "#d8dfe6", "#f5f7f9", "#ffffff"
ACCENT, ACCENT_SOFT, WARN, BAD = "#0b5c8a", "#e3f0f7", "#7a4f00", "#9c1c1c"
REAL, SYNTHETIC = "#1f6f8b", "#b3541e"
# Okabe and Ito's colours without yellow, darkened to stand on white; told apart also by the colour blind.
SERIES = ("#0b5c8a", "#b3541e", "#1d6b3a", "#8a3a73", "#7a4f00", "#3c4fa0", "#5c6670", "#a11d4a")

# What XML cannot hold, escaped or not; a name may.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]


def series_colour(index: int) -> str:
    return SERIES[index % len(SERIES)]


@dataclass(frozen=True, kw_only=True)
class Paint:
    stroke: str | None = None
    width: float = 1.0
    fill: str | None = None
    dash: tuple[float, float] | None = None
    opacity: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Path:
    """A line through points, closed to an area or left open."""

    points: tuple[Point, ...]
    closed: bool
    paint: Paint


@dataclass(frozen=True, kw_only=True)
class Circle:
    centre: Point
    radius: float
    paint: Paint


@dataclass(frozen=True, kw_only=True)
class Text:
    at: Point
    text: str
    size: float
    anchor: Anchor
    colour: str
    bold: bool
    vertical: bool


Shape = Path | Circle | Text


@dataclass(kw_only=True)
class Drawing:
    """Shapes on a sheet of width x height units; y points down. Title and description speak to those who can't look."""

    width: float
    height: float
    title: str
    description: str
    shapes: list[Shape] = field(default_factory=list)

    def line(self, points: Sequence[Point], *, paint: Paint) -> None:
        self._path(points, closed=False, paint=paint)

    def area(self, points: Sequence[Point], *, paint: Paint) -> None:
        self._path(points, closed=True, paint=paint)

    def _path(self, points: Sequence[Point], *, closed: bool, paint: Paint) -> None:
        """The curve of a rater who gave no answer has no points, and is no shape."""
        if points:
            self.shapes.append(Path(points=tuple(points), closed=closed, paint=paint))

    def box(self, x: float, y: float, width: float, height: float, *, paint: Paint) -> None:
        self.area([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], paint=paint)

    def circle(self, x: float, y: float, radius: float, *, paint: Paint) -> None:
        self.shapes.append(Circle(centre=(x, y), radius=radius, paint=paint))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        anchor: Anchor = "start",
        colour: str = INK,
        bold: bool = False,
        vertical: bool = False,
    ) -> None:
        """`y` is the baseline; vertical text reads upwards."""
        self.shapes.append(
            Text(at=(x, y), text=text, size=size, anchor=anchor, colour=colour, bold=bold, vertical=vertical)
        )

    def svg(self, *, name: str) -> str:
        """`name` makes the ids unique within a page."""
        title, description = f"{name}-title", f"{name}-description"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" role="img" '
            f'viewBox="0 0 {_number(self.width)} {_number(self.height)}" width="{_number(self.width)}" '
            f'height="{_number(self.height)}" font-family="system-ui, DejaVu Sans, sans-serif" '
            f'aria-labelledby="{escape(title)} {escape(description)}">'
            f'<title id="{escape(title)}">{_escaped(self.title)}</title>'
            f'<desc id="{escape(description)}">{_escaped(self.description)}</desc>'
        )
        return head + "".join(_element(shape) for shape in self.shapes) + "</svg>"


def standalone(svg: str) -> bytes:
    """A file of its own."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n'.encode()


def _element(shape: Shape) -> str:
    if isinstance(shape, Text):
        return _text(shape)
    paint = _paint(shape.paint)
    if isinstance(shape, Circle):
        x, y = shape.centre
        return f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(shape.radius)}"{paint}/>'
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
    return f'<{"polygon" if shape.closed else "polyline"} points="{points}"{paint}/>'


def _text(shape: Text) -> str:
    x, y = (_number(value) for value in shape.at)
    turned = f' transform="rotate(-90 {x} {y})"' if shape.vertical else ""
    bold = ' font-weight="600"' if shape.bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{_number(shape.size)}" text-anchor="{shape.anchor}" '
        f'fill="{shape.colour}"{bold}{turned}>{_escaped(shape.text)}</text>'
    )


def _escaped(words: str) -> str:
    return escape(NOT_IN_XML.sub("", words))


def _paint(paint: Paint) -> str:
    parts = [f' fill="{paint.fill or "none"}"']
    if paint.stroke:
        parts.append(f' stroke="{paint.stroke}" stroke-width="{_number(paint.width)}"')
    if paint.dash:
        parts.append(f' stroke-dasharray="{_number(paint.dash[0])} {_number(paint.dash[1])}"')
    if paint.opacity < 1:
        parts.append(f' opacity="{_number(paint.opacity)}"')
    return "".join(parts)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
