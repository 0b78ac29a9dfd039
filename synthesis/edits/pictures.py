"""Before, after and difference of an edit, small and side by side, so that a list can be judged by looking."""

import io
import math

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.thumbnails import WINDOW_CENTRE_HU, WINDOW_WIDTH_HU
from ml.geometry import Grid
from synthesis.models import EditOrder

SIDE_PX = 160
GAP_PX = 2
# The lesion and as much around it as tells whether it fits.
LEAST_FIELD_MM, FIELD_PER_DIAMETER = 60.0, 3.0
DIFFERENCE_WIDTH_HU = 200

Plane = npt.NDArray[np.float32]


def pictures_png(order: EditOrder) -> bytes:
    """The axial plane through the middle of the edit; grey in the difference is no change."""
    from PIL import Image

    before, after = (_plane(order, scan_id) for scan_id in (order.source_scan_id, order.result_scan_id))
    tiles = [
        _grey(before, WINDOW_CENTRE_HU, WINDOW_WIDTH_HU),
        _grey(after, WINDOW_CENTRE_HU, WINDOW_WIDTH_HU),
        _grey(after - before, 0, DIFFERENCE_WIDTH_HU),
    ]
    sheet = Image.new("L", (len(tiles) * SIDE_PX + (len(tiles) - 1) * GAP_PX, SIDE_PX))
    for number, tile in enumerate(tiles):
        picture = Image.fromarray(tile).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
        sheet.paste(picture, (number * (SIDE_PX + GAP_PX), 0))
    file = io.BytesIO()
    sheet.save(file, format="PNG")
    return file.getvalue()


def _plane(order: EditOrder, scan_id: object) -> Plane:
    """A square around the place; air where it leaves the scan, so that the place is always in the middle."""
    grid = order.source_scan.geometry
    z, y, x = grid.nearest_voxel(order.centre_lps_mm)
    z = min(max(z, 0), grid.size_zyx[0] - 1)
    rows, columns = grid.size_zyx[1:]
    whole = (slice(z, z + 1), slice(0, rows), slice(0, columns))
    plane = voxels.read_box(scan_id, grid, whole)[0].astype(np.float32)  # type: ignore[arg-type]
    half_rows, half_columns = _half_sides(order.diameter_mm, grid)
    padded = np.pad(plane, ((half_rows, half_rows), (half_columns, half_columns)), constant_values=-1000.0)
    return padded[y : y + 2 * half_rows + 1, x : x + 2 * half_columns + 1]


def _half_sides(diameter_mm: float, grid: Grid) -> tuple[int, int]:
    half_mm = max(LEAST_FIELD_MM, FIELD_PER_DIAMETER * diameter_mm) / 2
    return math.ceil(half_mm / grid.spacing_zyx_mm[1]), math.ceil(half_mm / grid.spacing_zyx_mm[2])


def _grey(plane: Plane, centre_hu: float, width_hu: float) -> npt.NDArray[np.uint8]:
    grey: npt.NDArray[np.uint8] = np.clip((plane - (centre_hu - width_hu / 2)) * (255 / width_hu), 0, 255).astype(
        np.uint8
    )
    return grey
