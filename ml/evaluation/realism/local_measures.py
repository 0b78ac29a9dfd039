"""Measurements in a lesion's neighbourhood: noise power by zone, noise at the rim, edge width, correlation of slices.

Everything is taken from the scan's own voxels. Signed depth is in millimetres, positive inside the lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Box, Grid

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ZONES = ("inside", "rim", "outside")
# How far rim and outside reach from a lesion's surface (mm).
RIM_MM, OUTER_MM = 5.0, 12.0
# Eight bands of the noise power (cycles per pixel).
BAND_EDGES = np.linspace(0, 0.5, 9)
# What a Gaussian of this width (pixels) keeps is anatomy, not noise.
SMOOTHING_PX = 2.0
# Middles of the bins of depth (mm).
PROFILE_MM = np.arange(-7.5, 8.0, 1.0)
# Zones of fewer voxels are not measured. Set by hand.
LEAST_VOXELS = 40
# No edge is measured at fainter steps (HU). Set by hand.
LEAST_CONTRAST_HU = 8.0


@dataclass(frozen=True)
class LesionZones:
    """A lesion's surroundings: ``box`` in the scan; signed ``depth`` (mm) and liver ``tissue`` of its shape."""

    box: Box
    depth: Array
    tissue: Mask

    def zone(self, name: str) -> Mask:
        """Voxels inside, in the rim (0 to 5 mm outside) or outside (5 to 12 mm), in the liver."""
        if name == "inside":
            return np.asarray(self.depth > 0)
        near, far = (0.0, RIM_MM) if name == "rim" else (RIM_MM, OUTER_MM)
        return np.asarray((self.depth <= -near) & (self.depth > -far) & self.tissue)


@dataclass(frozen=True)
class Local:
    """One lesion's measurements: log noise power (8 bands) by zone, mean HU over depth, and single values."""

    patient: str
    power: dict[str, Array]
    profile: Array
    values: dict[str, float]


def zones_of(mask: Mask, liver: Mask, grid: Grid) -> LesionZones:
    """The voxels within 12 mm of a lesion's box with their signed depth."""
    where = ndimage.find_objects(mask.astype(np.uint8))[0]
    reach = np.ceil((OUTER_MM + 2) / np.asarray(grid.spacing_zyx_mm)).astype(int)
    z, y, x = (slice(max(0, s.start - r), min(n, s.stop + r)) for s, r, n in zip(where, reach, mask.shape, strict=True))
    box = (z, y, x)
    inside = mask[box]
    depth = ndimage.distance_transform_edt(inside, sampling=grid.spacing_zyx_mm)
    depth = depth - ndimage.distance_transform_edt(~inside, sampling=grid.spacing_zyx_mm)
    # The edge lies between two voxels, half a pixel from either, not in one.
    depth -= np.where(inside, 0.5, -0.5) * min(grid.spacing_zyx_mm)
    return LesionZones(box, depth, liver[box] | inside)


def mean_over_depth(values: NDArray[np.generic], around: LesionZones) -> Array:
    """Mean over signed depth in bins of 1 mm from -8 to 8 mm (NaN where a bin is empty)."""
    number = np.floor(around.depth - (PROFILE_MM[0] - 0.5)).astype(int)
    used = around.tissue & (number >= 0) & (number < len(PROFILE_MM))
    counts = np.bincount(number[used], minlength=len(PROFILE_MM))
    sums = np.bincount(number[used], np.asarray(values, np.float64)[used], minlength=len(PROFILE_MM))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def residual(hu: NDArray[np.generic], around: LesionZones) -> Array:
    """Noise and fine texture in HU: the mean over depth and a low-pass within the liver taken off, 0 elsewhere."""
    values = np.asarray(hu, np.float64)
    steps = np.floor(around.depth).astype(int)
    steps -= steps.min()
    weight = around.tissue.astype(np.float64)
    counts = np.bincount(steps.ravel(), weight.ravel())
    sums = np.bincount(steps.ravel(), (values * weight).ravel())
    flat = (values - (sums / np.maximum(counts, 1))[steps]) * weight
    sigma = (0, SMOOTHING_PX, SMOOTHING_PX)
    low = ndimage.gaussian_filter(flat, sigma) / np.maximum(ndimage.gaussian_filter(weight, sigma), 1e-3)
    local: NDArray[np.float64] = (flat - low) * weight
    return local


def log_power(rough: Array, zone: Mask) -> Array:
    """Log of the noise power in eight bands up to 0.5 cycles per pixel, per voxel of the zone (HU squared).

    Periodogram of a masked window (Welch 1967, without overlap), averaged over slices by their share.
    """
    if zone.sum() < LEAST_VOXELS:
        return np.full(len(BAND_EDGES) - 1, np.nan)
    rows = zone.any(axis=(1, 2))
    size = (max(64, rough.shape[1]), max(64, rough.shape[2]))
    spectrum = (np.abs(np.fft.fft2((rough * zone)[rows], s=size)) ** 2).sum(0) / zone.sum()
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n) for n in size], indexing="ij"))
    band = np.digitize(frequency, BAND_EDGES) - 1
    return np.array([np.log(spectrum[band == b].mean() + 1e-9) for b in range(len(BAND_EDGES) - 1)])


def slice_correlation(rough: Array, zone: Mask) -> float:
    """Correlation of the residual with the next slice's at the same pixel (lag 1)."""
    both = zone[1:] & zone[:-1]
    if both.sum() < LEAST_VOXELS:
        return float("nan")
    return float(np.corrcoef(rough[1:][both], rough[:-1][both])[0, 1])


def edge_width_mm(profile: Array) -> float:
    """Distance over which the profile goes from 10 to 90 per cent of the way from liver to lesion (mm).

    Bins and voxels widen it by about a millimetre, for real and inserted lesions alike.
    """
    known = np.isfinite(profile)
    depth, values = PROFILE_MM[known], profile[known]
    if not (depth < -4).any() or not (depth > 1).any():
        return float("nan")
    liver, lesion = values[depth < -4].mean(), values[depth > 1][-2:].mean()
    if abs(lesion - liver) < LEAST_CONTRAST_HU:
        return float("nan")
    share = np.maximum.accumulate((values - liver) / (lesion - liver))
    fine = np.linspace(depth[0], depth[-1], 400)
    risen = np.interp(fine, depth, share)
    first, last = np.flatnonzero(risen >= 0.1), np.flatnonzero(risen >= 0.9)
    return float(fine[last[0]] - fine[first[0]]) if len(first) and len(last) else float("nan")


def zone_sigma(hu: NDArray[np.generic], around: LesionZones, name: str) -> float:
    """Standard deviation (HU) of the residual in a zone."""
    zone = around.zone(name)
    return float(residual(hu, around)[zone].std()) if zone.any() else float("nan")


def textures_around(hu: NDArray[np.int16], around: LesionZones, patient: str) -> Local:
    """All measurements of one place of a scan."""
    part = hu[around.box]
    rough = residual(part, around)
    profile = mean_over_depth(part, around)
    ring = around.tissue & (around.depth < -3) & (around.depth >= -11)
    liver = float(np.median(part[ring])) if ring.sum() >= LEAST_VOXELS else float("nan")
    inside = around.zone("inside")
    mean = float(part[inside].mean())
    return Local(
        patient,
        {name: log_power(rough, around.zone(name)) for name in ZONES},
        profile - liver,
        {
            "mean_hu": mean,
            "contrast_hu": mean - liver,
            "edge_width_mm": edge_width_mm(profile),
            "slice_correlation": slice_correlation(rough, inside),
            "rim_sigma_hu": float(rough[around.zone("rim")].std()) if around.zone("rim").any() else float("nan"),
        },
    )


def differing_outside(source: NDArray[np.int16], edited: NDArray[np.int16], box: Box) -> tuple[int, int]:
    """Voxels outside an edit's box that differ, and how many voxels lie outside."""
    differs = source != edited
    inside = differs[box]
    return int(differs.sum() - inside.sum()), int(source.size - inside.size)
