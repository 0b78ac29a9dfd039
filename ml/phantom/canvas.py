"""A volume to paint soft-edged shapes on, in millimetres of a deformed body frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.geometry import Box, Float3, Int3
from ml.patches.case import Volume

# Shapes are warped by a smooth field: over how many mm it changes, and its standard deviation (mm). Set by hand.
WARP_CORRELATION_MM, WARP_MM = 55.0, 3.2
# Width of an edge in pixels. Set by hand.
EDGE_VOXELS = 1.2


def _spline_matrix(samples: int, knots: int) -> NDArray[np.float32]:
    """Cubic B-spline interpolation of ``knots`` coefficients at ``samples`` points."""
    position = np.linspace(1, knots - 2 - 1e-4, samples)
    left = np.floor(position).astype(int)
    u = position - left
    weights = [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]
    matrix = np.zeros((samples, knots), np.float32)
    for offset, weight in enumerate(weights):
        matrix[np.arange(samples), left - 1 + offset] += (weight / 6).astype(np.float32)
    return matrix


def smooth_field(rng: np.random.Generator, shape_zyx: Int3, spacing_zyx_mm: Float3, *, correlation_mm: float) -> Volume:
    """A smooth random field of unit standard deviation with structures of about ``correlation_mm``."""
    knots = [
        max(5, int(np.ceil(n * spacing / correlation_mm)) + 4)
        for n, spacing in zip(shape_zyx, spacing_zyx_mm, strict=True)
    ]
    out = rng.standard_normal(knots).astype(np.float32)
    for axis in range(3):
        matrix = _spline_matrix(shape_zyx[axis], knots[axis])
        out = np.moveaxis(np.tensordot(matrix, out, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(out / (out.std() + 1e-6)).astype(np.float32)


def smooth_minimum(first_mm: Volume, second_mm: Volume, softness_mm: float) -> Volume:
    """The smaller of two depths, with the crease where they meet rounded off over ``softness_mm``."""
    depth: Volume = (-softness_mm * np.logaddexp(-first_mm / softness_mm, -second_mm / softness_mm)).astype(np.float32)
    return depth


@dataclass(frozen=True)
class Shape:
    """Depth in mm inside a surface (negative outside) on the box where it matters."""

    box: Box
    depth_mm: Volume

    def within(self, depth_mm: Volume) -> Shape:
        """Cut by another depth given on the whole canvas."""
        return Shape(self.box, np.minimum(self.depth_mm, depth_mm[self.box]))

    def shifted(self, offset_mm: float | Volume) -> Shape:
        """The surface moved outwards by a distance (given on the box when not constant)."""
        return Shape(self.box, self.depth_mm + offset_mm)


class Canvas:
    """Noise-free HU of a phantom and its coordinates (x to the patient's left, y to the back, z up)."""

    def __init__(self, rng: np.random.Generator, size_zyx: Int3, spacing_zyx_mm: Float3, *, z0_mm: float) -> None:
        self.rng = rng
        self.size_zyx, self.spacing_zyx_mm = size_zyx, spacing_zyx_mm
        axes = [
            ((np.arange(n) - (n - 1) / 2) * s).astype(np.float32) for n, s in zip(size_zyx, spacing_zyx_mm, strict=True)
        ]
        self.z_mm, self.y_mm, self.x_mm = np.meshgrid(
            axes[0] + np.float32(z0_mm), axes[1], axes[2], indexing="ij", sparse=True
        )
        self.hu = np.full(size_zyx, -1000.0, np.float32)
        habitus = rng.uniform(0.95, 1.05)
        warp_x, warp_y = (WARP_MM * self.field(WARP_CORRELATION_MM) for _ in range(2))
        self.organ_x, self.organ_y = (self.x_mm + warp_x) / habitus, (self.y_mm + warp_y) / habitus
        self.wall_x, self.wall_y = (self.x_mm + 0.35 * warp_x) / habitus, (self.y_mm + 0.35 * warp_y) / habitus

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Draw from a generator of its own: what is painted meanwhile moves nothing that is painted after it."""
        common = self.rng
        self.rng = common.spawn(1)[0]
        try:
            yield
        finally:
            self.rng = common

    def field(self, correlation_mm: float, *, box: Box | None = None) -> Volume:
        """A smooth random field on the canvas or on a box of it."""
        size = self.size_zyx
        if box is not None:
            size = (box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start)
        return smooth_field(self.rng, size, self.spacing_zyx_mm, correlation_mm=correlation_mm)

    def sheets(self, correlation_mm: float, *, width: float, box: Box | None = None) -> Volume:
        """Thin crumpled sheets (1 on them, 0 elsewhere), as septa cross fat; ``width`` is a part of their distance."""
        ridge: Volume = np.exp(-((self.field(correlation_mm, box=box) / np.float32(width)) ** 2))
        return ridge

    def near(self, centre_xyz_mm: tuple[float, float, float], reach_xyz_mm: tuple[float, float, float]) -> Box | None:
        """The box within reach of a point of the undeformed frame; None when it misses the canvas."""
        slices = []
        axes = (self.z_mm.ravel(), self.y_mm.ravel(), self.x_mm.ravel())
        for axis, centre, reach in zip(axes, centre_xyz_mm[::-1], reach_xyz_mm[::-1], strict=True):
            start, stop = np.searchsorted(axis, (centre - reach, centre + reach))
            if start >= stop:
                return None
            slices.append(slice(int(start), int(stop)))
        return slices[0], slices[1], slices[2]

    def ellipsoid(
        self,
        centre_xyz_mm: tuple[float, float, float],
        radii_xyz_mm: tuple[float, float, float],
        *,
        power: float = 2.0,
        turn_deg: float = 0.0,
        margin_mm: float = 8.0,
    ) -> Shape | None:
        """A super-ellipsoid of the deformed frame, turned about z; None when it misses the canvas."""
        cx, cy, cz = centre_xyz_mm
        rx, ry, rz = radii_xyz_mm
        reach = max(rx, ry) if turn_deg else 0.0
        slack = 1.06 * margin_mm + 3.2 * WARP_MM
        box = self.near((cx, cy, cz), (max(reach, rx) * 1.06 + slack, max(reach, ry) * 1.06 + slack, rz + margin_mm))
        if box is None:
            return None
        dx, dy = self.organ_x[box] - cx, self.organ_y[box] - cy
        if turn_deg:
            cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
            dx, dy = dx * cosine + dy * sine, dy * cosine - dx * sine
        dz = self.z_mm[box[0]] - cz
        if power == 2.0:
            radius = np.sqrt((dx / rx) ** 2 + (dy / ry) ** 2 + (dz / rz) ** 2)
        else:
            radius = (np.abs(dx / rx) ** power + np.abs(dy / ry) ** power + np.abs(dz / rz) ** power) ** (1 / power)
        return Shape(box, ((1 - radius) * min(rx, ry)).astype(np.float32))

    def paint(self, shape: Shape | Volume | None, hu: float | Volume, *, edge_mm: float | None = None) -> None:
        """Blend ``hu`` (a number or values on the shape's box) in over a soft edge."""
        if shape is None:
            return
        if not isinstance(shape, Shape):
            shape = Shape((slice(0, None), slice(0, None), slice(0, None)), shape)
        edge = edge_mm or self.spacing_zyx_mm[2] * EDGE_VOXELS
        cover = np.clip(0.5 + shape.depth_mm / edge, 0, 1)
        target = self.hu[shape.box]
        target += cover * (hu - target)

    def full(self, shape: Shape | None) -> Volume:
        """A shape's depth on the whole canvas (far outside elsewhere)."""
        out = np.full(self.size_zyx, -50.0, np.float32)
        if shape is not None:
            out[shape.box] = shape.depth_mm
        return out
