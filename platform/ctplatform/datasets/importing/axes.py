"""Bring any axis order to the one that is stored: x to the left, y to the back, z to the head, as near as it goes.

Only flips and transpositions: no voxel is interpolated and every voxel keeps its place in the patient.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.refusal import ImportRefusedError
from ml.geometry import Grid

ORTHOGONAL_TOLERANCE = 1e-3
T = TypeVar("T", bound=np.generic)


def check_orthonormal(axes: npt.NDArray[np.float64]) -> None:
    """Columns are unit vectors of the index axes."""
    if not np.isfinite(axes).all() or not np.allclose(axes.T @ axes, np.eye(3), atol=ORTHOGONAL_TOLERANCE):
        raise ImportRefusedError(
            "Its axes are not at right angles (sheared geometry). Resample it to an orthogonal grid first."
        )


def canonical(array: npt.NDArray[T], grid: Grid) -> tuple[npt.NDArray[T], Grid, bool]:
    """A view of the array and its grid in canonical axis order, and whether anything had to be moved."""
    axis_of_world = _matched_axes(grid.direction_matrix)
    signs = [1.0 if grid.direction_matrix[world, axis] >= 0 else -1.0 for world, axis in enumerate(axis_of_world)]
    # index axes are x, y, z in the direction matrix and z, y, x in arrays
    order_zyx = [2 - axis_of_world[2], 2 - axis_of_world[1], 2 - axis_of_world[0]]
    flips_zyx = [signs[2] < 0, signs[1] < 0, signs[0] < 0]
    moved = order_zyx != [0, 1, 2] or any(flips_zyx)
    if not moved:
        return array, grid, False
    result = array.transpose(order_zyx)
    result = result[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips_zyx)]
    corner_zyx = [0, 0, 0]
    for new_axis, old_axis in enumerate(order_zyx):
        corner_zyx[old_axis] = grid.size_zyx[old_axis] - 1 if flips_zyx[new_axis] else 0
    columns = [grid.direction_matrix[:, axis] * sign for axis, sign in zip(axis_of_world, signs, strict=True)]
    return result, _grid(grid, order_zyx, corner_zyx, np.stack(columns, axis=1)), True


def _matched_axes(direction: npt.NDArray[np.float64]) -> list[int]:
    """For left, posterior, superior: the index axis (0 x, 1 y, 2 z) that runs along it most."""
    free = np.abs(direction).copy()
    chosen = [-1, -1, -1]
    for _ in range(3):
        world, axis = np.unravel_index(int(np.argmax(free)), free.shape)
        chosen[int(world)] = int(axis)
        free[world, :] = -1
        free[:, axis] = -1
    return chosen


def _grid(old: Grid, order_zyx: list[int], corner_zyx: list[int], direction: npt.NDArray[np.float64]) -> Grid:
    size, spacing = old.size_zyx, old.spacing_zyx_mm
    a, b, c = order_zyx
    x, y, z = (float(v) for v in old.to_world(corner_zyx))
    return Grid.from_dict(
        {
            "size_zyx": (size[a], size[b], size[c]),
            "spacing_zyx_mm": (spacing[a], spacing[b], spacing[c]),
            "origin_lps_mm": (x, y, z),
            "direction": direction.ravel().tolist(),
        }
    )
