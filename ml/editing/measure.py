"""Measure an edit and cut it to its box."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from ml.editing.neighbourhood import Neighbourhood
from ml.editing.spec import EditResult
from ml.errors import EditError
from ml.geometry import Box
from ml.lesions import REFERENCE_GAP_MM, REFERENCE_WIDTH_MM, axial_diameter_mm
from ml.patches import Mask, Volume

MIN_REFERENCE_VOXELS = 30


def reference_hu(around: Neighbourhood, inside: Mask) -> float:
    """Median of the liver 3 to 15 mm around a lesion, as in the table of lesions; else the local level."""
    distance = ndimage.distance_transform_edt(~inside, sampling=around.spacing_zyx_mm)
    ring = around.liver & (distance > REFERENCE_GAP_MM) & (distance <= REFERENCE_GAP_MM + REFERENCE_WIDTH_MM)
    return float(np.median(around.hu[ring])) if ring.sum() >= MIN_REFERENCE_VOXELS else around.level_hu


def bounding_box(mask: Mask) -> Box:
    """The smallest box that holds a mask; raises EditError for an empty one."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found or found[0] is None:
        raise EditError("The edit would change nothing here.")
    z, y, x = found[0]
    return z, y, x


def finish(around: Neighbourhood, change: Volume, inside: Mask, *, provenance: dict[str, Any]) -> EditResult:
    """Round, add to the scan, cut to the box of what changed, and measure the lesion in the result."""
    whole = np.rint(change).astype(np.int32)
    edited = np.clip(around.source_hu.astype(np.int32) + whole, -32768, 32767).astype(np.int16)
    changed = edited != around.source_hu
    box = bounding_box(changed | inside)
    start = [s.start for s in around.box]
    z, y, x = (slice(s.start + o, s.stop + o) for s, o in zip(box, start, strict=True))
    return EditResult(
        box=(z, y, x),
        edited=edited[box].copy(),
        changed=changed[box].copy(),
        lesion_mask=inside[box].copy(),
        measured=_measure(around, edited.astype(np.float32), inside) | {"changed_voxels": int(changed.sum())},
        provenance=provenance,
    )


def _measure(around: Neighbourhood, edited: Volume, inside: Mask) -> dict[str, Any]:
    grid, reference = around.grid, reference_hu(around, inside)
    volume_mm3 = float(inside.sum() * grid.voxel_volume_mm3)
    centre = grid.to_world(np.argwhere(inside).mean(0))
    return {
        "centre_lps_mm": [float(v) for v in centre],
        "diameter_mm": float(np.cbrt(6 * volume_mm3 / np.pi)),
        "axial_diameter_mm": axial_diameter_mm(inside, grid),
        "volume_ml": volume_mm3 / 1000,
        "mean_hu": float(edited[inside].mean()),
        "contrast_hu": float(edited[inside].mean() - reference),
        "contrast_before_hu": float(around.hu[inside].mean() - reference),
        "liver_hu": reference,
        "noise_hu": around.noise_hu,
    }
