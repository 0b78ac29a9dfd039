"""Skin, subcutaneous fat and the muscles around the abdominal cavity. All sizes in mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.patches.case import Volume
from ml.phantom.canvas import Canvas, smooth_minimum

# The muscles of the wall end at this height over the phantom's middle (mm). Set by hand.
XIPHOID_Z_MM = 15.0


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
    """Skin, subcutaneous fat with its septa, muscle wall with fat planes, peritoneal fat with its strands."""
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
        _flatten(canvas, surface, back_mm=b + back_mm - canvas.rng.uniform(2, 5))
        septa = canvas.sheets(13, width=0.12)
    canvas.paint(surface, rng.uniform(40, 60))
    canvas.paint(surface - 2, -105 + 4 * canvas.field(8) + 24 * septa)
    fat = side + (front - side) * np.clip(-sine, 0, 1) ** 2 + (back - side) * np.clip(sine, 0, 1) ** 2
    muscle = skin - 2 - fat
    texture = canvas.field(4)
    canvas.paint(np.minimum(muscle + 0.85 * behind, surface - 5), 62 + 5 * texture)
    thickness = 11 + 3 * np.sin(3 * angle + rng.uniform(0, 6)) + 5 * np.clip(sine, 0, 1)
    cavity = muscle - thickness
    with canvas.apart():
        _part_muscles(canvas, angle, muscle, thickness)
        strands = canvas.sheets(9, width=0.1)
    canvas.paint(cavity, -102 + 6 * texture + 5 * canvas.field(12) + 42 * strands)
    with canvas.apart():
        _psoas(canvas)
    return Wall(a, b, back_mm, front, surface, muscle, thickness, cavity, angle)


def _part_muscles(canvas: Canvas, angle: Volume, muscle: Volume, thickness: Volume) -> None:
    """Fat between the three layers of the flank, and beside and between the straight muscles in front."""
    flank = np.clip(1.6 * np.cos(angle) ** 2 - 0.3, 0, 1)
    vary = 0.6 * canvas.field(25)
    for part in (0.36, 0.7):
        canvas.paint((flank * (1.0 + vary) - np.abs(muscle - part * thickness)).astype(np.float32), -85.0)
    inside = np.minimum(np.minimum(muscle, thickness - muscle), XIPHOID_Z_MM - canvas.z_mm)
    for middle, half_mm in ((0.0, 2.0), (66.0, 1.6)):
        gap = half_mm + vary - np.abs(np.abs(canvas.wall_x) - middle - 2 * vary)
        canvas.paint(np.minimum(np.minimum(inside, gap), -canvas.wall_y).astype(np.float32), -90.0)


def _psoas(canvas: Canvas) -> None:
    """The muscle on either side of the lumbar spine, thicker from vertebra to vertebra downwards."""
    for side in (-1, 1):
        shape = canvas.ellipsoid((side * 32, 67, -105), (15, 17, 78))
        if shape is not None:
            canvas.paint(shape, 62 + 5 * canvas.field(4, box=shape.box))


def _flatten(canvas: Canvas, surface: Volume, *, back_mm: float) -> None:
    """The patient lies on the back: it rounds off (in place) to the plane ``back_mm`` behind the centre."""
    box = canvas.near((0, back_mm, 0), (1e3, 50, 1e4))
    if box is not None:
        plane = back_mm - canvas.y_mm[:, box[1]]
        surface[box] = smooth_minimum(surface[box], plane, 3.0)


def _outline(canvas: Canvas, angle: Volume) -> Volume:
    """How far (mm) the skin of nobody is an ellipse: lopsided, with a furrow along the spine."""
    waves = np.zeros_like(angle)
    for number in (1, 2, 3, 5):
        waves += canvas.rng.normal(0, 2.4 / number) * np.sin(number * angle + canvas.rng.uniform(0, 2 * np.pi))
    furrow = 3.5 * np.exp(-((canvas.wall_x / 12) ** 2)) * (canvas.wall_y > 0)
    outline: Volume = (np.clip(waves, -3, 5) - furrow).astype(np.float32)
    return outline
