"""A scan as training and evaluation read it: voxels, liver, numbered lesions and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import TrainingError
from ml.geometry import Grid, sphere_diameter_mm

Volume: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

# How softly (sigma within the slice, mm) the liver's mask falls to 0 before the capsule. Set by hand.
SOFT_MASK_SIGMA_MM = 1.5
# Labels of fewer voxels are no lesion of a case. Set by hand.
MIN_LESION_VOXELS = 4


@dataclass(frozen=True)
class LesionRecord:
    """A lesion of a case; ``centre_zyx`` in voxels, ``kind`` where it is known."""

    label: int
    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    kind: str | None


@dataclass(frozen=True)
class LiverCase:
    """A scan with its liver (bool, lesions included), numbered lesions and what follows from them.

    ``liver_note`` says so where the liver is an estimate; it is empty for a mask that came with the scan.
    ``all_drawn`` is whether ``labels`` are known to hold every lesion: only then is the rest normal liver.
    """

    name: str
    grid: Grid
    hu: NDArray[np.int16]
    liver: Mask
    labels: NDArray[np.uint8]
    weight: Volume
    level_hu: float
    lesions: list[LesionRecord] = field(default_factory=list)
    liver_note: str = ""
    all_drawn: bool = True


def liver_level(hu: NDArray[np.generic], liver: Mask) -> float:
    """The parenchyma's HU: mean around the mode of the liver's smoothed histogram (lesions hardly shift it)."""
    values = np.asarray(hu[liver], dtype=np.float32)
    values = values[(values > -60) & (values < 260)]
    if len(values) < 30:
        raise TrainingError("There is too little liver to tell its attenuation.")
    histogram = np.bincount(np.rint(values + 60).astype(np.int64), minlength=321)[:321].astype(np.float64)
    mode = float(np.argmax(ndimage.gaussian_filter1d(histogram, 7)) - 60)
    # Twice, so that a mode found off the centre does not bias the mean.
    for _ in range(2):
        mode = float(values[np.abs(values - mode) < 25].mean())
    return mode


def liver_weight(liver: Mask, spacing_zyx_mm: tuple[float, float, float]) -> Volume:
    """Soft inner mask (0 to 1) that falls to 0 before the capsule."""
    sigma = (0.5, SOFT_MASK_SIGMA_MM / spacing_zyx_mm[1], SOFT_MASK_SIGMA_MM / spacing_zyx_mm[2])
    smooth = ndimage.gaussian_filter(liver.astype(np.float32), sigma, truncate=2.5)
    weight: Volume = np.clip((smooth - 0.6) / 0.35, 0, 1)
    return weight


def build_case(
    name: str,
    hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver: Mask,
    labels: NDArray[np.uint8],
    kinds: dict[int, str] | None = None,
    liver_note: str = "",
    all_drawn: bool = True,
) -> LiverCase:
    """A case from arrays; ``labels`` numbers the lesions, ``all_drawn`` says whether all of them."""
    liver = liver | (labels > 0)
    lesions = []
    for label, where in enumerate(ndimage.find_objects(labels), start=1):
        if where is None or (labels[where] == label).sum() < MIN_LESION_VOXELS:
            continue
        inside = labels[where] == label
        z, y, x = (float(c + s.start) for c, s in zip(np.argwhere(inside).mean(0), where, strict=True))
        diameter_mm = sphere_diameter_mm(float(inside.sum() * grid.voxel_volume_mm3))
        lesions.append(LesionRecord(label, (z, y, x), diameter_mm, (kinds or {}).get(label)))
    weight = liver_weight(liver, grid.spacing_zyx_mm)
    level_hu = liver_level(hu, liver & (labels == 0))
    return LiverCase(name, grid, hu, liver, labels, weight, level_hu, lesions, liver_note, all_drawn)
