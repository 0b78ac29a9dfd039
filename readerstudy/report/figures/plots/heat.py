"""Heat maps side by side, one per arm: where marks lie around a middle, seen as axial slices are shown."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from ctplatform.figures.drawing import ACCENT, CARD, INK, LINE, MUTED, Drawing, Paint
from readerstudy.report.figures.plots.axes import PlotArea, clipped

PER_ROW, SIDE, GAP_X, GAP_Y, LEFT, TOP = 3, 200.0, 54.0, 112.0, 36.0, 58.0
LEGEND_HEIGHT, LINE_HEIGHT = 36.0, 16.0
LEAST_COLUMNS = 2.6
# With fewer marks a square holds one or two of them, and every mark is drawn instead.
FEW = 30
SQUARES_ACROSS = 15
NICE_MM = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 20, 25, 30, 40, 50, 100)
STEPS = 6

Place = tuple[float, float]
Square = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class HeatPanel:
    """Places in millimetres to the left and to the back of the patient; `notes` stand below the map."""

    label: str
    places: Sequence[Place]
    notes: Sequence[str]
    circle_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Squares:
    """So many squares of one size, in both directions, that the middle one has the middle of the map in it."""

    side_mm: float
    across: int

    @classmethod
    def over(cls, half_mm: float) -> "Squares":
        wanted = 2 * half_mm / SQUARES_ACROSS
        side = next((size for size in NICE_MM if size >= wanted), wanted)
        return cls(side_mm=side, across=2 * ceil(half_mm / side - 0.5) + 1)

    @property
    def half_mm(self) -> float:
        return self.side_mm * self.across / 2

    def of(self, place: Place) -> Square | None:
        """Column and row; None for what lies outside of the map."""
        column, row = (int((value + self.half_mm) // self.side_mm) for value in place)
        inside = 0 <= column < self.across and 0 <= row < self.across
        return (column, row) if inside else None


def heat_plot(
    panels: Sequence[HeatPanel],
    *,
    half_mm: float,
    title: str,
    middle: str,
    notes: Sequence[str],
    frame_half_mm: float | None = None,
) -> Drawing:
    """One scale for all: the share of an arm's marks in a square. `middle` says what lies at 0."""
    squares = Squares.over(half_mm)
    rows = -(-len(panels) // PER_ROW)
    foot = TOP + rows * (SIDE + GAP_Y) - 36
    counted = [Counter(filter(None, map(squares.of, panel.places))) for panel in panels]
    most = max((_highest(panel, counts) for panel, counts in zip(panels, counted, strict=True)), default=0.0)
    words_y = foot + (LEGEND_HEIGHT if most else 0.0)
    drawing = Drawing(
        width=LEFT + max(min(PER_ROW, len(panels)), LEAST_COLUMNS) * (SIDE + GAP_X),
        height=words_y + LINE_HEIGHT * len(notes),
        title=title,
        description=_description(panels, squares, middle),
    )
    for number, (panel, counts) in enumerate(zip(panels, counted, strict=True)):
        left = LEFT + (number % PER_ROW) * (SIDE + GAP_X)
        top = TOP + (number // PER_ROW) * (SIDE + GAP_Y)
        reach = (-squares.half_mm, squares.half_mm)
        plot = PlotArea(left=left, top=top, right=left + SIDE, bottom=top + SIDE, x_range=reach, y_range=reach[::-1])
        _draw_ground(drawing, plot, panel.label)
        if len(panel.places) < FEW:
            _draw_each(drawing, plot, panel.places, squares)
        else:
            _draw_squares(drawing, plot, {at: n / len(panel.places) for at, n in counts.items()}, squares, most)
        _draw_marks(drawing, plot, panel, frame_half_mm)
        _draw_notes(drawing, plot, [*panel.notes, *_outside(panel, counts)])
    if most:
        _draw_legend(drawing, y=foot - 2, most=most, squares=squares)
    for number, note in enumerate(notes):
        drawing.text(LEFT, words_y + LINE_HEIGHT * number, note, size=11, colour=MUTED)
    return drawing


def _highest(panel: HeatPanel, counts: Counter[Square]) -> float:
    """The largest share of a map that is coloured."""
    return max(counts.values(), default=0) / len(panel.places) if len(panel.places) >= FEW else 0.0


def _draw_ground(drawing: Drawing, plot: PlotArea, label: str) -> None:
    program, _, what_it_did = label.partition(", ")
    drawing.text(plot.left, plot.top - 38, clipped(program, letters=32), bold=True)
    drawing.text(plot.left, plot.top - 23, what_it_did, size=11)
    drawing.box(plot.left, plot.top, SIDE, SIDE, paint=Paint(fill=CARD, stroke=LINE))
    middle_x, middle_y = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2
    drawing.text(middle_x, plot.top - 6, "front", size=10, anchor="middle", colour=MUTED)
    drawing.text(plot.left - 6, middle_y, "right", size=10, anchor="middle", colour=MUTED, vertical=True)
    tick = _tick(plot.x_range[1])
    for value in (-tick, 0.0, tick):
        drawing.line([(plot.x(value), plot.bottom), (plot.x(value), plot.bottom + 4)], paint=Paint(stroke=MUTED))
        words = f"{value:g} mm" if value == tick else f"{value:g}"
        drawing.text(plot.x(value), plot.bottom + 16, words, size=10, anchor="middle", colour=MUTED)


def _tick(half_mm: float) -> float:
    return max((size for size in NICE_MM if size <= 0.8 * half_mm), default=half_mm)


def _draw_squares(drawing: Drawing, plot: PlotArea, shares: dict[Square, float], squares: Squares, most: float) -> None:
    side = SIDE / squares.across
    for (column, row), share in sorted(shares.items()):
        paint = Paint(fill=ACCENT, opacity=_opacity(share, most))
        drawing.box(plot.left + column * side, plot.top + row * side, side, side, paint=paint)


def _opacity(share: float, most: float) -> float:
    """By the root, so that an arm whose marks are spread is seen beside one with all of them in a square."""
    return sqrt(share / most)


def _draw_each(drawing: Drawing, plot: PlotArea, places: Sequence[Place], squares: Squares) -> None:
    for place in places:
        if squares.of(place) is not None:
            x, y = place
            drawing.circle(plot.x(x), plot.y(y), 3, paint=Paint(fill=ACCENT, opacity=0.6))


def _draw_marks(drawing: Drawing, plot: PlotArea, panel: HeatPanel, frame_half_mm: float | None) -> None:
    """A cross in the middle, and what a circle or a frame means here."""
    x, y, mm = plot.x(0), plot.y(0), SIDE / (plot.x_range[1] - plot.x_range[0])
    for points in ([(x - 5, y), (x + 5, y)], [(x, y - 5), (x, y + 5)]):
        drawing.line(points, paint=Paint(stroke=INK))
    if panel.circle_mm is not None and panel.circle_mm <= plot.x_range[1]:
        drawing.circle(x, y, panel.circle_mm * mm, paint=Paint(stroke=INK, width=1.2, dash=(4, 3)))
    if frame_half_mm is not None:
        edge = frame_half_mm * mm
        drawing.box(x - edge, y - edge, 2 * edge, 2 * edge, paint=Paint(stroke=MUTED))


def _draw_notes(drawing: Drawing, plot: PlotArea, notes: Sequence[str]) -> None:
    for number, note in enumerate(notes):
        drawing.text(plot.left, plot.bottom + 32 + 14 * number, note, size=10.5, colour=MUTED)


def _outside(panel: HeatPanel, counts: Counter[Square]) -> Iterator[str]:
    few = len(panel.places) < FEW
    beyond = len(panel.places) - sum(counts.values())
    words = [*(["few marks: each is drawn"] if few else []), *([f"{beyond} beyond this map"] if beyond else [])]
    if words:
        yield "; ".join(words).capitalize()


def _draw_legend(drawing: Drawing, *, y: float, most: float, squares: Squares) -> None:
    drawing.text(LEFT, y + 12, "0 %", size=11, colour=MUTED)
    for step in range(STEPS):
        paint = Paint(fill=ACCENT, stroke=LINE, opacity=_opacity(most * (step + 1) / STEPS, most))
        drawing.box(LEFT + 28 + 22 * step, y, 22, 14, paint=paint)
    words = f"{100 * most:.0f} % of an arm's marks in a square of {squares.side_mm:g} mm"
    drawing.text(LEFT + 36 + 22 * STEPS, y + 12, words, size=11, colour=MUTED)


def _description(panels: Sequence[HeatPanel], squares: Squares, middle: str) -> str:
    """For who can't look: how many marks lie in the square in the middle and in those around it."""
    centre = squares.across // 2
    parts = []
    for panel in panels:
        away = [max(abs(at[0] - centre), abs(at[1] - centre)) for at in filter(None, map(squares.of, panel.places))]
        parts.append(
            f"{panel.label}: {'; '.join(panel.notes)}; {away.count(0)} in the square of {squares.side_mm:g} mm at "
            f"{middle}, {sum(one <= 1 for one in away)} in the nine there"
        )
    return ". ".join(parts) + "."
