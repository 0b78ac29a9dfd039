"""What a scanner lets through, estimated from a scan's own noise: an edit must not be sharper than that.

Filtered back-projection leaves noise power S(f) proportional to f MTF(f)^2, plus the white noise of rounding to
whole HU (variance 1/12). Where the scan transmits nothing, two things give an edit away: high spatial frequencies of
the change itself, and a second rounding of numbers that were rounded already. The first are filtered out; the first
rounding is taken back where it is all there is (Wiener filter), never by more than half a unit, so that values
which an edit does not change round to what they were.

Slices overlap: each shows a part of its neighbours, of a lesion as of the noise. Where a slice takes the share a from
either neighbour and keeps r = 1 - 2a, noise that was independent gets the correlation 2ar / (r^2 + 2a^2) with the
next slice's, which tells a.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ml.patches.case import Mask, Volume
from ml.settled import STEP_SCORE, settled

Kernel = NDArray[np.float32]
Places = NDArray[np.int64]

# Tiles of plain liver in which noise is measured, the distance of their places, and the kernel's size (pixels). Set
# by hand.
TILE_PX, TILE_STEP_PX, KERNEL_PX = 16, 6, 9
# The fewest tiles that tell a kernel, the most that are read, the least share of liver in one. Set by hand.
MIN_TILES, MAX_TILES, MIN_LIVER_SHARE = 6, 200, 0.97
# Tiles are looked for in about this many slices of a crop.
TILE_SLICES = 12
# Tiles are cut to this (HU against the liver) before their noise is measured. Set by hand.
CLIP_HU = 80
# Of a number rounded to whole HU: uniform over one unit.
ROUNDING_VARIANCE_HU2 = 1 / 12
# Rings of the noise power up to 0.5 cycles per pixel.
BANDS = 8
# Frequencies transmitted by less than this part of the best one are taken out of a change.
HARDLY_TRANSMITTED = 0.25
# Where a scan shows too little plain liver to tell: no scanner transmits much beyond this (cycles per pixel).
FALLBACK_CUTOFF = 0.36
# Just below half a HU: what is given back for rounding alone rounds to no change.
HALF_UNIT = 0.49
# Every so many slices are compared with the next.
PAIR_STEP = 3
# Rings of the noise power in which slices are compared: anatomy is smoother, the last ones hold little but rounding.
COMPARED_RINGS = slice(3, 7)
# The model allows 0.7; this means a share of 0.22, the largest that is assumed.
MAX_CORRELATION = 0.6


@dataclass(frozen=True)
class ScannerResponse:
    """In-plane filters (9, 9): ``transmits`` for changes, ``unrounds`` for the scan (None: cannot be told).

    ``overlap`` is the share that a slice takes from either neighbour.
    """

    transmits: Kernel
    unrounds: Kernel | None
    overlap: float = 0.0

    @classmethod
    def of(cls, source_hu: NDArray[np.int16], liver: Mask, level_hu: float) -> ScannerResponse:
        """The filters of a crop (z, y, x) with its liver and the liver's level."""
        tiles = plain_tiles(source_hu, liver, level_hu)
        if len(tiles) < MIN_TILES:
            return cls(_kernel((_FREQUENCY < FALLBACK_CUTOFF).astype(np.float64)), None)
        power = noise_power(tiles)
        rounding = np.clip(ROUNDING_VARIANCE_HU2 / np.maximum(power, 1e-9), 0, 1)
        # Low frequencies are anatomy, of which nothing is to be taken.
        rounding[:2] = 0
        overlap = slice_overlap(source_hu, liver, level_hu)
        return cls(_kernel(transmission(power)[_BAND]), _kernel((1 - rounding)[_BAND]), overlap)

    def transmitted(self, change: Volume) -> Volume:
        """A change in HU without what the scanner would not have let through, slices overlapping as the scan's do."""
        return overlapped(_filter(change, self.transmits), self.overlap)

    def taken_by_rounding(self, source_hu: NDArray[np.int16]) -> Volume:
        """Estimate of what the whole HU of a scan lack, within half a unit."""
        if self.unrounds is None:
            return np.zeros(source_hu.shape, np.float32)
        values = source_hu.astype(np.float32)
        lacking: Volume = np.clip(_filter(values, self.unrounds) - values, -HALF_UNIT, HALF_UNIT)
        return lacking


_FREQUENCY = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE_PX), np.fft.fftfreq(TILE_PX), indexing="ij"))
_BAND = (_FREQUENCY * 2 * BANDS).astype(int)
_WINDOW = np.outer(np.hanning(TILE_PX), np.hanning(TILE_PX)).astype(np.float32)


def noise_power(tiles: Volume) -> NDArray[np.float64]:
    """Mean noise power (HU squared per pixel) of tiles (n, 16, 16) in rings a sixteenth of a cycle per pixel wide."""
    flat = (tiles - tiles.mean((1, 2), keepdims=True)) * _WINDOW
    power = (np.abs(np.fft.fft2(flat)) ** 2).mean(0) / (_WINDOW**2).sum()
    rings: NDArray[np.float64] = np.bincount(_BAND.ravel(), power.ravel()) / np.bincount(_BAND.ravel())
    return rings


def transmission(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far changes pass, 0 to 1 in the rings of ``noise_power``: 1 up to where the scan hardly transmits."""
    ring = (np.arange(len(power)) + 0.5) / (2 * BANDS)
    mtf = np.sqrt(np.maximum(power - ROUNDING_VARIANCE_HU2, 0) / ring)
    best = int(np.argmax(mtf[1:])) + 1
    passed = np.clip(mtf / (HARDLY_TRANSMITTED * mtf[best] + 1e-9), 0, 1)
    passed[: best + 1] = 1
    falling: NDArray[np.float64] = np.minimum.accumulate(passed)
    return falling


def slice_overlap(source_hu: NDArray[np.int16], liver: Mask, level_hu: float) -> float:
    """The share that a slice takes from either neighbour, from the noise; 0 where there is too little plain liver."""
    places = _plain_places(liver[:-1:PAIR_STEP] & liver[1::PAIR_STEP])
    if len(places) < MIN_TILES:
        return 0.0
    tiles, following = (_tiles_at(source_hu[n:][::PAIR_STEP], places, level_hu) for n in (0, 1))
    own = (noise_power(tiles) + noise_power(following))[COMPARED_RINGS].sum()
    common = noise_power(tiles + following)[COMPARED_RINGS].sum() - own
    scanned = own - 2 * ROUNDING_VARIANCE_HU2 * (COMPARED_RINGS.stop - COMPARED_RINGS.start)
    correlation = float(np.clip(common / max(scanned, 1e-9), 0, MAX_CORRELATION))
    if correlation == 0:
        return 0.0
    ratio = (1 - np.sqrt(1 - 2 * correlation**2)) / (2 * correlation)
    return float(ratio / (1 + 2 * ratio))


def overlapped(volume: Volume, overlap: float) -> Volume:
    """Slices that take the share ``overlap`` from either neighbour; the first and last one are held outside."""
    if overlap == 0:
        return volume
    mixed = np.float32(1 - 2 * overlap) * volume
    share = np.float32(overlap)
    mixed[1:] += share * volume[:-1]
    mixed[:-1] += share * volume[1:]
    mixed[0] += share * volume[0]
    mixed[-1] += share * volume[-1]
    return mixed


def plain_tiles(source_hu: NDArray[np.int16], liver: Mask, level_hu: float) -> Volume:
    """Overlapping square tiles (n, 16, 16) of slices that lie in the liver, values clipped about its level."""
    return _tiles_at(source_hu, _plain_places(liver), level_hu)


def _plain_places(liver: Mask) -> Places:
    """First pixels (n, 3: z, y, x) of the tiles that lie in the liver."""
    if not len(liver) or min(liver.shape[1:]) < TILE_PX:
        return np.zeros((0, 3), np.int64)
    step = 1 + (len(liver) - 1) // TILE_SLICES
    # Counts over all rectangles from the corner; a tile's is the difference of four of them.
    counts = np.pad(liver[::step].cumsum(1, dtype=np.int32).cumsum(2, dtype=np.int32), ((0, 0), (1, 0), (1, 0)))
    ahead, behind = slice(TILE_PX, None, TILE_STEP_PX), slice(None, -TILE_PX, TILE_STEP_PX)
    inside = counts[:, ahead, ahead] - counts[:, ahead, behind] - counts[:, behind, ahead] + counts[:, behind, behind]
    chosen = np.argwhere(inside >= MIN_LIVER_SHARE * TILE_PX**2)
    return chosen[:: 1 + len(chosen) // MAX_TILES] * (step, TILE_STEP_PX, TILE_STEP_PX)


def _tiles_at(source_hu: NDArray[np.int16], places: Places, level_hu: float) -> Volume:
    if not len(places):
        return np.zeros((0, TILE_PX, TILE_PX), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(source_hu, (TILE_PX, TILE_PX), (1, 2))
    tiles = windows[tuple(places.T)].astype(np.float32) - np.float32(level_hu)
    clipped: Volume = np.clip(tiles, -CLIP_HU, CLIP_HU)
    return clipped


def _kernel(response: NDArray[np.float64]) -> Kernel:
    """A frequency response on the tiles' grid as a tapered kernel whose sum is 1."""
    full = np.fft.fftshift(np.real(np.fft.ifft2(response)))
    start = (TILE_PX - KERNEL_PX + 1) // 2
    taper = np.hanning(KERNEL_PX + 2)[1:-1]
    kernel = full[start : start + KERNEL_PX, start : start + KERNEL_PX] * np.outer(taper, taper)
    return settled(kernel / kernel.sum(), STEP_SCORE).astype(np.float32)


def _filter(volume: Volume, kernel: Kernel) -> Volume:
    """Every slice with the kernel, the border held outside; by Fourier transform, which is faster than 81 sums."""
    margin, (height, width) = KERNEL_PX // 2, volume.shape[1:]
    padded = np.pad(volume, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    size = [fft.next_fast_len(n, real=True) for n in padded.shape[1:]]
    centred = np.zeros(size, np.float32)
    centred[:KERNEL_PX, :KERNEL_PX] = kernel
    response = fft.rfft2(np.roll(centred, (-margin, -margin), (0, 1)))
    filtered = fft.irfft2(fft.rfft2(padded, size) * response, size)
    inner: Volume = filtered[:, margin : margin + height, margin : margin + width]
    return inner
