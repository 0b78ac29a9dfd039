"""Lesions of three kinds, sized like those of real livers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Box
from ml.patches.case import Volume
from ml.phantom.canvas import Canvas, smooth_field
from ml.phantom.liver import Liver
from ml.scans.lesions import LESION_KINDS, LesionKind

# Equivalent-sphere diameters of the 871 lesions of the LiTS training set (quantile, mm); the ends are extrapolated.
SIZE_QUANTILES = (0.0, 0.05, 0.25, 0.50, 0.75, 0.95, 1.0)
SIZE_DIAMETERS_MM = (3.0, 4.0, 6.7, 10.2, 18.0, 42.1, 60.0)
# The share of lesions at the capsule. Where it comes from is not recorded.
TOUCHES_SURFACE = 0.48
# How often each kind is drawn, in the order of LESION_KINDS. Where they come from is not recorded.
KIND_ODDS = (0.5, 0.15, 0.35)
# Standard deviation of the surface, as a part of the radius: cysts are round. Set by hand.
IRREGULARITY: dict[LesionKind, float] = {"hypodense": 0.13, "cystic": 0.04, "ring_enhancing": 0.10}
# Least distance (mm) between two lesions. Set by hand.
CLEARANCE_MM = 4.0
# A smaller ring would be all rim.
SMALLEST_RING_MM = 5.0


@dataclass(frozen=True)
class PhantomLesion:
    """One lesion as it was painted; ``label`` is its number in the lesion mask."""

    label: int
    kind: LesionKind
    centre_zyx: tuple[int, int, int]
    radius_mm: float
    core_contrast_hu: float
    touches_surface: bool

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return asdict(self)


def draw_diameter_mm(rng: np.random.Generator) -> float:
    """A diameter from the size distribution of real lesions (log-linear between the quantiles)."""
    return float(np.exp(np.interp(rng.random(), SIZE_QUANTILES, np.log(SIZE_DIAMETERS_MM))))


class LesionPainter:
    """Places lesions one after the other and keeps apart from those placed."""

    def __init__(self, canvas: Canvas, liver: Liver) -> None:
        self.canvas, self.liver = canvas, liver
        self.labels: NDArray[np.uint8] = np.zeros(canvas.size_zyx, np.uint8)
        self.lesions: list[PhantomLesion] = []
        # The capsule's edge, and never into organs that were taken out of the mask.
        soft_mask = ndimage.gaussian_filter(liver.mask.astype(np.float32), (0.4, 0.8, 0.8))
        self.liver_cover = np.clip(liver.depth_mm / 2.5 + 0.5, 0, 1) * np.clip(2 * soft_mask - 0.5, 0, 1)
        self.depth_mm = ndimage.distance_transform_edt(liver.mask, sampling=canvas.spacing_zyx_mm)
        self.clearance_mm = np.full(canvas.size_zyx, np.inf)

    def paint_some(self, count: int) -> None:
        """Up to ``count`` lesions; those that find no place are left out."""
        rng = self.canvas.rng
        sizes = sorted((draw_diameter_mm(rng) / 2 for _ in range(count)), reverse=True)
        for radius_mm in sizes:
            touches = bool(rng.random() < TOUCHES_SURFACE)
            place = self._find_place(radius_mm, touches=touches)
            if place is not None:
                self._paint_one(place, radius_mm, touches=touches)

    def _find_place(self, radius_mm: float, *, touches: bool) -> tuple[int, int, int] | None:
        low, high = (0.45, 0.95) if touches else (1.0, np.inf)
        fits = (self.depth_mm > max(1.5, low * radius_mm)) & (self.depth_mm < high * radius_mm + 1.5)
        free = np.flatnonzero(fits & (self.clearance_mm > radius_mm + CLEARANCE_MM))
        if len(free) < 20:
            return None
        z, y, x = np.unravel_index(free[self.canvas.rng.integers(len(free))], self.canvas.size_zyx)
        return int(z), int(y), int(x)

    def _paint_one(self, centre_zyx: tuple[int, int, int], radius_mm: float, *, touches: bool) -> None:
        canvas, rng = self.canvas, self.canvas.rng
        kind = LESION_KINDS[rng.choice(3, p=KIND_ODDS)]
        if kind == "ring_enhancing" and radius_mm < SMALLEST_RING_MM:
            kind = "hypodense"
        box, depth = self._shape(centre_zyx, radius_mm, IRREGULARITY[kind])
        inside, edge_mm, contrast = self._content(kind, depth, radius_mm)
        cover = np.clip(0.5 + depth / edge_mm, 0, 1)
        cover = cover * cover * (3 - 2 * cover) * self.liver_cover[box]
        canvas.hu[box] += cover * (inside - canvas.hu[box])
        mask = (cover > 0.5) & self.liver.mask[box]
        if mask.sum() < 4:
            return
        label = len(self.lesions) + 1
        self.labels[box][mask] = label
        self.lesions.append(PhantomLesion(label, kind, centre_zyx, radius_mm, contrast, touches))
        nearest = ndimage.distance_transform_edt(self.labels != label, sampling=canvas.spacing_zyx_mm)
        self.clearance_mm = np.minimum(self.clearance_mm, nearest)

    def _shape(self, centre_zyx: tuple[int, int, int], radius_mm: float, irregularity: float) -> tuple[Box, Volume]:
        """Depth inside a turned, dented ellipsoid around a voxel."""
        canvas, rng, spacing = self.canvas, self.canvas.rng, self.canvas.spacing_zyx_mm
        half = [int(1.7 * radius_mm / s) + 4 for s in spacing]
        edges = [(max(0, c - h), min(n, c + h + 1)) for c, h, n in zip(centre_zyx, half, canvas.size_zyx, strict=True)]
        box = (slice(*edges[0]), slice(*edges[1]), slice(*edges[2]))
        axes = [(np.arange(a, b) - c) * s for (a, b), c, s in zip(edges, centre_zyx, spacing, strict=True)]
        offset = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        stretch = np.exp(rng.normal(0, 0.16, 3))
        stretch /= np.cbrt(stretch.prod())
        q = np.sqrt((((offset @ turn) / (radius_mm * stretch)) ** 2).sum(-1))
        size = (q.shape[0], q.shape[1], q.shape[2])
        coarse = smooth_field(rng, size, spacing, correlation_mm=max(4, 0.8 * radius_mm))
        fine = smooth_field(rng, size, spacing, correlation_mm=max(3, 0.35 * radius_mm))
        dented = q * (1 + irregularity * np.clip(coarse, -2, 2) + 0.5 * irregularity * np.clip(fine, -2, 2))
        return box, ((1 - dented) * radius_mm).astype(np.float32)

    def _content(self, kind: LesionKind, depth: Volume, radius_mm: float) -> tuple[Volume, float, float]:
        """HU inside, width of the edge (mm) and the core's contrast to the liver (HU)."""
        rng, spacing, liver_hu = self.canvas.rng, self.canvas.spacing_zyx_mm, self.liver.hu
        size = (depth.shape[0], depth.shape[1], depth.shape[2])

        def texture(mm: float) -> Volume:
            return smooth_field(rng, size, spacing, correlation_mm=mm)

        if kind == "hypodense":
            contrast = -rng.uniform(28, max(32.0, min(60.0, liver_hu - 20)))
            darker = rng.uniform(0, 18) * np.clip(depth / radius_mm, 0, 1)
            return liver_hu + contrast - darker + 4 * texture(5) + 3 * texture(3), rng.uniform(2, 5), contrast
        if kind == "cystic":
            contrast = rng.uniform(2, 16) - liver_hu
            return liver_hu + contrast + texture(4), 1.8, contrast
        contrast, rim = -rng.uniform(45, max(50.0, min(80.0, liver_hu - 10))), rng.uniform(16, 46)
        width = (rng.uniform(2.0, 3.6) + 0.09 * radius_mm) * (
            1 + 0.35 * np.clip(texture(max(4, 0.6 * radius_mm)), -2, 2)
        )
        core = np.clip((depth - width) / 2.5 + 0.5, 0, 1)
        inside: Volume = (liver_hu + rim * (1 - core) + contrast * core + 4 * texture(4)).astype(np.float32)
        return inside, rng.uniform(1.8, 2.5), contrast
