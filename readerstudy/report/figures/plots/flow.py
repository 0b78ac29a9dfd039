"""Flow diagram from the edits that were made to the ratings that were analysed, after the pattern of CONSORT."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from ctplatform.figures.drawing import CARD, INK, LINE, MUTED, PAPER, Drawing, Paint

WIDTH, BOX_X, BOX_WIDTH, BOX_HEIGHT, STEP, TOP = 760.0, 20.0, 330.0, 44.0, 74.0, 12.0
SIDE_X, SIDE_WIDTH = 410.0, 330.0
# Of 13 and 11 px in the widest common typeface, so that no line leaves its box.
LETTERS_OF_BOX, LETTERS_OF_SIDE = 42, 48


@dataclass(frozen=True, kw_only=True)
class FlowStep:
    """One box, and what was left out between it and the box before."""

    text: str
    left_out: Sequence[str] = ()


def flow_diagram(steps: Sequence[FlowStep]) -> Drawing:
    drawing = Drawing(
        width=WIDTH,
        height=TOP + STEP * len(steps),
        title="Flow from the edits to the analysis",
        description=". ".join(_description(step) for step in steps),
    )
    middle = BOX_X + BOX_WIDTH / 2
    for index, step in enumerate(steps):
        y = TOP + STEP * index
        if index:
            _draw_arrow(drawing, (middle, y - STEP + BOX_HEIGHT), (middle, y))
        drawing.box(BOX_X, y, BOX_WIDTH, BOX_HEIGHT, paint=Paint(fill=CARD, stroke=INK))
        _draw_words(drawing, step.text, middle=middle, y=y)
        if step.left_out:
            _draw_left_out(drawing, step.left_out, middle=middle, y=y - (STEP - BOX_HEIGHT) / 2)
    return drawing


def _draw_words(drawing: Drawing, words: str, *, middle: float, y: float) -> None:
    lines = wrap(words, LETTERS_OF_BOX)
    for number, line in enumerate(lines):
        drawing.text(middle, y + 27 + 17 * (number - (len(lines) - 1) / 2), line, anchor="middle", size=13)


def _draw_left_out(drawing: Drawing, left_out: Sequence[str], *, middle: float, y: float) -> None:
    reasons = [line for reason in left_out for line in wrap(reason, LETTERS_OF_SIDE)]
    height = 14 + 15.0 * len(reasons)
    drawing.line([(middle, y), (SIDE_X, y)], paint=Paint(stroke=MUTED))
    drawing.box(SIDE_X, y - height / 2, SIDE_WIDTH, height, paint=Paint(fill=PAPER, stroke=LINE))
    for number, reason in enumerate(reasons):
        drawing.text(SIDE_X + 10, y - height / 2 + 18 + 15 * number, reason, size=11, colour=MUTED)


def _draw_arrow(drawing: Drawing, start: tuple[float, float], end: tuple[float, float]) -> None:
    drawing.line([start, end], paint=Paint(stroke=INK))
    x, y = end
    drawing.area([(x - 4, y - 8), (x + 4, y - 8), (x, y)], paint=Paint(fill=INK))


def _description(step: FlowStep) -> str:
    return step.text + (f" (left out: {'; '.join(step.left_out)})" if step.left_out else "")
