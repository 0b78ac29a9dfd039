"""Where a lesion may go: under rules, where real lesions lie in their livers, reproducible from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.liver_map import LiverMap, LiverPlace
from ctplatform.errors import DomainError
from ml.geometry import Grid
from ml.scans.parenchyma import Parenchyma

Mask = npt.NDArray[np.bool_]


# A lesion may touch the capsule, but its larger part must lie in the liver.
LEAST_DEPTH_PER_RADIUS = 0.6
# Liver around a place, beyond the lesion itself, that tells what its parenchyma looks like.
CONTEXT_MM = 40.0


@dataclass(frozen=True)
class PlacementRules:
    """Distances in millimetres; a rule whose mask is missing cannot be applied and is reported as such."""

    # Every second real lesion touches the surface.
    min_depth_mm: float = 3.0
    max_depth_mm: float | None = None
    min_vessel_distance_mm: float = 3.0
    min_lesion_distance_mm: float = 10.0
    min_mutual_distance_mm: float = 25.0


def allowed_places(
    *, grid: Grid, liver: Mask, vessels: Mask | None, lesions: Mask | None, rules: PlacementRules, radius_mm: float
) -> Mask:
    """Voxels that may be the centre of a lesion of this radius."""
    from scipy.ndimage import distance_transform_edt

    def distance_mm(mask: Mask) -> npt.NDArray[np.float64]:
        return np.asarray(distance_transform_edt(mask, sampling=grid.spacing_zyx_mm))

    # The scan's edge counts as the liver's: a lesion that leaves the scan could not be placed.
    depth = distance_mm(np.pad(liver, 1))[1:-1, 1:-1, 1:-1]
    allowed: Mask = liver & (depth >= max(rules.min_depth_mm, LEAST_DEPTH_PER_RADIUS * radius_mm))
    if rules.max_depth_mm is not None:
        allowed &= depth <= rules.max_depth_mm
    if vessels is not None and vessels.any():
        allowed &= distance_mm(~vessels) >= rules.min_vessel_distance_mm
    if lesions is not None and lesions.any():
        allowed &= distance_mm(~lesions) >= rules.min_lesion_distance_mm + radius_mm
    return allowed


def refuse_unless_parenchyma(scan: Scan, centre_lps_mm: Sequence[float], radius_mm: float) -> None:
    """A liver mask may leak into its neighbours, and it holds vessels and fissures: the scan has the last word."""
    grid = scan.geometry
    reach = radius_mm + CONTEXT_MM
    box = grid.box_around(grid.to_voxel(centre_lps_mm), half_extent_zyx_mm=(reach, reach, reach))
    masks = {mask.kind: mask.pk for mask in scan.masks.all()}
    liver = voxels.read_labels_box(masks[MaskKind.LIVER], grid, box) > 0
    found = Parenchyma.of(voxels.read_box(scan.pk, grid, box), grid.crop(box), liver, radius_mm=radius_mm)
    if found is None:
        raise DomainError("There is too little liver around this place to tell parenchyma from its neighbours.")
    if found.allowed(centre_lps_mm):
        return
    nearest = found.nearest(centre_lps_mm)
    instead = "Choose a place in plain liver further away."
    if nearest is not None:
        x, y, z = nearest
        away = float(np.linalg.norm(np.subtract(nearest, centre_lps_mm)))
        instead = f"The nearest place that would do lies {away:.0f} mm away: {x:.1f}, {y:.1f}, {z:.1f} (LPS, mm)."
    raise DomainError(
        f"This place is no liver parenchyma, although the liver mask holds it: it looks like "
        f"{found.looks_like(centre_lps_mm)}. {instead}",
        code="not_parenchyma",
    )


def liver_hu_around(scan: Scan, centre_lps_mm: Sequence[float]) -> float | None:
    """The liver's median HU around a place; None where there is no liver."""
    grid = scan.geometry
    box = grid.box_around(grid.to_voxel(centre_lps_mm), half_extent_zyx_mm=(CONTEXT_MM, CONTEXT_MM, CONTEXT_MM))
    mask = scan.masks.filter(kind=MaskKind.LIVER).first()
    if mask is None:
        return None
    liver = voxels.read_labels_box(mask.pk, grid, box) > 0
    return float(np.median(voxels.read_box(scan.pk, grid, box)[liver])) if liver.any() else None


@dataclass(frozen=True)
class LikeLesions:
    """Places of real lesions, each in its own liver, to be found again in this one.

    Spread evenly over the liver, inserted lesions would lie elsewhere than real ones, and their place alone would tell.
    """

    liver: LiverMap
    lesions: Sequence[LiverPlace]


def draw_places(
    *,
    grid: Grid,
    allowed: Mask,
    count: int,
    rules: PlacementRules,
    rng: np.random.Generator,
    like: LikeLesions | None = None,
) -> npt.NDArray[np.float64]:
    """Up to `count` centres in LPS mm, shape (n, 3), no two closer than the rules say.

    Each lies where a lesion of `like`, drawn at random, would lie; without any they are spread evenly.
    """
    free = grid.to_world(rng.permutation(np.argwhere(allowed)))
    depths_mm = np.array([]) if like is None else np.array(like.liver.depths_mm(free), dtype=np.float32)
    chosen: list[npt.NDArray[np.float64]] = []
    while len(free) and len(chosen) < count:
        nearest = 0
        if like is not None:
            wanted = like.lesions[int(rng.integers(len(like.lesions)))]
            nearest = int(like.liver.unlikeness_mm(free, depths_mm, wanted).argmin())
        chosen.append(free[nearest])
        apart = np.linalg.norm(free - free[nearest], axis=1) >= rules.min_mutual_distance_mm
        apart[nearest] = False
        free, depths_mm = free[apart], depths_mm[apart] if like is not None else depths_mm
    return np.array(chosen).reshape(-1, 3)
