"""What every case goes through before it is cut: what one program did to the files that it wrote is done to all.

Many generators see resampled scans, write a few grey levels or a narrow range. Their pictures tell themselves by that
far from any lesion, and readers would learn it. Taken through the same steps, real cases have it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ml.geometry import Box, Grid
from readerstudy.blinding.cutting import Hu
from readerstudy.hounsfield import HU_HIGH, HU_LOW

# Linear interpolation there and back looks at the samples around the ones next to a voxel.
NEIGHBOURS = 2
PARTS = 2.0**12


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """In the plane to `spacing_mm` and back (None: not), then to the range, then to multiples of `step_hu`."""

    spacing_mm: float | None = None
    step_hu: int = 1
    low_hu: int = HU_LOW
    high_hu: int = HU_HIGH

    def in_words(self) -> str:
        """Empty where nothing is done."""
        steps = []
        if self.spacing_mm is not None:
            steps.append(f"resampled in the plane to {self.spacing_mm:g} mm and back")
        if (self.low_hu, self.high_hu) != (HU_LOW, HU_HIGH):
            steps.append(f"limited to {self.low_hu} to {self.high_hu} HU")
        if self.step_hu > 1:
            steps.append(f"rounded to multiples of {self.step_hu} HU")
        return ", ".join(steps)

    def box_to_read(self, box: Box, grid: Grid) -> Box:
        """Wider than `box` by all that its voxels depend on, clipped to the scan."""
        if self.spacing_mm is None:
            return box
        edges = [box[0]]
        for axis in (1, 2):
            reach = NEIGHBOURS * ceil(self.spacing_mm / grid.spacing_zyx_mm[axis]) + NEIGHBOURS
            side, size = box[axis], grid.size_zyx[axis]
            edges.append(slice(max(0, side.start - reach), min(size, side.stop + reach)))
        return edges[0], edges[1], edges[2]

    def through(self, samples: Hu, read: Box, box: Box, grid: Grid) -> Hu:
        """The voxels of `box` after the trip, from those of `read`; the same whatever the box."""
        values = np.asarray(samples, dtype=np.float64)
        if self.spacing_mm is not None:
            for axis in (1, 2):
                there_and_back = _there_and_back(read[axis], self.spacing_mm / grid.spacing_zyx_mm[axis])
                values = np.moveaxis(np.moveaxis(values, axis, -1) @ there_and_back.T, -1, axis) / PARTS
        inner = tuple(
            slice(side.start - edge.start, side.stop - edge.start) for side, edge in zip(box, read, strict=True)
        )
        limited = np.clip(values[inner], self.low_hu, self.high_hu)
        return np.asarray(np.rint(limited / self.step_hu) * self.step_hu, dtype=np.int16)


def _there_and_back(side: slice, step: float) -> NDArray[np.float64]:
    """The matrix that takes one line of voxels to samples `step` voxels apart and back, linearly, in whole PARTS.

    The samples lie from the first voxel of the scan on, wherever the line begins; beyond its ends the outermost counts.
    Sums of whole numbers are exact in any order, so that a case comes out the same on every processor.
    """
    voxels = np.arange(side.start, side.stop, dtype=np.float64)
    coarse = np.arange(np.floor(voxels[0] / step), np.ceil(voxels[-1] / step) + 1) * step
    there, back = _linear(voxels, coarse), _linear(coarse, voxels)
    weights = np.rint(PARTS * (back @ there))
    weights[np.arange(len(voxels)), weights.argmax(axis=1)] += PARTS - weights.sum(axis=1)
    return np.asarray(weights, dtype=np.float64)


def _linear(known: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (wanted, known) of linear interpolation between equally spaced positions."""
    if len(known) == 1:
        return np.ones((len(wanted), 1))
    at = np.clip((wanted - known[0]) / (known[1] - known[0]), 0, len(known) - 1)
    below = np.minimum(at.astype(int), len(known) - 2)
    weights = np.zeros((len(wanted), len(known)))
    rows = np.arange(len(wanted))
    weights[rows, below] = 1 - (at - below)
    weights[rows, below + 1] = at - below
    return weights
