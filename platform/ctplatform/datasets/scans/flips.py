"""Which voxels of a yes-or-no mask a correction turns over, as numbers that travel and are stored."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.kinds import Labels
from ctplatform.errors import DomainError
from ml.geometry import Grid

# A liver of 300 slices that is drawn from nothing has some 100,000 runs; noise in every voxel would have millions.
MOST_RUNS = 500_000
# What that many runs take as JSON
MOST_BYTES = 12 * 1024 * 1024
TOO_MUCH = f"One correction turns over {MOST_RUNS:,} runs of voxels at most. Save more often, in smaller steps."

STORED_DTYPE = np.dtype("<i4")


@dataclass(frozen=True)
class Flips:
    """Voxels in reading order (x fastest, z slowest), in turn: how many stay, how many turn over, how many stay, ..."""

    lengths: npt.NDArray[np.int64]
    grid: Grid

    @classmethod
    def of(cls, lengths: Sequence[int], grid: Grid) -> Self:
        """Refuses what does not describe voxels of this grid; an end that stays is not written."""
        voxels = math.prod(grid.size_zyx)
        if not lengths:
            raise DomainError("Nothing was painted or erased, so there is nothing to save.")
        if len(lengths) > 2 * MOST_RUNS:
            raise DomainError(TOO_MUCH)
        if len(lengths) % 2 or not all(0 <= length <= voxels for length in lengths) or 0 in lengths[1:]:
            raise DomainError("The correction's runs are no lengths within this scan. Load the page again.")
        if sum(lengths) > voxels:
            raise DomainError("The correction reaches beyond the last voxel of this scan. Load the page again.")
        return cls(np.array(lengths, dtype=np.int64), grid)

    @classmethod
    def of_voxels(cls, turned: npt.NDArray[np.bool_], grid: Grid) -> Self:
        edges = np.flatnonzero(np.diff(turned.ravel().view(np.int8), prepend=0, append=0))
        return cls(np.diff(edges, prepend=0).astype(np.int64), grid)

    @classmethod
    def from_bytes(cls, stored: bytes, grid: Grid) -> Self:
        return cls(np.frombuffer(zlib.decompress(stored), dtype=STORED_DTYPE).astype(np.int64), grid)

    def to_bytes(self) -> bytes:
        return zlib.compress(self.lengths.astype(STORED_DTYPE).tobytes())

    def by_slice(self) -> dict[int, npt.NDArray[np.bool_]]:
        """The slices that change, each with where it does (rows, columns)."""
        turned = self.turned()
        return {int(z): turned[z] for z in np.flatnonzero(turned.any(axis=(1, 2)))}

    def turned(self) -> npt.NDArray[np.bool_]:
        ends = np.cumsum(self.lengths)
        edges = np.zeros(math.prod(self.grid.size_zyx) + 1, dtype=np.uint8)
        edges[ends] = 1
        return np.bitwise_xor.accumulate(edges[:-1]).view(np.bool_).reshape(self.grid.size_zyx)


def turned_over(plane: Labels, flips: npt.NDArray[np.bool_]) -> Labels:
    """One slice with those voxels turned over and all others as they were."""
    return np.where(flips, plane == 0, plane).astype(np.uint8)
