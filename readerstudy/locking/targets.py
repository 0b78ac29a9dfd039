"""What a mark is judged by, sealed with the truth at the lock: afterwards masks may change and pixels may go.

Everything is said in samples of the picture that raters see, so that only what is visible counts: in a stack in space,
in a slice or a patch within its plane.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Mask
from ctplatform.datasets.scans import voxels
from ml.geometry import Float3
from readerstudy.blinding.lattice import Lattice
from readerstudy.models import CaseTruth
from readerstudy.tasks.task import MarkAsked

BoolArray = NDArray[np.bool_]
# Whoever looks for an edit does not look outside of the body.
BODY_HU = -300


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The samples of one stimulus (slice, row, column), and where they lie."""

    pixels: NDArray[np.int16]
    spacing_zyx_mm: Float3
    lattice: Lattice
    # Where the place of a case may stand.
    window: BoolArray


def target_of(truth: CaseTruth, picture: Picture, *, asked: MarkAsked) -> dict[str, Any]:
    """Runs of edited samples as [slice, row, first column, one past the last], and for each radius how likely a mark is
    a hit whose rater knows nothing of the case. Real cases have none. Where any number of places is marked, also which
    place each run belongs to, and the chances of each place.
    """
    if not truth.synthetic:
        return {}
    masks = dict(Mask.objects.filter(scan=truth.scan_id).values_list("kind", "pk"))
    edited, by = _mask_seen(truth, picture, masks.get(MaskKind.CHANGED)), "changed voxels"
    if not edited.any():
        edited, by = _ball_seen(truth, picture), "place and diameter"
    searched, within = (_mask_seen(truth, picture, masks.get(MaskKind.LIVER)) | edited) & picture.window, "liver"
    if not (searched & ~edited).any():
        searched, within = ((picture.pixels > BODY_HU) | edited) & picture.window, "body"
    runs = runs_of(edited)
    target = {
        "edited_by": by,
        "searched": within,
        "runs": runs,
        "chances": _chances(edited, searched, picture, asked),
    }
    if asked.each is None:
        return target
    labels, count = places_in(edited, picture.spacing_zyx_mm, apart_mm=asked.radius_mm)
    return {
        **target,
        "place_of_run": [int(labels[z, y, start]) - 1 for z, y, start, _ in runs],
        "place_chances": [_chances(labels == place + 1, searched, picture, asked) for place in range(count)],
    }


def places_in(edited: BoolArray, spacing_zyx_mm: Float3, *, apart_mm: float) -> tuple[NDArray[np.int32], int]:
    """Which place each edited sample belongs to, from 1, and how many there are: edits whose gap is no larger than
    `apart_mm` are one place, for one mark between them finds both.
    """
    labels = np.zeros(edited.shape, dtype=np.int32)
    if not edited.any():
        return labels, 0
    box = _box_around(edited, spacing_zyx_mm, reach_mm=apart_mm)
    near = ndimage.distance_transform_edt(~edited[box], sampling=spacing_zyx_mm) <= apart_mm / 2
    found, count = ndimage.label(near, structure=np.ones((3, 3, 3)))
    labels[box] = np.where(edited[box], found, 0)
    return labels, int(count)


def _mask_seen(truth: CaseTruth, picture: Picture, mask: Any) -> BoolArray:
    """A mask of the scan at the samples of the picture; the axes of both run along one another."""
    seen = np.zeros(picture.pixels.shape, dtype=bool)
    if mask is None:
        return seen
    grid = truth.scan.geometry
    found = [_voxels_along(truth, picture, axis) for axis in range(3)]
    inside = [(at >= 0) & (at < size) for at, size in zip(found, grid.size_zyx, strict=True)]
    if not all(kept.any() for kept in inside):
        return seen
    kept = [at[within] for at, within in zip(found, inside, strict=True)]
    z, y, x = (slice(int(at.min()), int(at.max()) + 1) for at in kept)
    labels = voxels.read_labels_box(mask, grid, (z, y, x)) > 0
    own = [at - edge.start for at, edge in zip(kept, (z, y, x), strict=True)]
    seen[np.ix_(*inside)] = labels[np.ix_(*own)]
    return seen


def _voxels_along(truth: CaseTruth, picture: Picture, axis: int) -> NDArray[np.int64]:
    """Of the samples along one axis of the picture, which voxel of the scan is nearest."""
    samples = np.zeros((picture.pixels.shape[axis], 3))
    samples[:, axis] = np.arange(len(samples))
    along: NDArray[np.float64] = truth.scan.geometry.to_voxel(picture.lattice.to_patient(samples))
    return np.rint(along[:, axis]).astype(np.int64)


def _ball_seen(truth: CaseTruth, picture: Picture) -> BoolArray:
    """Of an edit whose changed voxels nobody told: as far around its place as it is large, the nearest sample at least,
    for slices may lie farther apart than it reaches.
    """
    place = picture.lattice.to_picture(truth.place_lps_mm)
    z, y, x = np.ogrid[tuple(slice(0, size) for size in picture.pixels.shape)]
    depth, height, width = picture.spacing_zyx_mm
    away = ((z - place[0]) * depth) ** 2 + ((y - place[1]) * height) ** 2 + ((x - place[2]) * width) ** 2
    return np.asarray(away <= max((truth.diameter_mm / 2) ** 2, float(away.min())))


def _chances(edited: BoolArray, searched: BoolArray, picture: Picture, asked: MarkAsked) -> list[float]:
    return [_chance(edited, searched, picture.spacing_zyx_mm, radius_mm=radius) for radius in asked.radii_mm]


def _box_around(edited: BoolArray, spacing_zyx_mm: Float3, *, reach_mm: float) -> tuple[slice, ...]:
    """Distances are needed around the edit only."""
    reach = np.ceil(reach_mm / np.asarray(spacing_zyx_mm)).astype(int) + 1
    return tuple(
        slice(max(0, int(at.min()) - more), int(at.max()) + more + 1)
        for at, more in zip(np.nonzero(edited), reach, strict=True)
    )


def _chance(edited: BoolArray, searched: BoolArray, spacing_zyx_mm: Float3, *, radius_mm: float) -> float:
    """All that is within the radius, also beyond the searched samples and the picture, against the searched samples.

    Whoever marks the middle without looking is right as often as what is near the edit reaches there from wherever it
    stands: its whole extent counts, not what the edge leaves of it.
    """
    if not edited.any():
        return 0.0
    [box] = ndimage.find_objects(edited.astype(np.uint8))
    reach = np.ceil(radius_mm / np.asarray(spacing_zyx_mm)).astype(int) * (np.asarray(edited.shape) > 1)
    around = np.pad(edited[box], [(more, more) for more in reach])
    near = ndimage.distance_transform_edt(~around, sampling=spacing_zyx_mm) <= radius_mm
    return min(1.0, float(near.sum() / max(searched.sum(), 1)))


def runs_of(edited: BoolArray) -> list[list[int]]:
    runs = []
    for z, y in zip(*np.nonzero(edited.any(axis=2)), strict=True):
        steps = np.diff(np.concatenate([[0], edited[z, y].astype(np.int8), [0]]))
        starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        runs += [[int(z), int(y), int(start), int(stop)] for start, stop in zip(starts, stops, strict=True)]
    return runs
