"""Every stimulus of a study against every other, by pixels and not by names: whoever recognises a picture can compare.

Two stimuli are twins when they share runs of pixels (in either direction, wherever they lie) or look alike as a whole.
A twin gives its case away in two ways: one kind has more of them, and where two twins differ something was edited.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from readerstudy.blinding.measures import Pixels, Shown
from readerstudy.blinding.observables import Observable, Sort, number_observable

FAMILY = "pairs of stimuli"
RUN = 8
WIDE_RUN = 32
SMALL_PIXELS = 128 * 128
LEAST_VALUES_CHANGING = 5
SHARED_RUNS = 0.03
ALIKE = 0.95
THUMB = 24
PLACE_PIXELS = 5

_MULTIPLIERS = np.random.default_rng(19_830_621).integers(1, 2**62, WIDE_RUN, dtype=np.int64) | 1


@dataclass(frozen=True)
class Sketch:
    """What of one stimulus is needed for comparing it: digests of its runs, a thumbnail, its middle slice."""

    runs: NDArray[np.int64]
    thumb: NDArray[np.float64]
    middle: Pixels
    place_yx: tuple[int, int]


def sketch(pixels: Pixels, shown: Shown) -> Sketch:
    middle = pixels[len(pixels) // 2]
    return Sketch(runs=_runs(pixels), thumb=_thumb(middle), middle=middle, place_yx=shown.place_yx)


def _runs(pixels: Pixels) -> NDArray[np.int64]:
    """Distinct digests of runs along rows, the same for a run and its mirror image; flat runs say nothing."""
    columns = pixels.shape[2]
    small = pixels.size <= SMALL_PIXELS
    length = min(RUN if small else WIDE_RUN, columns)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, length, axis=2)
    if not small:
        windows = windows[:, :, :: columns % length + 1 if columns % length else length]
    flat = windows.reshape(-1, length).astype(np.int64)
    changing = (np.diff(flat, axis=1) != 0).sum(axis=1) >= min(LEAST_VALUES_CHANGING, length - 1)
    kept = flat[changing]
    forward, backward = kept @ _MULTIPLIERS[:length], kept[:, ::-1] @ _MULTIPLIERS[:length]
    return np.unique(np.minimum(forward, backward))


def _thumb(middle: Pixels) -> NDArray[np.float64]:
    """Block means without what varies slowly, of length 1: like in two slices of one scan, unlike in two patients."""
    rows, columns = (max(1, size // THUMB) for size in middle.shape)
    high, wide = middle.shape[0] // rows * rows, middle.shape[1] // columns * columns
    blocks = middle[:high, :wide].reshape(high // rows, rows, wide // columns, columns).mean(axis=(1, 3))
    padded = np.pad(blocks, 1, mode="edge")
    smooth = sum(padded[y : y + blocks.shape[0], x : x + blocks.shape[1]] for y in range(3) for x in range(3)) / 9
    detail = (blocks - smooth).ravel()
    length = float(np.linalg.norm(detail))
    return np.asarray(detail / length if length else detail, dtype=np.float64)


def twins(sketches: list[Sketch]) -> NDArray[np.bool_]:
    """Which stimuli show the same pixels or the same picture; shape (cases, cases), symmetric, no case its own twin."""
    shared = _shared_runs(sketches)
    counts = np.asarray([max(len(one.runs), 1) for one in sketches])
    found = shared >= SHARED_RUNS * np.minimum(counts[:, None], counts[None])
    found &= shared > 0
    thumbs = np.stack([one.thumb for one in sketches])
    found |= thumbs @ thumbs.T >= ALIKE
    np.fill_diagonal(found, val=False)
    return np.asarray(found)


def _shared_runs(sketches: list[Sketch]) -> NDArray[np.int64]:
    """Number of runs that two stimuli have in common, shape (cases, cases)."""
    digests = np.concatenate([one.runs for one in sketches])
    owner = np.repeat(np.arange(len(sketches)), [len(one.runs) for one in sketches])
    _, index, counts = np.unique(digests, return_inverse=True, return_counts=True)
    several = counts[index] > 1
    shape = (len(sketches), len(counts))
    table = sparse.csr_matrix((np.ones(several.sum(), dtype=np.int64), (owner[several], index[several])), shape=shape)
    return np.asarray((table @ table.T).todense(), dtype=np.int64)


def pair_observables(
    sketches: list[Sketch], *, seen_together: Iterable[Collection[int]], sort: Sort = "blind"
) -> list[Observable]:
    """`seen_together`: per rater the numbers of the cases that this rater reads; only these can be compared.

    Where the protocol lets twins reach one rater, what they tell is part of the pictures (`content`).
    """
    found = twins(sketches) & _together(len(sketches), seen_together)
    told = [
        number_observable("other stimuli with the same pixels or picture", found.sum(axis=1).tolist(), family=FAMILY),
        number_observable("differs from a twin at its own place", _changed(sketches, found), family=FAMILY),
    ]
    return [replace(one, sort=sort) for one in told]


def _together(count: int, seen_together: Iterable[Collection[int]]) -> NDArray[np.bool_]:
    together = np.zeros((count, count), dtype=bool)
    for cases in seen_together:
        held = np.asarray(sorted(cases), dtype=int)
        together[np.ix_(held, held)] = True
    return together


def _changed(sketches: list[Sketch], found: NDArray[np.bool_]) -> list[float]:
    """Per case, how far its own place differs from the same place in a twin, beyond the rest of the picture."""
    return [
        max((_change_at_place(sketches[case], sketches[other]) for other in np.flatnonzero(row)), default=0.0)
        for case, row in enumerate(found)
    ]


def _change_at_place(one: Sketch, other: Sketch) -> float:
    if one.thumb @ other.thumb < ALIKE and not _lie_alike(one, other):
        return 0.0
    row, column = one.place_yx
    near = (
        slice(max(row - PLACE_PIXELS, 0), row + PLACE_PIXELS + 1),
        slice(max(column - PLACE_PIXELS, 0), column + PLACE_PIXELS + 1),
    )
    apart = np.abs(one.middle.astype(np.int32) - other.middle)
    return round(float(apart[near].mean() - np.median(apart)), 3)


def _lie_alike(one: Sketch, other: Sketch) -> bool:
    """Most pixels are the same in the same place."""
    return bool((one.middle == other.middle).mean() > 0.5)
