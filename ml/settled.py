"""Numbers without their last bits.

Libraries choose their sums and functions by the processor, and what they give differs in the last bits. Decisions
(which exemplar, which place, which voxels) are taken on numbers in whole steps that are large against those bits and
small against anything that shows; equal ones are taken in the order in which they were drawn or stored.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Powers of two, so that a number in whole steps is one in floating point too.
STEP_HU = STEP_MM = 2.0**-14
STEP_SCORE = 2.0**-20

FloatT = TypeVar("FloatT", np.float32, np.float64)


def settled(values: NDArray[FloatT], step: float) -> NDArray[FloatT]:
    """Values in whole steps."""
    whole: NDArray[FloatT] = np.rint(values * values.dtype.type(1 / step)) * values.dtype.type(step)
    return whole
