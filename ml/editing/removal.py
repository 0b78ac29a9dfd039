"""Removal: the inserted difference with its sign swapped, then what is left is levelled, noise from the scan itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.bank import canonical_zoom
from ml.editing.measure import bounding_box, finish, reference_hu
from ml.editing.neighbourhood import Neighbourhood, look_around, pool, read_neighbourhood
from ml.editing.resampling import resample
from ml.editing.spec import EditResult
from ml.errors import EditError, NothingToRemoveError
from ml.generator import Generator
from ml.geometry import Float3, Grid
from ml.lesions import REFERENCE_GAP_MM, REFERENCE_WIDTH_MM
from ml.patches import Mask, PatchFrame, Volume
from ml.shapes import PROFILE_DEPTHS_MM, depth_profile, lookup, outer_fade, signed_depth_mm
from ml.signatures import Codes

DRAWS = 2
FINE_VOXEL_MM = 0.9
STRUCTURE_SIGMA_MM = 2.2
# Low-passed structure must stand out this many times from the liver's own before it is levelled.
STRUCTURE_THRESHOLD = 2.0
OUTLIER_HU = 60.0
MAX_GAIN = 1.2
NOISE_CLUSTER_VOXELS = 6
TRANSPLANT_TRIES = 40


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
    if not lesion_mask.any():
        raise NothingToRemoveError("The lesion mask is empty; choose a lesion.")
    where = bounding_box(lesion_mask)
    centre = np.argwhere(lesion_mask[where]).mean(0) + [s.start for s in where]
    extent_mm = max((s.stop - s.start) * d for s, d in zip(where, grid.spacing_zyx_mm, strict=True))
    diameter_mm = float(np.cbrt(6 * lesion_mask[where].sum() * grid.voxel_volume_mm3 / np.pi))
    generator = generator.on(device)
    view, level_hu = look_around(
        volume_hu,
        grid,
        liver_mask=liver_mask,
        centre_zyx=centre,
        generator=generator,
        zoom=canonical_zoom(diameter_mm),
        excluded=lesion_mask,
    )
    around = read_neighbourhood(
        volume_hu,
        grid,
        liver_mask=liver_mask,
        centre_zyx=centre,
        half_extent_mm=0.5 * extent_mm + REFERENCE_GAP_MM + REFERENCE_WIDTH_MM + 1,
        level_hu=level_hu,
    )
    inside = lesion_mask[around.box]
    around = replace(around, liver=around.liver | inside)
    report(0.2)
    depth = lesion_depth(inside, around.spacing_zyx_mm)
    code = view.signature(generator, level_hu=level_hu, seed=seed)
    decoded = decode_removal(
        generator, code, zoom=canonical_zoom(diameter_mm), centre=around.local_index(centre), around=around, seed=seed
    )
    report(0.6)
    reference = reference_hu(around.hu, around.liver, depth, level_hu)
    change, gain = compose(around, depth, inside, decoded, reference=reference, seed=seed)
    report(0.9)
    provenance = {
        "operation": "remove",
        "seed": seed,
        "signature_gain": gain,
        "generator": generator.name,
        "generator_sha256": generator.digest,
        "device": str(generator.device),
        "precision": "bfloat16" if generator.half else "float32",
    }
    result = finish(around, change, inside, core=inside, reference=reference, provenance=provenance)
    report(1.0)
    return result


def lesion_depth(inside: Mask, spacing_zyx_mm: Float3) -> Volume:
    """Depth inside a lesion's mask in mm; fine voxels are pooled first, which costs nothing a scan could show."""
    z, y, x = spacing_zyx_mm
    factor = 2 if x < FINE_VOXEL_MM else 1
    pooled = signed_depth_mm(pool(inside, factor) >= 0.5, (z, y * factor, x * factor))
    if factor > 1:
        matrix = np.diag([1.0, 1 / factor, 1 / factor])
        shift = (factor - 1) / 2 / factor
        pooled = resample(pooled, matrix, np.array([0.0, -shift, -shift]), inside.shape)
    # Voxel steps of the mask are no property of the lesion.
    smooth: Volume = ndimage.gaussian_filter(pooled, (0.24, 0.8, 0.8))
    return smooth


def decode_removal(
    generator: Generator,
    code: Codes,
    *,
    zoom: float,
    centre: NDArray[np.float64],
    around: Neighbourhood,
    seed: int,
) -> Volume:
    """G(nearest normal codes) - G(the lesion's code) on the crop, in HU; ``centre`` in the crop's voxels."""
    normal = generator.neighbours.nearest(code[0])[None]
    difference = generator.decode_difference_hu(code, normal, seed=seed % 2**31, draws=DRAWS)[0]
    smooth = ndimage.gaussian_filter(difference, (0.5, 1.0, 1.0))
    frame = PatchFrame(generator.net, around.spacing_zyx_mm, (centre[0], centre[1], centre[2]), zoom)
    matrix = np.diag(1 / frame.step_zyx)
    return resample(smooth, matrix, frame.middle_zyx - matrix @ centre, around.hu.shape)


def compose(
    around: Neighbourhood, depth: Volume, inside: Mask, decoded: Volume, *, reference: float, seed: int
) -> tuple[Volume, float]:
    """The change in HU and the gain of the decoded part.

    Three steps, each on what the one before left: the mean over depth (edges, rims and core at the scan's
    own sharpness); what the decoded difference explains beyond it, with its least-squares gain; low-passed
    structure that stands out from the liver's own, replaced by low-passed noise from elsewhere in the same
    liver. The scan's own noise stays.
    """
    fade = outer_fade(depth)
    deviation = np.clip(around.hu - reference, -200, 200)
    near = around.liver & (inside | ((depth > -6) & (np.abs(deviation) < OUTLIER_HU)))
    change = -over_depth(deviation, depth, near)
    signature = (decoded - over_depth(decoded, depth, near)) * fade
    gain = _gain(signature[near], (deviation + change)[near])
    change += signature * np.float32(gain)
    change += level_structure(around, depth, deviation + change, seed)
    return change * around.liver, gain


def over_depth(values: Volume, depth: Volume, where: Mask) -> Volume:
    """The mean of values at each depth, faded to zero outside the lesion."""
    profile = depth_profile(values[where], depth[where]) * outer_fade(PROFILE_DEPTHS_MM)
    return lookup(profile, depth)


def _gain(signature: Volume, deviation: Volume) -> float:
    """Least squares of deviation + gain * signature, shrunk by its own uncertainty, 0 to MAX_GAIN.

    Neighbouring voxels share noise: about one in NOISE_CLUSTER_VOXELS counts.
    """
    power = float((signature**2).sum())
    if power <= 0:
        return 0.0
    gain = -float((signature * deviation).sum()) / power
    variance = NOISE_CLUSTER_VOXELS * float(deviation.var()) / power
    return float(np.clip(gain * max(0.0, 1 - variance / max(gain**2, 1e-9)), 0, MAX_GAIN))


def level_structure(around: Neighbourhood, depth: Volume, remaining: Volume, seed: int) -> Volume:
    """Level low-passed structure inside the lesion that plain liver would not show.

    Amplitudes above the threshold are shrunk to it and the missing low-frequency noise comes from a
    transplant, weighted so that its variance adds up (cos/sin, not a cross-fade).
    """
    z, y, x = (STRUCTURE_SIGMA_MM / s for s in around.spacing_zyx_mm)
    sigma = (min(1.0, z), y, x)
    clipped = np.clip(remaining, -OUTLIER_HU * 2, OUTLIER_HU * 2) * around.liver
    smooth = ndimage.gaussian_filter(clipped, sigma, truncate=2.5)
    normal = around.liver & (depth < -4) & (np.abs(clipped) < OUTLIER_HU)
    spread = _robust_sd(smooth[normal]) if normal.sum() > 50 else around.noise_hu / 3
    excess = np.abs(smooth) / (STRUCTURE_THRESHOLD * spread + 1e-6)
    within = np.clip((depth + 1.5) / 3, 0, 1)
    # 0 where the structure is as strong as in plain liver, towards 1 where it is far stronger.
    taken = within * np.clip(1 - 1 / np.maximum(excess, 1), 0, 1)
    taken = ndimage.gaussian_filter(taken, [s / 2 for s in sigma], truncate=2.5) * within
    if float(taken.max()) < 0.02:
        return np.zeros_like(smooth)
    donor = donor_noise(around, smooth, depth, normal, seed)
    kept = 1 - taken
    levelled: Volume = (-taken * smooth + np.sqrt(np.clip(1 - kept**2, 0, 1)) * donor).astype(np.float32)
    return levelled


def donor_noise(around: Neighbourhood, smooth: Volume, depth: Volume, normal: Mask, seed: int) -> Volume:
    """Low-passed noise of plain liver of the same scan, shifted onto the lesion; zero without a donor."""
    target = np.argwhere(depth > -2)
    rng = np.random.default_rng([seed, 31])
    places = np.argwhere(normal)
    best, best_share = None, 0.0
    for candidate in places[rng.integers(len(places), size=TRANSPLANT_TRIES)] if len(places) else []:
        shift = candidate - np.rint(target.mean(0)).astype(int)
        source = target + shift
        valid = ((source >= 0) & (source < smooth.shape)).all(1)
        share = float(normal[tuple(source[valid].T)].sum()) / len(target)
        if share > best_share:
            best, best_share = (source, valid), share
    noise = np.zeros_like(smooth)
    if best is None:
        return noise
    source, valid = best
    usable = valid.copy()
    usable[valid] = normal[tuple(source[valid].T)]
    noise[tuple(target[usable].T)] = smooth[tuple(source[usable].T)]
    return noise


def _robust_sd(values: Volume) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
