"""What fills the abdomen beside and below the liver, drawn apart: none of it moves the liver or its lesions."""

from __future__ import annotations

from ml.phantom.bowel import paint_colon_piece, paint_loop, paint_mesenteric_vessel, paint_stomach_part
from ml.phantom.canvas import Canvas
from ml.phantom.phases import PhaseHu
from ml.phantom.wall import Wall

# How many of each are painted. Set by hand.
JEJUNUM_LOOPS, MESENTERIC_VESSELS = 12, 30


def paint_left_abdomen(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """Jejunum, its vessels, transverse colon and splenic flexure, the stomach's fundus, the tail of the pancreas."""
    with canvas.apart():
        rng = canvas.rng
        for _ in range(MESENTERIC_VESSELS):
            centre = (rng.uniform(0, 80), rng.uniform(-55, 35), rng.uniform(-80, 25))
            paint_mesenteric_vessel(canvas, wall, phase, centre)
        for _ in range(JEJUNUM_LOOPS):
            paint_loop(canvas, wall, phase, (rng.uniform(30, 88), rng.uniform(-45, 18), rng.uniform(-75, 0)))
        _colon_in_front(canvas, wall, phase)
        _fundus(canvas, wall, phase)
        _pancreas_tail(canvas, wall, phase)


def _colon_in_front(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """Transverse colon below the liver, which rises to the splenic flexure in front of the spleen."""
    rng = canvas.rng
    across = (rng.uniform(10, 35), rng.uniform(-66, -58), rng.uniform(-62, -48))
    paint_colon_piece(canvas, wall, phase, across, (rng.uniform(50, 66), 15, 16), along_x=True, gas_odds=0.9)
    for height in (-30.0, -4.0, 18.0):
        centre = (rng.uniform(78, 90), rng.uniform(-42, -22), height + rng.uniform(-6, 6))
        radii = (rng.uniform(13, 19), rng.uniform(15, 24), rng.uniform(17, 24))
        paint_colon_piece(canvas, wall, phase, centre, radii, gas_odds=0.9)


def _fundus(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """The upper stomach in front of the spleen, with rugae and what was drunk before the scan."""
    rng = canvas.rng
    centre = (rng.uniform(58, 68), rng.uniform(-12, -2), rng.uniform(22, 32))
    shape = canvas.ellipsoid(centre, (rng.uniform(30, 38), rng.uniform(26, 34), rng.uniform(34, 44)))
    if shape is not None:
        paint_stomach_part(canvas, wall, phase, shape, rugae_mm=2, content=(20, 10, 7))


def _pancreas_tail(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """Body and tail of the pancreas towards the spleen, with the splenic vein behind them."""
    rng = canvas.rng
    lift = rng.uniform(-4, 6)
    tail = canvas.ellipsoid((48, 18, lift), (30, 8.5, 13), turn_deg=18)
    if tail is not None:
        lobules = canvas.field(5, box=tail.box)
        canvas.paint(tail.within(wall.cavity_depth - 4).shifted(2.2 * lobules), phase.pancreas + 7 * lobules)
    vein = canvas.ellipsoid((44, 27, lift), (34, 3.2, 3.6), turn_deg=18)
    if vein is not None:
        canvas.paint(vein.within(wall.cavity_depth - 4), phase.vena_cava + 4)
