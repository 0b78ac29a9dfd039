"""A classical estimate of the liver where no mask came with the scan. It is an estimate and is marked as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import VolumeError
from ml.geometry import Grid

# Spacing (mm) at which the liver is looked for. Set by hand.
WORKING_MM = 3.0
# HU among which the liver's is looked for. Set by hand.
SOFT_TISSUE_HU = (-20.0, 220.0)
# Smaller organs (ml) are no liver. Set by hand.
SMALLEST_LIVER_ML = 120.0
ESTIMATE_NOTE = "estimated by thresholds and morphology; check it before use"


@dataclass(frozen=True)
class LiverEstimate:
    """``mask`` has the scan's shape; ``confidence`` (0 to 1) is low for odd sizes; ``note`` goes to the user."""

    mask: NDArray[np.bool_]
    volume_ml: float
    confidence: float
    note: str = ESTIMATE_NOTE


def estimate_liver(volume_hu: NDArray[np.int16], grid: Grid) -> LiverEstimate:
    """Estimate the liver as the largest homogeneous organ on the patient's right.

    Works on a 3 mm grid: smooth, take the mode of soft tissue on the right as the organ's HU, keep voxels
    near it, open away vessels and walls, take the largest part, close, fill, and go back to full resolution.

    Raises VolumeError when nothing of a liver's size is found.
    """
    factors = [max(1, round(WORKING_MM / s)) for s in grid.spacing_zyx_mm]
    small = np.asarray(volume_hu[:: factors[0], :: factors[1], :: factors[2]], dtype=np.float32)
    spacing = [s * f for s, f in zip(grid.spacing_zyx_mm, factors, strict=True)]
    smooth = ndimage.gaussian_filter(small, [2.5 / s for s in spacing], truncate=2.5)
    body = _body(smooth)
    core = _core(smooth, body, _right_side(grid, body, factors), spacing)
    volume_ml = float(core.sum() * np.prod(spacing) / 1000)
    if volume_ml < SMALLEST_LIVER_ML:
        raise VolumeError("No liver was found in this scan; import a liver mask with it.")
    mask = _upsample(core, volume_hu.shape, factors)
    mask &= (volume_hu > -60) & (volume_hu < 300)
    mask = ndimage.binary_opening(mask, iterations=1)
    confidence = float(np.clip(1 - abs(np.log(volume_ml / 1300)) / 2, 0.1, 0.8))
    return LiverEstimate(mask, float(mask.sum() * grid.voxel_volume_mm3 / 1000), confidence)


def _body(smooth: NDArray[np.float32]) -> NDArray[np.bool_]:
    parts, count = ndimage.label(smooth > -250)
    if count == 0:
        raise VolumeError("The scan shows no body.")
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(parts == largest), dtype=np.bool_)


def _right_side(grid: Grid, body: NDArray[np.bool_], factors: list[int]) -> NDArray[np.bool_]:
    """Voxels on the patient's right of the body's middle (LPS: smaller x)."""
    index = np.stack(
        np.meshgrid(*[np.arange(n) * f for n, f in zip(body.shape, factors, strict=True)], indexing="ij"), -1
    )
    left = grid.to_world(index)[..., 0]
    return np.asarray(left < left[body].mean() + 10, dtype=np.bool_)


def _core(
    smooth: NDArray[np.float32], body: NDArray[np.bool_], right: NDArray[np.bool_], spacing: list[float]
) -> NDArray[np.bool_]:
    low, high = SOFT_TISSUE_HU
    inner = ndimage.distance_transform_edt(body, sampling=spacing) > 18
    values = smooth[inner & right & (smooth > low + 40) & (smooth < high)]
    if len(values) < 100:
        raise VolumeError("No liver was found in this scan; import a liver mask with it.")
    histogram, edges = np.histogram(values, bins=np.arange(low + 40, high, 4.0))
    mode = float(edges[np.argmax(ndimage.gaussian_filter1d(histogram.astype(float), 2))]) + 2
    near = inner & (np.abs(smooth - mode) < 30)
    opened = ndimage.distance_transform_edt(near, sampling=spacing) > 7
    parts, count = ndimage.label(opened)
    if count == 0:
        raise VolumeError("No liver was found in this scan; import a liver mask with it.")
    weights = ndimage.sum_labels(right.astype(float), parts, np.arange(1, count + 1))
    seed = parts == 1 + int(np.argmax(weights))
    grown = (ndimage.distance_transform_edt(~seed, sampling=spacing) < 11) & near
    closed = ndimage.distance_transform_edt(~grown, sampling=spacing) < 7
    closed = ndimage.distance_transform_edt(closed, sampling=spacing) > 7
    filled = np.stack([ndimage.binary_fill_holes(part) for part in closed | grown])
    return np.asarray(filled & body, dtype=np.bool_)


def _upsample(core: NDArray[np.bool_], shape: tuple[int, ...], factors: list[int]) -> NDArray[np.bool_]:
    smooth = ndimage.gaussian_filter(core.astype(np.float32), 0.6)
    fine = ndimage.affine_transform(smooth, [1 / f for f in factors], output_shape=shape, order=1, mode="nearest")
    return np.asarray(fine > 0.5, dtype=np.bool_)
