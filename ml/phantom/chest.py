"""What lies above the diaphragm: lungs, heart and the fat before it. All sizes in mm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.patches.case import Volume
from ml.phantom.canvas import Canvas
from ml.phantom.phases import PhaseHu
from ml.phantom.wall import Wall

# Thickness of the muscle (mm). Set by hand.
DIAPHRAGM_MM = 2.2
# The lung lies on what is below as a cloth would: how far it bridges, and how softly (sigma), in mm. Set by hand.
DRAPE_MM, DRAPE_SIGMA_MM = 6.0, 6.0


def paint_chest(canvas: Canvas, wall: Wall, phase: PhaseHu, liver_depth: Volume) -> Volume:
    """The chest above the diaphragm's dome; returns the depth beyond the dome, which bounds the liver."""
    rng = canvas.rng
    dome = (
        (canvas.organ_x / (wall.half_width_mm - 22)) ** 2
        + ((canvas.organ_y - 4) / (wall.half_depth_mm - 18)) ** 2
        + (np.clip(canvas.z_mm + 12, 0, None) / rng.uniform(78, 92)) ** 2
    )
    depth = np.minimum((np.sqrt(dome) - 1) * 70, wall.cavity_depth - 1)
    beyond = np.where(canvas.z_mm > -30, depth, -50).astype(np.float32)
    if beyond.max() > 0:
        texture = canvas.field(6)
        with canvas.apart():
            lungs = _lung_depth(canvas, wall, beyond, liver_depth)
            canvas.paint(beyond, 58.0)
            canvas.paint(beyond - DIAPHRAGM_MM, -100 + 6 * canvas.field(8) + 40 * canvas.sheets(10, width=0.1))
            vessels = np.clip(canvas.field(5) - 2.1, 0, 1)
            canvas.paint(lungs, -860 + 25 * texture + 1500 * vessels)
            _heart(canvas, phase, beyond)
    return beyond


def _lung_depth(canvas: Canvas, wall: Wall, beyond: Volume, liver_depth: Volume) -> Volume:
    """The lungs' depth: beside the dome down to the recess, and on the left down to what the diaphragm lies on."""
    recess = _recess_floor(canvas, wall)
    soft = (canvas.hu > -40) & (wall.cavity_depth > 0) & (beyond < 0)
    drape = _draped_height(canvas, soft, recess)
    beside = np.minimum(beyond - DIAPHRAGM_MM, 0.7 * (canvas.z_mm - recess))
    above = np.minimum(0.7 * (canvas.z_mm - drape), -1.5 - np.minimum(liver_depth, -beyond))
    spine = np.hypot((canvas.organ_x + 2) / 1.25, canvas.organ_y - 48) - 22
    lungs: Volume = np.minimum(np.minimum(np.maximum(beside, above), wall.cavity_depth - 1.5), spine)
    return lungs.astype(np.float32)


def _recess_floor(canvas: Canvas, wall: Wall) -> NDArray[np.float32]:
    """Height (z, mm) of the lungs' lower edge over (y, x): lowest behind, and at the wall."""
    middle = canvas.size_zyx[0] // 2
    behind = np.clip((canvas.wall_y[middle] + 35) / 80, 0, 1)
    inwards = np.clip(wall.cavity_depth[middle] / 30, 0, 1)
    floor: NDArray[np.float32] = (20 - 42 * behind + 45 * inwards).astype(np.float32)
    return floor


def _draped_height(canvas: Canvas, soft: NDArray[np.bool_], recess: NDArray[np.float32]) -> NDArray[np.float32]:
    """Height (z, mm) over (y, x) of a diaphragm that lies on the highest soft tissue."""
    highest = len(soft) - 1 - soft[::-1].argmax(0)
    tops = np.where(soft.any(0), canvas.z_mm.ravel()[highest] + 4, -np.inf)
    pixel_mm = canvas.spacing_zyx_mm[2]
    height = ndimage.maximum_filter(np.maximum(tops, recess), size=2 * round(DRAPE_MM / pixel_mm) + 1)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(height, DRAPE_SIGMA_MM / pixel_mm).astype(np.float32)
    return smooth


def _heart(canvas: Canvas, phase: PhaseHu, beyond: Volume) -> None:
    """The heart's underside in its fat, and the aorta behind it."""
    rng = canvas.rng
    centre = (rng.uniform(10, 24), rng.uniform(-44, -36), rng.uniform(74, 84))
    radii = (rng.uniform(48, 56), rng.uniform(30, 36), rng.uniform(40, 48))
    heart = canvas.ellipsoid(centre, radii, turn_deg=rng.uniform(10, 25), margin_mm=20)
    if heart is not None:
        heart = heart.shifted(2 * canvas.field(20, box=heart.box)).within(beyond - DIAPHRAGM_MM)
        muscle = phase.vena_cava - 22 + 5 * canvas.field(5, box=heart.box)
        canvas.paint(heart.shifted(9).within(beyond - DIAPHRAGM_MM), -98.0)
        canvas.paint(heart, muscle)
        canvas.paint(heart.shifted(-9 + 4 * canvas.field(12, box=heart.box)), phase.vena_cava + 8.0, edge_mm=4)
    aorta = canvas.ellipsoid((7, 38, 0), (10.5, 10.5, 1e4))
    if aorta is not None:
        canvas.paint(aorta.within(beyond + 1), phase.aorta)
