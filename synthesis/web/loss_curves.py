"""Loss curves as SVG polylines; the page needs no script to draw them."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 640, 120


@dataclass(frozen=True)
class Curve:
    name: str
    points: str
    low: float
    high: float
    last: float
    last_step: int


def loss_curves(reports: list[dict[str, Any]]) -> list[Curve]:
    """One curve per loss; each has its own scale, because the terms differ by orders of magnitude."""
    names = sorted({name for report in reports for name in report if name != "step"})
    return [curve(name, [(r["step"], r[name]) for r in reports if name in r]) for name in names]


def curve(name: str, values: list[tuple[int, float]]) -> Curve:
    low, high = min(v for _, v in values), max(v for _, v in values)
    last_step = values[-1][0]
    span = (high - low) or 1.0
    points = " ".join(f"{step / last_step * WIDTH:.1f},{HEIGHT - (v - low) / span * HEIGHT:.1f}" for step, v in values)
    return Curve(name, points, low, high, values[-1][1], last_step)
