"""Where a border runs: the chance that a random walk, slow across edges, ends inside (Grady 2006)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import cg

from ml.patches.case import Mask, Volume

# A step over so many HU is rare; and the chance of any step, so that every walk ends.
EDGE_HU, LEAST_CHANCE = 12.0, 1e-3
# Of the solution, relative; the border hardly moves beyond.
TOLERANCE, MOST_STEPS = 1e-3, 300


def chance_inside(values: Volume, *, unknown: Mask, inside: Mask, spacing_zyx_mm: Sequence[float]) -> Volume:
    """1 in ``inside``, 0 in what is neither, and between them in ``unknown`` the chance to come to ``inside`` first."""
    number = np.full(values.shape, -1, np.int64)
    count = int(unknown.sum())
    number[unknown] = np.arange(count)
    total, gained = np.zeros(count), np.zeros(count)
    rows, columns, weights = [], [], []
    for axis, step_mm in enumerate(spacing_zyx_mm):
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        second = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        near = (number[first] >= 0) | (number[second] >= 0)
        here, there = number[first][near], number[second][near]
        weight = np.exp(-(((values[first] - values[second])[near] / EDGE_HU) ** 2)) + LEAST_CHANCE
        weight = weight.astype(np.float64) / step_mm**2
        for one, other, ends in ((here, there, inside[second][near]), (there, here, inside[first][near])):
            total += np.bincount(one[one >= 0], weight[one >= 0], count)
            last = (one >= 0) & (other < 0) & ends
            gained += np.bincount(one[last], weight[last], count)
            walks = (one >= 0) & (other >= 0)
            rows.append(one[walks])
            columns.append(other[walks])
            weights.append(-weight[walks])
    # A voxel without any neighbour would leave the system without a solution.
    total = np.maximum(total, LEAST_CHANCE)
    chance = inside.astype(np.float32)
    if count:
        entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
        matrix = coo_array(entries, shape=(count, count)).tocsr() + diags_array(total)
        found: NDArray[np.float64] = cg(matrix, gained, rtol=TOLERANCE, maxiter=MOST_STEPS, M=diags_array(1 / total))[0]
        chance[unknown] = found
    return chance
