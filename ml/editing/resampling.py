"""Fast linear resampling of small volumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from ml.patches.case import Volume
from ml.settled import STEP_MM, settled


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: partial sums, and so the last bit of an edit, depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def resample(
    volume: Volume, matrix: NDArray[np.float64], offset: NDArray[np.float64], shape_zyx: tuple[int, ...]
) -> Volume:
    """Linear interpolation at ``matrix @ index + offset``; the border is held outside.

    Equal to scipy.ndimage.affine_transform(order=1, mode="nearest") within rounding, and much faster. In double
    precision and whole steps, so that it does not depend on the processor.
    """
    size = np.asarray(volume.shape)
    # grid_sample wants coordinates of -1 to 1 between the outer samples' centres, in the order x, y, z.
    unit = 2 / (size - 1)
    axes = [torch.arange(n, dtype=torch.float64) for n in shape_zyx]
    parts = []
    for axis in (2, 1, 0):
        z, y, x = (float(v) for v in matrix[axis] * unit[axis])
        start = float(offset[axis] * unit[axis] - 1)
        parts.append((axes[0] * z + start)[:, None, None] + (axes[1] * y)[:, None] + axes[2] * x)
    source = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float64))[None, None]
    sampled = torch.nn.functional.grid_sample(
        source, torch.stack(parts, -1)[None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return settled(sampled[0, 0].numpy(), STEP_MM).astype(np.float32)
