"""Shapes of lesions in numbers that do not depend on their size: are inserted outlines those of drawn ones?

Every mask is compared with one of about the same size on the same lattice, so that steps of voxels and slices are
alike on both sides and only the shape is on trial.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from ml.evaluation.two_sample import TwoSampleData, TwoSampleResult, feature_test
from ml.geometry import Float3, box_of
from ml.patches.case import Mask

# Orders of the outline in its largest slice, in groups: oval, lobes, bumps, jags.
ORDERS = {"oval": (2, 2), "lobes": (3, 5), "bumps": (6, 10), "jags": (11, 20)}
ANGLES = 96
# Low-passes (parts of the radius) after which a mask is cut to its old volume: what they move are bumps and dents.
SMOOTHINGS = {"fine": 0.15, "coarse": 0.4}
# Smaller than half of this (mm) nothing is smoothed before a surface is measured.
SURFACE_SIGMA_MM = 0.8
NAMES = (
    "sphericity",
    "convexity",
    "slice_convexity",
    "elongation",
    "flatness",
    "depth_to_width",
    *(f"outline_{name}" for name in ORDERS),
    *(f"rough_{name}" for name in SMOOTHINGS),
)


def shape_measures(mask: Mask, spacing_zyx_mm: Float3) -> dict[str, float]:
    """The measures of NAMES of one lesion (bool, zyx), which has at least some voxels in three directions."""
    spacing = np.asarray(spacing_zyx_mm, np.float64)
    box = box_of(mask)
    if box is None:
        raise ValueError("An empty mask has no shape.")
    own = mask[box]
    volume_mm3 = float(own.sum() * spacing.prod())
    radius_mm = float(np.cbrt(volume_mm3 * 3 / (4 * np.pi)))
    margin = [int(np.ceil(1.3 * radius_mm / s)) for s in spacing]
    wide = np.pad(own, [(m, m) for m in margin])
    points = np.argwhere(wide) * spacing
    axes = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(points.T)), 1e-6))
    extent = np.array(own.shape) * spacing
    largest = own[int(np.argmax(own.sum((1, 2))))]
    found = {
        "sphericity": 4 * np.pi * radius_mm**2 / surface_mm2(wide, spacing),
        "convexity": min(1.0, volume_mm3 / hull(own, spacing)),
        "slice_convexity": min(1.0, float(largest.sum() * spacing[1:].prod()) / hull(largest, spacing[1:])),
        "elongation": float(axes[1] / axes[2]),
        "flatness": float(axes[0] / axes[2]),
        "depth_to_width": float(extent[0] / np.sqrt(extent[1] * extent[2])),
    }
    found |= {f"outline_{name}": value for name, value in outline_orders(largest, spacing[1:]).items()}
    for name, part in SMOOTHINGS.items():
        soft = ndimage.gaussian_filter(wide.astype(np.float32), part * radius_mm / spacing, truncate=3.0)
        smooth = soft >= np.partition(soft, -own.sum(), axis=None)[-own.sum()]
        found[f"rough_{name}"] = float((wide & ~smooth).sum() / own.sum())
    return found


def surface_mm2(mask: Mask, spacing_mm: NDArray[np.float64]) -> float:
    """Area of a mask's surface: the slope of the smoothed mask summed over space."""
    sigma = np.maximum(SURFACE_SIGMA_MM / spacing_mm, 0.5)
    slopes = np.gradient(ndimage.gaussian_filter(mask.astype(np.float32), sigma), *spacing_mm)
    return float(np.sqrt(sum(slope**2 for slope in slopes)).sum() * spacing_mm.prod())


def hull(mask: Mask, spacing_mm: NDArray[np.float64]) -> float:
    """Volume (area in two dimensions) of the convex hull of a mask's voxels, counted whole."""
    border = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    corners = np.stack(np.meshgrid(*[(-0.5, 0.5)] * mask.ndim, indexing="ij"), -1).reshape(-1, mask.ndim)
    points = ((border[:, None] + corners) * spacing_mm).reshape(-1, mask.ndim)
    try:
        return float(ConvexHull(points).volume)
    except QhullError:
        return float(mask.sum() * spacing_mm.prod())


def outline_orders(slice_mask: Mask, spacing_yx_mm: NDArray[np.float64]) -> dict[str, float]:
    """How strong each group of ORDERS is in the outline of a slice, against its mean radius (root of the power)."""
    points = np.argwhere(slice_mask)
    middle = points.mean(0)
    angles = 2 * np.pi * np.arange(ANGLES) / ANGLES
    reach = float(np.linalg.norm((points - middle) * spacing_yx_mm, axis=1).max()) + float(spacing_yx_mm.max())
    steps = np.arange(0, reach, 0.25 * float(spacing_yx_mm.min()))
    rays = (
        middle[:, None, None]
        + np.stack([np.sin(angles), np.cos(angles)])[..., None] * steps / spacing_yx_mm[:, None, None]
    )
    inside = ndimage.map_coordinates(slice_mask.astype(np.float32), rays, order=1, mode="constant") > 0.5
    radius = steps[inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)]
    power = np.abs(np.fft.rfft(radius / radius.mean()) / ANGLES) ** 2
    return {name: float(np.sqrt(2 * power[low : high + 1].sum())) for name, (low, high) in ORDERS.items()}


def shape_test(
    drawn: list[dict[str, float]], inserted: list[dict[str, float]], patients: list[str], *, seed: int = 0
) -> TwoSampleResult:
    """Two-sample test of shapes; lists are pairs of one size on one lattice, of the ``patients`` who have them."""
    table = np.array([[item[name] for name in NAMES] for item in drawn + inserted])
    people = np.array(patients)
    nothing = np.zeros((len(drawn), 1, 1, 1), np.float32)
    return feature_test(TwoSampleData.of(nothing, nothing, people, people), table=table, seed=seed)
