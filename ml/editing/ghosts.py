"""What a removal leaves to be seen: a disc, a rim, or speckle that the liver around does not have.

The mean contrast that is left says nothing of them: a disc that is too dark in its middle and too bright at its edge
has none. All are told in the scan's noise (standard deviations of a voxel), low-passed, against the liver around.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.editing.cells import OUTLIER_HU, Cells
from ml.patches.case import Mask, Volume

# The low-pass (sigma, mm) in which speckle is told from noise; vessels weigh no more than OUTLIER_HU.
SPECKLE_SIGMA_MM = 2.2
# The disc begins at this depth (mm); shells about the edge are so thick, from the one outside to the one inside.
DISC_MM, SHELLS_MM = 1.0, np.arange(-4.0, 4.0, 1.0)
# The liver around (depth, mm).
AROUND_MM = (-11.0, -5.0)
# Fewer cells tell nothing.
ENOUGH = 20


@dataclass(frozen=True)
class Ghost:
    """Parts of what is left, in standard deviations of the scan's noise."""

    disc: float
    rim: float
    speckle: float

    @property
    def worst(self) -> float:
        """The most that is left of any kind."""
        return max(abs(self.disc), abs(self.rim), self.speckle)

    def measured(self) -> dict[str, float]:
        """For the table of what was measured of an edit."""
        return {
            "ghost_noise": self.worst,
            "ghost_disc_noise": self.disc,
            "ghost_rim_noise": self.rim,
            "ghost_speckle_noise": self.speckle,
        }


def ghost_of(cells: Cells, after_hu: Volume, noise_hu: float) -> Ghost:
    """What ``after_hu`` (cells) shows where the lesion was."""
    depth, liver = cells.frame.depth, cells.liver
    first, last = AROUND_MM
    around = liver & (depth > first) & (depth < last)
    disc = liver & (depth > DISC_MM)
    if min(around.sum(), disc.sum()) < ENOUGH:
        return Ghost(0.0, 0.0, 0.0)
    level = float(np.median(after_hu[around]))
    away = np.clip(after_hu - np.float32(level), -OUTLIER_HU, OUTLIER_HU)
    level = float(away[around].mean())
    smooth = cells.low_pass(away, SPECKLE_SIGMA_MM)
    rough = float(smooth[disc].var()) - float(smooth[around].var())
    return Ghost(
        disc=(float(away[disc].mean()) - level) / noise_hu,
        rim=_rim(away - np.float32(level), depth, liver) / noise_hu,
        speckle=float(np.sqrt(max(0.0, rough))) / noise_hu,
    )


def _rim(away: Volume, depth: Volume, liver: Mask) -> float:
    """The shell that stands out most of the line between its outer and inner neighbours (HU)."""
    means = np.array([_mean(away, liver & (depth >= d) & (depth < d + 1)) for d in SHELLS_MM])
    known = np.isfinite(means)
    if known.sum() < 3:
        return 0.0
    means = means[known]
    beyond = means[1:-1] - (means[:-2] + means[2:]) / 2
    return float(beyond[np.argmax(np.abs(beyond))])


def _mean(values: Volume, where: Mask) -> float:
    return float(values[where].mean()) if where.sum() >= ENOUGH else float("nan")
