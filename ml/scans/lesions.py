"""The table of a scan's lesions (numpy and scipy only)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

from ml.geometry import Box, Float3, Grid, box_of, centroid, sphere_diameter_mm

LesionKind: TypeAlias = Literal["hypodense", "cystic", "ring_enhancing"]
LESION_KINDS: tuple[LesionKind, ...] = get_args(LesionKind)

# The liver that a lesion is compared with begins beyond the blur of its edge and is so wide (mm).
REFERENCE_GAP_MM, REFERENCE_WIDTH_MM = 3.0, 8.0
# Voxels that meet at a corner belong together.
CONNECTED = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class MeasuredLesion:
    """One connected lesion.

    ``diameter_mm`` is that of the sphere of equal volume, ``axial_diameter_mm`` the longest distance within
    one slice (voxel edges counted). ``contrast_to_liver_hu`` is the mean HU minus the median of the liver
    within 3 to 11 mm (None without enough liver). ``box`` are voxels of the scan.
    """

    number: int
    centroid_lps_mm: Float3
    diameter_mm: float
    axial_diameter_mm: float
    volume_ml: float
    mean_hu: float
    contrast_to_liver_hu: float | None
    touches_surface: bool | None
    voxels: int
    box: Box

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description; the box becomes [[start, stop], ...] in zyx."""
        values = asdict(self)
        values["box"] = [[s.start, s.stop] for s in self.box]
        return values


def label_lesions(mask: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Number the connected parts (26 neighbours) of each label of a mask, the largest first."""
    result = np.zeros(mask.shape, np.int32)
    box = box_of(mask)
    if box is None:
        return result
    values = np.asarray(mask)[box]
    numbered = np.zeros(values.shape, np.int32)
    count = 0
    for value in np.unique(values[values > 0]):
        parts, found = ndimage.label(values == value, structure=CONNECTED)
        np.add(numbered, parts + np.int32(count), out=numbered, where=parts > 0)
        count += int(found)
    sizes = np.bincount(numbered[numbered > 0], minlength=count + 1)[1:]
    new_number = np.zeros(count + 1, np.int32)
    new_number[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    result[box] = new_number[numbered]
    return result


def lesion_table(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    lesion_mask: NDArray[np.bool_] | NDArray[np.integer[Any]],
    liver_mask: NDArray[np.bool_] | None = None,
    min_voxels: int = 1,
) -> list[MeasuredLesion]:
    """All connected lesions of a mask, the largest first.

    Args:
        volume_hu: HU, shape ``grid.size_zyx``.
        grid: the lattice.
        lesion_mask: bool, or labels that keep touching lesions apart.
        liver_mask: bool; without it contrast and surface contact are None.
        min_voxels: smaller parts are left out.
    """
    return measure_lesions(
        volume_hu, grid, numbered=label_lesions(lesion_mask), liver_mask=liver_mask, min_voxels=min_voxels
    )


def measure_lesions(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    numbered: NDArray[np.integer[Any]],
    liver_mask: NDArray[np.bool_] | None = None,
    min_voxels: int = 1,
) -> list[MeasuredLesion]:
    """As ``lesion_table``, for lesions that have their numbers already; the numbers stay, in rising order."""
    scan = _Scan(volume_hu, grid, numbered, liver_mask)
    lesions = []
    for number, box in enumerate(ndimage.find_objects(scan.numbered), start=1):
        if box is None or (scan.numbered[box] == number).sum() < min_voxels:
            continue
        z, y, x = box
        lesions.append(scan.describe(number, (z, y, x)))
    return lesions


@dataclass(frozen=True)
class _Scan:
    hu: NDArray[np.int16]
    grid: Grid
    numbered: NDArray[np.integer[Any]]
    liver: NDArray[np.bool_] | None

    def describe(self, number: int, box: Box) -> MeasuredLesion:
        inside = self.numbered[box] == number
        voxels = int(inside.sum())
        start = np.array([s.start for s in box])
        x, y, z = (float(v) for v in self.grid.to_world(centroid(inside) + start))
        volume_mm3 = voxels * self.grid.voxel_volume_mm3
        mean_hu = float(self.hu[box][inside].mean())
        reference, touches = self._surroundings(number, box)
        return MeasuredLesion(
            number=number,
            centroid_lps_mm=(x, y, z),
            diameter_mm=sphere_diameter_mm(volume_mm3),
            axial_diameter_mm=axial_diameter_mm(inside, self.grid),
            volume_ml=volume_mm3 / 1000,
            mean_hu=mean_hu,
            contrast_to_liver_hu=None if reference is None else mean_hu - reference,
            touches_surface=touches,
            voxels=voxels,
            box=box,
        )

    def _surroundings(self, number: int, box: Box) -> tuple[float | None, bool | None]:
        """Median HU of the lesion-free liver around, and whether the lesion meets what is not liver."""
        if self.liver is None:
            return None, None
        reach = REFERENCE_GAP_MM + REFERENCE_WIDTH_MM
        margins = [int(np.ceil(reach / s)) for s in self.grid.spacing_zyx_mm]
        edges = [
            (max(0, s.start - m), min(n, s.stop + m)) for s, m, n in zip(box, margins, self.grid.size_zyx, strict=True)
        ]
        wide = (slice(*edges[0]), slice(*edges[1]), slice(*edges[2]))
        numbered, liver = self.numbered[wide], np.asarray(self.liver[wide], dtype=bool)
        inside = numbered == number
        distance = ndimage.distance_transform_edt(~inside, sampling=self.grid.spacing_zyx_mm)
        ring = (distance > REFERENCE_GAP_MM) & (distance <= reach) & (numbered == 0) & liver
        touches = bool((ndimage.binary_dilation(inside) & ~(liver | (numbered > 0))).any())
        if ring.sum() < 30:
            return None, touches
        return float(np.median(self.hu[wide][ring])), touches


def axial_diameter_mm(inside: NDArray[np.bool_], grid: Grid) -> float:
    """The longest distance within one slice of a mask, measured between voxel edges, in mm."""
    spacing_yx = np.asarray(grid.spacing_zyx_mm[1:])
    longest = 0.0
    for part in inside:
        rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
        if not len(rows):
            continue
        if np.hypot(*(spacing_yx * (np.ptp(rows), np.ptp(columns)))) <= longest:
            continue
        # The farthest two voxels are the first or the last of their rows.
        first, last = part[rows].argmax(1), part.shape[1] - 1 - part[rows, ::-1].argmax(1)
        points = np.stack([np.tile(rows, 2), np.concatenate([first, last])], 1) * spacing_yx
        longest = max(longest, float(pdist(points).max()))
    return longest + float(spacing_yx.mean()) if inside.any() else 0.0
