"""Figures as plain geometry; templates draw them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, ROW_HEIGHT = 720.0, 30.0
PLOT_LEFT, PLOT_RIGHT, TOP, BOTTOM = 200.0, 560.0, 16.0, 40.0
CHANCE = 0.5
BOX = 9.0


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    label: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    y: float
    summary: bool
    simulated: bool

    @property
    def drawn(self) -> bool:
        return self.value is not None

    @property
    def x(self) -> float:
        return _x(self.value or 0.0)

    @property
    def x_low(self) -> float:
        return _x(self.value or 0.0 if self.low is None else self.low)

    @property
    def x_high(self) -> float:
        return _x(self.value or 0.0 if self.high is None else self.high)

    @property
    def text_y(self) -> float:
        return self.y + 4

    @property
    def box_x(self) -> float:
        return self.x - BOX / 2

    @property
    def box_y(self) -> float:
        return self.y - BOX / 2

    @property
    def percent(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return "–" if self.value is None else f"{100 * self.value:.0f} %"
        return f"{100 * self.value:.0f} % ({100 * self.low:.0f}–{100 * self.high:.0f})"

    @property
    def diamond(self) -> str:
        """Corners of the summary's diamond."""
        return f"{self.x_low},{self.y} {self.x},{self.y - 7} {self.x_high},{self.y} {self.x},{self.y + 7}"


@dataclass(frozen=True, kw_only=True)
class Forest:
    rows: list[ForestRow]
    ticks: list[tuple[float, str]]
    height: float
    axis_y: float
    chance_x: float
    margin: tuple[float, float] | None
    width: float = WIDTH

    @property
    def axis_end(self) -> float:
        return self.axis_y + 5

    @property
    def label_y(self) -> float:
        return self.axis_y + 20

    @property
    def band_height(self) -> float:
        return self.axis_y - TOP / 2


def forest(entries: Sequence[dict[str, Any]], *, margin: float | None) -> Forest:
    """`entries` have label, n, accuracy {value, low, high}, summary, simulated; margin shades chance +- margin."""
    rows = [
        ForestRow(
            label=entry["label"],
            n=entry["n"],
            **{name: entry["accuracy"][name] for name in ("value", "low", "high")},
            y=TOP + ROW_HEIGHT * (index + 0.5),
            summary=entry["summary"],
            simulated=entry["simulated"],
        )
        for index, entry in enumerate(entries)
    ]
    axis_y = TOP + ROW_HEIGHT * len(rows) + 4
    band = None if margin is None else (_x(CHANCE - margin), _x(CHANCE + margin) - _x(CHANCE - margin))
    return Forest(
        rows=rows,
        ticks=[(_x(share / 100), f"{share} %") for share in range(0, 101, 25)],
        height=axis_y + BOTTOM,
        axis_y=axis_y,
        chance_x=_x(CHANCE),
        margin=band,
    )


def _x(share: float) -> float:
    return round(PLOT_LEFT + share * (PLOT_RIGHT - PLOT_LEFT), 1)
