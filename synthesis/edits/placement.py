"""Where a lesion may go: places drawn at random in the liver under rules, reproducible from a seed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.geometry import Grid

Mask = npt.NDArray[np.bool_]


# A lesion may touch the capsule, but its larger part must lie in the liver.
LEAST_DEPTH_PER_RADIUS = 0.6


@dataclass(frozen=True)
class PlacementRules:
    """Distances in millimetres; a rule whose mask is missing cannot be applied and is reported as such."""

    min_depth_mm: float = 8.0
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


def draw_places(
    *, grid: Grid, allowed: Mask, count: int, rules: PlacementRules, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Up to `count` centres in LPS mm, shape (n, 3), no two closer than the rules say."""
    candidates = np.argwhere(allowed)
    order = rng.permutation(len(candidates))
    chosen: list[npt.NDArray[np.float64]] = []
    for index in order:
        point = grid.to_world(candidates[index])
        if all(np.linalg.norm(point - other) >= rules.min_mutual_distance_mm for other in chosen):
            chosen.append(point)
        if len(chosen) == count:
            break
    return np.array(chosen).reshape(-1, 3)
