"""Measure an edit and cut it to its box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.editing.frame import bounding_box
from ml.editing.neighbourhood import Neighbourhood
from ml.editing.spec import EditResult
from ml.geometry import centroid, sphere_diameter_mm
from ml.parallel import in_parallel
from ml.patches.case import Mask, Volume
from ml.scans.lesions import REFERENCE_GAP_MM, REFERENCE_WIDTH_MM

# As in the table of lesions: the median of fewer voxels than this is noise.
MIN_REFERENCE_VOXELS = 30


def reference_hu(hu: Volume, liver: Mask, depth: Volume, fallback: float) -> float:
    """Median of the liver 3 to 11 mm around a lesion, as in the table of lesions; else the ``fallback``."""
    ring = liver & (depth < -REFERENCE_GAP_MM) & (depth >= -REFERENCE_GAP_MM - REFERENCE_WIDTH_MM)
    return float(np.median(hu[ring])) if ring.sum() >= MIN_REFERENCE_VOXELS else fallback


def apply_change(
    around: Neighbourhood,
    as_scanned: Callable[[], Volume],
    inside: Mask,
    *,
    core: Mask,
    reference: float,
    axial_mm: float,
    provenance: dict[str, Any],
) -> EditResult:
    """Round a change, add it to the scan, cut to the box of what changed, and measure the lesion in the result.

    ``as_scanned`` computes the change (HU, crop), ``reference`` is the HU of the liver around, ``core`` the part
    of the lesion whose contrast counts, ``axial_mm`` the lesion's longest distance in a slice.
    """
    # Values that do not change stay below half a unit and so round to what they were.
    change, lacking = in_parallel(as_scanned, lambda: around.scanner.taken_by_rounding(around.source_hu))
    whole = np.rint((change + lacking) * around.liver).astype(np.int32)
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
        measured=_measured_lesion(around, edited, inside, core, reference)
        | {"axial_diameter_mm": axial_mm, "changed_voxels": int(changed.sum())},
        provenance=provenance,
    )


def _measured_lesion(
    around: Neighbourhood, edited: NDArray[np.int16], inside: Mask, core: Mask, reference: float
) -> dict[str, Any]:
    grid = around.grid
    volume_mm3 = float(inside.sum() * grid.voxel_volume_mm3)
    mean_hu = float(edited[inside].mean())
    centre = grid.to_world(centroid(inside))
    return {
        "centre_lps_mm": [float(v) for v in centre],
        "diameter_mm": sphere_diameter_mm(volume_mm3),
        "volume_ml": volume_mm3 / 1000,
        "mean_hu": mean_hu,
        "contrast_hu": float(edited[core].mean()) - reference,
        "mean_contrast_hu": mean_hu - reference,
        "contrast_before_hu": float(around.source_hu[inside].mean() - reference),
        "liver_hu": reference,
        "noise_hu": around.noise_hu,
    }
