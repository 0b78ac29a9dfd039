"""The table under the patient."""

from __future__ import annotations

import numpy as np

from ml.phantom.canvas import Canvas
from ml.phantom.wall import Wall

# Half of the table's width, and how far its surface has risen 150 mm beside its middle (mm). Set by hand.
HALF_WIDTH_MM, SAG_MM_AT_150 = 112.0, 14.0
# From the patient down: mattress, its cover, upper carbon skin, foam, lower skin (thickness in mm, HU).
LAYERS: tuple[tuple[float, float], ...] = ((9.0, -880.0), (1.4, -420.0), (2.4, -120.0), (15.0, -905.0), (2.6, -160.0))


def paint_table(canvas: Canvas, wall: Wall) -> None:
    """A hollow carbon table with its mattress; the lowest point of the back lies on it."""
    sagged = canvas.y_mm + (canvas.x_mm / 150) ** 2 * SAG_MM_AT_150
    top = float(np.broadcast_to(sagged, canvas.size_zyx)[wall.skin_depth > 0].max())
    below = sagged - (top - canvas.rng.uniform(0, 2))
    across = HALF_WIDTH_MM - np.abs(canvas.x_mm)
    for thickness, hu in LAYERS:
        slab = np.minimum(np.minimum(below, thickness - below), across)
        canvas.paint(np.minimum(slab, -1 - wall.skin_depth).astype(np.float32), hu)
        below = below - thickness
