"""Masks grown, shrunk and filled by millimetres, and volumes smoothed without their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.patches.case import Mask, Volume


def depth_mm(mask: Mask, spacing_zyx_mm: Sequence[float]) -> NDArray[np.float64]:
    """Distance of each voxel of the mask from its surface. The scan's edge is no surface: organs go on behind it."""
    padded = np.pad(mask, 1, mode="edge")
    return np.asarray(ndimage.distance_transform_edt(padded, sampling=spacing_zyx_mm))[1:-1, 1:-1, 1:-1]


def distance_mm(mask: Mask, spacing_zyx_mm: Sequence[float]) -> NDArray[np.float64]:
    """Distance of each voxel from the mask; infinite where there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_zyx_mm))


def closed(mask: Mask, radius_mm: float, spacing_zyx_mm: Sequence[float]) -> Mask:
    """The mask with gaps up to twice the radius bridged."""
    grown = distance_mm(mask, spacing_zyx_mm) <= radius_mm
    return depth_mm(grown, spacing_zyx_mm) > radius_mm


def bulky(mask: Mask, radius_mm: float, spacing_zyx_mm: Sequence[float]) -> Mask:
    """The parts of the mask that a ball of the radius fits into, with what is left of their rim."""
    return mask & (distance_mm(depth_mm(mask, spacing_zyx_mm) > radius_mm, spacing_zyx_mm) <= radius_mm + 2)


def largest_part(mask: Mask) -> Mask:
    """The largest connected part."""
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])))


def filled_slices(mask: Mask) -> Mask:
    """The mask with the holes of each slice filled."""
    return np.stack([ndimage.binary_fill_holes(part) for part in mask])


def smooth_keeping_edges(
    volume: Volume, spacing_zyx_mm: Sequence[float], *, radius_mm: float, edge_hu: float
) -> Volume:
    """Self-guided filter (He et al. 2013): differences below ``edge_hu`` within the radius are averaged away."""
    size = [2 * round(radius_mm / s) + 1 for s in spacing_zyx_mm]
    mean = ndimage.uniform_filter(volume, size)
    variance = ndimage.uniform_filter(volume * volume, size) - mean * mean
    kept = variance / (variance + edge_hu**2)
    smooth: Volume = ndimage.uniform_filter(kept, size) * volume + ndimage.uniform_filter(mean - kept * mean, size)
    return smooth
