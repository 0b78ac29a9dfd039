"""What an edit is asked for and what it gives back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml.errors import SpecError
from ml.geometry import Box
from ml.scans.lesions import LESION_KINDS, LesionKind

# What people may ask for (mm); the phantom's lesions end at 60 mm as well.
MIN_DIAMETER_MM, MAX_DIAMETER_MM = 4.0, 60.0
# HU against the liver. Lesions brighter than it have not been learned.
MIN_CONTRAST_HU, MAX_CONTRAST_HU = -150.0, -10.0

# A cyst holds fluid (HU), whatever the liver's level is. The others are darker than the liver by such a part of its
# level, in every phase; of a ring that is its core. Real ones lie widely about it.
CYST_HU, LESS_THAN_LIVER = 10.0, {"hypodense": 0.4, "ring_enhancing": 0.45}
# From this much on (standard deviations of the scan's noise) a part of what a removal left is likely to be seen: plain
# liver, measured as if a lesion had been removed there, has less of it 95 times out of 100.
GHOST_SEEN = {"ghost_disc_noise": 0.5, "ghost_rim_noise": 0.17, "ghost_speckle_noise": 0.2}


@dataclass(frozen=True)
class LesionSpec:
    """The lesion that a person asks for.

    ``diameter_mm`` is that of the sphere with the lesion's volume (its liver part at half contrast),
    ``contrast_hu`` the mean over this extent minus the liver around it (negative is darker), as in the table
    of lesions; for a ring the mean over its core, because averaged with its rim a ring would reach the asked
    contrast only with a core darker than water. ``seed`` varies shape and inner structure.

    Raises SpecError with a sentence for the screen.
    """

    kind: LesionKind
    diameter_mm: float
    contrast_hu: float
    seed: int

    def __post_init__(self) -> None:
        if self.kind not in LESION_KINDS:
            raise SpecError(f"The lesion type must be one of {', '.join(LESION_KINDS)}.")
        if not (math.isfinite(self.diameter_mm) and MIN_DIAMETER_MM <= self.diameter_mm <= MAX_DIAMETER_MM):
            raise SpecError(f"The diameter must lie between {MIN_DIAMETER_MM:g} and {MAX_DIAMETER_MM:g} mm.")
        if not (math.isfinite(self.contrast_hu) and MIN_CONTRAST_HU <= self.contrast_hu <= MAX_CONTRAST_HU):
            raise SpecError(
                f"The contrast must lie between {MIN_CONTRAST_HU:g} and {MAX_CONTRAST_HU:g} HU "
                "(lesions are darker than the liver)."
            )
        if not 0 <= self.seed < 2**63:
            raise SpecError("The seed must be a whole number from 0 on.")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return asdict(self)


@dataclass(frozen=True)
class EditResult:
    """The edited neighbourhood; voxels outside ``box`` are untouched by construction.

    ``edited`` (int16, HU), ``changed`` (bool: differs from the source) and ``lesion_mask`` (bool: the
    lesion's extent at half contrast, after insertion or before removal) all have the shape of ``box``
    (z, y, x). ``measured`` holds centre_lps_mm, diameter_mm, contrast_hu, volume_ml and more, read from
    the result; ``provenance`` says how it was made.
    """

    box: Box
    edited: NDArray[np.int16]
    changed: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_]
    measured: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)

    def apply(self, volume_hu: NDArray[np.int16]) -> NDArray[np.int16]:
        """A copy of the source volume with the edit in it."""
        copy = np.array(volume_hu, copy=True)
        copy[self.box] = self.edited
        return copy

    def paste_mask(self, shape_zyx: tuple[int, ...], *, what: Literal["changed", "lesion"]) -> NDArray[np.bool_]:
        """The changed-voxel or lesion mask on the whole volume's grid."""
        mask = np.zeros(shape_zyx, dtype=np.bool_)
        mask[self.box] = self.changed if what == "changed" else self.lesion_mask
        return mask


def usual_contrast_hu(kind: LesionKind, liver_hu: float) -> float:
    """The contrast (HU, whole) of a kind in a liver of this level, within what may be asked for."""
    wanted = CYST_HU - liver_hu if kind == "cystic" else -LESS_THAN_LIVER[kind] * liver_hu
    return float(np.clip(round(wanted), MIN_CONTRAST_HU, MAX_CONTRAST_HU))
