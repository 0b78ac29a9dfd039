"""What wavelets and frequencies at three scales tell of patches: a judge that looks where eyes and first-order
features do not.

Generated pictures are told by what their making leaves in narrow bands: noise that is a little too smooth or too rough
at one scale, structure that does not go on from one scale to the next. Details are those of the undecimated wavelet
transform with holes (Starck and Murtagh 1994, B3 spline), powers those of windows of three sizes about the middle.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Patches = NDArray[np.float32]
Plane = NDArray[np.float64]

# The spline's weights; at every scale they stand twice as far apart, so that details are of about 2, 4 and 8 pixels.
SPLINE = np.array([1, 4, 6, 4, 1]) / 16
SCALES = 3
# Radii (pixels) of the zones in which details are told: the middle, what lies about an edge, the liver around.
ZONES_PX = (0, 4, 9, 15)
# Sides of the windows whose spectra are told (pixels), and their rings up to 0.5 cycles per pixel.
WINDOWS_PX, RINGS = (32, 16, 8), 4
# Slices from the middle whose details and spectra count together.
SLICES = (-1, 0, 1)
# Keeps logarithms and divisions apart from zero.
TINY = 1e-6

DIRECTIONS = ("edges", "corners")


def band_names() -> list[str]:
    """Names of the columns of ``band_features``."""
    scales = [f"scale_{n + 1}" for n in range(SCALES)]
    zones = [f"{a}_{b}" for a, b in itertools.pairwise(ZONES_PX)]
    names = [
        f"{scale}_{direction}_{zone}_{what}"
        for scale in scales
        for direction in DIRECTIONS
        for zone in zones
        for what in ("energy", "tails")
    ]
    names += [f"{a}_to_{b}_{zone}" for a, b in itertools.pairwise(scales) for zone in zones]
    names += [f"{scale}_next_slice_{zone}" for scale in scales for zone in zones]
    return [*names, *(f"window_{side}_ring_{ring}" for side in WINDOWS_PX for ring in range(RINGS))]


def band_features(patches: Patches) -> NDArray[np.float64]:
    """Energies and tails of wavelet details by zone, how they go on over scales and slices, powers of three windows.

    They are the same for a mirrored patch and for one whose rows and columns are exchanged: every patch counts as all
    eight of its views.

    Args:
        patches: shape (n, Z, Y, X), square slices, any linear unit.

    Returns:
        Shape (n, number of names), finite.
    """
    return np.nan_to_num(np.stack([_one(patch) for patch in patches]).astype(np.float64))


def _one(patch: NDArray[np.float32]) -> NDArray[np.float64]:
    middle = patch.shape[0] // 2
    slices = np.stack([patch[middle + n] for n in SLICES]).astype(np.float64)
    radius = np.hypot(*np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in patch.shape[1:]], indexing="ij"))
    zones = [(radius >= a) & (radius < b) for a, b in itertools.pairwise(ZONES_PX)]
    details = wavelet_details(slices)
    values = [
        value
        for scale in details
        for direction in (scale[:2], scale[2:])
        for zone in zones
        for value in (_log_energy(direction[..., zone]), _tails(direction[..., zone]))
    ]
    sizes = [np.log(np.square(scale).sum(0) + TINY) for scale in details]
    values += [_correlation(a[:, zone], b[:, zone]) for a, b in itertools.pairwise(sizes) for zone in zones]
    values += [_correlation(scale[:, :-1][..., zone], scale[:, 1:][..., zone]) for scale in details for zone in zones]
    return np.array([*values, *(power for side in WINDOWS_PX for power in _powers(slices, side))])


def wavelet_details(slices: Plane) -> list[Plane]:
    """Details of slices (n, Y, X) at every scale: (3, n, Y, X) along rows, along columns, and along both."""
    found = []
    for scale in range(SCALES):
        weights = np.zeros(4 * 2**scale + 1)
        weights[:: 2**scale] = SPLINE
        rows, columns = (ndimage.convolve1d(slices, weights, axis, mode="mirror") for axis in (2, 1))
        low = ndimage.convolve1d(rows, weights, 1, mode="mirror")
        found.append(np.stack([columns - low, rows - low, slices - rows - columns + low]))
        slices = low
    return found


def _log_energy(values: Plane) -> float:
    return float(np.log(np.square(values).mean() + TINY))


def _tails(values: Plane) -> float:
    """Logarithm of the fourth moment over that of a normal law: 0 for noise, more where a few edges hold it all."""
    square = np.square(values)
    return float(np.log((np.square(square).mean() + TINY**2) / (3 * square.mean() ** 2 + TINY**2)))


def _correlation(first: Plane, second: Plane) -> float:
    a, b = first - first.mean(), second - second.mean()
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + TINY))


def _powers(slices: Plane, side: int) -> list[float]:
    """Log power in rings of a window about the middle, in slices that count together."""
    first = (slices.shape[1] - side) // 2
    part = slices[:, first : first + side, first : first + side]
    window = np.outer(np.hanning(side + 2)[1:-1], np.hanning(side + 2)[1:-1])
    power = np.square(np.abs(np.fft.fft2((part - part.mean((1, 2), keepdims=True)) * window))).mean(0)
    power /= np.square(window).sum()
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side)] * 2, indexing="ij"))
    ring = np.minimum((frequency * 2 * RINGS).astype(int), RINGS)
    return [float(np.log(power[ring == n].mean() + TINY)) for n in range(RINGS)]
