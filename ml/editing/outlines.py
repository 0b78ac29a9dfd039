"""A lesion's outline at full resolution: the decoded blob says where it is long and wide, a random field the rest.

A decoded difference has samples of 2.5 x 1.4 x 1.4 mm at 22 mm across; the depths in a mask of them have facets and
corners that no lesion has. So the blob is low-passed to what it really knows, and bumps and lobes of every smaller
size come from a field whose spectrum is that of lesions that people have drawn.
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
# The field's standard deviation (parts of the radius; median and log standard deviation over lesions), the length
# (parts of the radius) up to which it is flat, and how its amplitude falls beyond. Fitted to drawn lesions.
AMPLITUDE, AMPLITUDE_SPREAD = 0.12, 0.4
LENGTH, FALL, FALL_SPREAD = 0.9, 4.2, 0.7
# Neither lies farther from its middle than so many standard deviations: beyond, lesions fall to pieces.
FARTHEST = 1.5


@dataclass(frozen=True)
class Outline:
    """Depth (mm, positive inside) of a lesion of about ``diameter_mm`` on a lattice of its own."""

    depth_mm: Volume
    centre_zyx: Float3
    diameter_mm: float
    spacing_zyx_mm: Float3


def outlined(shape: DifferenceShape, spacing_zyx_mm: Float3, roughness: float, rng: np.random.Generator) -> Outline:
    """The outline of a decoded blob on samples of ``spacing_zyx_mm``; ``roughness`` multiplies the field."""
    depth = ndimage.gaussian_filter(signed_depth_mm(shape.mask, spacing_zyx_mm), KNOWN_SIGMA)
    diameter_mm = shape.diameter_mm * float(np.cbrt(shape.flatness))
    step = WIDTH * diameter_mm / 2 / SAMPLES
    # What thick slices taught to be flat is drawn out.
    samples = (spacing_zyx_mm[0] * shape.flatness, spacing_zyx_mm[1], spacing_zyx_mm[2])
    matrix = np.diag(step / np.asarray(samples))
    middle = (SAMPLES - 1) / 2
    offset = np.asarray(shape.centre_zyx) - matrix @ np.full(3, middle)
    fine = resample(depth, matrix, offset, (SAMPLES,) * 3)
    fine += np.float32(roughness * diameter_mm / 2) * random_surface(rng)
    return Outline(settled(fine, STEP_MM), (middle, middle, middle), diameter_mm, (step, step, step))


def random_surface(rng: np.random.Generator) -> Volume:
    """Bumps and dents on the outline's lattice, in parts of the radius."""
    strong, smooth = np.clip(rng.standard_normal(2), -FARTHEST, FARTHEST)
    amplitude, fall = AMPLITUDE * np.exp(AMPLITUDE_SPREAD * strong), FALL + FALL_SPREAD * smooth
    rough = fft.rfftn(rng.standard_normal((SAMPLES,) * 3).astype(np.float32))
    rough *= _response(fall)
    field = fft.irfftn(rough, (SAMPLES,) * 3)
    surface: Volume = np.clip(field / field.std(), -2.5, 2.5) * np.float32(amplitude)
    return surface


def _response(fall: float) -> NDArray[np.float32]:
    """Amplitude over frequency: flat up to a wave of LENGTH, then falling."""
    along = np.square(fft.fftfreq(SAMPLES, WIDTH / SAMPLES))
    last = np.square(fft.rfftfreq(SAMPLES, WIDTH / SAMPLES))
    square = along[:, None, None] + along[:, None] + last
    response: NDArray[np.float32] = ((1 + square * LENGTH**2) ** (-fall / 2)).astype(np.float32)
    response[0, 0, 0] = 0
    return response
