"""From a scan to the blinded copy that raters see. Real and synthetic cases take exactly this way.

All stimuli of a study share one shape and one spacing. When every scan already has that spacing the samples are
copied (crop only); otherwise all of them, without exception, are resampled linearly, so that smoothing by
interpolation cannot tell the kinds apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Box, Float3, Grid, Int3

# Wide enough for liver, fat, bone edges and air; narrow enough that padding of any scanner becomes the same value.
HU_LOW, HU_HIGH = -1024, 1500
STIMULUS_DTYPE = np.dtype("<i2")
SAME_SPACING_TOLERANCE_MM = 1e-3
WHOLE_SLICE_LIMIT = 512

Hu = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Shape and spacing of every stimulus of a study, and whether samples are copied or interpolated."""

    size_zyx: Int3
    spacing_zyx_mm: Float3
    resampled: bool

    @property
    def start_slice(self) -> int:
        return self.size_zyx[0] // 2


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where one stimulus lies in its scan: centre in (fractional) voxels, and the axes to turn round."""

    centre_zyx: Float3
    flips_zyx: tuple[bool, bool, bool]
    marker_zyx: Int3 | None


def display_flips(grid: Grid) -> tuple[bool, bool, bool]:
    """Axes to reverse: the patient's left on the right, the front on top, and scrolling down goes to the feet."""
    matrix = grid.direction_matrix
    return bool(matrix[2, 2] > 0), bool(matrix[1, 1] < 0), bool(matrix[0, 0] < 0)


def study_frame(grids: Sequence[Grid], *, mode: str, field_of_view_mm: float, stack_slices: int) -> Frame:
    """The common frame of a study; `mode` is patch, slice or stack. ValueError without any scan."""
    if not grids:
        raise ValueError("a study without scans has no frame")
    in_plane_only = mode != "stack"
    spacings = np.asarray([grid.spacing_zyx_mm for grid in grids])
    compared = spacings[:, 1:] if in_plane_only else spacings
    resampled = bool((np.ptp(compared, axis=0) > SAME_SPACING_TOLERANCE_MM).any())
    slices = stack_slices if mode == "stack" else 1
    if mode == "patch":
        return _patch_frame(spacings, field_of_view_mm=field_of_view_mm, resampled=resampled)
    sizes = np.asarray([grid.size_zyx for grid in grids])
    rows, columns = (int(n) for n in sizes[:, 1:].max(axis=0))
    spacing = np.median(spacings, axis=0)
    if resampled:
        extent = (sizes[:, 1:] * spacings[:, 1:]).max(axis=0)
        rows, columns = min(rows, WHOLE_SLICE_LIMIT), min(columns, WHOLE_SLICE_LIMIT)
        spacing[1:] = float(max(extent / (rows, columns)))
    return Frame(size_zyx=(slices, rows, columns), spacing_zyx_mm=_triple(spacing), resampled=resampled)


def _patch_frame(spacings: NDArray[np.float64], *, field_of_view_mm: float, resampled: bool) -> Frame:
    """An odd number of pixels, so that the place is the middle pixel; never finer than the finest scan."""
    spacing = np.median(spacings, axis=0)
    spacing[1:] = spacings[:, 1:].min()
    if not resampled:
        spacing[1:] = spacings[0, 1:]
    edge = 2 * round(field_of_view_mm / float(spacing[2]) / 2) + 1
    return Frame(size_zyx=(1, edge, edge), spacing_zyx_mm=_triple(spacing), resampled=resampled)


def _triple(values: NDArray[np.float64]) -> Float3:
    z, y, x = (float(v) for v in values)
    return z, y, x


def cut_for(grid: Grid, frame: Frame, *, mode: str, place_lps_mm: Sequence[float]) -> Cut:
    """Patches are centred on the place; slices and stacks show the whole slice and mark the place."""
    place = grid.to_voxel(place_lps_mm)
    flips = display_flips(grid)
    if mode == "patch":
        centre = _triple(place if frame.resampled else np.rint(place))
        return Cut(centre_zyx=(float(round(centre[0])), *centre[1:]), flips_zyx=flips, marker_zyx=None)
    middle = (np.asarray(grid.size_zyx) - 1) / 2
    centre_zyx = (float(round(float(place[0]))), float(middle[1]), float(middle[2]))
    marker = _marker(grid, frame, place=place, centre_zyx=centre_zyx, flips=flips)
    return Cut(centre_zyx=centre_zyx, flips_zyx=flips, marker_zyx=marker)


def _marker(
    grid: Grid, frame: Frame, *, place: NDArray[np.float64], centre_zyx: Float3, flips: tuple[bool, bool, bool]
) -> Int3:
    offset = (place - np.asarray(centre_zyx)) * np.asarray(grid.spacing_zyx_mm) * np.where(flips, -1, 1)
    offset[0] = 0.0
    middle = (np.asarray(frame.size_zyx) - 1) / 2
    step = np.asarray(frame.spacing_zyx_mm if frame.resampled else grid.spacing_zyx_mm)
    z, y, x = (int(v) for v in np.rint(middle + offset / step))
    return z, y, x


def source_box(grid: Grid, frame: Frame, cut: Cut) -> Box:
    """The part of the scan to read: all that the stimulus needs, clipped to the scan."""
    positions = [_axis_positions(grid, frame, cut, axis) for axis in range(3)]
    edges = []
    for wanted, size in zip(positions, grid.size_zyx, strict=True):
        low = int(np.clip(np.floor(wanted.min()), 0, size - 1))
        high = int(np.clip(np.ceil(wanted.max()) + 1, 1, size))
        edges.append(slice(low, max(high, low + 1)))
    return edges[0], edges[1], edges[2]


def render(samples: NDArray[np.int16], box: Box, grid: Grid, frame: Frame, cut: Cut) -> Hu:
    """The stimulus, shape frame.size_zyx, from the samples of `source_box`; outside the scan is HU_LOW."""
    clipped = np.clip(samples, HU_LOW, HU_HIGH)
    positions = [_axis_positions(grid, frame, cut, axis) - edge.start for axis, edge in enumerate(box)]
    if frame.resampled:
        mesh = np.stack(np.meshgrid(*positions, indexing="ij"))
        sampled = ndimage.map_coordinates(
            clipped.astype(np.float32), mesh, order=1, mode="constant", cval=float(HU_LOW)
        )
        return np.rint(sampled).astype(STIMULUS_DTYPE)
    return _copied(clipped, [np.rint(wanted).astype(int) for wanted in positions])


def _copied(samples: NDArray[np.int16], indices: list[NDArray[np.int_]]) -> Hu:
    inside = [(wanted >= 0) & (wanted < size) for wanted, size in zip(indices, samples.shape, strict=True)]
    stimulus = np.full([len(wanted) for wanted in indices], HU_LOW, dtype=STIMULUS_DTYPE)
    kept = [wanted[within] for wanted, within in zip(indices, inside, strict=True)]
    stimulus[np.ix_(*inside)] = samples[np.ix_(*kept)]
    return stimulus


def _axis_positions(grid: Grid, frame: Frame, cut: Cut, axis: int) -> NDArray[np.float64]:
    """Positions along one voxel axis, in voxels of the scan, of the stimulus's samples."""
    count = frame.size_zyx[axis]
    step = frame.spacing_zyx_mm[axis] / grid.spacing_zyx_mm[axis] if frame.resampled and count > 1 else 1.0
    offsets = (np.arange(count) - (count - 1) / 2) * step
    if cut.flips_zyx[axis]:
        offsets = -offsets
    positions = np.asarray(cut.centre_zyx[axis] + offsets, dtype=np.float64)
    # Half a voxel cannot be copied: an even count around an odd centre rounds the same way for every stimulus.
    return positions if frame.resampled else np.floor(positions + 0.5)
