"""Where lesions are inserted to measure and to show edits: real lesions' own places, or lesion-free liver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EditResult, LesionSpec, insert_lesion
from ml.editing.spec import MAX_CONTRAST_HU, MAX_DIAMETER_MM, MIN_CONTRAST_HU
from ml.errors import EditError
from ml.generator.model import Generator
from ml.patches.case import LiverCase
from ml.scans.lesions import MeasuredLesion, measure_lesions

# Smaller lesions (mm) are left out, as among the generator's exemplars.
SMALLEST_MM = 6.0
# Places for insertions lie at least this far (mm) from lesions; measured zones reach 12 mm.
AWAY_MM = 15.0
# Where there is too little liver around a lesion to tell its contrast (HU).
UNKNOWN_CONTRAST_HU = -40.0

Scan = NDArray[np.int16]


@dataclass(frozen=True)
class Place:
    """Where and what to insert: ``centre`` in voxels; ``mask`` (full size) the lesion it follows, if any."""

    centre: NDArray[np.float64]
    spec: LesionSpec
    mask: NDArray[np.bool_] | None = None


def large_lesions(case: LiverCase) -> list[MeasuredLesion]:
    """The lesions of 6 mm or more under the case's own numbers, the largest first."""
    table = measure_lesions(case.hu, case.grid, numbered=case.labels, liver_mask=case.liver)
    large = [lesion for lesion in table if lesion.diameter_mm >= SMALLEST_MM]
    return sorted(large, key=lambda lesion: -lesion.voxels)


def insertion_places(case: LiverCase, twin: Scan | None, *, seed: int) -> list[Place]:
    """The real lesions' own places in a twin; without one, places in the scan's lesion-free liver.

    ``twin`` in HU on the case's grid.
    """
    places = [same_place(case, lesion) for lesion in large_lesions(case)]
    return places if twin is not None else _other_places(case, places, seed=seed)


def same_place(case: LiverCase, lesion: MeasuredLesion) -> Place:
    """Insert what a real lesion is, where it is; raises SpecError for a kind that no edit knows."""
    centre = case.grid.to_voxel(lesion.centroid_lps_mm)
    kind = next((r.kind for r in case.lesions if r.label == lesion.number), None) or "hypodense"
    contrast = lesion.contrast_to_liver_hu or UNKNOWN_CONTRAST_HU
    if kind == "ring_enhancing":
        contrast += core_mean_hu(case, lesion.number) - lesion.mean_hu
    contrast = float(np.clip(contrast, MIN_CONTRAST_HU, MAX_CONTRAST_HU))
    spec = LesionSpec(kind, min(lesion.diameter_mm, MAX_DIAMETER_MM), contrast, lesion.number)  # type: ignore[arg-type]
    return Place(centre, spec, case.labels == lesion.number)


def _other_places(case: LiverCase, places: list[Place], *, seed: int) -> list[Place]:
    """The same lesions elsewhere: lesion-free liver of the scan, away from every lesion and the surface."""
    away = ndimage.distance_transform_edt(case.labels == 0, sampling=case.grid.spacing_zyx_mm)
    deep = ndimage.distance_transform_edt(case.liver, sampling=case.grid.spacing_zyx_mm)
    rng = np.random.default_rng([seed, 61])
    found = []
    for place in places:
        radius = place.spec.diameter_mm / 2
        voxels = np.flatnonzero((away > radius + AWAY_MM) & (deep > min(radius, 12)))
        if len(voxels):
            centre = np.array(np.unravel_index(int(rng.choice(voxels)), case.hu.shape), np.float64)
            found.append(Place(centre, place.spec))
    return found


def core_mean_hu(case: LiverCase, label: int) -> float:
    """Mean HU of the inner half (by depth) of a lesion: what a ring's contrast is asked by."""
    inside = case.labels == label
    depth = ndimage.distance_transform_edt(inside, sampling=case.grid.spacing_zyx_mm)
    return float(case.hu[depth > 0.5 * depth.max()].mean())


def try_insert(case: LiverCase, source: Scan, place: Place, generator: Generator) -> EditResult | None:
    """The edit, or None where the editor refuses."""
    where = case.grid.to_world(place.centre).tolist()
    try:
        return insert_lesion(
            source, case.grid, liver_mask=case.liver, centre_lps_mm=where, spec=place.spec, generator=generator
        )
    except EditError:
        return None
