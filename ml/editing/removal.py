"""Removal: the lesion's profile and the decoded difference are taken out of the scan; its own noise stays.

The steps, each on what the ones before left: look -> surroundings -> profile -> structure -> vessels -> change.
In their equations d is HU against the liver around, in the cells of the lesion's frame; depth is the distance to the
lesion's edge (mm, positive inside).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.cells import OUTLIER_HU, Cells, Surroundings
from ml.editing.extent import beyond_mask_mm, refuse_dense
from ml.editing.frame import MARGIN_MM, LesionFrame, bounding_box, pool
from ml.editing.ghosts import Ghost, ghost_of
from ml.editing.levelling import as_even_as_liver, structure
from ml.editing.measure import apply_change, reference_hu
from ml.editing.neighbourhood import (
    VESSEL_SHARE,
    VESSEL_SIGMA_MM,
    Neighbourhood,
    WideView,
    look_around,
    read_neighbourhood,
    vessel_excess,
)
from ml.editing.profiles import Matrix, estimate_profile, profile_covariance
from ml.editing.resampling import resample
from ml.editing.scanner import overlapped
from ml.editing.spec import EditResult
from ml.editing.vessels import LiverAround, vessels_from_elsewhere
from ml.errors import EditError, NothingToRemoveError
from ml.generator.bank import canonical_zoom
from ml.generator.model import Generator
from ml.generator.shapes import PROFILE_DEPTHS_MM, depth_profile, lookup, outer_fade
from ml.generator.signatures import Codes
from ml.geometry import Box, Grid, centroid, sphere_diameter_mm
from ml.nets.config import NetConfig
from ml.parallel import in_parallel
from ml.patches.case import Mask, Volume
from ml.patches.frames import PatchFrame
from ml.scans.lesions import REFERENCE_GAP_MM, axial_diameter_mm

# Low-passed values this many times the liver's own tell little of the profile; vessels are bright.
ROUNDS, TRUSTED_DARK, TRUSTED_BRIGHT = 3, 1.5, 1.2
# The largest gain of the decoded difference: 1 is what the generator says.
MAX_GAIN = 1.2
# The decoded difference counts when its gain is this many times its uncertainty.
GAIN_ERRORS = 4.0
# Voxels that share their noise.
NOISE_CLUSTER_VOXELS = 6
# The mean of vessels (HU) is no more than this, and told by this many cells at least.
MAX_VESSELS_HU, MIN_AROUND = 8.0, 100
# Keeps divisions apart from zero.
TINY = 1e-6


def remove(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: Mask,
    lesion_mask: Mask,
    generator: Generator,
    seed: int,
    device: str,
    on_progress: Callable[[float], None] | None,
) -> EditResult:
    """See ``ml.editing.remove_lesion``."""
    report = on_progress or (lambda _: None)
    asked = Asked(volume_hu, grid, liver_mask, np.asarray(lesion_mask, dtype=np.bool_), seed)
    generator.move_to(device)
    seen = look(asked, generator)
    report(0.2)
    found, decoded = surroundings_and_difference(asked, seen, generator)
    report(0.6)
    change, gain = restoration(found, decoded, profile_covariance(generator.bank.profiles_hu), seed=seed)
    report(0.9)
    told = {
        "operation": "remove",
        "seed": seed,
        "signature_gain": gain,
        "slice_overlap": found.around.scanner.overlap,
        "beyond_mask_mm": found.beyond_mask_mm,
    }
    result = finished(found, change, told | generator.provenance())
    report(1.0)
    return result


def surroundings_and_difference(asked: Asked, seen: Look, generator: Generator) -> tuple[Surroundings, Volume]:
    """The lesion's surroundings, and on their cells the decoded difference (HU) between lesion and liver."""
    difference, found = in_parallel(
        lambda: decode_removal(generator, seen.view.signature(generator, level_hu=seen.level_hu, seed=asked.seed)),
        lambda: surroundings(asked, seen),
    )
    centre = found.around.local_index(seen.centre_zyx)
    return found, difference_in(found.cells.frame, difference, generator.net, zoom=seen.zoom, centre=centre)


def restoration(found: Surroundings, decoded: Volume, covariance: Matrix, *, seed: int) -> tuple[Volume, float]:
    """The change (HU) that takes profile, signature and structure away and gives vessels back; the signature's gain."""
    taken = profile(found, covariance)
    explained, gain = decoded_part(found, decoded, taken)
    vessels = remaining_vessels(found, taken)
    remaining = taken.left + explained - vessels
    evened = as_even_as_liver(found, remaining)
    levelled = evened + structure(found, remaining + evened, seed=seed)
    restored, replaced = vessels_back(found, vessels)
    return change_hu(found, taken, explained + levelled + restored + replaced), gain


@dataclass(frozen=True)
class Asked:
    """A scan, its liver and the lesion to remove."""

    volume_hu: NDArray[np.int16]
    grid: Grid
    liver_mask: Mask
    lesion_mask: Mask
    seed: int


@dataclass(frozen=True)
class Look:
    """What the encoder sees of a lesion and at which zoom; the lesion's centre (voxels of the scan) and extent."""

    view: WideView
    level_hu: float
    zoom: float
    centre_zyx: NDArray[np.float64]
    extent_mm: float


def look(asked: Asked, generator: Generator) -> Look:
    """The encoder's view of the lesion: centre = mean of its voxels, zoom by the sphere of its volume."""
    mask, grid = asked.lesion_mask, asked.grid
    if mask.shape != grid.size_zyx:
        raise EditError("The lesion mask does not have the scan's size.")
    where = _where(mask)
    centre = centroid(mask[where]) + [s.start for s in where]
    zoom = canonical_zoom(sphere_diameter_mm(float(mask[where].sum() * grid.voxel_volume_mm3)))
    view, level_hu = look_around(
        asked.volume_hu,
        grid,
        liver_mask=asked.liver_mask,
        centre_zyx=centre,
        generator=generator,
        zoom=zoom,
        excluded=mask,
    )
    extent_mm = max((s.stop - s.start) * d for s, d in zip(where, grid.spacing_zyx_mm, strict=True))
    return Look(view, level_hu, zoom, centre, extent_mm)


def _where(lesion_mask: Mask) -> Box:
    try:
        return bounding_box(lesion_mask)
    except EditError:
        raise NothingToRemoveError("The lesion mask is empty; choose a lesion.") from None


def surroundings(asked: Asked, seen: Look) -> Surroundings:
    """The crop in cells, its reference = median HU of the liver 3 to 11 mm around, vessels of another place."""
    read = read_neighbourhood(
        asked.volume_hu,
        asked.grid,
        liver_mask=asked.liver_mask,
        centre_zyx=seen.centre_zyx,
        half_extent_mm=0.5 * seen.extent_mm + MARGIN_MM + 2,
        level_hu=seen.level_hu,
    )
    inside = asked.lesion_mask[read.box]
    around = replace(read, liver=read.liver | inside)
    drawn = Cells.of(around, inside)
    refuse_dense(around, drawn)
    further_mm = beyond_mask_mm(drawn)
    if further_mm:
        inside = grown(around, inside, further_mm)
    cells = Cells.of(around, inside) if further_mm else drawn
    reference = reference_hu(cells.hu, cells.liver, cells.frame.depth, seen.level_hu)
    elsewhere = LiverAround.of(
        asked.volume_hu, asked.grid, cells.frame, around.box, liver_mask=asked.liver_mask, reference=reference
    )
    vessels = vessels_from_elsewhere(cells.frame, elsewhere, seed=asked.seed)
    return Surroundings(around, asked.lesion_mask[read.box], cells, reference, vessels, further_mm)


def grown(around: Neighbourhood, inside: Mask, further_mm: float) -> Mask:
    """A mask and the liver up to ``further_mm`` around it."""
    away = ndimage.distance_transform_edt(~inside, sampling=around.spacing_zyx_mm)
    wider: Mask = inside | (around.liver & (away <= further_mm))
    return wider


def decode_removal(generator: Generator, code: Codes) -> Volume:
    """D = G(nearest normal codes) - G(the lesion's code), low-passed, in HU and the patch's shape."""
    normal = generator.neighbours.nearest(code[0])[None]
    difference = generator.decode_quietly_hu(normal) - generator.decode_quietly_hu(code)
    smooth: Volume = ndimage.gaussian_filter(difference, (0.5, 1.0, 1.0))
    return smooth


def difference_in(
    frame: LesionFrame, difference: Volume, net: NetConfig, *, zoom: float, centre: NDArray[np.float64]
) -> Volume:
    """A patch's values in the frame's cells; ``centre`` in the crop's voxels."""
    scan = np.asarray(frame.spacing_zyx_mm) / np.asarray(frame.factors)
    patch = PatchFrame(net, (scan[0], scan[1], scan[2]), (centre[0], centre[1], centre[2]), zoom)
    matrix = np.diag(1 / patch.step_zyx)
    offset = patch.middle_zyx + matrix @ (frame.first_centre_zyx - centre)
    return resample(difference, matrix @ np.diag(frame.factors), offset, frame.depth.shape)


@dataclass(frozen=True)
class Profiled:
    """The lesion over depth (HU over PROFILE_DEPTHS_MM), what it leaves (HU, cells), and how far cells are trusted."""

    profile_hu: Volume
    left: Volume
    weight: Volume


def profile(found: Surroundings, covariance: Matrix) -> Profiled:
    """d = p(depth) + m + left, where m = overlapped(p) - p is what slices took from their neighbours.

    p is the most likely profile of d - m under ``covariance`` and the scan's noise, in ROUNDS rounds: what p leaves
    says which cells it is told from in the next. So p is sharp as before slices overlapped. The other steps read from
    the scan, so that they overlap a second time where they are added; they are smooth enough for that not to matter.
    """
    depth = found.cells.frame.depth
    pixel_mm2 = found.cells.frame.spacing_zyx_mm[1] * found.cells.frame.spacing_zyx_mm[2]
    likely_profile = partial(
        estimate_profile, covariance=covariance, noise_hu=found.around.noise_hu, pixel_mm2=pixel_mm2
    )
    weight, mixed = found.near.astype(np.float32), np.zeros_like(depth)
    for _ in range(ROUNDS):
        likely = likely_profile(found.deviation - mixed, depth, weight)
        plain = lookup(likely, depth)
        mixed = overlapped(plain, found.overlap) - plain
        left = found.deviation - plain - mixed
        weight = trust(found, left)
    return Profiled(likely, left, weight)


def trust(found: Surroundings, left: Volume) -> Volume:
    """w = near / (1 + (l / t)^4), l = low-passed rest, t = 1.5 (dark) or 1.2 (bright) of its spread in plain liver."""
    low = found.cells.low_pass(np.clip(left, -2 * OUTLIER_HU, 2 * OUTLIER_HU), VESSEL_SIGMA_MM)
    spread = found.spread_hu(low, fallback=found.around.noise_hu / 2)
    trusted = np.where(low < 0, TRUSTED_DARK, TRUSTED_BRIGHT) * spread + TINY
    weight: Volume = found.near / (1 + np.square(np.square(low / trusted)))
    return weight


def decoded_part(found: Surroundings, decoded: Volume, taken: Profiled) -> tuple[Volume, float]:
    """e = g s, where s = (D - D's own profile over depth) within the lesion and g is its gain; returns e and g."""
    depth, near = found.cells.frame.depth, found.near
    own = depth_profile(decoded[near], depth[near]) * outer_fade(PROFILE_DEPTHS_MM)
    signature = (decoded - lookup(own, depth)) * found.cells.within
    gain = _gain(signature, taken.left, taken.weight)
    explained: Volume = signature * np.float32(gain)
    return explained, gain


def _gain(signature: Volume, deviation: Volume, weight: Volume) -> float:
    """g = -<w s, left> / <w s, s>, shrunk by 1 - GAIN_ERRORS^2 var(g) / g^2, from 0 to MAX_GAIN.

    Neighbouring voxels share noise: about one in NOISE_CLUSTER_VOXELS counts.
    """
    power = float((weight * signature**2).sum())
    if power <= 0:
        return 0.0
    gain = -float((weight * signature * deviation).sum()) / power
    variance = NOISE_CLUSTER_VOXELS * float((weight * deviation**2).sum() / weight.sum()) / power
    return float(np.clip(gain * max(0.0, 1 - GAIN_ERRORS**2 * variance / max(gain**2, 1e-9)), 0, MAX_GAIN))


def remaining_vessels(found: Surroundings, taken: Profiled) -> Volume:
    """v = what stands out of the rest like vessels (HU), where the lesion covers them."""
    frame, reference = found.cells.frame, found.reference_hu
    vessels: Volume = frame.cover * vessel_excess(
        taken.left + reference, found.cells.liver, reference, frame.spacing_zyx_mm
    )
    return vessels


def vessels_back(found: Surroundings, vessels: Volume) -> tuple[Volume, Volume]:
    """b = v q / (1 - q), as a lesion takes the share q of a vessel; and (E - b - v)+ for those that it replaced.

    E are vessels from elsewhere in the liver, or, without any, the vessels' mean where the lesion covers them.
    """
    cover = found.cells.frame.cover
    restored = vessels * np.float32(VESSEL_SHARE / (1 - VESSEL_SHARE))
    if found.elsewhere is None:
        return restored, cover * np.float32(brightness_of_vessels(found))
    return restored, cover * np.maximum(found.elsewhere - restored - vessels, 0)


def brightness_of_vessels(found: Surroundings) -> float:
    """How much brighter than plain parenchyma (HU) the liver around is on average: its vessels.

    The vessels that a lesion has replaced cannot be known; their mean can, and without it every removal is too dark.
    """
    deviation = found.deviation
    around = found.cells.liver & (found.cells.frame.depth < -REFERENCE_GAP_MM) & (deviation > -OUTLIER_HU)
    return float(np.clip(deviation[around].mean(), 0, MAX_VESSELS_HU)) if around.sum() >= MIN_AROUND else 0.0


def change_hu(found: Surroundings, taken: Profiled, smooth: Volume) -> Volume:
    """c = -p(depth) + smooth in voxels of the lesion's near box (HU): p at voxels' own depth, the rest from cells."""
    frame = found.cells.frame
    return lookup(-taken.profile_hu, frame.spread(frame.depth)) + frame.spread(smooth)


def finished(found: Surroundings, change: Volume, provenance: dict[str, object]) -> EditResult:
    """The change as the scanner would have let it through, added to the scan and measured."""
    frame = found.cells.frame
    part, own = found.around.part(frame.near_box), found.inside[frame.near_box]
    result = apply_change(
        part,
        lambda: part.scanner.transmitted(change * part.liver),
        own,
        core=own,
        reference=found.reference_hu,
        axial_mm=axial_diameter_mm(own, part.grid),
        provenance=provenance,
    )
    return replace(result, measured=result.measured | ghost_left(found, result).measured())


def ghost_left(found: Surroundings, result: EditResult) -> Ghost:
    """What of the lesion is still to be seen in the result."""
    frame = found.cells.frame
    start = [o.start + n.start for o, n in zip(found.around.box, frame.near_box, strict=True)]
    z, y, x = (slice(s.start - o, s.stop - o) for s, o in zip(result.box, start, strict=True))
    edited = found.around.source_hu[frame.near_box].copy()
    edited[z, y, x] = result.edited
    after = found.cells.hu.copy()
    after[frame.near] = pool(edited, frame.factors)
    return ghost_of(found.cells, after, found.around.noise_hu)
