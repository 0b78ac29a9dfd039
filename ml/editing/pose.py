"""How a decoded lesion lies in the liver: turned, scaled and shifted until it has the asked volume and centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.exemplars import DecodedLesion
from ml.editing.frame import bounding_box, grow, pooling
from ml.editing.neighbourhood import Neighbourhood
from ml.editing.resampling import resample
from ml.editing.spec import LesionSpec
from ml.errors import LesionDoesNotFitError
from ml.geometry import Box, centroid
from ml.patches.case import Mask, Volume
from ml.scans.lesions import CONNECTED
from ml.settled import STEP_SCORE, settled

# How far a shape is turned from the learned one: log standard deviation of each axis' length (and the log standard
# deviation of that over lesions, for most are round and a few long), degrees, and how much shorter its first axis
# becomes, for decoded differences are deeper than lesions are. Lengths are fitted to drawn lesions.
STRETCH, STRETCH_SPREAD, TILT_DEG, SHALLOWER = 0.2, 0.4, 20.0, 0.15
# None of these is more than so many standard deviations away.
FARTHEST = 2.0
# The shape may be grown by this part of its radius to reach the asked volume at the liver's border.
MAX_GROWTH = 0.35
NO_ROOM = "There is no room for this lesion here; choose a place deeper in the liver."
# The lesion must leave liver around it to be told from.
MAX_SHARE_OF_LIVER = 0.85
# Rounds in which a lesion's centroid is brought to the asked place, or until it is so near (voxels).
CENTRING_STEPS, CENTRED_VOXELS = 4, 0.25
# The lesion is put in place on a lattice of about this step (mm), or this part of its diameter.
COARSE_MM, COARSE_SHARE = 1.8, 1 / 16
# A depth (mm) outside every lesion; and the depths (mm) about the surface among which the answer nearly always is.
BELOW_ALL_MM, VOLUME_BAND_MM = -1e4, 2.0
# Rounds in which islands that a fit leaves beside the lesion are taken away and the volume is fitted again. Set by
# hand.
ISLAND_STEPS = 5
# How far an irregular lesion reaches beyond its sphere.
ROOM = 1.5


@dataclass(frozen=True)
class Pose:
    """How the generator's frame lies on a crop: samples = matrix @ voxels + offset.

    Depths are multiplied by ``scale`` and lowered by ``lowered_mm`` (roughly; the volume is fitted on the
    voxels of ``near``, the box of the crop that holds the lesion).
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    scale: float
    lowered_mm: float
    near: Box

    def fit_volume(self, lesion: DecodedLesion, around: Neighbourhood, spec: LesionSpec) -> Mask:
        """The lesion's mask on the crop, one piece with exactly the asked volume."""
        liver = around.liver[self.near]
        start = np.array([s.start for s in self.near])
        # Smooth enough to be computed in cells.
        factors = pooling(around.spacing_zyx_mm, spec.diameter_mm)
        offset = self.offset + self.matrix @ (start + (np.array(factors) - 1) / 2)
        size = tuple(-(-n // f) for n, f in zip(liver.shape, factors, strict=True))
        cells = resample(lesion.depth_mm, self.matrix @ np.diag(factors), offset, size)
        depth = grow(cells * np.float32(self.scale) - np.float32(self.lowered_mm), factors, liver.shape)
        depth[~liver] = BELOW_ALL_MM
        wanted = np.pi / 6 * spec.diameter_mm**3 / around.grid.voxel_volume_mm3
        inside = depth > _volume_offset(depth, wanted)
        # Filling up to the asked volume without an island may raise another one.
        for _ in range(ISLAND_STEPS):
            islands = _islands(inside)
            if not islands.any():
                break
            depth[islands] = BELOW_ALL_MM
            inside = depth > _volume_offset(depth, wanted)
        else:
            inside &= ~_islands(inside)
        whole = np.zeros_like(around.liver)
        whole[self.near] = inside & liver
        return whole


def find_pose(
    lesion: DecodedLesion,
    around: Neighbourhood,
    centre_zyx: NDArray[np.float64],
    spec: LesionSpec,
    rng: np.random.Generator,
) -> Pose:
    """Turn, scale and shift the lesion so that its liver part has the asked volume and centre.

    Works on a coarse lattice. Raises LesionDoesNotFitError when the liver there is too small.
    """
    spacing = np.asarray(around.spacing_zyx_mm)
    scale = spec.diameter_mm / lesion.diameter_mm
    matrix = (
        np.diag(1 / np.asarray(lesion.spacing_zyx_mm)) @ random_turn(rng, lesion.irregular) / scale @ np.diag(spacing)
    )
    volume_mm3 = np.pi / 6 * spec.diameter_mm**3
    step_mm = max(COARSE_MM, spec.diameter_mm * COARSE_SHARE)
    stride = np.maximum(1, (step_mm / spacing).astype(int))
    # Nothing far beyond the asked size can belong to the lesion.
    reach = 0.5 * spec.diameter_mm * ROOM + step_mm
    inner = around.grid.box_around(centre_zyx, half_extent_zyx_mm=(reach, reach, reach))
    start = np.array([s.start for s in inner])
    liver = around.liver[tuple(slice(b.start, b.stop, int(n)) for b, n in zip(inner, stride, strict=True))]
    if not liver.any():
        # A speck of liver may lie between the points of the lattice.
        raise LesionDoesNotFitError(NO_ROOM)
    aim = centre_zyx.astype(np.float64)
    for _ in range(CENTRING_STEPS):
        offset = np.asarray(lesion.centre_zyx) - matrix @ aim
        first = offset + matrix @ start
        depth = resample(lesion.depth_mm, matrix @ np.diag(stride), first, liver.shape) * np.float32(scale)
        depth[~liver] = BELOW_ALL_MM
        lowered = _volume_offset(depth, volume_mm3 / (spacing * stride).prod())
        _check_fit(lowered, spec, room_mm3=float(liver.sum() * (spacing * stride).prod()))
        pieces = depth > lowered
        if not pieces.any():
            raise LesionDoesNotFitError(NO_ROOM)
        off = centroid(pieces) * stride + start - centre_zyx
        if np.abs(off).max() < CENTRED_VOXELS:
            break
        aim = aim - off
    found = bounding_box(depth > lowered - step_mm)
    z, y, x = (
        slice(max(0, (b.start - 1) * s + first), min(n, (b.stop + 1) * s + first))
        for b, s, first, n in zip(found, stride.tolist(), start.tolist(), around.liver.shape, strict=True)
    )
    return Pose(matrix, offset, scale, lowered, (z, y, x))


def _check_fit(shift_mm: float, spec: LesionSpec, *, room_mm3: float) -> None:
    too_large = np.pi / 6 * spec.diameter_mm**3 > MAX_SHARE_OF_LIVER * room_mm3
    if too_large or shift_mm < -MAX_GROWTH * spec.diameter_mm / 2:
        raise LesionDoesNotFitError(
            f"A lesion of {spec.diameter_mm:g} mm does not fit here; "
            "choose a smaller one or a place deeper in the liver."
        )


def random_turn(rng: np.random.Generator, irregular: float) -> NDArray[np.float64]:
    """A turn about z by any angle, a small tilt, a mirror in half of the cases, a slight stretch (zyx axes).

    ``irregular`` multiplies the stretch.
    """
    about_z, tilt = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(-TILT_DEG, TILT_DEG))
    cosine, sine = np.cos(about_z), np.sin(about_z)
    in_plane = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    tilted = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
    *axes, long = np.clip(rng.standard_normal(4), -FARTHEST, FARTHEST)
    stretch = np.exp((SHALLOWER, 0, 0) + irregular * STRETCH * np.exp(STRETCH_SPREAD * long) * np.array(axes))
    stretch /= np.cbrt(stretch.prod())
    mirror = np.diag([rng.choice([-1.0, 1.0]), 1.0, rng.choice([-1.0, 1.0])])
    return settled(mirror @ np.diag(stretch) @ in_plane @ tilted, STEP_SCORE)


def _islands(inside: Mask) -> Mask:
    """All but the largest connected part: a lesion is one piece."""
    parts, count = ndimage.label(inside, structure=CONNECTED)
    if count < 2:
        return np.zeros_like(inside)
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    islands: Mask = inside & (parts != largest)
    return islands


def _volume_offset(depth: Volume, wanted_voxels: float) -> float:
    """The depth that the wanted number of voxels exceed; what is no liver lies below all."""
    values = depth[depth > BELOW_ALL_MM]
    count = round(min(max(wanted_voxels, 4), len(values) - 1))
    # Nearly always the answer is near 0 and most values need not be ordered.
    deep = int((values > VOLUME_BAND_MM).sum())
    band = values[np.abs(values) <= VOLUME_BAND_MM]
    if deep <= count < deep + len(band):
        values, count = band, count - deep
    return float(np.partition(values, len(values) - 1 - count)[len(values) - 1 - count])
