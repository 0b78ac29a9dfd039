"""Pancreas, bowel, stomach and the vessels of the mesentery. All sizes in mm."""

from __future__ import annotations

import numpy as np

from ml.geometry import Float3
from ml.phantom.canvas import Canvas, Shape
from ml.phantom.phases import PhaseHu
from ml.phantom.wall import Wall


def paint_bowel(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """Pancreas, small bowel loops, colon with gas and stool, mesenteric vessels, stomach."""
    pancreas = canvas.ellipsoid((20, 8, -5), (30, 12, 22), turn_deg=-15)
    if pancreas is not None:
        shape = pancreas.within(wall.cavity_depth - 4)
        canvas.paint(
            shape.shifted(2.5 * canvas.field(7, box=shape.box)), phase.pancreas + 9 * canvas.field(5, box=shape.box)
        )
    rng = canvas.rng
    for _ in range(16):
        centre = (rng.uniform(-35, 75), rng.uniform(-50, 25), rng.uniform(-80, 5))
        paint_mesenteric_vessel(canvas, wall, phase, centre)
    for _ in range(12):
        paint_loop(canvas, wall, phase, (rng.uniform(-40, 85), rng.uniform(-65, 25), rng.uniform(-75, -8)))
    _colon(canvas, wall, phase)
    _stomach(canvas, wall, phase)


def paint_mesenteric_vessel(canvas: Canvas, wall: Wall, phase: PhaseHu, centre_xyz_mm: Float3) -> None:
    """A piece of a vessel that runs up and down in the fat."""
    rng = canvas.rng
    shape = canvas.ellipsoid(centre_xyz_mm, (rng.uniform(1.4, 2.8), rng.uniform(1.4, 2.8), rng.uniform(8, 30)))
    if shape is not None:
        canvas.paint(shape.within(wall.cavity_depth - 4), phase.vena_cava + 5)


def paint_loop(canvas: Canvas, wall: Wall, phase: PhaseHu, centre_xyz_mm: Float3) -> None:
    """A loop of small bowel: collapsed or filled with fluid, fat or contrast, sometimes with gas."""
    rng = canvas.rng
    radius = rng.uniform(9, 17)
    radii = (radius, radius * rng.uniform(0.7, 1.6), radius * rng.uniform(0.9, 2))
    shape = canvas.ellipsoid(centre_xyz_mm, radii, turn_deg=rng.uniform(0, 180))
    if shape is None:
        return
    shape = shape.within(wall.cavity_depth - 3)
    shape = shape.shifted(1.6 * canvas.field(8, box=shape.box))
    texture = canvas.field(4, box=shape.box)
    canvas.paint(shape, phase.bowel_wall + 6 * texture)
    canvas.paint(shape.shifted(-2.5), rng.choice([12.0, 25.0, -40.0, 95.0]) + 10 * texture, edge_mm=2.5)
    if rng.random() < 0.4:
        _gas(canvas, shape, level_y_mm=centre_xyz_mm[1] - 2)


def _gas(canvas: Canvas, shape: Shape, *, level_y_mm: float) -> None:
    """Gas collects in front of a fluid level."""
    level = level_y_mm - canvas.organ_y[shape.box]
    canvas.paint(Shape(shape.box, np.minimum(shape.depth_mm - 3, level).astype(np.float32)), -900.0)


def _colon(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """Ascending and descending colon beside the flanks."""
    rng = canvas.rng
    for side, top in ((-1, -34), (1, 2)):
        centre = (side * rng.uniform(84, 96), rng.uniform(4, 20), top - 60)
        paint_colon_piece(canvas, wall, phase, centre, (15, 17, 62), gas_odds=0.8)


def paint_colon_piece(
    canvas: Canvas,
    wall: Wall,
    phase: PhaseHu,
    centre_xyz_mm: Float3,
    radii_xyz_mm: Float3,
    *,
    gas_odds: float,
    along_x: bool = False,
) -> None:
    """A straight piece of colon (up and down, or across) with haustra, stool and often gas."""
    rng = canvas.rng
    shape = canvas.ellipsoid(centre_xyz_mm, radii_xyz_mm, power=2.4)
    if shape is None:
        return
    along = canvas.organ_x[shape.box] if along_x else canvas.z_mm[shape.box[0]]
    haustra = 2.5 * np.sin(along / 5.5 + rng.uniform(0, 6))
    shape = shape.within(wall.cavity_depth - 2).shifted(haustra + 1.5 * canvas.field(9, box=shape.box))
    stool = canvas.field(3, box=shape.box)
    canvas.paint(shape, phase.bowel_wall)
    canvas.paint(shape.shifted(-2.2), 25 + 45 * stool - 330 * np.clip(canvas.field(6, box=shape.box) - 0.8, 0, 1))
    if rng.random() < gas_odds:
        _gas(canvas, shape, level_y_mm=centre_xyz_mm[1] - rng.uniform(2, 9))


def _stomach(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    rng = canvas.rng
    centre = (rng.uniform(52, 64), rng.uniform(-38, -26), 12.0)
    radii = (rng.uniform(34, 46), rng.uniform(26, 34), 60)
    shape = canvas.ellipsoid(centre, radii, turn_deg=rng.uniform(-25, 5))
    if shape is None:
        return
    shape = paint_stomach_part(canvas, wall, phase, shape, rugae_mm=1.5, content=(22, 9, 6))
    if rng.random() < 0.8:
        _gas(canvas, shape, level_y_mm=centre[1] - rng.uniform(2, 14))


def paint_stomach_part(
    canvas: Canvas, wall: Wall, phase: PhaseHu, shape: Shape, *, rugae_mm: float, content: Float3
) -> Shape:
    """A part of the stomach full of ``content`` (HU, its spread, its lumps in mm) with its rugae; its surface."""
    hu, spread_hu, lumps_mm = content
    shape = shape.within(wall.cavity_depth - 4).shifted(2 * canvas.field(14, box=shape.box))
    rugae = np.abs(canvas.field(5, box=shape.box)).astype(np.float32)
    inside = hu + spread_hu * canvas.field(lumps_mm, box=shape.box)
    canvas.paint(shape, phase.bowel_wall + 7)
    canvas.paint(shape.shifted((-3 - rugae_mm * rugae).astype(np.float32)), inside)
    return shape
