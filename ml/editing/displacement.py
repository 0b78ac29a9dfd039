"""Mass effect: vessels bend round a lesion that has grown between them, as if nothing of them had been lost.

A ball that grows from the radius R - a to R in tissue of constant volume carries what lay at s to r, where
r^3 = s^3 + V and V = R^3 - (R - a)^3. V fades out over a few millimetres, so that nothing moves beyond them; there,
tissue is pressed together a little. Lesions are no balls: r = R - depth, and the way is that of the depth's gradient.
Only what stands out of the parenchyma is moved. The scan's noise stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Box, Float3
from ml.patches.case import Volume
from ml.scans.lesions import LesionKind
from ml.settled import STEP_HU, STEP_MM, settled

# How far the surface has pushed, in parts of the radius: a cyst expands, a solid lesion infiltrates as well.
PUSHED = {"hypodense": 0.2, "cystic": 0.4, "ring_enhancing": 0.3}
# Nothing moves farther away than this part of the radius, or than these (mm): the place that an edit may change.
REACH_SHARE, REACH_MM = 0.5, (6.0, 10.0)
# Tissue around loses no more than this part of its volume.
MOST_PRESSED = 1 / 3
# The steepest step of the fade, times its length.
STEEPEST = 1.5
# Directions come from depths without the surface's small bumps (sigma, mm).
DIRECTION_SIGMA_MM = 2.0
# Keeps divisions apart from zero.
TINY = 1e-3


@dataclass(frozen=True)
class MassEffect:
    """How far (mm) the surface of a lesion of ``radius_mm`` has pushed, and how far from it anything moves."""

    radius_mm: float
    pushed_mm: float
    reach_mm: float

    @classmethod
    def of(cls, kind: LesionKind, diameter_mm: float) -> MassEffect:
        """That of a kind and size, as far as the tissue around gives way."""
        radius = diameter_mm / 2
        reach = float(np.clip(REACH_SHARE * radius, *REACH_MM))
        middle = radius + reach / 2
        room = MOST_PRESSED / (1 - MOST_PRESSED) * 3 * middle**2 * reach / STEEPEST
        most = radius - float(np.cbrt(max(0.0, radius**3 - room)))
        return cls(radius, min(PUSHED[kind] * radius, most), reach)

    def moved_mm(self, depth_mm: Volume) -> Volume:
        """How far what is now found at each depth (mm, positive inside) has come outwards."""
        radius, pushed = self.radius_mm, self.pushed_mm
        r = radius - np.minimum(depth_mm, 0)
        t = np.clip(-depth_mm / self.reach_mm, 0, 1)
        grown = (radius**3 - (radius - pushed) ** 3) * (1 - t * t * (3 - 2 * t))
        moved: Volume = (r - np.cbrt(r**3 - grown)) * np.clip(1 - depth_mm / radius, 0, 1)
        return moved.astype(np.float32)

    def displaced(self, structure: Volume, depth_mm: Volume, near: Box, spacing_zyx_mm: Float3) -> Volume:
        """Values (HU) on the cells of ``near`` after the lesion grew; ``depth_mm`` of all cells of its frame."""
        moved = self.moved_mm(depth_mm[near])
        index = np.indices(structure.shape, dtype=np.float64)
        for axis, (way, step) in enumerate(zip(outwards(depth_mm, spacing_zyx_mm), spacing_zyx_mm, strict=True)):
            index[axis] -= settled(moved * way[near] / np.float32(step), STEP_MM)
        values = ndimage.map_coordinates(structure, index, order=1, mode="nearest")
        return settled(values.astype(np.float32), STEP_HU)


def outwards(depth_mm: Volume, spacing_zyx_mm: Float3) -> list[NDArray[np.float32]]:
    """Unit vectors (z, y, x) away from the lesion; shorter where the depth has no clear direction."""
    sigma = [DIRECTION_SIGMA_MM / s for s in spacing_zyx_mm]
    smooth = ndimage.gaussian_filter(depth_mm, sigma, truncate=2.0)
    slopes = np.gradient(smooth, *spacing_zyx_mm)
    length = np.sqrt(sum(np.square(slope) for slope in slopes))
    return [-slope / np.maximum(length, TINY) for slope in slopes]
