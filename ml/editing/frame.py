"""A lesion's surroundings on a coarser lattice that the lesion's own mask fixes.

Insertion and removal see the same depths for the same mask, wherever their crops begin; all smooth fields
are computed here and brought back to the scan's voxels once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import EditError
from ml.generator.shapes import OUTER_FADE_MM, signed_depth_mm
from ml.geometry import Box, Float3, Int3, box_of, sphere_diameter_mm
from ml.patches.case import Mask, Volume
from ml.scans.lesions import REFERENCE_GAP_MM, REFERENCE_WIDTH_MM
from ml.settled import STEP_MM, settled

# Voxels are pooled up to this size, about a scanner's edges. For large lesions, whose fields take longest, cells may
# be somewhat larger: depths are smooth, and the HU over depth are looked up on the voxels.
POOLED_MM, LARGE_POOLED_MM, LARGE_MM = 1.7, 2.4, 32.0
# The liver that a lesion is compared with, and 1 mm for the frame's rounding.
MARGIN_MM = REFERENCE_GAP_MM + REFERENCE_WIDTH_MM + 1
# Voxel steps of a mask are no property of the lesion.
DEPTH_SIGMA_ZYX = (0.24, 0.8, 0.8)


def bounding_box(mask: Mask) -> Box:
    """The smallest box that holds a mask; raises EditError for an empty one."""
    box = box_of(mask)
    if box is None:
        raise EditError("The edit would change nothing here.")
    return box


def pool(volume: NDArray[np.generic], factors_zyx: Int3) -> Volume:
    """Mean over blocks of voxels (float32); the far border is repeated where it does not fill a block."""
    # Masks are counted in small whole numbers, which is several times faster.
    part: NDArray[Any] = volume.astype(np.uint16 if volume.dtype == np.bool_ else np.float32)
    for axis, factor in enumerate(factors_zyx):
        if factor == 1:
            continue
        rest = -part.shape[axis] % factor
        if rest:
            part = np.pad(part, [(0, rest if n == axis else 0) for n in range(3)], mode="edge")
        before = (slice(None),) * axis
        total = part[(*before, slice(0, None, factor))] + part[(*before, slice(1, None, factor))]
        for n in range(2, factor):
            total += part[(*before, slice(n, None, factor))]
        part = total
    mean: Volume = part * np.float32(1 / np.prod(factors_zyx))
    return mean


def grow(cells: Volume, factors_zyx: Int3, shape_zyx: tuple[int, ...]) -> Volume:
    """Cells on their voxels, linear between the cells' middles and held beyond them; the first ``shape_zyx``."""
    part = np.ascontiguousarray(cells, dtype=np.float32)
    if factors_zyx == (1, 1, 1):
        return part
    size = [n * f for n, f in zip(part.shape, factors_zyx, strict=True)]
    fine = torch.nn.functional.interpolate(
        torch.from_numpy(part)[None, None], size=size, mode="trilinear", align_corners=False
    )[0, 0].numpy()
    z, y, x = shape_zyx
    voxels: Volume = fine[:z, :y, :x]
    return voxels


def pooling(spacing_zyx_mm: Float3, diameter_mm: float) -> Int3:
    """How many voxels are pooled along each axis for a lesion; rows and columns alike."""
    largest_mm = LARGE_POOLED_MM if diameter_mm > LARGE_MM else POOLED_MM
    # 2.4 / 0.8 is a little less than 3.
    z, y, x = (max(1, int(largest_mm / s + 1e-6)) for s in spacing_zyx_mm)
    return z, min(y, x), min(y, x)


@dataclass(frozen=True)
class LesionFrame:
    """Where the coarse lattice lies and the depth of its cells.

    ``box`` are the voxels of the crop that it covers (the lesion and 12 mm around, where the crop has them),
    ``factors`` voxels per cell, ``spacing_zyx_mm`` of the cells, ``depth`` in mm (cells), ``near`` the cells
    that an edit can change.
    """

    box: Box
    factors: Int3
    spacing_zyx_mm: Float3
    depth: Volume
    near: Box

    @classmethod
    def of(cls, inside: Mask, spacing_zyx_mm: Float3, *, reach_mm: float = -OUTER_FADE_MM[0]) -> LesionFrame:
        """The frame of a lesion's mask (bool, a crop) and of an edit that changes what lies up to ``reach_mm`` around.

        Raises EditError for an empty mask.
        """
        where = bounding_box(inside)
        volume_mm3 = np.count_nonzero(inside[where]) * float(np.prod(spacing_zyx_mm))
        factors = pooling(spacing_zyx_mm, sphere_diameter_mm(volume_mm3))
        edges = []
        for found, factor, spacing, size in zip(where, factors, spacing_zyx_mm, inside.shape, strict=True):
            cells = int(np.ceil(MARGIN_MM / (spacing * factor)))
            start = found.start - min(cells, found.start // factor) * factor
            edges.append(slice(start, min(size, found.stop + cells * factor)))
        box = (edges[0], edges[1], edges[2])
        z, y, x = (float(s * f) for s, f in zip(spacing_zyx_mm, factors, strict=True))
        depth = signed_depth_mm(pool(inside[box], factors) >= 0.5, (z, y, x))
        depth = settled(ndimage.gaussian_filter(depth, DEPTH_SIGMA_ZYX, truncate=3.0), STEP_MM)
        near = bounding_box(depth > -reach_mm)
        return cls(box, factors, (z, y, x), depth, near)

    @property
    def near_box(self) -> Box:
        """The voxels of the crop that an edit can change."""
        z, y, x = (
            slice(b.start + n.start * f, min(b.stop, b.start + n.stop * f))
            for b, n, f in zip(self.box, self.near, self.factors, strict=True)
        )
        return z, y, x

    @property
    def cover(self) -> Volume:
        """1 within the lesion, smoothly 0 from a millimetre outside (cells)."""
        t: Volume = np.clip((self.depth + 1) / 3, 0, 1)
        return t * t * (3 - 2 * t)

    @property
    def first_centre_zyx(self) -> NDArray[np.float64]:
        """The middle of the first cell in the crop's voxels."""
        return np.array([b.start + (f - 1) / 2 for b, f in zip(self.box, self.factors, strict=True)])

    def pool(self, volume: NDArray[np.generic]) -> Volume:
        """A crop's values in cells."""
        return pool(volume[self.box], self.factors)

    def spread(self, cells: Volume) -> Volume:
        """Values of all cells on the voxels of ``near_box``, linear between the cells' middles."""
        return self.spread_near(cells[self.near])

    def spread_near(self, cells: Volume) -> Volume:
        """Values of the cells of ``near`` on their voxels."""
        return grow(cells, self.factors, tuple(s.stop - s.start for s in self.near_box))
