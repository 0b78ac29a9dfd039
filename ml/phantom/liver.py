"""The liver's surface, its vessel trees and the gallbladder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.patches.case import Volume
from ml.phantom.canvas import Canvas, Shape
from ml.phantom.phases import PhaseHu
from ml.phantom.wall import Wall

Point: type = NDArray[np.float64]
# Vessels branch so often, or until they are as thin as this (mm); set by hand.
MAX_GENERATION = 6
MIN_VESSEL_RADIUS_MM = 0.8


@dataclass
class Liver:
    """``depth_mm`` of the capsule, ``mask`` of what counts as liver, ``hu`` of its parenchyma."""

    depth_mm: Volume
    mask: NDArray[np.bool_]
    hu: float

    def exclude(self, shape: Shape | None, *, margin_mm: float) -> None:
        """Take a neighbouring organ and its margin out of the mask."""
        if shape is not None:
            self.mask[shape.box] &= shape.depth_mm <= -margin_mm


def _smooth_union(first: Volume, second: Volume, softness_mm: float) -> Volume:
    union: Volume = (softness_mm * np.logaddexp(first / softness_mm, second / softness_mm)).astype(np.float32)
    return union


def liver_depth(canvas: Canvas, wall: Wall) -> Volume:
    """Two lobes, cut by the visceral surface and the fissure of the round ligament."""
    rng, x, y, z = canvas.rng, canvas.organ_x, canvas.organ_y, canvas.z_mm
    right = canvas.ellipsoid(
        (rng.uniform(-68, -58), rng.uniform(-6, 6), 5),
        (rng.uniform(74, 86), rng.uniform(78, 90), rng.uniform(85, 110)),
        margin_mm=1e3,
    )
    left = canvas.ellipsoid(
        (rng.uniform(-5, 15), rng.uniform(-52, -44), 12),
        (rng.uniform(62, 82), rng.uniform(26, 34), rng.uniform(48, 70)),
        turn_deg=rng.uniform(-8, 8),
        margin_mm=1e3,
    )
    depth = _smooth_union(canvas.full(right), canvas.full(left), 10) - 2
    depth = np.minimum(depth, wall.cavity_depth - 2.5) + 1.6 * canvas.field(22)
    plane = x * np.cos(0.62) + y * np.sin(0.62) - rng.uniform(2, 12) + 4.5 * canvas.field(30)
    in_front = -(y + rng.uniform(16, 26))
    depth = np.minimum(depth, _smooth_union(-plane, in_front, 9) - 3)
    middle = x - rng.uniform(-14, -4) - 0.25 * (y + 50)
    fissure = rng.uniform(1.2, 3) - np.abs(middle) + np.clip((y + 34) / 5, -6, 2)
    low = np.clip((rng.uniform(0, 20) - z) / 10, 0, 1)
    cut: Volume = np.minimum(depth, -fissure * low + 8 * (1 - low)).astype(np.float32)
    return cut


def paint_liver(canvas: Canvas, wall: Wall, phase: PhaseHu) -> Liver:
    """Parenchyma with texture at three scales."""
    depth = liver_depth(canvas, wall)
    hu = float(canvas.rng.uniform(*phase.liver))
    texture = 3 * canvas.field(4) + 3 * canvas.field(9) + 2 * canvas.field(35)
    canvas.paint(depth, hu + texture)
    return Liver(depth, depth > 0.3, hu)


def paint_gallbladder(canvas: Canvas, liver: Liver) -> None:
    """A gallbladder in seven of ten."""
    rng = canvas.rng
    if rng.random() >= 0.7:
        return
    centre = (rng.uniform(-34, -24), rng.uniform(-38, -26), -28.0)
    shape = canvas.ellipsoid(centre, (12, 16, 24), turn_deg=rng.uniform(-20, 20))
    if shape is not None:
        canvas.paint(shape.shifted(1.3), 70.0)
        canvas.paint(shape, rng.uniform(5, 14))
        liver.exclude(shape, margin_mm=2.5)


class VesselTrees:
    """Portal and hepatic veins as branching capsules; ``cover`` is each voxel's vessel part (0 to 1)."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.cover: Volume = np.zeros(canvas.size_zyx, np.float32)

    def grow_all(self) -> None:
        """Four portal branches and the trunk from below, three hepatic veins from the vena cava."""
        rng = self.canvas.rng
        hilum = np.array([-24.0, -4.0, -6.0]) + rng.normal(0, 3, 3)
        for direction in ((-1, 0.15, 0.25), (-0.55, -0.7, 0.2), (0.2, -1, 0.35), (-0.8, 0.5, -0.3)):
            self._branch(hilum, np.array(direction), rng.uniform(4.6, 6.2), 0)
        below = np.array([10.0, 18.0, -22.0])
        self._walk(below, hilum - below, 7.0, 60.0)
        confluence = np.array([-20.0, 28.0, 46.0])
        for direction in ((-1, -0.05, -0.75), (-0.65, -0.75, -0.75), (0.25, -1.0, -0.7)):
            self._branch(confluence, np.array(direction), rng.uniform(4.5, 6), 0)

    def _walk(
        self, start: NDArray[np.float64], direction: NDArray[np.float64], radius_mm: float, length_mm: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Four wandering capsules; returns the end and the last direction."""
        point, heading = start, direction / np.linalg.norm(direction)
        for part in range(4):
            heading = heading + self.canvas.rng.normal(0, 0.13, 3)
            heading = heading / np.linalg.norm(heading)
            end = point + heading * length_mm / 4
            self._capsule(point, end, radius_mm * (1 - 0.03 * part))
            point = end
        return point, heading

    def _branch(
        self, start: NDArray[np.float64], direction: NDArray[np.float64], radius_mm: float, generation: int
    ) -> None:
        rng = self.canvas.rng
        end, heading = self._walk(start, direction, radius_mm, rng.uniform(20, 34) * 0.86**generation)
        if radius_mm < MIN_VESSEL_RADIUS_MM or generation > MAX_GENERATION:
            return
        for _ in range(2 if rng.random() < 0.6 else 3):
            turned = heading + rng.normal(0, 0.6, 3) * np.array([1, 1, 0.8])
            self._branch(end, turned, radius_mm * rng.uniform(0.64, 0.86), generation + 1)

    def _capsule(self, start: NDArray[np.float64], end: NDArray[np.float64], radius_mm: float) -> None:
        canvas = self.canvas
        middle, reach = (start + end) / 2, np.abs(end - start) / 2 + radius_mm + 3
        box = canvas.near((middle[0], middle[1], middle[2]), (reach[0], reach[1], reach[2]))
        if box is None:
            return
        x, y, z = canvas.x_mm[:, :, box[2]], canvas.y_mm[:, box[1]], canvas.z_mm[box[0]]
        axis = (end - start).astype(np.float32)
        x, y, z = x - np.float32(start[0]), y - np.float32(start[1]), z - np.float32(start[2])
        along = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) / (axis @ axis), 0, 1)
        distance = np.sqrt((x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2 + (z - along * axis[2]) ** 2)
        # Thin vessels fill only a part of their voxels.
        edge, fill = max(1.6, canvas.spacing_zyx_mm[2] * 1.2), min(1.0, radius_mm / 1.2)
        cover = np.clip(0.5 + (np.float32(radius_mm) - distance) / edge, 0, 1) * np.float32(fill)
        self.cover[box] = np.maximum(self.cover[box], cover)


def paint_vessels(canvas: Canvas, liver: Liver, phase: PhaseHu) -> NDArray[np.bool_]:
    """Vessels inside the liver; returns the mask of what is mostly vessel."""
    trees = VesselTrees(canvas)
    trees.grow_all()
    cover = trees.cover * np.clip(liver.depth_mm / 3 + 0.3, 0, 1)
    canvas.hu += cover * np.float32(canvas.rng.uniform(*phase.vessel_over_liver))
    return (cover > 0.5) & liver.mask
