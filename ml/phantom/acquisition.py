"""Simulated CT acquisition: parallel-beam projection, bow-tie, photon and electronic noise, filtered back-projection.

Joseph's method projects forward, a pixel-driven linear interpolation projects back. Only views between
0 and 45 degrees are tabulated; the others are the same views of the flipped or transposed image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ml.patches.case import Volume

Kernel: TypeAlias = Literal["soft", "standard", "sharp"]

# Linear attenuation of water at about 70 keV.
WATER_ATTENUATION_PER_MM = 0.0195
# What scanners write outside the field of view.
OUTSIDE_FIELD_HU = -1024.0
# Standard deviation of a detector bin's noise without any photon (photons). Set by hand.
ELECTRONIC_NOISE_COUNTS = 2.5
# What a slice takes from each of its neighbours.
SLICE_OVERLAP = 0.09
# Highest passed frequency as a part of Nyquist, and the exponent of the cosine-squared apodisation.
KERNELS: dict[Kernel, tuple[float, float]] = {"soft": (0.72, 1.0), "standard": (0.85, 1.0), "sharp": (1.0, 0.7)}


@dataclass(frozen=True)
class Scanner:
    """How the scan is taken. ``photons`` is the unattenuated count per detector bin, ``views`` covers 180 degrees."""

    photons: float = 1.5e5
    kernel: Kernel = "standard"
    views: int = 288


@lru_cache(maxsize=2)
def _system(pixels: int, views: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Forward matrix (rays x pixels) and back-projection matrix (pixels x rays) of the views in [0, 45] degrees."""
    if views % 4:
        raise ValueError("The number of views must be a multiple of four.")
    axis: NDArray[np.float64] = np.arange(pixels, dtype=np.float64) - (pixels - 1) / 2
    angles = np.arange(views // 4 + 1) * np.pi / views
    forward = sparse.csr_array(sparse.vstack([_joseph_view(axis, float(angle)) for angle in angles]))
    back = sparse.csr_array(sparse.hstack([_pixel_driven_view(axis, float(angle)) for angle in angles]))
    return forward, back


def _joseph_view(axis: NDArray[np.float64], angle: float) -> sparse.csr_array:
    """One view: each detector bin sums linear interpolations in every image row."""
    pixels = len(axis)
    detector, row = np.meshgrid(axis, np.arange(pixels), indexing="ij")
    column = (detector - axis[row] * np.sin(angle)) / np.cos(angle) + (pixels - 1) / 2
    return _interpolation(column, base=row * pixels, length=pixels, columns=pixels**2, gain=1 / np.cos(angle))


def _pixel_driven_view(axis: NDArray[np.float64], angle: float) -> sparse.csr_array:
    """One view: each pixel reads the detector where its ray falls."""
    pixels = len(axis)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    bin_index = (x * np.cos(angle) + y * np.sin(angle) + (pixels - 1) / 2).reshape(-1, 1)
    return _interpolation(bin_index, base=np.zeros_like(bin_index, int), length=pixels, columns=pixels, gain=1.0)


def _interpolation(
    position: NDArray[np.float64], *, base: NDArray[np.int_], length: int, columns: int, gain: float
) -> sparse.csr_array:
    """Rows that linearly interpolate at ``position`` (rows x samples) in a line of ``length`` starting at ``base``."""
    lower = np.floor(position).astype(np.int32)
    upper_weight = ((position - lower) * gain).astype(np.float32)
    rows = position.shape[0]
    columns_two = np.stack([base + lower, base + lower + 1], -1)
    weights = np.stack([np.float32(gain) - upper_weight, upper_weight], -1)
    inside = np.stack([(lower >= 0) & (lower < length), (lower >= -1) & (lower < length - 1)], -1)
    counts = np.concatenate([[0], np.cumsum(inside.reshape(rows, -1).sum(1))]).astype(np.int32)
    return sparse.csr_array((weights[inside], columns_two[inside].astype(np.int32), counts), shape=(rows, columns))


def _orientations(image: Volume) -> list[Volume]:
    """The image (z, y, x) seen so that its views at a, 90-a, 90+a, 180-a are base views."""
    turned = image.transpose(0, 2, 1)
    return [image, turned, turned[:, ::-1], image[:, :, ::-1]]


def _selections(views: int) -> list[slice]:
    """Which base views each orientation contributes; together every angle occurs once."""
    quarter = views // 4
    return [slice(0, quarter + 1), slice(0, quarter), slice(1, quarter + 1), slice(1, quarter)]


def project(attenuation: Volume, *, views: int) -> Volume:
    """Line integrals of ``attenuation`` (per pixel, shape z, n, n), shape (views, n, z); any order of the views."""
    slices, pixels, _ = attenuation.shape
    forward, _ = _system(pixels, views)
    parts = []
    for seen, chosen in zip(_orientations(attenuation), _selections(views), strict=True):
        rows = slice(chosen.start * pixels, chosen.stop * pixels)
        flat = np.ascontiguousarray(seen.reshape(slices, -1).T)
        parts.append((forward[rows] @ flat).reshape(-1, pixels, slices))
    return np.concatenate(parts)


def back_project(filtered: Volume, *, views: int) -> Volume:
    """Sum of the filtered views over each pixel, shape (z, n, n), scaled by the angular step."""
    _, pixels, slices = filtered.shape
    _, back = _system(pixels, views)
    quarter, start = views // 4, 0
    total = np.zeros((slices, pixels, pixels), np.float32)
    for number, chosen in enumerate(_selections(views)):
        count = chosen.stop - chosen.start
        lines = np.zeros((quarter + 1, pixels, slices), np.float32)
        lines[chosen] = filtered[start : start + count]
        start += count
        image = (back @ lines.reshape(-1, slices)).T.reshape(slices, pixels, pixels)
        total += _restore(image, number)
    return total * np.float32(np.pi / views)


def _restore(image: Volume, orientation: int) -> Volume:
    """Undo ``_orientations``."""
    if orientation == 0:
        return image
    if orientation == 3:
        return image[:, :, ::-1]
    return (image if orientation == 1 else image[:, ::-1]).transpose(0, 2, 1)


def _filter(lines: Volume, kernel: Kernel) -> Volume:
    """Ram-Lak filter sampled in space (a ramp sampled in frequency would bias the liver by tens of HU)."""
    pixels = lines.shape[1]
    length = 2 ** int(np.ceil(np.log2(2 * pixels)))
    offset = np.minimum(np.arange(length), length - np.arange(length))
    taps = np.zeros(length)
    taps[0] = 0.25
    odd = offset % 2 == 1
    taps[odd] = -1 / (np.pi * offset[odd]) ** 2
    cutoff, exponent = KERNELS[kernel]
    frequency = np.fft.rfftfreq(length) / 0.5 / cutoff
    window = np.where(frequency < 1, (0.5 + 0.5 * np.cos(np.pi * np.minimum(frequency, 1))) ** exponent, 0)
    response = (np.fft.rfft(taps).real * window).astype(np.float32)
    from scipy import fft

    spectrum = fft.rfft(lines, n=length, axis=1) * response[None, :, None]
    return np.ascontiguousarray(fft.irfft(spectrum, n=length, axis=1)[:, :pixels]).astype(np.float32)


def _attenuation(hu: Volume, pixel_mm: float) -> Volume:
    return np.clip((hu + 1000) / 1000 * (WATER_ATTENUATION_PER_MM * pixel_mm), 0, None).astype(np.float32)


def _bow_tie(pixels: int) -> Volume:
    position = (np.arange(pixels) - (pixels - 1) / 2) / (0.36 * pixels)
    profile: Volume = (np.exp(-1.6 * position**2) + 0.08).astype(np.float32)[None, :, None]
    return profile


def acquire_pair(
    hu: Volume, free_hu: Volume, *, rng: np.random.Generator, pixel_mm: float, scanner: Scanner
) -> tuple[Volume, Volume]:
    """Scan an object and its lesion-free twin with the same noise realisation.

    Args:
        hu, free_hu: noise-free HU, shape (z, n, n); they may differ in few slices.
        rng: draws the photon and electronic noise once for both.
        pixel_mm: in-plane spacing.
        scanner: dose, kernel and number of views.

    Returns:
        The two reconstructions in HU (float32). Slices in which the objects are equal are equal. The
        twin's photon noise is the object's deviation scaled to the twin's expectation (square root of
        the ratio of the counts), so that both see the same fluctuation.
    """
    pixels = hu.shape[-1]
    integrals = project(_attenuation(hu, pixel_mm), views=scanner.views)
    open_field = np.float32(scanner.photons) * _bow_tie(pixels)
    expected = open_field * np.exp(-integrals)
    photons = rng.poisson(expected).astype(np.float32)
    electronic = rng.normal(0, ELECTRONIC_NOISE_COUNTS, expected.shape).astype(np.float32)
    image = _reconstruct(photons + electronic, open_field, scanner, pixel_mm)
    twin = image.copy()
    differing = np.flatnonzero((hu != free_hu).any(axis=(1, 2)))
    if len(differing):
        change = _attenuation(free_hu[differing], pixel_mm) - _attenuation(hu[differing], pixel_mm)
        before = expected[..., differing]
        after = before * np.exp(-project(change, views=scanner.views))
        counts = after + (photons[..., differing] - before) * np.sqrt(after / before)
        twin[differing] = _reconstruct(counts + electronic[..., differing], open_field, scanner, pixel_mm)
    return _slice_profile(image), _slice_profile(twin)


def _reconstruct(counts: Volume, open_field: Volume, scanner: Scanner, pixel_mm: float) -> Volume:
    lines = -np.log(np.maximum(counts, 1) / open_field)
    image = back_project(_filter(lines.astype(np.float32), scanner.kernel), views=scanner.views)
    hu = image / (WATER_ATTENUATION_PER_MM * pixel_mm) * 1000 - 1000
    pixels = hu.shape[-1]
    axis = np.arange(pixels) - (pixels - 1) / 2
    hu[:, np.hypot(*np.meshgrid(axis, axis, indexing="ij")) > pixels / 2 - 1] = OUTSIDE_FIELD_HU
    return hu


def _slice_profile(image: Volume) -> Volume:
    """Neighbouring slices overlap a little on either side, as slice sensitivity profiles do; the ends are held."""
    around = np.concatenate([image[:1], image, image[-1:]])
    mixed: Volume = (1 - 2 * SLICE_OVERLAP) * image + SLICE_OVERLAP * (around[:-2] + around[2:])
    return mixed
