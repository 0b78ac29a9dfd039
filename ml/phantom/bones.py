"""Spine, ribs and the muscles of the back. All sizes in mm."""

from __future__ import annotations

import numpy as np

from ml.patches.case import Volume
from ml.phantom.canvas import Canvas
from ml.phantom.wall import Wall

# A vertebra with its disc, and a rib with the space below it (mm). Set by hand.
VERTEBRA_MM, RIB_PERIOD_MM = 36.0, 27.0
# How far (mm) a rib rises from the body's side to its back, and falls to its front. Set by hand.
RIB_DESCENT_MM = 88.0
# Half axes of a rib's section (mm). Set by hand.
RIB_HALF_THICKNESS_MM, RIB_HALF_HEIGHT_MM = 3.7, 6.0


def paint_bones(canvas: Canvas, wall: Wall) -> None:
    """Spine with discs and canal, back muscles, ribs with their cartilage."""
    rng, spongiosa = canvas.rng, canvas.field(2.6)
    height = np.mod(canvas.z_mm + rng.uniform(0, VERTEBRA_MM), VERTEBRA_MM) - VERTEBRA_MM / 2
    _back_muscles(canvas, wall)
    _spine(canvas, wall, spongiosa, height)
    _ribs(canvas, wall, spongiosa)


def _back_muscles(canvas: Canvas, wall: Wall) -> None:
    """Two columns beside the spine, parted and streaked by fat."""
    for side in (-1, 1):
        muscle = canvas.ellipsoid((side * 30, 84, 0), (24, 15, 1e4))
        if muscle is not None:
            canvas.paint(muscle.within(wall.skin_depth - 12), 60 + 6 * canvas.field(4, box=muscle.box))
    box = canvas.near((0, 95, 0), (105, 32, 1e4))
    if box is None:
        return
    with canvas.apart():
        wave, streaks = canvas.field(18, box=box), canvas.sheets(10, width=0.14, box=box)
    beside = np.abs(canvas.wall_x[box]) + 2.5 * wave
    column = (np.hypot((beside - 33) / 25, (canvas.wall_y[box] - 88) / 17) - 1) * 20
    between = (beside - 21 - 0.3 * (canvas.wall_y[box] - 88)) * 1.2
    fat = np.maximum(0.2 * streaks, np.clip((beside - 28) / 6, 0, 1) * np.exp(-((column / 1.7) ** 2)))
    fat = np.maximum(fat, 0.2 * np.exp(-((between / 1.7) ** 2)))
    hu = canvas.hu[box]
    muscles = (hu > 0) & (hu < 110) & (wall.skin_depth[box] > 6) & (wall.cavity_depth[box] < -1)
    hu -= np.where(muscles, fat * (hu + 85), 0)


def _spine(canvas: Canvas, wall: Wall, spongiosa: Volume, height: Volume) -> None:
    """Vertebral bodies, arches and processes at ``height`` (mm) above each body's middle."""
    disc = np.clip((np.abs(height) - 14) / 1.5, 0, 1).astype(np.float32)
    arch = np.clip((12 - np.abs(height)) / 3, 0, 1).astype(np.float32)
    body = canvas.ellipsoid((0, 64, 0), (22.5, 17, 1e4), power=2.2)
    if body is not None:
        canvas.paint(body, 420 * (1 - disc) + 85 * disc)
        canvas.paint(body.shifted(-2.2), (175 + 38 * spongiosa[body.box]) * (1 - disc) + 80 * disc, edge_mm=2)
    canal = (0.0, 84.0, 0.0)
    canvas.paint(canvas.ellipsoid(canal, (14.5, 13, 1e4)), 380 * arch + 55 * (1 - arch))
    spinous = canvas.ellipsoid((0, 100, 0), (3.6, 11, 1e4))
    if spinous is not None:
        canvas.paint(spinous.within(wall.skin_depth - 9), 330 * arch + 50 * (1 - arch))
    short = np.clip((6 - np.abs(height - 3)) / 3, 0, 1).astype(np.float32)
    for side in (-1, 1):
        process = canvas.ellipsoid((side * 24, 86, 0), (13, 3.2, 1e4), turn_deg=side * 14)
        if process is not None:
            canvas.paint(process, short * 300 + (1 - short) * canvas.hu[process.box])
    canvas.paint(canvas.ellipsoid(canal, (9.5, 8, 1e4)), 30.0)
    canvas.paint(canvas.ellipsoid(canal, (5, 4.5, 1e4)), 42.0)


def _ribs(canvas: Canvas, wall: Wall, spongiosa: Volume) -> None:
    """Ribs cross the wall obliquely, down towards the front, and go over into cartilage at the costal arch."""
    behind = np.sin(wall.angle)
    phase = canvas.z_mm - RIB_DESCENT_MM * behind + canvas.rng.uniform(0, RIB_PERIOD_MM)
    with canvas.apart():
        phase = phase + canvas.rng.uniform(4, 12) * (canvas.wall_x > 0) + 3 * canvas.field(40)
    height = np.mod(phase, RIB_PERIOD_MM) - RIB_PERIOD_MM / 2
    across = wall.muscle_depth - 0.62 * wall.muscle_thickness
    radius = np.sqrt((across / RIB_HALF_THICKNESS_MM) ** 2 + (height / RIB_HALF_HEIGHT_MM) ** 2)
    depth = np.minimum(RIB_HALF_THICKNESS_MM * (1 - radius), 0.5 - wall.cavity_depth)
    # The costal arch opens downwards: the lower, the farther back the ribs end.
    arch = -np.clip(0.35 + (canvas.z_mm + 60) / 170, 0.1, 0.82)
    bone_mm = 100 * np.minimum(behind - arch, 0.92 - behind)
    canvas.paint(np.minimum(depth + 0.8, np.minimum(-bone_mm, bone_mm + 22)).astype(np.float32), 105.0)
    bone = np.minimum(depth, bone_mm).astype(np.float32)
    canvas.paint(bone, 480.0, edge_mm=1.6)
    canvas.paint(bone - 1.6, 210 + 30 * spongiosa, edge_mm=1.6)
    for side in (-1, 1):
        centre = (side * 46.0, -wall.half_depth_mm + wall.front_fat_mm + 15, 10.0)
        joined = canvas.ellipsoid(centre, (20, 4, 26), turn_deg=side * 22)
        if joined is not None:
            canvas.paint(joined.within(wall.muscle_depth - 1), 115.0)
