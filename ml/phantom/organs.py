"""The spleen, the kidneys and the great vessels. All sizes in mm, shapes in the patient frame."""

from __future__ import annotations

from ml.phantom.canvas import Canvas, Shape, smooth_minimum
from ml.phantom.phases import PhaseHu
from ml.phantom.wall import Wall


def paint_spleen(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """The spleen, hollowed towards the stomach."""
    rng = canvas.rng
    centre = (rng.uniform(86, 94), rng.uniform(34, 42), 6.0)
    shape = canvas.ellipsoid(centre, (rng.uniform(26, 32), rng.uniform(42, 50), 52), turn_deg=18)
    if shape is None:
        return
    hollow = canvas.full(canvas.ellipsoid((50, 8, 6), (32, 28, 70)))
    shape = shape.within(wall.cavity_depth - 2.5).within(-hollow)
    canvas.paint(shape, rng.uniform(*phase.spleen) + 4 * canvas.field(4, box=shape.box))


def paint_kidneys(canvas: Canvas, wall: Wall, phase: PhaseHu) -> list[Shape]:
    """Both kidneys in their fat before the ribs; returns their surfaces as if there were no wall."""
    rng, surfaces = canvas.rng, []
    for side, centre_z in ((-1, -38), (1, -28)):
        centre = (side * rng.uniform(54, 60), rng.uniform(46, 54), centre_z + rng.uniform(-6, 6))
        kidney = canvas.ellipsoid(centre, (22, 29, 52), turn_deg=-side * 28)
        if kidney is None:
            continue
        fine, coarse = canvas.field(4, box=kidney.box), canvas.field(7, box=kidney.box)
        canvas.paint(kidney.shifted(4).within(wall.cavity_depth - 0.5), -98.0, edge_mm=3)
        seen = Shape(kidney.box, smooth_minimum(kidney.depth_mm, wall.cavity_depth[kidney.box] - 2, 3.0))
        canvas.paint(seen, rng.uniform(*phase.kidney_cortex) + 6 * fine)
        canvas.paint(seen.shifted(-7 + 2.5 * coarse), phase.kidney_medulla + 9 * fine, edge_mm=3)
        sinus = canvas.ellipsoid((centre[0] - side * 13, centre[1] - 4, centre[2]), (9, 9, 22))
        if sinus is not None:
            canvas.paint(sinus.shifted(2 * canvas.field(5, box=sinus.box)), -85.0, edge_mm=4)
        surfaces.append(kidney)
    return surfaces


def paint_great_vessels(canvas: Canvas, phase: PhaseHu) -> tuple[Shape | None, Shape | None]:
    """Vena cava, aorta and diaphragmatic crura; returns cava and aorta."""
    cava = canvas.ellipsoid((-20, 34, 0), (12.5, 9.5, 1e4))
    aorta = canvas.ellipsoid((7, 38, 0), (10.5, 10.5, 1e4))
    if cava is not None and aorta is not None:
        canvas.paint(cava.shifted(1.5), -90.0)
        canvas.paint(cava, phase.vena_cava + 4 * canvas.field(4, box=cava.box))
        canvas.paint(aorta.shifted(1.2), 60.0)
        canvas.paint(aorta, phase.aorta + 4 * canvas.field(4, box=aorta.box))
    for side in (-1, 1):
        canvas.paint(canvas.ellipsoid((4 + side * 14, 47, 0), (4, 11, 1e4), turn_deg=-side * 25), 58.0)
    return cava, aorta
