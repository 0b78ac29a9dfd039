"""Removal: the lesion's profile and the decoded difference are taken out of the scan; its own noise stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.frame import MARGIN_MM, LesionFrame, bounding_box, centroid
from ml.editing.measure import finish, reference_hu
from ml.editing.neighbourhood import (
    VESSEL_SHARE,
    VESSEL_SIGMA_MM,
    Neighbourhood,
    look_around,
    read_neighbourhood,
    vessel_excess,
)
from ml.editing.profiles import estimate_profile, profile_covariance
from ml.editing.resampling import resample
from ml.editing.scanner import overlapped
from ml.editing.spec import EditResult
from ml.editing.transplant import random_shifts, taken_from, usable
from ml.editing.vessels import LiverAround, vessels_from_elsewhere
from ml.errors import EditError, NothingToRemoveError
from ml.generator.bank import canonical_zoom
from ml.generator.model import Generator
from ml.generator.shapes import PROFILE_DEPTHS_MM, depth_profile, lookup, outer_fade
from ml.generator.signatures import Codes
from ml.geometry import Box, Grid, sphere_diameter_mm
from ml.nets.config import NetConfig
from ml.parallel import both
from ml.patches.case import Mask, Volume
from ml.patches.frames import PatchFrame
from ml.scans.lesions import REFERENCE_GAP_MM, axial_diameter_mm

# Low-passed structure must stand out this many times from the liver's own before it is levelled.
STRUCTURE_SIGMA_MM = 2.2
DARK_THRESHOLD, BRIGHT_THRESHOLD = 2.0, 3.0
# Low-passed values this many times the liver's own tell little of the profile; vessels are bright.
ROUNDS, TRUSTED_DARK, TRUSTED_BRIGHT = 3, 1.5, 1.2
OUTLIER_HU = 60.0
ENOUGH_VALUES = 10_000
MAX_GAIN = 1.2
# The decoded difference counts when its gain is this many times its uncertainty.
GAIN_ERRORS = 4.0
NOISE_CLUSTER_VOXELS = 6
MAX_VESSELS_HU, MIN_AROUND = 8.0, 100
TRANSPLANT_TRIES, TRANSPLANT_SAMPLE = 40, 400


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
    if lesion_mask.shape != grid.size_zyx:
        raise EditError("The lesion mask does not have the scan's size.")
    lesion_mask = np.asarray(lesion_mask, dtype=np.bool_)
    where = _where(lesion_mask)
    centre = centroid(lesion_mask[where]) + [s.start for s in where]
    extent_mm = max((s.stop - s.start) * d for s, d in zip(where, grid.spacing_zyx_mm, strict=True))
    zoom = canonical_zoom(sphere_diameter_mm(float(lesion_mask[where].sum() * grid.voxel_volume_mm3)))
    generator = generator.on(device)
    view, level_hu = look_around(
        volume_hu,
        grid,
        liver_mask=liver_mask,
        centre_zyx=centre,
        generator=generator,
        zoom=zoom,
        excluded=lesion_mask,
    )
    report(0.2)

    def surroundings() -> Surroundings:
        read = read_neighbourhood(
            volume_hu,
            grid,
            liver_mask=liver_mask,
            centre_zyx=centre,
            half_extent_mm=0.5 * extent_mm + MARGIN_MM + 2,
            level_hu=level_hu,
        )
        inside = lesion_mask[read.box]
        around = replace(read, liver=read.liver | inside)
        cells = Cells.of(around, inside)
        reference = reference_hu(cells.hu, cells.liver, cells.frame.depth, level_hu)
        elsewhere = LiverAround.of(volume_hu, grid, cells.frame, around.box, liver_mask=liver_mask, reference=reference)
        return Surroundings(around, inside, cells, reference, vessels_from_elsewhere(cells.frame, elsewhere, seed=seed))

    difference, found = both(
        lambda: decode_removal(generator, view.signature(generator, level_hu=level_hu, seed=seed)), surroundings
    )
    around, inside, cells, reference = found.around, found.inside, found.cells, found.reference_hu
    frame = cells.frame
    decoded = difference_in(frame, difference, generator.net, zoom=zoom, centre=around.local_index(centre))
    report(0.6)
    profile, smooth, gain = compose(
        cells,
        decoded,
        reference=reference,
        covariance=profile_covariance(generator.bank.profiles_hu),
        noise_hu=around.noise_hu,
        overlap=around.scanner.overlap / frame.factors[0],
        elsewhere=found.elsewhere,
        seed=seed,
    )
    part = around.part(frame.near_box)
    change = lookup(-profile, frame.spread(frame.depth)) + frame.spread(smooth)
    report(0.9)
    provenance = {
        "operation": "remove",
        "seed": seed,
        "signature_gain": gain,
        "slice_overlap": around.scanner.overlap,
    } | generator.provenance()
    own = inside[frame.near_box]
    result = finish(
        part,
        lambda: part.scanner.transmitted(change * part.liver),
        own,
        core=own,
        reference=reference,
        axial_mm=axial_diameter_mm(own, part.grid),
        provenance=provenance,
    )
    report(1.0)
    return result


def _where(lesion_mask: Mask) -> Box:
    try:
        return bounding_box(lesion_mask)
    except EditError:
        raise NothingToRemoveError("The lesion mask is empty; choose a lesion.") from None


class Cells:
    """A lesion's surroundings in the cells of its frame: HU, liver with the lesion, lesion."""

    def __init__(self, frame: LesionFrame, hu: Volume, liver: Mask, inside: Mask) -> None:
        self.frame, self.hu, self.liver, self.inside = frame, hu, liver, inside

    @classmethod
    def of(cls, around: Neighbourhood, inside: Mask) -> Cells:
        """The cells of a lesion's mask in a crop."""
        frame = LesionFrame.of(inside, around.spacing_zyx_mm)
        return cls(frame, frame.pool(around.source_hu), frame.pool(around.liver) > 0.5, frame.pool(inside) >= 0.5)

    def low_pass(self, values: Volume, sigma_mm: float) -> Volume:
        """Values in the liver, smoothed in the slice and at most by a cell through it."""
        z, y, x = (sigma_mm / s for s in self.frame.spacing_zyx_mm)
        smooth: Volume = ndimage.gaussian_filter(values * self.liver, (min(1.0, z), y, x), truncate=2.5)
        return smooth

    def normal(self, deviation: Volume) -> Mask:
        """Plain liver away from the lesion."""
        plain: Mask = self.liver & (self.frame.depth < -4) & (np.abs(deviation) < OUTLIER_HU)
        return plain


@dataclass(frozen=True)
class Surroundings:
    """What a removal knows without the generator: the crop with the lesion as liver, and vessels from elsewhere."""

    around: Neighbourhood
    inside: Mask
    cells: Cells
    reference_hu: float
    elsewhere: Volume | None


def decode_removal(generator: Generator, code: Codes) -> Volume:
    """G(nearest normal codes) - G(the lesion's code), low-passed, in HU and the patch's shape."""
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


def compose(
    cells: Cells,
    decoded: Volume,
    *,
    reference: float,
    covariance: NDArray[np.float64],
    noise_hu: float,
    overlap: float,
    elsewhere: Volume | None,
    seed: int,
) -> tuple[Volume, Volume, float]:
    """The lesion's profile (HU over PROFILE_DEPTHS_MM), what else is to be added (HU, cells), the decoded gain.

    Each step works on what the ones before left: the profile over depth (edges, rims and core at the scan's
    own sharpness), in which vessels do not count; what the decoded difference explains beyond it, with its
    least-squares gain; low-passed structure that stands out from the liver's own, replaced by low-passed
    noise from elsewhere in the same liver; vessels get back what a lesion takes of them, and those that it
    replaced are drawn from ``elsewhere`` (HU, cells; None: their mean). The scan's own noise stays.

    The profile is what it was before slices took the share ``overlap`` from their neighbours. The rest is read from
    the scan, so that it overlaps a second time where it is added; it is smooth enough for that not to matter.
    """
    depth = cells.frame.depth
    deviation = np.clip(cells.hu - reference, -200, 200)
    near = cells.liver & (cells.inside | ((depth > -6) & (np.abs(deviation) < OUTLIER_HU)))
    normal = cells.normal(deviation)
    pixel_mm2 = cells.frame.spacing_zyx_mm[1] * cells.frame.spacing_zyx_mm[2]
    weight = near.astype(np.float32)
    mixed = np.zeros_like(depth)
    for _ in range(ROUNDS):
        profile = estimate_profile(
            deviation - mixed, depth, weight, covariance=covariance, noise_hu=noise_hu, pixel_mm2=pixel_mm2
        )
        plain = lookup(profile, depth)
        mixed = overlapped(plain, overlap) - plain
        left = deviation - plain - mixed
        low = cells.low_pass(np.clip(left, -2 * OUTLIER_HU, 2 * OUTLIER_HU), VESSEL_SIGMA_MM)
        spread = robust_sd(low[normal]) if normal.sum() > 50 else noise_hu / 2
        trusted = np.where(low < 0, TRUSTED_DARK, TRUSTED_BRIGHT) * spread + 1e-6
        weight = near / (1 + np.square(np.square(low / trusted)))
    own = depth_profile(decoded[near], depth[near]) * outer_fade(PROFILE_DEPTHS_MM)
    signature = (decoded - lookup(own, depth)) * np.clip((depth + 1.5) / 3, 0, 1)
    gain = _gain(signature, left, weight)
    explained = signature * np.float32(gain)
    vessels = cells.frame.cover * vessel_excess(left + reference, cells.liver, reference, cells.frame.spacing_zyx_mm)
    smooth = explained + level_structure(cells, left + explained - vessels, normal, noise_hu, seed)
    restored = vessels * np.float32(VESSEL_SHARE / (1 - VESSEL_SHARE))
    smooth += restored
    if elsewhere is None:
        smooth += cells.frame.cover * np.float32(brightness_of_vessels(cells, deviation))
    else:
        smooth += cells.frame.cover * np.maximum(elsewhere - restored - vessels, 0)
    return profile, smooth, gain


def brightness_of_vessels(cells: Cells, deviation: Volume) -> float:
    """How much brighter than plain parenchyma (HU) the liver around is on average: its vessels.

    The vessels that a lesion has replaced cannot be known; their mean can, and without it every removal is too dark.
    """
    around = cells.liver & (cells.frame.depth < -REFERENCE_GAP_MM) & (deviation > -OUTLIER_HU)
    return float(np.clip(deviation[around].mean(), 0, MAX_VESSELS_HU)) if around.sum() >= MIN_AROUND else 0.0


def _gain(signature: Volume, deviation: Volume, weight: Volume) -> float:
    """Least squares of deviation + gain * signature, shrunk by its own uncertainty, 0 to MAX_GAIN.

    Neighbouring voxels share noise: about one in NOISE_CLUSTER_VOXELS counts.
    """
    power = float((weight * signature**2).sum())
    if power <= 0:
        return 0.0
    gain = -float((weight * signature * deviation).sum()) / power
    variance = NOISE_CLUSTER_VOXELS * float((weight * deviation**2).sum() / weight.sum()) / power
    return float(np.clip(gain * max(0.0, 1 - GAIN_ERRORS**2 * variance / max(gain**2, 1e-9)), 0, MAX_GAIN))


def level_structure(cells: Cells, remaining: Volume, normal: Mask, noise_hu: float, seed: int) -> Volume:
    """Level low-passed structure inside the lesion that plain liver would not show.

    Amplitudes above the threshold are shrunk to it and the missing low-frequency noise comes from a
    transplant, weighted so that its variance adds up (cos/sin, not a cross-fade).
    """
    smooth = cells.low_pass(np.clip(remaining, -OUTLIER_HU * 2, OUTLIER_HU * 2), STRUCTURE_SIGMA_MM)
    spread = robust_sd(smooth[normal]) if normal.sum() > 50 else noise_hu / 3
    threshold = np.where(smooth < 0, DARK_THRESHOLD, BRIGHT_THRESHOLD) * spread + 1e-6
    within: Volume = np.clip((cells.frame.depth + 1.5) / 3, 0, 1)
    # 0 where the structure is as strong as in plain liver, towards 1 where it is far stronger.
    taken: Volume = within * np.clip(1 - threshold / np.maximum(np.abs(smooth), threshold), 0, 1)
    taken = cells.low_pass(taken, STRUCTURE_SIGMA_MM / 2) * within
    if float(taken.max()) < 0.02:
        return np.zeros_like(smooth)
    donor = donor_noise(smooth, cells.frame.depth, normal, seed)
    kept = 1 - taken
    levelled: Volume = (-taken * smooth + np.sqrt(np.clip(1 - kept**2, 0, 1)) * donor).astype(np.float32)
    return levelled


def donor_noise(smooth: Volume, depth: Volume, normal: Mask, seed: int) -> Volume:
    """Low-passed noise of plain liver of the same scan, shifted onto the lesion; zero without a donor."""
    noise = np.zeros_like(smooth)
    target = np.argwhere(depth > -2)
    if not normal.any():
        return noise
    rng = np.random.default_rng([seed, 31])
    shifts = random_shifts(target, normal, count=TRANSPLANT_TRIES, rng=rng)
    sample = target[:: max(1, len(target) // TRANSPLANT_SAMPLE)]
    shares = [usable(sample + shift, normal).mean() for shift in shifts]
    noise[tuple(target.T)] = taken_from(smooth, target + shifts[int(np.argmax(shares))], normal)
    return noise


def robust_sd(values: Volume) -> float:
    """Standard deviation from the median absolute deviation (of some of the values where they are many)."""
    values = values[:: 1 + len(values) // ENOUGH_VALUES]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
