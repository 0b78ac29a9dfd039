"""Where the slices of a series lie; anything but a regular, untilted stack is refused with the reason."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset as DicomDataset

from ctplatform.datasets.importing.axes import check_orthonormal
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ml.geometry import Grid

# Positions are decimal strings, rounded by every exporter in its own way, and tables move unevenly. A slice may lie
# this far from where an even spacing puts it, and a gap may differ from the others by this much.
JITTER_TOLERANCE = 0.04
JITTER_TOLERANCE_MM = 0.1
TOLD_JITTER_MM = 0.02
DRIFT_TOLERANCE_MM = 0.5
# No scanner is that large; a number beyond it is something else, such as a date
FARTHEST_MM = 10_000
SAME_PLACE_MM = 1e-3

File = TypeVar("File")


@dataclass(frozen=True)
class Placed(Generic[File]):
    grid: Grid
    files: list[File]
    jitter_mm: float = 0.0
    pixel_spread_mm: float = 0.0


def place_slices(slices: list[tuple[DicomDataset, File]]) -> Placed[File]:
    """The grid of the stack, and its files from the first slice to the last along the normal."""
    first = slices[0][0]
    row_axis, column_axis = _in_plane_axes(first)
    normal = np.cross(row_axis, column_axis)
    positions = np.array([_floats(header, "ImagePositionPatient", 3) for header, _ in slices])
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    gap_mm, jitter_mm = _regular_gap_mm(positions, normal)
    spacings_mm = np.array([_floats(header, "PixelSpacing", 2) for header, _ in slices])
    row_spacing_mm, column_spacing_mm = (float(mm) for mm in np.median(spacings_mm, axis=0))
    if not (row_spacing_mm > 0 and column_spacing_mm > 0):
        raise ImportRefusedError("Its pixel spacing is not positive.")
    direction = np.stack([row_axis, column_axis, normal], axis=1)
    grid = Grid.from_dict(
        {
            "size_zyx": (len(slices), int(first.Rows), int(first.Columns)),
            "spacing_zyx_mm": (gap_mm, row_spacing_mm, column_spacing_mm),
            "origin_lps_mm": positions[0].tolist(),
            "direction": direction.ravel().tolist(),
        }
    )
    return Placed(grid, [slices[int(index)][1] for index in order], jitter_mm, float(np.ptp(spacings_mm, axis=0).max()))


def _in_plane_axes(header: DicomDataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    axes = _floats(header, "ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1)
    if np.any(np.abs(lengths - 1) > 0.01):
        raise ImportRefusedError("Its Image Orientation (Patient) holds no unit vectors.")
    row_axis, column_axis = axes[0] / lengths[0], axes[1] / lengths[1]
    check_orthonormal(np.stack([row_axis, column_axis, np.cross(row_axis, column_axis)], axis=1))
    # rounded decimals leave a hair's breadth: make them exactly orthogonal
    column_axis = column_axis - row_axis * float(row_axis @ column_axis)
    return row_axis, column_axis / np.linalg.norm(column_axis)


def _floats(header: DicomDataset, keyword: str, count: int) -> npt.NDArray[np.float64]:
    value = header.get(keyword, None)
    try:
        numbers = np.array([float(v) for v in value], dtype=np.float64) if value is not None else np.empty(0)
    except (TypeError, ValueError):
        # Refused below, like too few of them.
        numbers = np.empty(0)
    if numbers.shape != (count,) or not (np.abs(numbers) <= FARTHEST_MM).all():
        raise ImportRefusedError(f"A slice has no usable {keyword}, so its place in the patient is unknown.")
    return numbers


def _regular_gap_mm(positions: npt.NDArray[np.float64], normal: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The even spacing of the slices, and how far a slice lies from it at most."""
    along_mm = positions @ normal
    gaps_mm = np.diff(along_mm)
    gap_mm = float((along_mm[-1] - along_mm[0]) / len(gaps_mm))
    typical_mm = float(np.median(gaps_mm))
    if gaps_mm.min() < SAME_PLACE_MM:
        raise ImportRefusedError(
            "Several slices lie at the same place, and nothing tells which belong together. Export one phase at a time."
        )
    tolerance_mm = max(JITTER_TOLERANCE_MM, JITTER_TOLERANCE * typical_mm)
    jitter_mm = float(np.abs(along_mm - along_mm[0] - gap_mm * np.arange(len(along_mm))).max())
    worst = int(np.argmax(np.abs(gaps_mm - typical_mm)))
    if abs(gaps_mm[worst] - typical_mm) > tolerance_mm:
        raise ImportRefusedError(
            f"The slices are not evenly spaced: {gaps_mm[worst]:.2f} mm between slices {worst + 1} and {worst + 2}, "
            f"{typical_mm:.2f} mm elsewhere. A slice may be missing; export the whole series."
        )
    if jitter_mm > tolerance_mm:
        raise ImportRefusedError(
            f"The distance between its slices changes on the way, from {gaps_mm.min():.2f} to {gaps_mm.max():.2f} mm. "
            "Export it with one spacing, or resample it first."
        )
    sideways_mm = positions - positions[0] - np.outer(along_mm - along_mm[0], normal)
    drift_mm = float(np.linalg.norm(sideways_mm, axis=1).max())
    if drift_mm > DRIFT_TOLERANCE_MM:
        angle = float(np.degrees(np.arctan2(drift_mm, along_mm[-1] - along_mm[0])))
        raise ImportRefusedError(
            f"The gantry was tilted by {angle:.1f} degrees, so the slices form a sheared stack. "
            "Resample it to an orthogonal grid first."
        )
    return gap_mm, jitter_mm
