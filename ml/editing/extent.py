"""Where a lesion really ends, and what in it no removal takes away.

People draw tight masks: a rim that enhances lies outside, and would stay as a ring. Dense material in a lesion is
calcification or what a treatment left; it would stay as a spot.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ml.editing.cells import FARTHEST_HU, Cells
from ml.editing.neighbourhood import Neighbourhood, vessel_sigma
from ml.errors import EditError
from ml.patches.case import Mask

# Shells around a mask are so thick (mm); so many are looked at. The first holds the blur of the edge and tells nothing.
SHELL_MM, SHELLS = 1.0, 4
# A shell belongs to the lesion where its median has more than this part of the lesion's contrast, or is brighter than
# the liver by so much (HU) and so many of its standard errors: a rim.
PART_OF_CONTRAST, RIM_HU, RIM_ERRORS = 0.5, 8.0, 4.0
# Plain liver (depth, mm).
AROUND_MM = (-11.0, -5.0)
# Fewer cells tell nothing.
ENOUGH = 30
# Cells share their noise with so many neighbours.
CLUSTER_CELLS = 4
# Low-passed values brighter than this (HU), and than the liver's vessels by so much, are neither tissue nor vessel; so
# much of it (ml) is no speck of noise.
DENSE_HU, OVER_VESSELS_HU, DENSE_ML = 200.0, 60.0, 0.02
# What counts as the liver's vessels: its brightest (percentile).
VESSELS_PERCENTILE = 99.0


def beyond_mask_mm(cells: Cells) -> float:
    """How far (mm) beyond its mask a lesion goes on; 0 for one that ends where it was drawn."""
    depth, liver = cells.frame.depth, cells.liver
    first, last = AROUND_MM
    around = cells.hu[liver & (depth > first) & (depth < last)]
    core = cells.hu[liver & (depth > SHELL_MM)]
    if min(len(around), len(core)) < ENOUGH:
        return 0.0
    level = float(np.median(around))
    contrast = float(np.median(core)) - level
    spread = 1.4826 * float(np.median(np.abs(around - level)))
    ends = 0.0
    for number in range(1, SHELLS):
        shell = cells.hu[liver & (depth <= -number * SHELL_MM) & (depth > -(number + 1) * SHELL_MM)]
        if len(shell) < ENOUGH:
            continue
        away = float(np.median(shell)) - level
        error = 1.25 * spread * np.sqrt(CLUSTER_CELLS / len(shell))
        same = contrast < 0 and away < PART_OF_CONTRAST * contrast
        if same or away > max(RIM_HU, RIM_ERRORS * error):
            ends = (number + 1) * SHELL_MM
    return ends


def refuse_dense(around: Neighbourhood, cells: Cells) -> None:
    """Raises EditError for a lesion that holds calcification or what a treatment left."""
    smooth = ndimage.gaussian_filter(
        np.clip(cells.hu, -FARTHEST_HU, 1000), vessel_sigma(cells.frame.spacing_zyx_mm), truncate=2.5
    )
    outside: Mask = cells.liver & (cells.frame.depth < AROUND_MM[1])
    limit = DENSE_HU
    if outside.sum() >= ENOUGH:
        limit = max(limit, float(np.percentile(smooth[outside], VESSELS_PERCENTILE)) + OVER_VESSELS_HU)
    found_ml = float(((smooth > limit) & cells.inside).sum() * np.prod(cells.frame.spacing_zyx_mm)) / 1000
    if found_ml >= DENSE_ML:
        raise EditError(
            f"This lesion holds {found_ml:.2f} ml brighter than {limit:.0f} HU: calcification, or what a treatment "
            "left. A removal would leave it in the liver; choose another lesion."
        )
