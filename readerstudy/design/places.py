"""Healthy places, chosen as lesions lie: whoever looks where a ring stands must learn nothing from it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctplatform.datasets.scans.liver_map import LiverMap, LiverPlace
from ml.geometry import Float3
from ml.scans.parenchyma import Parenchyma

CLEAR_OF_LESIONS_MM = 8.0
PLACES_APART_MM = 15.0
# Lesions at the capsule have their centre this near to it, in parts of their radius.
LEAST_DEPTH_PER_RADIUS = 0.45


def healthy_places(
    liver: LiverMap,
    *,
    like: Sequence[LiverPlace],
    count: int,
    radius_mm: float,
    seed: int,
    parenchyma: Parenchyma | None = None,
) -> list[Float3]:
    """Up to `count` places clear of lesions and of each other, each where a lesion of some liver lies in its own.

    Where ``parenchyma`` is known they lie in it: a mask also holds vessels and fissures, and may leak. Places spread
    evenly over the liver would lie elsewhere than lesions do: the ring alone would tell.
    """
    random = np.random.default_rng(seed)
    least_depth_mm = min(LEAST_DEPTH_PER_RADIUS * radius_mm, float(liver.depth_mm.max()) / 2)
    allowed = (liver.depth_mm >= least_depth_mm) & (liver.lesion_distance_mm >= radius_mm + CLEAR_OF_LESIONS_MM)
    free, depths_mm = _off_the_lattice(liver, liver.lattice_lps_mm(allowed), random), liver.depth_mm[allowed]
    if parenchyma is not None:
        plain = parenchyma.allowed(free)
        free, depths_mm = free[plain], depths_mm[plain]
    places: list[Float3] = []
    while like and len(free) and len(places) < count:
        wanted = like[int(random.integers(len(like)))]
        place = free[int(liver.unlikeness_mm(free, depths_mm, wanted).argmin())]
        apart = np.linalg.norm(free - place, axis=1) >= PLACES_APART_MM
        free, depths_mm = free[apart], depths_mm[apart]
        places.append((float(place[0]), float(place[1]), float(place[2])))
    return places


def _off_the_lattice(liver: LiverMap, places: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Moved within their cells, since centroids of lesions stand on no lattice either."""
    cell_mm = np.array(liver.steps_zyx) * liver.grid.spacing_zyx_mm
    moves = random.uniform(-0.5, 0.5, places.shape) * cell_mm
    return places + moves[:, ::-1] @ liver.grid.direction_matrix.T
