"""Where the samples of a stimulus lie in the patient: what turns a mark in the picture into millimetres, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.geometry import Grid
from readerstudy.blinding.cutting import Cut, Frame, axis_positions

# A mark stands on a pixel; finer than this nothing is said of it.
DECIMALS_MM = 2


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """`origin_lps_mm` is the middle of sample (0, 0, 0), row i of `steps_lps_mm` the way to the next one along axis i
    of slice, row, column; an axis with one sample has no way to go.
    """

    origin_lps_mm: NDArray[np.float64]
    steps_lps_mm: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid, frame: Frame, cut: Cut) -> Self:
        positions = [axis_positions(grid, frame, cut, axis) for axis in range(3)]
        first = np.array([along[0] for along in positions])
        origin = grid.to_world(first)
        steps = np.zeros((3, 3))
        for axis, along in enumerate(positions):
            if len(along) > 1:
                second = first.copy()
                second[axis] = along[1]
                steps[axis] = grid.to_world(second) - origin
        return cls(origin_lps_mm=origin, steps_lps_mm=steps)

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Self:
        return cls(origin_lps_mm=np.array(held["origin_lps_mm"]), steps_lps_mm=np.array(held["steps_lps_mm"]))

    def as_json(self) -> dict[str, Any]:
        # Zero has one form: PostgreSQL keeps no negative one, and digests are taken over what is stored.
        parts = {"origin_lps_mm": self.origin_lps_mm, "steps_lps_mm": self.steps_lps_mm}
        return {name: (values + 0.0).tolist() for name, values in parts.items()}

    def to_patient(self, index_zyx: ArrayLike) -> NDArray[np.float64]:
        """LPS millimetres of (fractional) samples, shape (..., 3)."""
        return np.asarray(self.origin_lps_mm + np.asarray(index_zyx, dtype=np.float64) @ self.steps_lps_mm)

    def to_picture(self, point_lps_mm: Sequence[float]) -> NDArray[np.float64]:
        """The (fractional) sample that is nearest to a point; what lies beside a single slice is seen in it."""
        away = np.asarray(point_lps_mm, dtype=np.float64) - self.origin_lps_mm
        return np.asarray(np.linalg.lstsq(self.steps_lps_mm.T, away, rcond=None)[0])


def mark_in_patient(lattice: Lattice, mark: Mapping[str, int]) -> list[float]:
    """LPS millimetres of a mark on slice, row and column."""
    place = lattice.to_patient([mark["slice"], mark["row"], mark["column"]])
    return [round(float(value), DECIMALS_MM) + 0.0 for value in place]
