"""Depths inside lesions, profiles over depth, and the size and strength of a decoded difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ml.geometry import Float3, box_of, sphere_diameter_mm
from ml.patches.case import Mask, Volume
from ml.settled import STEP_HU, settled

# Profiles run from 6 mm outside a lesion to 20 mm within it.
PROFILE_STEP_MM = 0.5
PROFILE_DEPTHS_MM = np.arange(-6.0, 20.01, PROFILE_STEP_MM, dtype=np.float32)
# Profiles are looked up in a table this much finer.
FINE_STEPS = 16
# Depths (mm) over which a profile is averaged: sharp at the surface, smooth in the core. Set by hand.
SURFACE_BANDWIDTH_MM, CORE_BANDWIDTH_MM = 0.5, 1.5
# Outside a lesion its profile fades to nothing between these depths (mm).
OUTER_FADE_MM = (-6.0, -3.0)
# A fainter difference is no lesion.
WEAKEST_CORE_HU = -6.0
# A lesion is this much wider in the slice than through it at most; thick slices teach flat lesions. Set by hand.
MAX_FLATNESS = 1.35
# Low-pass (z, y, x, samples) before a decoded difference is taken for a shape. Set by hand.
DIFFERENCE_SIGMA_PX = (0.7, 1.2, 1.2)


def signed_depth_mm(mask: Mask, spacing_zyx_mm: Float3) -> Volume:
    """Distance to a mask's surface in mm, positive inside; slices are interpolated to near-cubic voxels first.

    A voxel whose outer neighbour is the next one in the slice has half a voxel's depth.
    """
    factor = max(1, round(spacing_zyx_mm[0] / spacing_zyx_mm[2]))
    fine = mask
    if factor > 1:
        fine = _between_slices(mask, factor)
    spacing = (spacing_zyx_mm[0] / factor, *spacing_zyx_mm[1:])
    inside, outside = _depth_inside(fine, spacing), _distance_mm(~fine, spacing)
    half = np.float32(0.5 * spacing_zyx_mm[2])
    depth: Volume = np.where(fine, inside - half, half - outside)
    return depth[::factor]


def _between_slices(mask: Mask, factor: int) -> Mask:
    """``factor`` slices for each step of a mask, where linear interpolation between two slices reaches a half."""
    fine = np.repeat(mask, factor, axis=0)[: (len(mask) - 1) * factor + 1]
    for step in range(1, factor):
        if 2 * step >= factor:
            fine[step::factor] = mask[1:] if 2 * step > factor else mask[:-1] | mask[1:]
    return fine


def _depth_inside(mask: Mask, spacing_zyx_mm: tuple[float, ...]) -> Volume:
    """``_distance_mm`` of a mask that fills a part of its volume, 0 elsewhere."""
    depth = np.zeros(mask.shape, np.float32)
    box = box_of(mask)
    if box is not None:
        # Nothing beyond one voxel around a mask can be the background nearest to a voxel in it.
        near = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
        depth[near] = _distance_mm(mask[near], spacing_zyx_mm)
    return depth


def _distance_mm(mask: Mask, spacing_zyx_mm: tuple[float, ...]) -> Volume:
    """Distance of each voxel of a mask to the nearest one outside it (single precision is faster by a half)."""
    nearest = ndimage.distance_transform_edt(mask, sampling=spacing_zyx_mm, return_distances=False, return_indices=True)
    total = np.zeros(mask.shape, np.float32)
    for found, own, step in zip(nearest, np.ogrid[tuple(slice(n) for n in mask.shape)], spacing_zyx_mm, strict=True):
        offset = (found - own.astype(np.int32)).astype(np.float32) * np.float32(step)
        total += offset * offset
    distance: Volume = np.sqrt(total)
    return distance


def depth_profile(values: NDArray[np.floating], depths_mm: NDArray[np.floating]) -> Volume:
    """Kernel-weighted mean of values over PROFILE_DEPTHS_MM; beyond the deepest value the last one is held.

    The kernel is narrow at the surface, where profiles are steep, and wide in the core, where noise matters.
    """
    bins = np.rint((depths_mm - PROFILE_DEPTHS_MM[0]) / PROFILE_STEP_MM).astype(np.int64)
    keep = (bins >= 0) & (bins < len(PROFILE_DEPTHS_MM))
    count = np.bincount(bins[keep], minlength=len(PROFILE_DEPTHS_MM)).astype(np.float64)
    total = np.bincount(bins[keep], weights=values[keep], minlength=len(PROFILE_DEPTHS_MM)).astype(np.float64)
    steep, flat = (_kernel_mean(count, total, mm) for mm in (SURFACE_BANDWIDTH_MM, CORE_BANDWIDTH_MM))
    core = np.clip((PROFILE_DEPTHS_MM - 2) / 3, 0, 1)
    return (steep * (1 - core) + flat * core).astype(np.float32)


def _kernel_mean(count: NDArray[np.float64], total: NDArray[np.float64], bandwidth_mm: float) -> NDArray[np.float64]:
    sigma = bandwidth_mm / PROFILE_STEP_MM
    weight = ndimage.gaussian_filter1d(count, sigma, mode="constant", truncate=3)
    mean = ndimage.gaussian_filter1d(total, sigma, mode="constant", truncate=3) / np.maximum(weight, 1e-6)
    known = np.flatnonzero(weight > 0.5)
    return np.interp(np.arange(len(mean)), known, mean[known]) if len(known) else np.zeros(len(mean))


def fine_profile(profile: Volume) -> Volume:
    """A profile in steps FINE_STEPS times finer, linear between."""
    fine: Volume = np.interp(
        np.arange(FINE_STEPS * (len(profile) - 1) + 1) / FINE_STEPS, np.arange(len(profile)), profile
    ).astype(np.float32)
    return fine


def fine_index(depth_mm: Volume) -> NDArray[np.int32]:
    """Where in a fine profile each depth is found; depths beyond its ends are held."""
    last = FINE_STEPS * (len(PROFILE_DEPTHS_MM) - 1)
    position = (depth_mm - PROFILE_DEPTHS_MM[0]) * np.float32(FINE_STEPS / PROFILE_STEP_MM) + np.float32(0.5)
    index: NDArray[np.int32] = np.clip(position, 0, last).astype(np.int32)
    return index


def lookup(profile: Volume, depth_mm: Volume) -> Volume:
    """A profile's value at each depth, linear between its steps and held beyond its ends."""
    values: Volume = fine_profile(profile)[fine_index(depth_mm)]
    return values


def outer_fade(depth_mm: Volume) -> Volume:
    """1 inside and near the lesion, smoothly 0 beyond 6 mm outside."""
    low, high = OUTER_FADE_MM
    t = np.clip((depth_mm - low) / (high - low), 0, 1)
    faded: Volume = t * t * (3 - 2 * t)
    return faded


@dataclass(frozen=True)
class DifferenceShape:
    """What a decoded difference looks like; ``mask`` has the patch's shape, ``centre_zyx`` is in samples.

    ``roundness`` is the deepest depth over the radius of the sphere of equal volume, ``flatness`` how much
    wider in the slice than through it (kept between 1/MAX_FLATNESS and MAX_FLATNESS): thick slices teach
    flat lesions, which an edit undoes.
    """

    mask: Mask
    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    core_hu: float
    roundness: float
    flatness: float


def shape_of_difference(difference_hu: Volume, spacing_zyx_mm: ArrayLike) -> DifferenceShape | None:
    """The dark blob of a decoded difference at half of its core's strength; None when there is none.

    The core is the darkest two per cent of the smoothed difference in the patch's middle half; the blob is
    the connected part that holds the darkest voxel, with holes filled.
    """
    spacing = np.asarray(spacing_zyx_mm)
    smooth = settled(ndimage.gaussian_filter(difference_hu, DIFFERENCE_SIGMA_PX), STEP_HU)
    quarter = [n // 4 for n in smooth.shape]
    middle = tuple(slice(q, n - q) for q, n in zip(quarter, smooth.shape, strict=True))
    core = float(np.quantile(smooth[middle], 0.02))
    if core > WEAKEST_CORE_HU:
        return None
    parts, _ = ndimage.label(smooth < core / 2)
    darkest = np.unravel_index(np.argmin(smooth[middle]), smooth[middle].shape)
    number = parts[tuple(int(d) + q for d, q in zip(darkest, quarter, strict=True))]
    if number == 0:
        return None
    mask = np.asarray(ndimage.binary_fill_holes(parts == number), dtype=np.bool_)
    z, y, x = (float(v) for v in np.argwhere(mask).mean(0))
    diameter_mm = sphere_diameter_mm(float(mask.sum() * spacing.prod()))
    deepest = float(_depth_inside(mask, tuple(spacing)).max()) - 0.5 * spacing[2]
    spread = (np.argwhere(mask) * spacing).std(0) + 1e-6
    flatness = float(np.clip(np.hypot(spread[1], spread[2]) / np.sqrt(2) / spread[0], 1 / MAX_FLATNESS, MAX_FLATNESS))
    return DifferenceShape(mask, (z, y, x), diameter_mm, core, 2 * deepest / diameter_mm, flatness)
