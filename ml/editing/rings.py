"""The profile of a ring: a rim that is seen in the scan's noise and as wide as the scan can show, around a dark core.

Rims that a generator learned are means over lesions whose blur had taken most of them: a few HU, seen by nobody.
"""

from __future__ import annotations

import numpy as np

from ml.generator.shapes import PROFILE_DEPTHS_MM
from ml.patches.case import Volume

# A rim stands out of the liver by so many times the scan's noise before the scanner's blur; kept between these (HU).
NOISES, RIM_HU = 2.2, (20.0, 60.0)
# How wide it is, in parts of the radius; kept between these (mm).
WIDTH_SHARE, WIDTH_MM = 0.2, (1.5, 4.0)
# It rises over these depths (mm), and gives way to the core over so many (mm).
RISE_MM, GIVES_WAY_MM = (-0.9, 0.4), 1.8
# The core before it is scaled to what is asked (HU).
CORE_HU = -60.0


def ring_profile(radius_mm: float, noise_hu: float) -> Volume:
    """HU over PROFILE_DEPTHS_MM of a ring of this size in this noise."""
    width = float(np.clip(WIDTH_SHARE * radius_mm, *WIDTH_MM))
    rim = float(np.clip(NOISES * noise_hu, *RIM_HU))
    low, high = RISE_MM
    begun = smooth_step((PROFILE_DEPTHS_MM - low) / (high - low))
    core = smooth_step((PROFILE_DEPTHS_MM - width) / GIVES_WAY_MM + 0.5)
    profile: Volume = (rim * begun * (1 - core) + CORE_HU * core).astype(np.float32)
    return profile


def smooth_step(t: Volume) -> Volume:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
