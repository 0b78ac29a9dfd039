"""What every statistic of this package returns: a number with its interval, or the reason why there is
none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
ArrayLike = Sequence[float | int | None] | npt.NDArray[Any]
MatrixLike = Sequence[Sequence[float | int | None]] | npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its interval; `value is None` exactly when `reason` says why it cannot be estimated.

    `low`/`high` may be missing although the value exists (an AUC of 1 has no standard error); then `reason`
    tells why the interval is missing.
    """

    value: Annotated[float | None, "null: see reason"]
    low: float | None = None
    high: float | None = None
    reason: Annotated[str | None, "Why value or interval cannot be estimated"] = None

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high)
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise ValueError(f"an estimate is finite or missing, not {numbers}")
        if self.value is None and not self.reason:
            raise ValueError("a missing value needs a reason")

    @property
    def limits(self) -> tuple[float, float] | None:
        """Return the interval, None where there is none."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def missing(reason: str) -> Estimate:
    """Return the estimate that is not there, with the reason in plain words."""
    return Estimate(value=None, reason=reason)


def as_vector(values: ArrayLike) -> FloatArray:
    """Return `values` as floats of shape (n,), None becoming NaN; ValueError for another shape."""
    vector = np.array(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"expected one dimension, got shape {vector.shape}")
    return vector


def as_matrix(values: MatrixLike) -> FloatArray:
    """Return `values` as floats of shape (cases, raters), None becoming NaN; ValueError for another shape."""
    matrix = np.array(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"expected cases x raters, got shape {matrix.shape}")
    return matrix


def as_truth(values: ArrayLike) -> FloatArray:
    """Return the truth of each case, 1 = synthetic and 0 = real; ValueError for anything else."""
    truth = as_vector(values)
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError("truth is 1 (synthetic) or 0 (real) for every case")
    return truth


def is_rated(values: FloatArray) -> BoolArray:
    """Return where there is a rating, in the shape of `values`."""
    rated: BoolArray = ~np.isnan(values)
    return rated


def mean_of_rated(values: FloatArray, *, axis: int = 0) -> FloatArray:
    """Return the mean of what is rated along `axis`, NaN where nothing is."""
    count = is_rated(values).sum(axis=axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)
