"""A placed lesion in HU: its learned profile over depth, scaled to the asked contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.displacement import MassEffect
from ml.editing.exemplars import DecodedLesion
from ml.editing.frame import LesionFrame
from ml.editing.insides import unevenness
from ml.editing.measure import reference_hu
from ml.editing.neighbourhood import Neighbourhood
from ml.editing.spec import LesionSpec
from ml.editing.tubes import tubes
from ml.errors import EditError
from ml.generator.shapes import PROFILE_DEPTHS_MM, fine_index, fine_profile, lookup, outer_fade
from ml.patches.case import Mask, Volume
from ml.scans.lesions import LesionKind

# The share of a vessel's brightness that a lesion takes where it crosses: no vessel runs through a cyst.
VESSEL_SHARES = {"hypodense": 0.7, "cystic": 1.0, "ring_enhancing": 0.8}
# A ring's core of fewer voxels has no mean of its own; the whole lesion counts then.
MIN_CORE_VOXELS = 8
# Nothing that lesions are made of is darker than water, except fat.
WATER_HU = 0.0
# To keep its mean when its core is held at water, a lesion's edge may be steeper by up to this factor.
MAX_STEEPER = 2.5


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


def core_of(lesion: DecodedLesion, depth: Volume, inside: Mask) -> Mask:
    """What lies inside the rim: where the learned profile is darker than half of its darkest value.

    Averaged with its rim, a ring would reach the asked contrast only with a core darker than water.
    """
    core: Mask = inside & (lookup(lesion.profile_hu, depth) < 0.5 * float(lesion.profile_hu.min()))
    return core if core.sum() >= MIN_CORE_VOXELS else inside


@dataclass(frozen=True)
class Change:
    """A change in HU, and the lowest that it may be where the result is not to be darker than water."""

    hu: Volume
    lowest_hu: Volume


def compose(lesion: DecodedLesion, site: Site, spec: LesionSpec, *, core: Mask, mass: MassEffect) -> Change:
    """The profile over depth, scaled so that the core has the asked contrast, with an unevenness of its own.

    Vessels are pushed aside by ``mass``; inside they lose a share of their brightness by kind, otherwise the liver's
    own structure is the lesion's. Only the dark part is scaled: a rim keeps its brightness. Raises EditError when the
    lesion would have to be darker than water.
    """
    frame, part = site.frame, site.part
    profile = lesion.profile_hu * outer_fade(PROFILE_DEPTHS_MM)
    dark, bright = np.minimum(profile, 0), np.maximum(profile, 0)
    soft = soft_liver(site)
    index = fine_index(site.depth)
    weight = frame.spread(soft) * part.liver
    own = (structure_moved(site, spec.kind, mass) * soft[frame.near]).astype(np.float32)
    fixed = frame.spread_near(own) if own.any() else np.zeros_like(weight)
    if bright.max() > 0:
        fixed += fine_profile(bright)[index] * weight
    missing = site.reference_hu + spec.contrast_hu - float((part.source_hu[core] + fixed[core]).mean())
    table = fine_profile(dark)
    share = np.bincount(index[core], weight[core], minlength=len(table)) / core.sum()
    lowest = min(WATER_HU - site.reference_hu, 0.0)
    table = scale_to(missing, table, share, lowest_hu=lowest)
    # A vessel that goes lay above the liver, by as much as its place may lose more.
    return Change((fixed + table[index] * weight) * part.liver, np.minimum(fixed, 0) + np.float32(lowest))


def structure_moved(site: Site, kind: LesionKind, mass: MassEffect) -> Volume:
    """What comes to the liver's structure (HU, the near cells).

    Vessels are pushed aside, and fade where the lesion covers them; what is left inside becomes more uneven.
    """
    frame, near = site.frame, site.frame.near
    hu, liver, spacing = site.hu[near], site.liver[near] > 0.5, frame.spacing_zyx_mm
    there = tubes(hu, liver, site.part.level_hu, spacing)
    uneven = unevenness(kind, hu - np.float32(site.part.level_hu) - there, liver, frame.depth[near], spacing)
    if not there.any():
        return uneven
    aside = mass.displaced(there, frame.depth, near, spacing)
    return (1 - np.float32(VESSEL_SHARES[kind]) * frame.cover[near]) * aside - there + uneven


def scale_to(wanted_hu: float, dark: Volume, share: NDArray[np.float64], *, lowest_hu: float) -> Volume:
    """``dark`` (HU over fine depths) scaled so that its mean over the core is ``wanted_hu``.

    ``share`` is how much of the core lies at each fine depth; no value of the result is below ``lowest_hu``.
    Raises EditError where that is impossible.
    """
    mean = float(dark @ share)
    if mean > -0.5:
        raise EditError("The generator's lesion is too faint here; try another seed.")
    plain = wanted_hu / mean
    if plain * float(dark.min()) >= lowest_hu:
        return dark * np.float32(plain)

    def reached(factor: float) -> float:
        return float(np.maximum(dark * factor, lowest_hu) @ share)

    low, high = 0.0, MAX_STEEPER * plain
    if reached(high) > wanted_hu + 1:
        raise EditError(
            f"To have this contrast the lesion would have to be darker than water here; "
            f"{np.ceil(reached(high)):.0f} HU is the strongest for this place and size."
        )
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) < wanted_hu else (middle, high)
    held: Volume = np.maximum(dark * np.float32(high), np.float32(lowest_hu))
    return held


def soft_liver(site: Site) -> Volume:
    """1 in the liver, 0 outside, half at the capsule, over about the width of the scan's own edges (cells)."""
    sigma = (0.3, *(0.9 / s for s in site.frame.spacing_zyx_mm[1:]))
    if site.liver.min() >= 1:
        return site.liver
    soft = ndimage.gaussian_filter(site.liver, sigma, truncate=2.5)
    weight: Volume = np.clip(2 * soft - 0.5, 0, 1)
    return weight
