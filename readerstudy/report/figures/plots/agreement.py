"""Agreement between raters: how often each pair gave the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctplatform.figures.drawing import ACCENT, CARD, LINE, MUTED, Drawing, Paint
from readerstudy.report.figures.plots.axes import clipped
from readerstudy.report.text import percent

CELL, LEFT, TOP = 46.0, 150.0, 40.0


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """Rater numbers count from 0; `share` is None when the two rated no case together."""

    first: int
    second: int
    n: int
    share: float | None


def agreement_plot(labels: Sequence[str], pairs: Sequence[PairAgreement]) -> Drawing:
    size = CELL * len(labels)
    drawing = Drawing(
        width=max(LEFT + size + 30, 460),
        height=TOP + size + 34,
        title="Same answer: share of cases, for every pair of raters",
        description="; ".join(
            f"{labels[pair.first]} and {labels[pair.second]}: {percent(pair.share)} of {pair.n}" for pair in pairs
        )
        or "There is no pair of raters.",
    )
    for index, label in enumerate(labels):
        middle = index * CELL + CELL / 2
        drawing.text(LEFT - 8, TOP + middle + 4, clipped(label, letters=20), anchor="end", size=11)
        drawing.text(LEFT + middle, TOP - 8, str(index + 1), anchor="middle", size=11, colour=MUTED)
        drawing.box(LEFT + index * CELL, TOP + index * CELL, CELL, CELL, paint=Paint(fill=LINE))
    for pair in pairs:
        for row, column in ((pair.first, pair.second), (pair.second, pair.first)):
            _draw_cell(drawing, pair.share, x=LEFT + column * CELL, y=TOP + row * CELL)
    drawing.text(LEFT, TOP + size + 22, "Columns: the same raters in the same order", size=11, colour=MUTED)
    return drawing


def _draw_cell(drawing: Drawing, share: float | None, *, x: float, y: float) -> None:
    drawing.box(x, y, CELL, CELL, paint=Paint(fill=CARD, stroke=LINE))
    drawing.box(x, y, CELL, CELL, paint=Paint(fill=ACCENT, opacity=0.45 * (share or 0)))
    drawing.text(x + CELL / 2, y + CELL / 2 + 4, "–" if share is None else f"{share:.2f}", anchor="middle", size=11)
