"""From a scan to the blinded copy that raters see. Real and synthetic cases take exactly this way.

All stimuli of a study share one shape and one spacing. When every scan already has that spacing the samples are
copied (crop only); otherwise all of them, without exception, are resampled linearly, at a sub-voxel phase drawn for
each case. A sample that falls on a voxel is copied and one between voxels is smoothed: without that draw a place
chosen on the lattice (healthy liver) would stay sharp and a centroid of a lesion would not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.geometry import Box, Float3, Grid, Int3
from readerstudy.hounsfield import HU_HIGH, HU_LOW

STIMULUS_DTYPE = np.dtype("<i2")
SAME_SPACING_TOLERANCE_MM = 1e-3
WHOLE_SLICE_LIMIT = 512
PHASE_ALGORITHM = "sha256-phase/1"
# Where raters look for the place, it stands in the middle part of what is cut around it, so that most of it is seen.
WANDER_SHARE = 0.8

Hu = NDArray[np.int16]
Phase = tuple[float, float]


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


def phase_of(case_id: str, *, seed: int) -> Phase:
    """Where between the voxels a case is sampled (y, x, in voxels, -0.5 to 0.5): from the study's seed and the case's
    random id, never from its kind."""
    digest = hashlib.sha256(f"phase:{seed}:{case_id}".encode()).digest()
    y, x = (int.from_bytes(digest[start : start + 4], "big") / 2**32 - 0.5 for start in (0, 4))
    return y, x


def cut_for(
    grid: Grid,
    frame: Frame,
    *,
    mode: str,
    place_lps_mm: Sequence[float],
    phase_yx: Phase = (0.0, 0.0),
    wander_zyx: Float3 | None = None,
) -> Cut:
    """Patches are centred on the place; slices and stacks show the whole slice and mark the place. The phase moves
    the samples of a resampled study by less than a voxel; in a copied one it changes nothing. With `wander_zyx`, three
    numbers from -1 to 1, nothing marks the place, and it stands so far from the middle of a patch, and of a stack."""
    place = grid.to_voxel(place_lps_mm)
    flips = display_flips(grid)
    shift = np.array([0.0, *phase_yx]) if frame.resampled else np.zeros(3)
    middle = (np.asarray(grid.size_zyx) - 1) / 2
    centre = (place if frame.resampled else np.rint(place)) if mode == "patch" else np.array([place[0], *middle[1:]])
    if wander_zyx is not None:
        centre = centre + _wandered(grid, frame, mode=mode, wander_zyx=wander_zyx)
    z, y, x = _triple(centre + shift)
    centre_zyx = (float(round(z)), y, x)
    marker = None
    if mode != "patch" and wander_zyx is None:
        marker = _marker(grid, frame, place=place, centre_zyx=centre_zyx, flips=flips)
    return Cut(centre_zyx=centre_zyx, flips_zyx=flips, marker_zyx=marker)


def _wandered(grid: Grid, frame: Frame, *, mode: str, wander_zyx: Float3) -> NDArray[np.float64]:
    """How far the middle of the picture moves, in whole voxels: samples stay as sharp as they were."""
    moves = _moves(mode)
    step = np.ones(3)
    if frame.resampled:
        step = np.asarray(frame.spacing_zyx_mm) / np.asarray(grid.spacing_zyx_mm)
    reach = (np.asarray(frame.size_zyx) - 1) / 2 * step
    return np.asarray(np.where(moves, np.rint(np.asarray(wander_zyx) * WANDER_SHARE * reach), 0.0))


def _moves(mode: str) -> NDArray[np.bool_]:
    """Along which of slice, row and column the middle of a picture moves."""
    return np.array([mode == "stack", mode == "patch", mode == "patch"])


def where_places_stand(size_zyx: Int3, *, mode: str) -> NDArray[np.bool_]:
    """The samples of a picture on which a place that wanders stands, those left out on which it rarely does: offsets
    are whole voxels, of which the farthest are drawn half as often.
    """
    along = []
    for size, moves in zip(size_zyx, _moves(mode), strict=True):
        middle = (size - 1) / 2
        reach = max(WANDER_SHARE * middle - 0.5, 0.5) if moves else middle
        along.append(np.abs(np.arange(size) - middle) <= reach)
    z, y, x = along
    return np.asarray(z[:, None, None] & y[:, None] & x)


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
    positions = [axis_positions(grid, frame, cut, axis) for axis in range(3)]
    edges = []
    for wanted, size in zip(positions, grid.size_zyx, strict=True):
        low = int(np.clip(np.floor(wanted.min()), 0, size - 1))
        high = int(np.clip(np.ceil(wanted.max()) + 1, 1, size))
        edges.append(slice(low, max(high, low + 1)))
    return edges[0], edges[1], edges[2]


def render(samples: NDArray[np.int16], box: Box, grid: Grid, frame: Frame, cut: Cut) -> Hu:
    """The stimulus, shape frame.size_zyx, from the samples of `source_box`; outside the scan is HU_LOW."""
    clipped = np.clip(samples, HU_LOW, HU_HIGH)
    positions = [axis_positions(grid, frame, cut, axis) - edge.start for axis, edge in enumerate(box)]
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


def axis_positions(grid: Grid, frame: Frame, cut: Cut, axis: int) -> NDArray[np.float64]:
    """Positions along one voxel axis, in voxels of the scan, of the stimulus's samples."""
    count = frame.size_zyx[axis]
    step = frame.spacing_zyx_mm[axis] / grid.spacing_zyx_mm[axis] if frame.resampled and count > 1 else 1.0
    offsets = (np.arange(count) - (count - 1) / 2) * step
    if cut.flips_zyx[axis]:
        offsets = -offsets
    positions = np.asarray(cut.centre_zyx[axis] + offsets, dtype=np.float64)
    # Half a voxel cannot be copied: an even count around an odd centre rounds the same way for every stimulus.
    return positions if frame.resampled else np.floor(positions + 0.5)
