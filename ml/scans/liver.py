"""A classical estimate of the liver where no mask came with the scan. It is an estimate and is marked as one.

On a lattice of about 2.2 mm, smoothed without its edges: the parenchyma's level is the mode of homogeneous tissue on
the patient's right; from the largest thick piece of that level the liver grows through tissue near its *local* level
(beam hardening shifts it by 20 HU and more) and through necks that are wide enough. Vessels and enclosed lesions are
filled, large vessels stay outside, and a random walk finds the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import VolumeError
from ml.geometry import Box, Float3, Grid, Int3, box_of
from ml.patches.case import Mask, Volume
from ml.scans.morphology import bulky, closed, depth_mm, distance_mm, filled_slices, largest_part
from ml.scans.random_walk import chance_inside
from ml.scans.tissue import SOFT_TISSUE_HU, denoised, level_and_band, local_level, pool, pooled_spacing, pooling

# All numbers of this module were set by hand, on phantoms and on four scans of patients.
# Skin is no deeper than this; and the wall of the trunk is no thinner (mm).
SKIN_MM, WALL_MM = 4.0, 7.0
# Balls (mm) that a first piece of liver must hold, the largest first, and its least volume.
SEED_RADII_MM, SEED_ML = (12.0, 10.0, 8.0, 6.0), 40.0
# Half of the neck (mm) that the liver grows through: elsewhere, and before the spine, where pancreas, duodenum and
# great vessels lie against it.
NECK_MM, SPINE_NECK_MM = 5.0, 9.0
SPINE_BESIDE_MM, SPINE_BEFORE_MM = 55.0, 95.0
# Vessels thicker than twice this (mm) stay outside: portal trunk, vena cava, heart.
GREAT_VESSEL_MM = 4.0
# Growth per round (mm), the most rounds, and the growth (a part) that is none.
GROWTH_MM, ROUNDS = 16.0, 12
GROWN = 0.005
# Vessels and fissures up to twice this (mm) are bridged; bays of parenchyma up to twice that are added.
BRIDGE_MM, BAY_MM = 6.0, 14.0
# Darker tissue is a lesion of the liver when this part of its surface touches liver: elsewhere, and before the spine.
LESION_CONTACT, SPINE_CONTACT = 0.38, 0.5
LESION_RADIUS_MM, LESION_ML, LESION_HU = 4.0, 1.0, 40.0
# The surface lies within these of the first one (inwards and outwards, mm), at tissue no darker than this below the
# level (HU): half way to fat.
SURFACE_MM, SURFACE_HU = (3.5, 4.5), 60.0
# Smaller organs (ml) are no liver.
SMALLEST_LIVER_ML = 120.0
NO_LIVER = "No liver was found in this scan; import a liver mask with it."
ESTIMATE_NOTE = "estimated by attenuation and shape; check it before use"


@dataclass(frozen=True)
class LiverEstimate:
    """``mask`` has the scan's shape; ``confidence`` (0 to 1) is low where the surface has no edge in the scan."""

    mask: NDArray[np.bool_]
    volume_ml: float
    confidence: float
    note: str = ESTIMATE_NOTE


@dataclass(frozen=True)
class _Trunk:
    """What is looked at: smoothed HU on the working lattice, cut to the trunk, and where its voxels lie in it.

    ``inner`` lies deeper than the wall; ``right`` is the patient's right; ``spinal`` lies before the spine.
    """

    hu: Volume
    spacing: Float3
    inner: Mask
    deep: Mask
    right: Mask
    spinal: Mask

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing)) / 1000


def estimate_liver(volume_hu: NDArray[np.int16], grid: Grid) -> LiverEstimate:
    """Estimate the liver, its lesions included; great vessels and gallbladder are left out.

    Raises VolumeError when nothing of a liver's size is found.
    """
    factors = pooling(grid)
    pooled = pool(volume_hu, factors)
    trunk_mask = _trunk(pooled, pooled_spacing(grid))
    box = box_of(trunk_mask)
    if box is None:
        raise VolumeError("The scan shows no body.")
    trunk = _look(pooled[box], trunk_mask[box], grid, box)
    level, band = _first_level(trunk)
    liver, local = _grow(trunk, level, band)
    whole = _whole(trunk, liver, local, band)
    if whole.sum() * trunk.voxel_ml < SMALLEST_LIVER_ML:
        raise VolumeError(NO_LIVER)
    chance = np.zeros(pooled.shape, np.float32)
    chance[box] = _surface(trunk, whole, local, band)
    mask = _upsample(chance, volume_hu.shape, factors)
    confidence = _confidence(trunk, whole, local, band)
    return LiverEstimate(mask, float(mask.sum() * grid.voxel_volume_mm3 / 1000), confidence)


def _trunk(pooled: Volume, spacing: Float3) -> Mask:
    """The body without arms, table and the fat below its skin: what wall and ribs enclose, lungs included."""
    matter = pooled > -250
    thick = largest_part(depth_mm(matter, spacing) > 4)
    if not thick.any():
        raise VolumeError("The scan shows no body.")
    body = matter & (distance_mm(thick, spacing) <= 4.5)
    in_slice = spacing[1:]
    trunk = np.zeros_like(body)
    for i, part in enumerate(body):
        whole = ndimage.binary_fill_holes(largest_part(part))
        below_skin = ndimage.distance_transform_edt(np.pad(whole, 1), sampling=in_slice)[1:-1, 1:-1] > SKIN_MM
        # Muscles and ribs close to a ring.
        lean = np.pad((pooled[i] > -20) & whole & below_skin, 20)
        if lean.any():
            ring = ndimage.binary_fill_holes(ndimage.distance_transform_edt(~lean, sampling=in_slice) <= 12)
            inside = ndimage.distance_transform_edt(ring, sampling=in_slice) > 12
            trunk[i] = largest_part(inside[20:-20, 20:-20]) & whole
    return trunk


def _look(pooled: Volume, trunk: Mask, grid: Grid, box: Box) -> _Trunk:
    spacing = pooled_spacing(grid)
    smooth = denoised(pooled, spacing)
    # Above and below the scan the trunk goes on, at its sides it doesn't.
    depth = depth_mm(np.pad(trunk, ((0, 0), (1, 1), (1, 1))), spacing)[:, 1:-1, 1:-1]
    index = [np.arange(side.start, side.stop) * f for side, f in zip(box, pooling(grid), strict=True)]
    place = grid.to_world(np.stack(np.meshgrid(*index, indexing="ij"), -1))
    left, back = place[..., 0], place[..., 1]
    middle, centre = float(left[trunk].mean()), float(back[trunk].mean())
    bone = trunk & (smooth > 200) & (np.abs(left - middle) < 30) & (back > centre + 10)
    if bone.sum() > 50:
        middle_spine, spine = float(np.median(left[bone])), float(np.median(back[bone]))
    else:
        middle_spine, spine = middle, float(back[trunk].max()) - 60
    spinal = (np.abs(left - middle_spine) < SPINE_BESIDE_MM) & (back > spine - SPINE_BEFORE_MM)
    return _Trunk(smooth, spacing, depth > WALL_MM, depth > 2 * WALL_MM, left < middle + 10, spinal)


def _first_level(trunk: _Trunk) -> tuple[float, float]:
    """The parenchyma's level and how far its voxels lie from it: the mode of homogeneous tissue on the right."""
    size = [2 * round(4.5 / s) + 1 for s in trunk.spacing]
    mean = ndimage.uniform_filter(trunk.hu, size)
    variance = ndimage.uniform_filter(trunk.hu * trunk.hu, size) - mean * mean
    low, high = SOFT_TISSUE_HU
    values = trunk.hu[trunk.deep & trunk.right & (variance < 12**2) & (trunk.hu > low) & (trunk.hu < high)]
    if len(values) < 100:
        raise VolumeError(NO_LIVER)
    return level_and_band(values)


def _grow(trunk: _Trunk, level: float, band: float) -> tuple[Mask, Volume]:
    """The liver's parenchyma with its finer vessels, and the level around each voxel."""
    liver = _seed(trunk, trunk.inner & (np.abs(trunk.hu - level) < band))
    bright = trunk.inner & (trunk.hu >= level + band)
    fine_vessels = bright & ~bulky(bright, GREAT_VESSEL_MM, trunk.spacing)
    neck = np.where(trunk.spinal, SPINE_NECK_MM, NECK_MM)
    local = np.full(trunk.hu.shape, level, np.float32)
    for _ in range(ROUNDS):
        local = local_level(trunk.hu, liver & (np.abs(trunk.hu - local) < band), level, trunk.spacing)
        near = (trunk.inner & (np.abs(trunk.hu - local) < band)) | fine_vessels
        parts, count = ndimage.label(depth_mm(near, trunk.spacing) > neck)
        joined = np.zeros(count + 1, np.bool_)
        joined[parts[liver]] = True
        joined[0] = False
        grown = near & (distance_mm(joined[parts], trunk.spacing) <= neck + 1)
        grown &= distance_mm(liver, trunk.spacing) < GROWTH_MM
        change, liver = abs(grown.sum() / max(1, liver.sum()) - 1), grown
        if change < GROWN:
            break
    return largest_part(liver), local


def _seed(trunk: _Trunk, near: Mask) -> Mask:
    """The thick piece of the liver's level that lies most on the right."""
    depth = depth_mm(near, trunk.spacing)
    for radius_mm in SEED_RADII_MM:
        parts, count = ndimage.label(depth > radius_mm)
        if not count:
            continue
        sizes = np.bincount(parts[trunk.right], minlength=count + 1)[1:]
        if sizes.max() * trunk.voxel_ml >= SEED_ML or radius_mm == SEED_RADII_MM[-1]:
            return near & (distance_mm(parts == 1 + int(np.argmax(sizes)), trunk.spacing) <= radius_mm + 1)
    raise VolumeError(NO_LIVER)


def _whole(trunk: _Trunk, liver: Mask, local: Volume, band: float) -> Mask:
    """The parenchyma with what belongs to it: bridged vessels and fissures, bays, enclosed lesions."""
    bright = trunk.inner & (trunk.hu >= local + band)
    great = bulky(bright, GREAT_VESSEL_MM + 1, trunk.spacing)
    near = trunk.inner & (np.abs(trunk.hu - local) < band)
    bays = closed(liver, BAY_MM, trunk.spacing) & near
    whole = largest_part(filled_slices((closed(liver, BRIDGE_MM, trunk.spacing) | bays) & ~great))
    return filled_slices(whole | _lesions(trunk, whole, local))


def _lesions(trunk: _Trunk, liver: Mask, local: Volume) -> Mask:
    """Darker tissue that the liver encloses for the larger part: lesions at the capsule; the gallbladder is darker."""
    found = np.zeros_like(liver)
    dark = trunk.inner & ~liver & (trunk.hu < local) & (trunk.hu > LESION_HU / 2)
    parts = ndimage.label(depth_mm(dark, trunk.spacing) > LESION_RADIUS_MM)[0]
    margin = [int(np.ceil((LESION_RADIUS_MM + 6) / s)) for s in trunk.spacing]
    for number, where in enumerate(ndimage.find_objects(parts), start=1):
        z, y, x = (slice(max(0, s.start - m), s.stop + m) for s, m in zip(where, margin, strict=True))
        box = z, y, x
        core = parts[box] == number
        part = dark[box] & (distance_mm(core, trunk.spacing) <= LESION_RADIUS_MM + 1.5)
        ring = (distance_mm(part, trunk.spacing) <= 3) & ~part
        contact = liver[box][ring].mean()
        wanted = SPINE_CONTACT if trunk.spinal[box][part].mean() > 0.5 else LESION_CONTACT
        large_enough = part.sum() * trunk.voxel_ml >= LESION_ML
        if large_enough and contact >= wanted and trunk.hu[box][core].mean() > LESION_HU:
            found[box] |= part
    return found


def _surface(trunk: _Trunk, whole: Mask, local: Volume, band: float) -> Volume:
    """The chance of each voxel to be liver: the surface moves to the nearest edge."""
    inwards, outwards = SURFACE_MM
    sure = depth_mm(whole, trunk.spacing) > inwards
    bright = trunk.inner & (trunk.hu >= local + band) & ~whole
    near = (distance_mm(whole, trunk.spacing) <= outwards) & trunk.inner & (trunk.hu > local - SURFACE_HU)
    unknown = near & ~sure & ~bright
    chance = chance_inside(trunk.hu, unknown=unknown, inside=sure, spacing_zyx_mm=trunk.spacing)
    smooth: Volume = ndimage.gaussian_filter(chance, [1 / s for s in trunk.spacing])
    return smooth


def _confidence(trunk: _Trunk, whole: Mask, local: Volume, band: float) -> float:
    """The part of the surface beyond which the scan changes: where it doesn't, the border is a guess."""
    away = distance_mm(whole, trunk.spacing)
    beyond = (away > 3) & (away < 7)
    alike = beyond & trunk.inner & (np.abs(trunk.hu - local) < band)
    return float(np.clip(1 - alike.sum() / max(1, beyond.sum()), 0, 1))


def _upsample(chance: Volume, shape: tuple[int, ...], factors: Int3) -> NDArray[np.bool_]:
    scale = [1 / f for f in factors]
    # Centres of blocks lie between the centres of their voxels.
    offset = [-(f - 1) / 2 / f for f in factors]
    fine = ndimage.affine_transform(chance, scale, offset, output_shape=shape, order=1, mode="nearest")
    return np.asarray(fine > 0.5, dtype=np.bool_)
