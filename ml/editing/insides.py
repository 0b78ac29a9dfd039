"""What a lesion has inside beyond its mean over depth: solid ones are more uneven than the liver that they replace.

The liver's own texture under the lesion is made stronger, low frequencies only: the scan's noise stays as it is. A
random texture would look alike, but no removal could tell it from the liver's afterwards; this one a removal takes back
by making the inside as even as the liver around (``ml.editing.removal``).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ml.geometry import Float3
from ml.patches.case import Mask, Volume
from ml.scans.lesions import LesionKind
from ml.settled import STEP_HU, settled

# How much stronger the texture becomes: cysts are even, a ring's core is mostly necrosis.
STRONGER: dict[LesionKind, float] = {"hypodense": 5.0, "cystic": 1.0, "ring_enhancing": 2.5}
# The low-pass (sigma, mm) of what counts as texture, and the farthest (HU) that single values count.
TEXTURE_SIGMA_MM, FARTHEST_HU = 3.0, 50.0
# It fades in over these depths (mm), for the edge is the profile's.
FADE_IN_MM = (-0.5, 2.5)


def texture(deviation: Volume, liver: Mask, spacing_zyx_mm: Float3) -> Volume:
    """Low-passed deviations (HU) from the liver's level, at most by a cell through the slices; 0 outside the liver."""
    z, y, x = (TEXTURE_SIGMA_MM / s for s in spacing_zyx_mm)
    cut = np.clip(deviation, -FARTHEST_HU, FARTHEST_HU) * liver
    low: Volume = ndimage.gaussian_filter(cut, (min(1.0, z), y, x), truncate=2.5)
    return low


def unevenness(kind: LesionKind, parenchyma: Volume, liver: Mask, depth_mm: Volume, spacing_zyx_mm: Float3) -> Volume:
    """HU to add to a lesion on the cells of ``depth_mm`` (positive inside).

    ``parenchyma`` are the scan's HU against the liver's level, without vessels.
    """
    first, last = FADE_IN_MM
    t = np.clip((depth_mm - first) / (last - first), 0, 1)
    weight = (STRONGER[kind] - 1) * (t * t * (3 - 2 * t)) * liver
    if not weight.any():
        return np.zeros_like(depth_mm)
    low = texture(parenchyma, liver, spacing_zyx_mm)
    mean = float((low * weight).sum() / weight.sum())
    return settled((weight * (low - mean)).astype(np.float32), STEP_HU)
