"""The numbers of a label file: whole, or told and cut at a half when they are probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.refusal import ImportRefusedError
from ml.geometry import Grid

Numbers = npt.NDArray[np.float32]
# Rounding of scaled samples, such as 255 times 1/255
WHOLE_TOLERANCE = 1e-3
HIGHEST_LABEL = 65_535
HALF = 0.5


@dataclass(frozen=True)
class LabelValues:
    """``found`` are the labels other than 0 in rising order; ``note`` says what was made of the file's numbers."""

    values: Numbers
    grid: Grid
    found: list[int]
    note: str = ""
    names: Mapping[int, str] = field(default_factory=dict)


def judged(values: Numbers, grid: Grid) -> LabelValues:
    """Changes the values in place, so that nothing but whole labels is left."""
    if not all(np.isfinite(plane).all() for plane in values):
        raise ImportRefusedError("It holds values that are no numbers, so it is no label map.")
    low = min(float(plane.min()) for plane in values)
    high = max(float(plane.max()) for plane in values)
    note = ""
    if any(_has_fractions(plane) for plane in values):
        if low < -WHOLE_TOLERANCE or high > 1 + WHOLE_TOLERANCE:
            raise ImportRefusedError(
                f"It holds fractions between {low:.4g} and {high:.4g}: labels that were resampled by interpolation, or "
                "probabilities that do not run from 0 to 1. Give a mask of whole labels."
            )
        note = "its probabilities were cut at one half"
        for plane in values:
            np.greater_equal(plane, HALF, out=plane)
    else:
        for plane in values:
            np.rint(plane, out=plane)
    if low < -WHOLE_TOLERANCE:
        raise ImportRefusedError(f"It holds negative labels (down to {low:.0f}), whose meaning nothing tells.")
    if high > HIGHEST_LABEL:
        raise ImportRefusedError(f"Its labels go up to {high:.0f}, so it is no label map.")
    return LabelValues(values, grid, _found(values), note)


def _has_fractions(plane: Numbers) -> bool:
    return bool((np.abs(plane - np.rint(plane)) > WHOLE_TOLERANCE).any())


def _found(values: Numbers) -> list[int]:
    seen = np.zeros(HIGHEST_LABEL + 1, dtype=bool)
    for plane in values:
        counts = np.bincount(plane.astype(np.intp).ravel())
        seen[: len(counts)] |= counts > 0
    return [int(label) for label in np.flatnonzero(seen) if label > 0]
