"""Insertion: the difference of two decoded signatures, fitted to what was asked for, added to the scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.bank import canonical_zoom
from ml.editing.frame import MARGIN_MM, LesionFrame, bounding_box, centroid, grow, pooling
from ml.editing.measure import finish, reference_hu
from ml.editing.neighbourhood import VESSEL_SHARE, Neighbourhood, look_around, read_neighbourhood, vessel_excess
from ml.editing.resampling import both, resample
from ml.editing.spec import EditResult, LesionSpec
from ml.errors import EditError, LesionDoesNotFitError, PointOutsideLiverError, SpecError
from ml.generator import Generator
from ml.geometry import Box, Grid
from ml.lesions import axial_diameter_mm
from ml.patches import Mask, Volume
from ml.shapes import (
    PROFILE_DEPTHS_MM,
    DifferenceShape,
    depth_profile,
    fine_index,
    fine_profile,
    lookup,
    measure_difference,
    outer_fade,
    signed_depth_mm,
)
from ml.signatures import Codes, SignatureBank

CANDIDATES, ATTEMPTS = 6, 4
SEARCH_MM = 60.0
STRETCH, TILT_DEG = 0.10, 20.0
DENTS = {"hypodense": 0.10, "cystic": 0.03, "ring_enhancing": 0.08}
MAX_TEXTURE_HU = 12.0
# The inscribed sphere against the sphere of equal volume; a rounder lesion is looked for below this.
ROUND_ENOUGH = 0.62
# The shape may be grown by this part of its radius to reach the asked volume at the liver's border.
MAX_GROWTH = 0.35
# The lesion must leave liver around it to be told from.
MAX_SHARE_OF_LIVER = 0.85
CENTRING_STEPS, CENTRED_VOXELS = 4, 0.25
# The lesion is put in place on a lattice of about this step (mm), or this part of its diameter.
COARSE_MM, COARSE_SHARE = 1.8, 1 / 16
MIN_CORE_VOXELS = 8
# Longest axial distance over the asked diameter, and dark voxels outside the lesion over those inside.
MAX_AXIAL_RATIO, MAX_HALO = 1.7, 1.0
MAX_REFUSED = 6
NOTHING_SUITS = "The generator found no lesion that suits this place; try another seed or place."
BELOW_ALL_MM, VOLUME_BAND_MM = -1e4, 2.0
# Nothing that lesions are made of is darker than water, except fat.
WATER_HU = 0.0
# To keep its mean when its core is held at water, a lesion's edge may be steeper by up to this factor.
MAX_STEEPER = 2.5
GIVING_BACK_STEPS, MAX_GIVEN_BACK = 4, 1.3
ISLAND_STEPS, MAX_OFF_VOXELS = 5, 0.9
# How far an irregular lesion reaches beyond its sphere.
ROOM = 1.3


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
    # Rounded, so that the last digits of a grid's direction never move a box by a voxel.
    centre = np.round(grid.to_voxel(centre_lps_mm), 4)
    check_inside_liver(grid, liver_mask, centre)
    generator = generator.on(device)
    zoom = canonical_zoom(spec.diameter_mm)
    view, level_hu = look_around(
        volume_hu, grid, liver_mask=liver_mask, centre_zyx=centre, generator=generator, zoom=zoom
    )
    report(0.2)
    reach = 0.5 * spec.diameter_mm * ROOM + MARGIN_MM + 1
    code, around = both(
        lambda: view.signature(generator, level_hu=level_hu, seed=spec.seed),
        lambda: read_neighbourhood(
            volume_hu, grid, liver_mask=liver_mask, centre_zyx=centre, half_extent_mm=reach, level_hu=level_hu
        ),
    )
    lesion, placed = decode_and_place(generator, code, around, spec, rng, centre_zyx=around.local_index(centre))
    report(0.8)
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
    result = finish(
        placed.around,
        placed.as_scanned(spec),
        placed.inside,
        core=placed.core,
        reference=placed.reference_hu,
        axial_mm=placed.axial_diameter_mm,
        provenance=provenance,
    )
    report(1.0)
    return result


def decode_and_place(
    generator: Generator,
    code: Codes,
    around: Neighbourhood,
    spec: LesionSpec,
    rng: np.random.Generator,
    *,
    centre_zyx: NDArray[np.float64],
) -> tuple[DecodedLesion, Placed]:
    """The first exemplar whose lesion fits the place and looks like one.

    Raises the EditError of the last one when none of several does.
    """
    decoder = PlaceDecoder(generator, code)
    refused: set[int] = set()
    problem = EditError(NOTHING_SUITS)
    while len(refused) < MAX_REFUSED:
        lesion = decode_lesion(decoder, spec, rng, without=refused)
        try:
            placed = place(lesion, around, centre_zyx, spec, rng)
            if placed.looks_like_a_lesion(spec):
                return lesion, placed
        except EditError as error:
            problem = error
        refused.add(lesion.exemplar)
    raise problem


class PlaceDecoder:
    """Decodes exemplars at a place; what the place's own signature ``code`` (1, d) decodes to is kept."""

    def __init__(self, generator: Generator, code: Codes) -> None:
        self.net, self.bank = generator.net, generator.bank
        self.generator, self.code = generator, code
        self.here: Volume | None = None

    def difference_hu(self, exemplar: int) -> Volume:
        """G(code + the exemplar's direction) - G(code), in HU and the patch's shape."""

        def there() -> Volume:
            return self.generator.decode_quietly_hu(self.code + self.bank.directions[exemplar])

        if self.here is not None:
            return there() - self.here
        here, lesion = both(lambda: self.generator.decode_quietly_hu(self.code), there)
        self.here = here
        return lesion - here


@dataclass(frozen=True)
class Placed:
    """A lesion fitted into the part of the crop that it changes; ``change`` in HU."""

    around: Neighbourhood
    inside: Mask
    core: Mask
    change: Volume
    reference_hu: float
    axial_diameter_mm: float

    def as_scanned(self, spec: LesionSpec) -> Volume:
        """The change as the scanner would have shown it; what its blur takes of the contrast is given back.

        Never below water: a blurred edge may otherwise swing below the core that it leads to.
        """
        passed = self.around.scanner.transmitted(self.change) * self.around.liver
        wanted = self.reference_hu + spec.contrast_hu - float(self.around.source_hu[self.core].mean())
        lowest = np.float32(min(WATER_HU - self.reference_hu, 0.0))
        change, factor = np.maximum(passed, lowest), 1.0
        for _ in range(GIVING_BACK_STEPS):
            got = float(change[self.core].mean())
            if got >= 0:
                break
            factor = float(np.clip(factor * wanted / got, 1 / MAX_GIVEN_BACK, MAX_GIVEN_BACK))
            change = np.maximum(passed * np.float32(factor), lowest)
        return change

    def looks_like_a_lesion(self, spec: LesionSpec) -> bool:
        """Whether size and darkness lie where they were asked for: some exemplars decode to slabs at some places."""
        if self.axial_diameter_mm > MAX_AXIAL_RATIO * spec.diameter_mm:
            return False
        dark = (self.change < 0.5 * spec.contrast_hu) & ~self.inside
        return bool(dark.sum() <= MAX_HALO * self.inside.sum())


def place(
    lesion: DecodedLesion,
    around: Neighbourhood,
    centre_zyx: NDArray[np.float64],
    spec: LesionSpec,
    rng: np.random.Generator,
) -> Placed:
    """Fit a decoded lesion to its place and to what was asked for."""
    pose = settle(lesion, around, centre_zyx, spec, rng)
    inside = pose.fit_volume(lesion, around, spec)
    if np.abs(centroid(inside) - centre_zyx).max() > MAX_OFF_VOXELS:
        # It came apart here, and the piece that was kept lies elsewhere.
        raise EditError(NOTHING_SUITS)
    frame = LesionFrame.of(inside, around.spacing_zyx_mm)
    site = Site.of(around, frame, inside)
    texture = resample(
        lesion.texture_hu,
        pose.matrix @ np.diag(frame.factors),
        pose.offset + pose.matrix @ frame.first_centre_zyx,
        frame.depth.shape,
    )
    core = core_of(lesion, site.depth, site.inside) if spec.kind == "ring_enhancing" else site.inside
    change = compose(lesion, site, texture=texture, core=core, contrast_hu=spec.contrast_hu)
    axial_mm = axial_diameter_mm(site.inside, site.part.grid)
    return Placed(site.part, site.inside, core, change, site.reference_hu, axial_mm)


@dataclass(frozen=True)
class Site:
    """Where a lesion comes: its frame, scan and liver share (0 to 1) in the frame's cells, and what it changes.

    ``part`` are the voxels that the edit can change, ``depth`` (mm) and ``inside`` lie on them;
    ``reference_hu`` is the liver around the lesion.
    """

    frame: LesionFrame
    hu: Volume
    liver: Volume
    part: Neighbourhood
    depth: Volume
    inside: Mask
    reference_hu: float

    @classmethod
    def of(cls, around: Neighbourhood, frame: LesionFrame, inside: Mask) -> Site:
        """The site of a lesion's mask in a crop."""
        hu, liver = frame.pool(around.source_hu), frame.pool(around.liver)
        reference = reference_hu(hu, liver > 0.5, frame.depth, around.level_hu)
        near = frame.near_box
        return cls(frame, hu, liver, around.part(near), frame.spread(frame.depth), inside[near], reference)


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
    decoder: PlaceDecoder, spec: LesionSpec, rng: np.random.Generator, *, without: set[int]
) -> DecodedLesion:
    """Move the place's signature along an exemplar's direction and decode the difference.

    ``without`` names exemplars that did not suit the place.
    """
    bank, spacing = decoder.bank, decoder.net.spacing_zyx_mm
    best: tuple[float, int, Volume, DifferenceShape] | None = None
    candidates = [int(e) for e in rank_exemplars(bank, spec, rng) if e not in without]
    for exemplar in candidates[:ATTEMPTS]:
        difference = decoder.difference_hu(exemplar)
        shape = measure_difference(difference, spacing)
        if shape is None:
            continue
        if best is None or shape.roundness > best[0]:
            best = (shape.roundness, exemplar, difference, shape)
        if shape.roundness >= ROUND_ENOUGH:
            break
    if best is None:
        raise EditError(NOTHING_SUITS)
    _, chosen, difference, shape = best
    depth = ndimage.gaussian_filter(signed_depth_mm(shape.mask, spacing), (0.5, 0.8, 0.8))
    smooth = ndimage.gaussian_filter(difference, (0.5, 1.0, 1.0))
    texture = smooth - lookup(depth_profile(smooth.ravel(), depth.ravel()), depth)
    depth += dents(rng, depth.shape, shape.diameter_mm / 2, spacing, DENTS[spec.kind])
    return DecodedLesion(
        depth_mm=depth,
        texture_hu=np.clip(texture, -MAX_TEXTURE_HU, MAX_TEXTURE_HU),
        centre_zyx=shape.centre_zyx,
        diameter_mm=shape.diameter_mm * float(np.cbrt(shape.flatness)),
        spacing_zyx_mm=(spacing[0] * shape.flatness, spacing[1], spacing[2]),
        profile_hu=bank.profiles_hu[chosen],
        exemplar=chosen,
    )


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
        factors = pooling(around.spacing_zyx_mm)
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
        inside &= ~_islands(inside)
        whole = np.zeros_like(around.liver)
        whole[self.near] = inside & liver
        return whole


def settle(
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
    matrix = np.diag(1 / np.asarray(lesion.spacing_zyx_mm)) @ random_turn(rng) / scale @ np.diag(spacing)
    volume_mm3 = np.pi / 6 * spec.diameter_mm**3
    step_mm = max(COARSE_MM, spec.diameter_mm * COARSE_SHARE)
    stride = np.maximum(1, (step_mm / spacing).astype(int))
    # Nothing far beyond the asked size can belong to the lesion.
    reach = 0.5 * spec.diameter_mm * ROOM + step_mm
    inner = around.grid.box_around(centre_zyx, half_extent_zyx_mm=(reach, reach, reach))
    start = np.array([s.start for s in inner])
    liver = around.liver[tuple(slice(b.start, b.stop, int(n)) for b, n in zip(inner, stride, strict=True))]
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
            raise LesionDoesNotFitError("There is no room for this lesion here; choose a place deeper in the liver.")
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


def dents(
    rng: np.random.Generator,
    shape_zyx: tuple[int, ...],
    radius_mm: float,
    spacing_zyx_mm: tuple[float, float, float],
    strength: float,
) -> Volume:
    """Smooth bumps and dents of the surface in mm, ``strength`` relative to the radius."""
    rough = rng.standard_normal(shape_zyx).astype(np.float32)
    total = np.zeros(shape_zyx, np.float32)
    for part, weight in ((0.45, 1.0), (0.2, 0.5)):
        sigma = [part * radius_mm / s for s in spacing_zyx_mm]
        bumps = ndimage.gaussian_filter(rough, sigma, mode="wrap", truncate=2.0)
        total += weight * np.clip(bumps / bumps.std(), -2, 2)
    return total * np.float32(strength * radius_mm)


def _islands(inside: Mask) -> Mask:
    """All but the largest connected part: a lesion is one piece."""
    parts, count = ndimage.label(inside, structure=np.ones((3, 3, 3)))
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


def core_of(lesion: DecodedLesion, depth: Volume, inside: Mask) -> Mask:
    """What lies inside the rim: where the learned profile is darker than half of its darkest value.

    Averaged with its rim, a ring would reach the asked contrast only with a core darker than water.
    """
    core: Mask = inside & (lookup(lesion.profile_hu, depth) < 0.5 * float(lesion.profile_hu.min()))
    return core if core.sum() >= MIN_CORE_VOXELS else inside


def compose(lesion: DecodedLesion, site: Site, *, texture: Volume, core: Mask, contrast_hu: float) -> Volume:
    """The change in HU: profile over depth plus texture, scaled so that the core has the asked contrast.

    Vessels inside fade. Only the dark part is scaled: a rim keeps the brightness it was learned with.
    ``texture`` lies in the frame's cells. Raises EditError when the lesion would have to be darker than water.
    """
    frame, part = site.frame, site.part
    profile = lesion.profile_hu * outer_fade(PROFILE_DEPTHS_MM)
    dark, bright = np.minimum(profile, 0), np.maximum(profile, 0)
    cover = frame.cover
    soft = soft_liver(site)
    excess = np.float32(VESSEL_SHARE) * vessel_excess(site.hu, site.liver > 0.5, part.level_hu, frame.spacing_zyx_mm)
    index = fine_index(site.depth)
    weight = frame.spread(soft) * part.liver
    faded = cover * excess * soft
    fixed = -frame.spread(faded) if faded.any() else np.zeros_like(weight)
    if bright.max() > 0:
        fixed += fine_profile(bright)[index] * weight
    inner = frame.spread(texture * cover * np.clip(-lookup(dark, frame.depth) / 20, 0, 1) * soft)
    missing = site.reference_hu + contrast_hu - float((part.source_hu[core] + fixed[core]).mean())
    table = fine_profile(dark)
    share = np.bincount(index[core], weight[core], minlength=len(table)) / core.sum()
    strength, table = scale_to(missing, table, share, float(inner[core].mean()), lowest_hu=WATER_HU - site.reference_hu)
    change: Volume = (fixed + table[index] * weight + inner * np.float32(strength)) * part.liver
    return change


def scale_to(
    wanted_hu: float, dark: Volume, share: NDArray[np.float64], inner_hu: float, *, lowest_hu: float
) -> tuple[float, Volume]:
    """The factor for the texture, and ``dark`` (HU over fine depths) scaled so that both have a mean of ``wanted_hu``.

    ``share`` is how much of the core lies at each fine depth, ``inner_hu`` the mean of the texture that is
    scaled along; no value of the result is below ``lowest_hu``. Raises EditError where that is impossible.
    """
    mean = float(dark @ share) + inner_hu
    if mean > -0.5:
        raise EditError("The generator's lesion is too faint here; try another seed.")
    plain = wanted_hu / mean
    if plain * float(dark.min()) >= lowest_hu:
        return plain, dark * np.float32(plain)

    def reached(factor: float) -> float:
        return float(np.maximum(dark * factor, lowest_hu) @ share) + plain * inner_hu

    low, high = 0.0, MAX_STEEPER * plain
    if reached(high) > wanted_hu + 1:
        raise EditError(
            f"To have this contrast the lesion would have to be darker than water here; "
            f"{np.ceil(reached(high)):.0f} HU is the strongest for this place and size."
        )
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) < wanted_hu else (middle, high)
    return plain, np.maximum(dark * np.float32(high), np.float32(lowest_hu))


def soft_liver(site: Site) -> Volume:
    """1 in the liver, 0 outside, half at the capsule, over about the width of the scan's own edges (cells)."""
    sigma = (0.3, *(0.9 / s for s in site.frame.spacing_zyx_mm[1:]))
    if site.liver.min() >= 1:
        return site.liver
    soft = ndimage.gaussian_filter(site.liver, sigma, truncate=2.5)
    weight: Volume = np.clip(2 * soft - 0.5, 0, 1)
    return weight
