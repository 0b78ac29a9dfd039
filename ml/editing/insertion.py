"""Insertion: the difference of two decoded signatures, fitted to what was asked for, added to the scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.bank import canonical_zoom
from ml.editing.measure import finish, reference_hu
from ml.editing.neighbourhood import Neighbourhood, read_neighbourhood, vessel_excess
from ml.editing.spec import EditResult, LesionSpec
from ml.errors import EditError, LesionDoesNotFitError, PointOutsideLiverError, SpecError
from ml.generator import Generator
from ml.geometry import Grid
from ml.patches import Mask, Volume
from ml.shapes import PROFILE_DEPTHS_MM, depth_profile, measure_difference, outer_fade, signed_depth_mm
from ml.signatures import SignatureBank

DRAWS = 4
CANDIDATES, ATTEMPTS = 6, 4
SEARCH_MM = 60.0
STRETCH, TILT_DEG = 0.10, 20.0
DENTS = {"hypodense": 0.10, "cystic": 0.03, "ring_enhancing": 0.08}
MAX_TEXTURE_HU = 12.0
# The shape may be grown by this part of its radius to reach the asked volume at the liver's border.
MAX_GROWTH = 0.35
CENTRING_STEPS = 3


@dataclass(frozen=True)
class DecodedLesion:
    """The generator's lesion in its own frame: depth (mm, about ``diameter_mm`` across) and inner texture (HU)."""

    depth_mm: Volume
    texture_hu: Volume
    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    spacing_zyx_mm: tuple[float, float, float]
    profile_hu: Volume
    exemplar: int


def insert(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: Mask,
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
    generator: Generator,
    device: str,
    on_progress: Callable[[float], None] | None,
) -> EditResult:
    """See ``ml.editing.insert_lesion``."""
    report = on_progress or (lambda _: None)
    rng = np.random.default_rng([spec.seed, 2021])
    centre = grid.to_voxel(centre_lps_mm)
    check_inside_liver(grid, liver_mask, centre)
    around = read_neighbourhood(
        volume_hu, grid, liver_mask=liver_mask, centre_zyx=centre, half_extent_mm=0.5 * spec.diameter_mm * 1.4 + 16
    )
    local = around.local_index(centre)
    report(0.2)
    lesion = decode_lesion(generator.on(device), around, local, spec, rng)
    report(0.6)
    depth, texture = place(lesion, around, local, spec, rng)
    inside = (depth > 0) & around.liver
    report(0.8)
    change = compose(lesion, around, depth, texture, inside, spec)
    provenance = {
        "operation": "insert",
        "spec": spec.to_dict(),
        "asked_centre_lps_mm": [float(v) for v in centre_lps_mm],
        "exemplar": lesion.exemplar,
        "generator": generator.name,
        "generator_sha256": generator.digest,
        "device": str(generator.device),
        "precision": "bfloat16" if generator.half else "float32",
    }
    result = finish(around, change, inside, provenance=provenance)
    report(1.0)
    return result


def check_inside_liver(grid: Grid, liver_mask: Mask, centre_zyx: NDArray[np.float64]) -> None:
    """Raise PointOutsideLiverError (with the distance) unless the nearest voxel is liver."""
    z, y, x = (int(v) for v in np.rint(centre_zyx))
    if grid.contains((z, y, x)) and bool(liver_mask[z, y, x]):
        return
    reach = (SEARCH_MM, SEARCH_MM, SEARCH_MM)
    box = grid.box_around(np.clip(centre_zyx, 0, np.array(grid.size_zyx) - 1), half_extent_zyx_mm=reach)
    liver = np.argwhere(liver_mask[box])
    if not len(liver):
        raise PointOutsideLiverError(distance_mm=None)
    offset = (liver + [s.start for s in box] - centre_zyx) * np.array(grid.spacing_zyx_mm)
    raise PointOutsideLiverError(distance_mm=float(np.sqrt((offset**2).sum(1).min())))


def rank_exemplars(bank: SignatureBank, spec: LesionSpec, rng: np.random.Generator) -> NDArray[np.int64]:
    """Exemplars of the asked kind, a random one of the best matching first."""
    known = bank.of_kind(spec.kind)
    if not len(known):
        raise SpecError(f"This generator has not learned {spec.kind.replace('_', '-')} lesions.")
    size = np.abs(np.log(bank.diameters_mm[known] / spec.diameter_mm)) / 0.25
    contrast = np.abs(bank.contrasts_hu[known] - spec.contrast_hu) / 15
    best = known[np.argsort(size + contrast, kind="stable")]
    shuffled = best[:CANDIDATES][rng.permutation(min(CANDIDATES, len(best)))]
    return np.concatenate([shuffled, best[CANDIDATES:]])


def decode_lesion(
    generator: Generator,
    around: Neighbourhood,
    centre_zyx: NDArray[np.float64],
    spec: LesionSpec,
    rng: np.random.Generator,
) -> DecodedLesion:
    """Move the place's signature along an exemplar's direction and decode the difference."""
    zoom = canonical_zoom(spec.diameter_mm)
    code, _ = around.signature(generator, centre_zyx, zoom=zoom, seed=spec.seed)
    bank = generator.bank
    for exemplar in rank_exemplars(bank, spec, rng)[:ATTEMPTS]:
        target = code + bank.directions[exemplar]
        difference = generator.decode_difference_hu(code, target, seed=spec.seed % 2**31, draws=DRAWS)[0]
        shape = measure_difference(difference, generator.net.spacing_zyx_mm)
        if shape is None:
            continue
        spacing = generator.net.spacing_zyx_mm
        depth = ndimage.gaussian_filter(signed_depth_mm(shape.mask, spacing), (0.5, 0.8, 0.8))
        smooth = ndimage.gaussian_filter(difference, (0.5, 1.0, 1.0))
        shells = np.interp(depth, PROFILE_DEPTHS_MM, depth_profile(smooth.ravel(), depth.ravel()))
        texture = np.clip(smooth - shells, -MAX_TEXTURE_HU, MAX_TEXTURE_HU).astype(np.float32)
        profile = bank.profiles_hu[exemplar]
        return DecodedLesion(depth, texture, shape.centre_zyx, shape.diameter_mm, spacing, profile, int(exemplar))
    raise EditError("The generator found no lesion that suits this place; try another seed or place.")


def place(
    lesion: DecodedLesion,
    around: Neighbourhood,
    centre_zyx: NDArray[np.float64],
    spec: LesionSpec,
    rng: np.random.Generator,
) -> tuple[Volume, Volume]:
    """Depth (mm) and texture (HU) of the lesion on the crop: turned, dented, of the asked volume at the place.

    Raises LesionDoesNotFitError when the liver there is too small.
    """
    scale = spec.diameter_mm / lesion.diameter_mm
    turn = random_turn(rng)
    dented = lesion.depth_mm + dents(rng, lesion, DENTS[spec.kind])
    wanted = np.pi / 6 * spec.diameter_mm**3 / around.grid.voxel_volume_mm3
    spacing = np.asarray(around.spacing_zyx_mm)
    aim = centre_zyx.astype(np.float64)
    for step in range(CENTRING_STEPS):
        depth = scale * _to_crop(dented, lesion, around, aim, scale, turn, outside=float(dented.min()))
        shift = _volume_offset(depth, around.liver, wanted)
        if shift < -MAX_GROWTH * spec.diameter_mm / 2:
            raise LesionDoesNotFitError(
                f"A lesion of {spec.diameter_mm:g} mm does not fit here; choose a smaller one or a place deeper in the liver."
            )
        depth = depth - np.float32(shift)
        centroid = np.argwhere((depth > 0) & around.liver).mean(0)
        error_mm = (centroid - centre_zyx) * spacing
        if step == CENTRING_STEPS - 1 or np.abs(error_mm).max() < 0.25 * spacing.min():
            break
        aim = aim - (centroid - centre_zyx)
    texture = _to_crop(lesion.texture_hu, lesion, around, aim, scale, turn, outside=0.0)
    return depth, texture


def _to_crop(
    canonical: Volume,
    lesion: DecodedLesion,
    around: Neighbourhood,
    centre_zyx: NDArray[np.float64],
    scale: float,
    turn: NDArray[np.float64],
    *,
    outside: float,
) -> Volume:
    """Resample a volume of the generator's frame on the crop, lesion centre on ``centre_zyx``."""
    to_samples = np.diag(1 / np.asarray(lesion.spacing_zyx_mm)) @ turn / scale @ np.diag(around.spacing_zyx_mm)
    offset = np.asarray(lesion.centre_zyx) - to_samples @ centre_zyx
    resampled: Volume = ndimage.affine_transform(
        canonical, to_samples, offset=offset, output_shape=around.hu.shape, order=1, cval=outside, output=np.float32
    )
    return resampled


def random_turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """A turn about z by any angle, a small tilt, a mirror in half of the cases, a slight stretch (zyx axes)."""
    about_z, tilt = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(-TILT_DEG, TILT_DEG))
    cosine, sine = np.cos(about_z), np.sin(about_z)
    in_plane = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    tilted = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
    stretch = np.exp(rng.normal(0, STRETCH, 3))
    stretch /= np.cbrt(stretch.prod())
    mirror = np.diag([rng.choice([-1.0, 1.0]), 1.0, rng.choice([-1.0, 1.0])])
    matrix: NDArray[np.float64] = mirror @ in_plane @ tilted @ np.diag(stretch)
    return matrix


def dents(rng: np.random.Generator, lesion: DecodedLesion, strength: float) -> Volume:
    """Smooth bumps and dents of the surface in mm, ``strength`` relative to the radius."""
    z, y, x = lesion.depth_mm.shape
    rough = rng.standard_normal((z, y, x)).astype(np.float32)
    radius = lesion.diameter_mm / 2
    total = np.zeros((z, y, x), np.float32)
    for part, weight in ((0.45, 1.0), (0.2, 0.5)):
        sigma = [part * radius / s for s in lesion.spacing_zyx_mm]
        bumps = ndimage.gaussian_filter(rough, sigma, mode="wrap", truncate=2.5)
        total += weight * np.clip(bumps / bumps.std(), -2, 2)
    dented: Volume = total * np.float32(strength * radius)
    return dented


def _volume_offset(depth: Volume, liver: Mask, wanted_voxels: float) -> float:
    """The depth at which the liver part of the shape has the wanted number of voxels."""
    values = depth[liver]
    count = round(min(max(wanted_voxels, 4), len(values) - 1))
    return float(np.partition(values, len(values) - count)[len(values) - count])


def compose(
    lesion: DecodedLesion, around: Neighbourhood, depth: Volume, texture: Volume, inside: Mask, spec: LesionSpec
) -> Volume:
    """The change in HU: profile over depth plus texture, scaled to the asked contrast; vessels inside vanish."""
    profile = np.interp(depth, PROFILE_DEPTHS_MM, lesion.profile_hu).astype(np.float32)
    # Only the dark part is scaled: a rim keeps the brightness it was learned with.
    dark, bright = np.minimum(profile, 0), np.maximum(profile, 0)
    cover = np.clip((depth + 1) / 3, 0, 1)
    cover = cover * cover * (3 - 2 * cover)
    dark = dark + texture * cover * np.clip(-dark / 20, 0, 1)
    liver = soft_liver(around)
    excess = vessel_excess(around.hu, around.liver, around.level_hu, around.spacing_zyx_mm)
    fixed = (bright * outer_fade(depth) - cover * excess) * liver
    scaled = dark * outer_fade(depth) * liver
    reference = reference_hu(around, inside)
    missing = spec.contrast_hu - float((around.hu + fixed)[inside].mean() - reference)
    strength = float(scaled[inside].mean())
    if strength > -0.5:
        raise EditError("The generator's lesion is too faint here; try another seed.")
    change: Volume = fixed + scaled * np.float32(missing / strength)
    return change


def soft_liver(around: Neighbourhood) -> Volume:
    """1 in the liver, 0 outside, half at the capsule, over about the width of the scan's own edges."""
    sigma = (0.3, 0.9 / around.spacing_zyx_mm[1], 0.9 / around.spacing_zyx_mm[2])
    soft = ndimage.gaussian_filter(around.liver.astype(np.float32), sigma, truncate=2.5)
    weight: Volume = np.clip(2 * soft - 0.5, 0, 1) * around.liver
    return weight
