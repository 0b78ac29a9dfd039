"""A grain of one Hounsfield unit over every picture of a study in which cases come twice.

Without it both times would travel in the same bytes, and whoever counts digests of what a browser receives would have
the repeats without looking. One HU is less than a grey of any usual window and a tenth of the noise of CT, and all
pictures of the study get it. It does not hide what the eye may recognise: that is what the distance is for. Whoever
holds the sealed seed can take it off again, as the leak audit does, which sees the pictures bare.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Hu = NDArray[np.int16]

ALGORITHM = "pcg64-grain/1"


def grain_key(*, seed: str, case_id: str, reading: int) -> str:
    return f"{seed}:{case_id}:{reading}"


def grained(pixels: Hu, *, key: str) -> Hu:
    """Each sample one HU lower, as it is, or one higher; the range of stimuli grows by as much."""
    return np.asarray(pixels + _steps(pixels.shape, key), dtype=np.int16)


def bare(pixels: Hu, *, key: str) -> Hu:
    """What `grained` was given."""
    return np.asarray(pixels - _steps(pixels.shape, key), dtype=np.int16)


def _steps(shape: tuple[int, ...], key: str) -> Hu:
    """From the raw stream of PCG64, which numpy keeps as it is."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
    raw = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(int(np.prod(shape)))
    return np.asarray((raw % np.uint64(3)).astype(np.int16) - 1, dtype=np.int16).reshape(shape)
