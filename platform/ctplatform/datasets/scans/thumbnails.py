"""A small picture of one axial slice, so that scans are recognised in a list."""

import io

import numpy as np
import numpy.typing as npt

from ml.geometry import Grid

WINDOW_CENTRE_HU = 60
WINDOW_WIDTH_HU = 400
SIDE_PX = 256


def thumbnail_png(plane: npt.NDArray[np.int16], grid: Grid) -> bytes:
    """An axial plane (rows, columns) in the liver window, in true proportions."""
    from PIL import Image

    low = WINDOW_CENTRE_HU - WINDOW_WIDTH_HU / 2
    grey = np.clip((plane.astype(np.float32) - low) * (255 / WINDOW_WIDTH_HU), 0, 255).astype(np.uint8)
    height_mm, width_mm = grid.extent_zyx_mm[1], grid.extent_zyx_mm[2]
    scale = SIDE_PX / max(height_mm, width_mm)
    size = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    file = io.BytesIO()
    Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR).save(file, format="PNG", optimize=True)
    return file.getvalue()


def telling_slice(labels: npt.NDArray[np.uint8] | None, slices: int) -> int:
    """The slice with the most of a mask, else the middle one."""
    if labels is None or not labels.any():
        return slices // 2
    return int(np.argmax(np.count_nonzero(labels, axis=(1, 2))))
