"""Where voxels lie in the patient: index order zyx, world order LPS millimetres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float3: TypeAlias = tuple[float, float, float]
Int3: TypeAlias = tuple[int, int, int]
Box: TypeAlias = tuple[slice, slice, slice]
Direction: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]

# Patient axes: x to the left, y to the back, z upwards.
IDENTITY: Direction = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
# Headers round direction cosines.
ORTHOGONALITY_TOLERANCE = 1e-3
# Corners of two scans that are nearer than this (mm) are one.
GRID_TOLERANCE_MM = 0.05


@dataclass(frozen=True)
class Grid:
    """The lattice of a volume.

    ``size_zyx`` counts voxels, ``spacing_zyx_mm`` is their distance, ``origin_lps_mm`` the centre of voxel
    (0, 0, 0). ``direction`` is the row-major 3x3 matrix whose columns are the unit vectors of the x, y and
    z index axes in LPS (the convention of ITK and of NIfTI after the sign change of x and y).

    Raises ValueError for sizes or spacings that are not positive, or axes that are not orthonormal.
    """

    size_zyx: Int3
    spacing_zyx_mm: Float3
    origin_lps_mm: Float3 = (0.0, 0.0, 0.0)
    direction: Direction = IDENTITY

    def __post_init__(self) -> None:
        if len(self.size_zyx) != 3 or any(n < 1 for n in self.size_zyx):
            raise ValueError(f"A grid needs three positive sizes, not {self.size_zyx}.")
        if len(self.spacing_zyx_mm) != 3 or not all(np.isfinite(s) and s > 0 for s in self.spacing_zyx_mm):
            raise ValueError(f"A grid needs three positive spacings, not {self.spacing_zyx_mm}.")
        if len(self.direction) != 9 or len(self.origin_lps_mm) != 3:
            raise ValueError("A grid needs three origin and nine direction numbers.")
        if not np.isfinite(self.origin_lps_mm).all():
            raise ValueError("The origin of a grid must be three finite numbers.")
        matrix = self.direction_matrix
        if not np.allclose(matrix.T @ matrix, np.eye(3), atol=ORTHOGONALITY_TOLERANCE):
            raise ValueError("The axes of a grid must be orthonormal; resample sheared volumes first.")

    @property
    def direction_matrix(self) -> NDArray[np.float64]:
        """The 3x3 matrix whose columns are the index axes (x, y, z) in LPS."""
        return np.asarray(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        z, y, x = self.spacing_zyx_mm
        return float(z * y * x)

    @property
    def extent_zyx_mm(self) -> Float3:
        """Edge lengths of the whole lattice in millimetres, voxels counted whole."""
        z, y, x = (n * s for n, s in zip(self.size_zyx, self.spacing_zyx_mm, strict=True))
        return z, y, x

    def to_world(self, index_zyx: ArrayLike) -> NDArray[np.float64]:
        """LPS millimetres of (fractional) voxel indices; shape (..., 3) in zyx gives (..., 3) in LPS."""
        index = np.asarray(index_zyx, dtype=np.float64)
        scaled_xyz = (index * np.asarray(self.spacing_zyx_mm))[..., ::-1]
        world: NDArray[np.float64] = scaled_xyz @ self.direction_matrix.T + np.asarray(self.origin_lps_mm)
        return world

    def to_voxel(self, point_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional zyx indices of LPS points; shape (..., 3) in LPS gives (..., 3) in zyx."""
        offset = np.asarray(point_lps_mm, dtype=np.float64) - np.asarray(self.origin_lps_mm)
        scaled_xyz = offset @ self.direction_matrix
        index: NDArray[np.float64] = scaled_xyz[..., ::-1] / np.asarray(self.spacing_zyx_mm)
        return index

    def nearest_voxel(self, point_lps_mm: ArrayLike) -> Int3:
        """The voxel whose centre is nearest to a point; it may lie outside the lattice."""
        z, y, x = (int(v) for v in np.rint(self.to_voxel(point_lps_mm)))
        return z, y, x

    def contains(self, index_zyx: Int3) -> bool:
        """Whether a voxel index lies on the lattice."""
        return all(0 <= i < n for i, n in zip(index_zyx, self.size_zyx, strict=True))

    def crop(self, box: Box) -> Grid:
        """The grid of a sub-volume ``volume[box]``; the box must lie inside and hold a voxel."""
        starts = [s.start for s in box]
        sizes = [s.stop - s.start for s in box]
        inside = all(0 <= s.start < s.stop <= n for s, n in zip(box, self.size_zyx, strict=True))
        if not inside:
            raise ValueError(f"The box {box} does not lie inside {self.size_zyx}.")
        x, y, z = (float(v) for v in self.to_world(starts))
        return Grid((sizes[0], sizes[1], sizes[2]), self.spacing_zyx_mm, (x, y, z), self.direction)

    def box_around(self, centre_zyx: ArrayLike, *, half_extent_zyx_mm: ArrayLike) -> Box:
        """The box of voxels within a distance per axis, clipped to the lattice (one voxel at least)."""
        centre = np.asarray(centre_zyx, dtype=np.float64)
        half = np.asarray(half_extent_zyx_mm, dtype=np.float64) / np.asarray(self.spacing_zyx_mm)
        low = np.floor(centre - half).astype(int)
        high = np.ceil(centre + half).astype(int) + 1
        edges = [
            (int(np.clip(a, 0, n - 1)), int(np.clip(b, 1, n))) for a, b, n in zip(low, high, self.size_zyx, strict=True)
        ]
        return slice(*edges[0]), slice(*edges[1]), slice(*edges[2])

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description; ``from_dict`` gives an equal grid back."""
        return {
            "size_zyx": list(self.size_zyx),
            "spacing_zyx_mm": list(self.spacing_zyx_mm),
            "origin_lps_mm": list(self.origin_lps_mm),
            "direction": list(self.direction),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Grid:
        """The grid described by ``to_dict``."""
        z, y, x = (int(n) for n in values["size_zyx"])
        sz, sy, sx = (float(s) for s in values["spacing_zyx_mm"])
        left, posterior, superior = (float(o) for o in values["origin_lps_mm"])
        a, b, c, d, e, f, g, h, i = (float(v) for v in values["direction"])
        return cls((z, y, x), (sz, sy, sx), (left, posterior, superior), (a, b, c, d, e, f, g, h, i))


def same_grid(first: Grid, second: Grid) -> bool:
    """Whether two grids agree within a twentieth of a millimetre at all corners."""
    if first.size_zyx != second.size_zyx:
        return False
    z, y, x = (n - 1 for n in first.size_zyx)
    corners = np.array([(0, 0, 0), (z, 0, 0), (0, y, 0), (0, 0, x), (z, y, x)])
    return bool(np.abs(first.to_world(corners) - second.to_world(corners)).max() <= GRID_TOLERANCE_MM)


def sphere_diameter_mm(volume_mm3: float) -> float:
    """Diameter of the sphere that has a volume."""
    return float(np.cbrt(6 * volume_mm3 / np.pi))


def box_of(mask: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Box | None:
    """The smallest box that holds everything but zeros; None when there is nothing."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(slices):
        return None
    # One look at the slices that are left serves rows and columns.
    shadow = np.logical_or.reduce(mask[slices[0] : slices[-1] + 1], axis=0)
    rows, columns = np.flatnonzero(shadow.any(axis=1)), np.flatnonzero(shadow.any(axis=0))
    z, y, x = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in (slices, rows, columns))
    return z, y, x


def centroid(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean index (zyx) of a mask that is not empty, from counts: a list of its voxels would take 24 bytes each."""
    rows, planes = np.count_nonzero(mask, axis=2), np.count_nonzero(mask, axis=(0, 1))
    counts = (rows.sum(1), rows.sum(0), planes)
    return np.array([float(np.arange(len(n)) @ n / n.sum()) for n in counts])
