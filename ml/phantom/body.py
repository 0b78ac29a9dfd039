"""Body wall, bones, bowel and the organs beside the liver. All sizes in mm, shapes in the patient frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.geometry import Float3
from ml.phantom.canvas import Canvas, Shape, Volume


@dataclass(frozen=True)
class PhaseHu:
    """Attenuation of one contrast phase in HU."""

    liver: tuple[float, float]
    vessel_over_liver: tuple[float, float]
    aorta: float
    vena_cava: float
    kidney_cortex: tuple[float, float]
    kidney_medulla: float
    spleen: tuple[float, float]
    pancreas: float
    bowel_wall: float


PHASES: dict[str, PhaseHu] = {
    "portal": PhaseHu((98, 116), (48, 72), 152, 138, (165, 190), 140, (112, 130), 95, 78),
    "arterial": PhaseHu((68, 84), (14, 34), 285, 88, (175, 215), 95, (110, 140), 105, 85),
    "plain": PhaseHu((54, 64), (-18, -10), 42, 40, (32, 36), 34, (46, 52), 40, 42),
}


@dataclass(frozen=True)
class Wall:
    """Depths (mm) of the body surface, the muscle wall and the abdominal cavity on the whole canvas.

    ``back_mm`` is how far the muscles of the back stand out behind the ellipse of the half axes.
    """

    half_width_mm: float
    half_depth_mm: float
    back_mm: float
    front_fat_mm: float
    skin_depth: Volume
    muscle_depth: Volume
    muscle_thickness: Volume
    cavity_depth: Volume
    angle: Volume


def paint_wall(canvas: Canvas) -> Wall:
    """Skin, subcutaneous fat, muscle wall with a fat plane, peritoneal fat."""
    rng, x, y = canvas.rng, canvas.wall_x, canvas.wall_y
    a, b = rng.uniform(136, 144), rng.uniform(98, 108)
    side, front, back = rng.uniform(7, 16), rng.uniform(8, 18), rng.uniform(10, 20)
    angle = np.arctan2(y, x)
    sine = np.sin(angle)
    radius = (np.abs(x / a) ** 2.3 + np.abs(y / b) ** 2.3) ** (1 / 2.3)
    flat_back = 6 * np.clip((y - 0.86 * b) / 30, 0, 1)
    skin = (1 - radius) * np.hypot(a * np.cos(angle), b * sine) - flat_back
    with canvas.apart():
        back_mm = float(canvas.rng.uniform(12, 17))
        behind = back_mm * np.clip(sine, 0, 1) ** 1.5
        surface = skin + behind + _outline(canvas, angle)
    canvas.paint(surface, rng.uniform(40, 60))
    canvas.paint(surface - 2, -105 + 4 * canvas.field(8))
    fat = side + (front - side) * np.clip(-sine, 0, 1) ** 2 + (back - side) * np.clip(sine, 0, 1) ** 2
    muscle = skin - 2 - fat
    texture = canvas.field(4)
    canvas.paint(np.minimum(muscle + 0.85 * behind, surface - 5), 62 + 5 * texture)
    thickness = 11 + 3 * np.sin(3 * angle + rng.uniform(0, 6)) + 5 * np.clip(sine, 0, 1)
    canvas.paint(0.7 - np.abs(muscle - 0.55 * thickness), -60.0, edge_mm=2)
    cavity = muscle - thickness
    canvas.paint(cavity, -102 + 6 * texture + 5 * canvas.field(12))
    return Wall(a, b, back_mm, front, surface, muscle, thickness, cavity, angle)


def _outline(canvas: Canvas, angle: Volume) -> Volume:
    """How far (mm) the skin of nobody is an ellipse: lopsided, with a furrow along the spine."""
    waves = np.zeros_like(angle)
    for number in (1, 2, 3, 5):
        waves += canvas.rng.normal(0, 2.4 / number) * np.sin(number * angle + canvas.rng.uniform(0, 2 * np.pi))
    furrow = 3.5 * np.exp(-((canvas.wall_x / 12) ** 2)) * (canvas.wall_y > 0)
    outline: Volume = (np.clip(waves, -3, 5) - furrow).astype(np.float32)
    return outline


def paint_table(canvas: Canvas, wall: Wall) -> None:
    """The curved carbon table under the back with its mattress."""
    x, y = canvas.x_mm, canvas.y_mm
    sag = (x / 150) ** 2 * 14
    top = wall.half_depth_mm * 0.93 + wall.back_mm + canvas.rng.uniform(4, 9)
    outside = np.clip(-wall.skin_depth, 0, 1)
    reach = (104 - np.abs(x)) * np.ones_like(canvas.hu)
    for offset, thickness, hu in ((0.0, 5.0, -905.0), (6.0, 1.6, -240.0), (14.0, 1.4, -330.0)):
        slab = thickness - np.abs(y + sag - top - offset - thickness)
        depth = np.minimum(np.minimum(slab, reach), outside * 9 - 1)
        canvas.paint(depth, hu, edge_mm=2)


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
    """Ascending and descending colon beside the flanks with haustra, stool and gas."""
    rng = canvas.rng
    for side, top in ((-1, -34), (1, 2)):
        centre = (side * rng.uniform(84, 96), rng.uniform(4, 20), top - 60)
        shape = canvas.ellipsoid(centre, (15, 17, 62), power=2.4)
        if shape is None:
            continue
        haustra = 2.5 * np.sin(canvas.z_mm[shape.box[0]] / 5.5 + rng.uniform(0, 6))
        shape = shape.within(wall.cavity_depth - 2).shifted(haustra + 1.5 * canvas.field(9, box=shape.box))
        stool = canvas.field(3, box=shape.box)
        canvas.paint(shape, phase.bowel_wall)
        canvas.paint(shape.shifted(-2.2), 25 + 45 * stool - 330 * np.clip(canvas.field(6, box=shape.box) - 0.8, 0, 1))
        if rng.random() < 0.8:
            _gas(canvas, shape, level_y_mm=centre[1] - rng.uniform(2, 9))


def _stomach(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    rng = canvas.rng
    centre = (rng.uniform(52, 64), rng.uniform(-38, -26), 12.0)
    radii = (rng.uniform(34, 46), rng.uniform(26, 34), 60)
    shape = canvas.ellipsoid(centre, radii, turn_deg=rng.uniform(-25, 5))
    if shape is None:
        return
    shape = shape.within(wall.cavity_depth - 4).shifted(2 * canvas.field(14, box=shape.box))
    rugae = np.abs(canvas.field(5, box=shape.box)).astype(np.float32)
    canvas.paint(shape, phase.bowel_wall + 7)
    canvas.paint(shape.shifted((-3 - 1.5 * rugae).astype(np.float32)), 22 + 9 * canvas.field(6, box=shape.box))
    if rng.random() < 0.8:
        _gas(canvas, shape, level_y_mm=centre[1] - rng.uniform(2, 14))


def paint_spleen(canvas: Canvas, wall: Wall, phase: PhaseHu) -> None:
    """The spleen, hollowed towards the stomach."""
    rng = canvas.rng
    centre = (rng.uniform(86, 94), rng.uniform(34, 42), 6.0)
    shape = canvas.ellipsoid(centre, (rng.uniform(26, 32), rng.uniform(42, 50), 52), turn_deg=18)
    if shape is None:
        return
    hollow = canvas.full(canvas.ellipsoid((60, 8, 6), (32, 28, 70)))
    shape = shape.within(wall.cavity_depth - 2.5).within(-hollow)
    canvas.paint(shape, rng.uniform(*phase.spleen) + 4 * canvas.field(4, box=shape.box))


def paint_kidneys(canvas: Canvas, phase: PhaseHu) -> list[Shape]:
    """Both kidneys in their fat; returns their surfaces."""
    rng, surfaces = canvas.rng, []
    for side, centre_z in ((-1, -38), (1, -28)):
        centre = (side * rng.uniform(54, 60), rng.uniform(46, 54), centre_z + rng.uniform(-6, 6))
        kidney = canvas.ellipsoid(centre, (22, 29, 52), turn_deg=-side * 28)
        if kidney is None:
            continue
        fine, coarse = canvas.field(4, box=kidney.box), canvas.field(7, box=kidney.box)
        canvas.paint(kidney.shifted(4), -98.0, edge_mm=3)
        canvas.paint(kidney, rng.uniform(*phase.kidney_cortex) + 6 * fine)
        canvas.paint(kidney.shifted(-7 + 2.5 * coarse), phase.kidney_medulla + 9 * fine, edge_mm=3)
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


def paint_lungs(canvas: Canvas, wall: Wall) -> Volume:
    """Lung bases above the diaphragm's dome; returns their depth."""
    rng = canvas.rng
    dome = (
        (canvas.organ_x / (wall.half_width_mm - 22)) ** 2
        + ((canvas.organ_y - 4) / (wall.half_depth_mm - 18)) ** 2
        + (np.clip(canvas.z_mm + 12, 0, None) / rng.uniform(78, 92)) ** 2
    )
    depth = np.minimum((np.sqrt(dome) - 1) * 70, wall.cavity_depth - 1)
    lungs = np.where(canvas.z_mm > -30, depth, -50).astype(np.float32)
    if lungs.max() > 0:
        canvas.paint(lungs, -860 + 25 * canvas.field(6))
        with canvas.apart():
            # In front the lungs end higher; fat lies between the diaphragm and the ribs there.
            front = np.minimum(lungs, -8 - canvas.organ_y - 0.25 * np.abs(canvas.organ_x)).astype(np.float32)
            canvas.paint(front, -100 + 6 * canvas.field(8), edge_mm=3)
    return lungs


def paint_bones(canvas: Canvas, wall: Wall) -> None:
    """Spine with discs and canal, back muscles, ribs, costal cartilage."""
    rng, spongiosa = canvas.rng, canvas.field(2.6)
    period = 36.0
    height = np.mod(canvas.z_mm + rng.uniform(0, period), period) - period / 2
    disc = np.clip((np.abs(height) - 14) / 1.5, 0, 1)
    arch = np.clip((12 - np.abs(height)) / 3, 0, 1)
    for side in (-1, 1):
        muscle = canvas.ellipsoid((side * 30, 84, 0), (24, 15, 1e4))
        if muscle is not None:
            canvas.paint(muscle.within(wall.skin_depth - 12), 60 + 6 * canvas.field(4, box=muscle.box))
    body = canvas.ellipsoid((0, 64, 0), (22.5, 17, 1e4), power=2.2)
    if body is not None:
        canvas.paint(body, 420 * (1 - disc) + 85 * disc)
        canvas.paint(body.shifted(-2.2), (175 + 38 * spongiosa[body.box]) * (1 - disc) + 80 * disc, edge_mm=2)
    canal = (0.0, 84.0, 0.0)
    canvas.paint(canvas.ellipsoid(canal, (14.5, 13, 1e4)), 380 * arch + 55 * (1 - arch))
    spinous = canvas.ellipsoid((0, 100, 0), (4, 11, 1e4))
    if spinous is not None:
        canvas.paint(spinous.within(wall.skin_depth - 9), 330 * arch + 50 * (1 - arch))
    for side in (-1, 1):
        process = canvas.ellipsoid((side * 24, 86, 0), (14, 4, 1e4), turn_deg=side * 14)
        canvas.paint(process, 300 * arch**2 + 58 * (1 - arch**2))
    canvas.paint(canvas.ellipsoid(canal, (9.5, 8, 1e4)), 30.0)
    canvas.paint(canvas.ellipsoid(canal, (5, 4.5, 1e4)), 42.0)
    _ribs(canvas, wall, spongiosa)


def _ribs(canvas: Canvas, wall: Wall, spongiosa: Volume) -> None:
    """Ribs cross the wall obliquely: they descend towards the front."""
    rng, period = canvas.rng, 27.0
    height = np.mod(canvas.z_mm - 42 * np.sin(wall.angle) + rng.uniform(0, period), period) - period / 2
    radius = np.sqrt(((wall.muscle_depth - 0.62 * wall.muscle_thickness) / 4.2) ** 2 + (height / 5.5) ** 2)
    depth = np.where(np.abs(np.cos(wall.angle)) > 0.43, 4.2 * (1 - radius), -4.2).astype(np.float32)
    canvas.paint(depth, 480.0, edge_mm=1.6)
    canvas.paint(depth - 1.6, 210 + 30 * spongiosa, edge_mm=1.6)
    for side in (-1, 1):
        centre = (side * 46.0, -wall.half_depth_mm + wall.front_fat_mm + 15, 10.0)
        cartilage = canvas.ellipsoid(centre, (20, 4, 26), turn_deg=side * 22)
        if cartilage is not None:
            canvas.paint(cartilage.within(wall.muscle_depth - 1), 115.0)
