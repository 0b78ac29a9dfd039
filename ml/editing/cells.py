"""A lesion's surroundings in the cells of its frame, and what a removal takes for plain liver in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ml.editing.frame import LesionFrame
from ml.editing.neighbourhood import Neighbourhood
from ml.patches.case import Mask, Volume

# Single values (HU) farther from the liver's level are no parenchyma: fat, gas, contrast medium.
OUTLIER_HU = 60.0
# Values (HU) farther from it are cut before they are averaged; denser than contrast medium in a vessel tells no more.
FARTHEST_HU = 200.0
# Plain liver begins this far (mm) outside a lesion, beyond the blur of its edge; the lesion's own profile is looked
# for up to NEAR_MM outside it.
PLAIN_MM, NEAR_MM = 4.0, 6.0
# Half of the width (mm) over which a lesion's inside fades in at its edge.
EDGE_MM = 1.5
# Standard deviations need no more values than this.
ENOUGH_VALUES = 10_000


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

    @property
    def within(self) -> Volume:
        """1 inside the lesion, 0 outside, rising over 3 mm at its edge."""
        share: Volume = np.clip((self.frame.depth + EDGE_MM) / (2 * EDGE_MM), 0, 1)
        return share


@dataclass(frozen=True)
class Surroundings:
    """What a removal knows without the generator: the crop with the lesion as liver, and vessels from elsewhere.

    ``inside`` is the mask as it was drawn; the cells' lesion goes ``beyond_mask_mm`` further. ``elsewhere`` (HU, cells)
    is None where no other place has any to show.
    """

    around: Neighbourhood
    inside: Mask
    cells: Cells
    reference_hu: float
    elsewhere: Volume | None
    beyond_mask_mm: float

    @cached_property
    def deviation(self) -> Volume:
        """d = HU - reference, cut to 200 HU either way (cells)."""
        away: Volume = np.clip(self.cells.hu - self.reference_hu, -FARTHEST_HU, FARTHEST_HU)
        return away

    @cached_property
    def near(self) -> Mask:
        """The lesion and the parenchyma within 6 mm of it."""
        parenchyma = (self.cells.frame.depth > -NEAR_MM) & (np.abs(self.deviation) < OUTLIER_HU)
        close: Mask = self.cells.liver & (self.cells.inside | parenchyma)
        return close

    @cached_property
    def normal(self) -> Mask:
        """Plain liver away from the lesion."""
        plain: Mask = self.cells.liver & (self.cells.frame.depth < -PLAIN_MM) & (np.abs(self.deviation) < OUTLIER_HU)
        return plain

    @property
    def overlap(self) -> float:
        """The share that a cell takes from its neighbours through the slices."""
        return self.around.scanner.overlap / self.cells.frame.factors[0]

    def spread_hu(self, smooth: Volume, *, fallback: float) -> float:
        """Standard deviation (HU) of low-passed values in plain liver, the ``fallback`` where there is little of it."""
        return robust_sd(smooth[self.normal]) if self.normal.sum() > 50 else fallback


def robust_sd(values: Volume) -> float:
    """Standard deviation from the median absolute deviation (of some of the values where they are many)."""
    values = values[:: 1 + len(values) // ENOUGH_VALUES]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
