"""Scans as a segmentation network reads them, and copies of a scan with more lesions than it had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import LESION_KINDS, LesionSpec
from ml.editing.spec import MAX_CONTRAST_HU, MIN_CONTRAST_HU, usual_contrast_hu
from ml.evaluation.realism.places import Place, Scan, try_insert
from ml.generator.model import Generator
from ml.geometry import box_of
from ml.patches.case import LiverCase
from ml.patches.frames import HU_SCALE

# In-plane distance of pixels that the network sees (mm); slices stay as the scan has them.
PIXEL_MM = 1.5
# What is seen of a scan beyond its liver (pixels).
MARGIN_PX = 8
# Copies of each scan, and lesions added to each copy. Set by hand.
COPIES, ADDED = 4, 3
# Diameters that are added (mm), evenly by their logarithm; and the part of a kind's usual contrast. Set by hand.
ADDED_MM, CONTRAST_SHARE = (6.0, 30.0), (0.5, 1.2)
# Added lesions keep this far (mm) from others and from the liver's surface.
APART_MM, INSIDE_MM = 5.0, 4.0

Adder = Callable[[LiverCase, Scan, Place], "Added | None"]


@dataclass(frozen=True)
class Added:
    """A whole scan (HU) after one more lesion, and the lesion's mask on its grid."""

    hu: Scan
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Picture:
    """A scan cut to its liver: ``pixels`` (HU - liver) / 80, 0 outside the liver; all of shape (Z, Y, X)."""

    name: str
    pixels: NDArray[np.float32]
    liver: NDArray[np.bool_]
    lesions: NDArray[np.bool_]
    voxel_mm3: float


def picture_of(case: LiverCase, hu: Scan, lesions: NDArray[np.bool_]) -> Picture:
    """A scan on the case's grid, at 1.5 mm in the slices."""
    box = box_of(case.liver)
    if box is None:
        raise ValueError(f"{case.name} has no liver.")
    z, y, x = case.grid.spacing_zyx_mm
    zoom = (1.0, y / PIXEL_MM, x / PIXEL_MM)

    def resampled(values: NDArray[np.float32]) -> NDArray[np.float32]:
        sampled: NDArray[np.float32] = ndimage.zoom(values, zoom, order=1)
        return np.pad(sampled, ((1, 1), (MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX)))

    liver = resampled(case.liver[box].astype(np.float32)) > 0.5
    inside = resampled(lesions[box].astype(np.float32)) > 0.5
    values = np.clip((hu[box].astype(np.float32) - case.level_hu) / HU_SCALE, -2.5, 2.5)
    return Picture(case.name, resampled(values) * liver, liver, inside & liver, z * PIXEL_MM**2)


def with_edits(generator: Generator) -> Adder:
    """Lesions are added by a generator's edits."""

    def add(case: LiverCase, hu: Scan, place: Place) -> Added | None:
        result = try_insert(case, hu, place, generator)
        if result is None:
            return None
        return Added(result.apply(hu), result.paste_mask(case.grid.size_zyx, what="lesion"))

    return add


def add_ball(case: LiverCase, hu: Scan, place: Place) -> Added:
    """A ball of even contrast with an edge of one millimetre: what anybody can add without a generator."""
    distance = _distance_mm(case, place.centre) - place.spec.diameter_mm / 2
    soft = 0.5 * (1 - np.clip(distance / 1.0, -1, 1))
    change = np.rint(place.spec.contrast_hu * soft * case.liver).astype(np.int16)
    return Added((hu + change).astype(np.int16), (distance < 0) & case.liver)


def _distance_mm(case: LiverCase, centre_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
    axes = [(np.arange(n) - c) * s for n, c, s in zip(case.hu.shape, centre_zyx, case.grid.spacing_zyx_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    distance: NDArray[np.float64] = np.sqrt(z**2 + y**2 + x**2)
    return distance


def copies_of(case: LiverCase, add: Adder, *, seed: int) -> list[Picture]:
    """Copies of a scan with lesions added to those it has; the same seed asks for the same places and lesions."""
    deep = ndimage.distance_transform_edt(case.liver, sampling=case.grid.spacing_zyx_mm)
    return [_copy_of(case, add, deep, np.random.default_rng([seed, 41, number])) for number in range(COPIES)]


def _copy_of(case: LiverCase, add: Adder, deep: NDArray[np.float64], rng: np.random.Generator) -> Picture:
    hu, lesions = case.hu, case.labels > 0
    # Whatever becomes of an edit, the next one is asked for at the same place: the ways of adding differ in that alone.
    taken = lesions.copy()
    for _ in range(ADDED):
        place = _some_place(case, taken, deep, rng)
        if place is None:
            break
        taken |= _distance_mm(case, place.centre) < place.spec.diameter_mm / 2
        added = add(case, hu, place)
        if added is not None:
            hu, lesions = added.hu, lesions | added.mask
    return picture_of(case, hu, lesions)


def _some_place(
    case: LiverCase, taken: NDArray[np.bool_], deep: NDArray[np.float64], rng: np.random.Generator
) -> Place | None:
    """A lesion to ask for, and liver away from all lesions that has room for it; ``deep`` is how far inside (mm)."""
    diameter_mm = float(np.exp(rng.uniform(*np.log(ADDED_MM))))
    kind = LESION_KINDS[int(rng.integers(len(LESION_KINDS)))]
    contrast = usual_contrast_hu(kind, case.level_hu) * rng.uniform(*CONTRAST_SHARE)
    spec = LesionSpec(
        kind, diameter_mm, float(np.clip(contrast, MIN_CONTRAST_HU, MAX_CONTRAST_HU)), int(rng.integers(2**31))
    )
    spacing = case.grid.spacing_zyx_mm
    away = ndimage.distance_transform_edt(~taken, sampling=spacing) if taken.any() else np.full(taken.shape, np.inf)
    radius = diameter_mm / 2
    voxels = np.flatnonzero((away > radius + APART_MM) & (deep > max(INSIDE_MM, radius / 2)))
    if not len(voxels):
        return None
    centre = np.array(np.unravel_index(int(rng.choice(voxels)), taken.shape), np.float64)
    return Place(centre, spec)
