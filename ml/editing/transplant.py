"""Plain liver of another place of the same scan, moved onto a lesion's cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.patches.case import Mask, Volume

Places = NDArray[np.int_]


def random_shifts(target: Places, normal: Mask, *, count: int, rng: np.random.Generator) -> Places:
    """Shifts (count, 3) that bring the middle of ``target`` (n, 3) to random cells of ``normal``, which has some."""
    chosen = np.flatnonzero(normal)
    chosen = chosen[rng.integers(len(chosen), size=count)]
    shifts: Places = np.stack(np.unravel_index(chosen, normal.shape), 1) - np.rint(target.mean(0)).astype(int)
    return shifts


def usable(places: Places, normal: Mask) -> Mask:
    """Which places (n, 3) lie in the volume and on its normal cells."""
    inside: Mask = np.all((places >= 0) & (places < normal.shape), axis=1)
    inside[inside] = normal[tuple(places[inside].T)]
    return inside


def taken_from(values: Volume, source: Places, normal: Mask) -> Volume:
    """Values at the places (n, 3) that are usable, 0 at the others."""
    known = usable(source, normal)
    taken = np.zeros(len(source), values.dtype)
    taken[known] = values[tuple(source[known].T)]
    return taken
