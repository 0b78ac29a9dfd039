"""A lesion's outline at full resolution: the decoded blob says where it is long and wide, a random field the rest.

A decoded difference has samples of 2.5 x 1.4 x 1.4 mm at 22 mm across; the depths in a mask of them have facets and
corners that no lesion has. So the blob is low-passed to what it really knows, and bumps and lobes of every smaller
size come from a field whose spectrum is that of lesions that people have drawn: smooth within the slice, less so
through them, where sections also wander and swell; small lesions are rougher for their size than large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from ml.editing.resampling import resample
from ml.generator.shapes import DifferenceShape, signed_depth_mm
from ml.geometry import Float3
from ml.patches.case import Volume
from ml.settled import STEP_MM, settled

# The outline's lattice: so many samples along each axis, over so many radii.
SAMPLES, WIDTH = 40, 3.4
# What the decoded blob knows (sigma, samples of the patch).
KNOWN_SIGMA = (0.9, 1.6, 1.6)
# Lesions of these diameters (mm) and beyond have the two values of what follows, those between something between.
SMALL_MM, LARGE_MM = 8.0, 16.0
# The field's standard deviation (parts of the radius; median and log standard deviation over lesions), the lengths
# (parts of the radius; through the slices and within) up to which it is flat, and how its amplitude falls beyond.
# Fitted to drawn lesions, as what follows.
AMPLITUDE, AMPLITUDE_SPREAD = (0.125, 0.07), 0.4
LENGTHS, FALL, FALL_SPREAD = (0.45, 0.9), 5.0, 0.7
# How far sections wander (parts of the radius), over what length through the slices (sigma, samples), and how much
# they swell against that.
WANDER, WANDER_SIGMA, SWELL = (0.12, 0.035), 2.0, 0.7
# Neither lies farther from its middle than so many standard deviations: beyond, lesions fall to pieces.
FARTHEST = 1.5


@dataclass(frozen=True)
class Outline:
    """Depth (mm, positive inside) of a lesion of about ``diameter_mm`` on a lattice of its own."""

    depth_mm: Volume
    centre_zyx: Float3
    diameter_mm: float
    spacing_zyx_mm: Float3


def outlined(
    shape: DifferenceShape, spacing_zyx_mm: Float3, asked_mm: float, roughness: float, rng: np.random.Generator
) -> Outline:
    """The outline of a decoded blob on samples of ``spacing_zyx_mm``, in the blob's own size.

    ``asked_mm`` is the diameter that it will have in the scan; ``roughness`` multiplies what makes it uneven.
    """
    depth = ndimage.gaussian_filter(signed_depth_mm(shape.mask, spacing_zyx_mm), KNOWN_SIGMA)
    diameter_mm = shape.diameter_mm * float(np.cbrt(shape.flatness))
    step = WIDTH * diameter_mm / 2 / SAMPLES
    # What thick slices taught to be flat is drawn out.
    samples = (spacing_zyx_mm[0] * shape.flatness, spacing_zyx_mm[1], spacing_zyx_mm[2])
    matrix = np.diag(step / np.asarray(samples))
    middle = (SAMPLES - 1) / 2
    offset = np.asarray(shape.centre_zyx) - matrix @ np.full(3, middle)
    fine = resample(depth, matrix, offset, (SAMPLES,) * 3)
    fine += np.float32(roughness * diameter_mm / 2) * random_surface(asked_mm, rng)
    return Outline(settled(fine, STEP_MM), (middle, middle, middle), diameter_mm, (step, step, step))


def random_surface(asked_mm: float, rng: np.random.Generator) -> Volume:
    """Bumps and dents of a lesion of this size on the outline's lattice, in parts of the radius."""
    strong, smooth = np.clip(rng.standard_normal(2), -FARTHEST, FARTHEST)
    amplitude, fall = _by_size(AMPLITUDE, asked_mm) * np.exp(AMPLITUDE_SPREAD * strong), FALL + FALL_SPREAD * smooth
    rough = fft.rfftn(rng.standard_normal((SAMPLES,) * 3).astype(np.float32))
    rough *= _response(fall)
    field = fft.irfftn(rough, (SAMPLES,) * 3)
    bumps: Volume = np.clip(field / field.std(), -2.5, 2.5) * np.float32(amplitude)
    return bumps + np.float32(_by_size(WANDER, asked_mm)) * _sections(rng)


def _by_size(ends: tuple[float, float], asked_mm: float) -> float:
    """Between the values of small and large lesions, in equal parts of the logarithm."""
    share = np.clip(np.log(asked_mm / SMALL_MM) / np.log(LARGE_MM / SMALL_MM), 0, 1)
    return float(ends[0] * (ends[1] / ends[0]) ** share)


def _sections(rng: np.random.Generator) -> Volume:
    """What wandering and swelling sections add to the depth where they go by one radius each way (standard deviation).

    A section that moves by d towards a side is deeper there by d at one radius from the middle.
    """
    along = ndimage.gaussian_filter1d(rng.standard_normal((3, SAMPLES)), WANDER_SIGMA, axis=1)
    down, right, swell = (along / along.std()).astype(np.float32)[:, :, None, None]
    place = ((np.arange(SAMPLES) - (SAMPLES - 1) / 2) * WIDTH / SAMPLES).astype(np.float32)
    added: Volume = down * place[:, None] + right * place + np.float32(SWELL) * swell
    return added


def _response(fall: float) -> NDArray[np.float32]:
    """Amplitude over frequency: flat up to waves of LENGTHS, then falling."""
    through, within = LENGTHS
    along = np.square(fft.fftfreq(SAMPLES, WIDTH / SAMPLES))
    last = np.square(fft.rfftfreq(SAMPLES, WIDTH / SAMPLES))
    square = through**2 * along[:, None, None] + within**2 * (along[:, None] + last)
    response: NDArray[np.float32] = ((1 + square) ** (-fall / 2)).astype(np.float32)
    response[0, 0, 0] = 0
    return response
