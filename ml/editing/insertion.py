"""Insertion: the difference of two decoded signatures, fitted to what was asked for, added to the scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.editing.composing import Change, Site, compose, core_of
from ml.editing.displacement import MassEffect
from ml.editing.exemplars import NOTHING_SUITS, DecodedLesion, PlaceDecoder, decode_lesion
from ml.editing.frame import MARGIN_MM, LesionFrame, bounding_box
from ml.editing.measure import apply_change
from ml.editing.neighbourhood import Neighbourhood, look_around, read_neighbourhood
from ml.editing.pose import ROOM, find_pose
from ml.editing.rings import ring_profile
from ml.editing.spec import EditResult, LesionSpec
from ml.errors import EditError, PointOutsideLiverError
from ml.generator.bank import canonical_zoom
from ml.generator.model import Generator
from ml.generator.signatures import Codes
from ml.geometry import Grid, centroid
from ml.parallel import in_parallel
from ml.patches.case import Mask, Volume
from ml.scans.lesions import axial_diameter_mm

# How far (mm, each way) the nearest liver is looked for when a place lies outside it. Set by hand.
SEARCH_MM = 60.0
# Longest axial distance over the asked diameter, and dark voxels outside the lesion over those inside.
MAX_AXIAL_RATIO, MAX_HALO = 1.7, 1.0
# Exemplars that may turn out unlike a lesion before an insertion gives up. Set by hand.
MAX_REFUSED = 6
# Refused ones after which the next is as round as the generator makes it.
ROUND_AFTER = 3
# Rounds in which the contrast that the scanner took is given back, and the largest factor (or its inverse) that
# they come to together: a lesion whose contrast the scanner takes nearly whole is not blown up. Set by hand.
GIVING_BACK_STEPS, MAX_GIVEN_BACK = 4, 1.3
# How far the lesion's centre may lie from the asked one.
MAX_OFF_VOXELS = 0.9


def insert(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: Mask,
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
    generator: Generator,
    device: str,
    on_progress: Callable[[float], None] | None,
) -> EditResult:
    """See ``ml.editing.insert_lesion``."""
    report = on_progress or (lambda _: None)
    rng = np.random.default_rng([spec.seed, 2021])
    # Rounded, so that the last digits of a grid's direction never move a box by a voxel.
    centre = np.round(grid.to_voxel(centre_lps_mm), 4)
    check_inside_liver(grid, liver_mask, centre)
    generator.move_to(device)
    zoom = canonical_zoom(spec.diameter_mm)
    view, level_hu = look_around(
        volume_hu, grid, liver_mask=liver_mask, centre_zyx=centre, generator=generator, zoom=zoom
    )
    report(0.2)
    reach = 0.5 * spec.diameter_mm * ROOM + MARGIN_MM + 1
    code, around = in_parallel(
        lambda: view.signature(generator, level_hu=level_hu, seed=spec.seed),
        lambda: read_neighbourhood(
            volume_hu, grid, liver_mask=liver_mask, centre_zyx=centre, half_extent_mm=reach, level_hu=level_hu
        ),
    )
    lesion, placed = decode_and_place(generator, code, around, spec, rng, centre_zyx=around.local_index(centre))
    report(0.8)
    provenance = {
        "operation": "insert",
        "spec": spec.to_dict(),
        "asked_centre_lps_mm": [float(v) for v in centre_lps_mm],
        "exemplar": lesion.exemplar,
        "slice_overlap": around.scanner.overlap,
    } | generator.provenance()
    result = apply_change(
        placed.around,
        lambda: placed.as_scanned(spec),
        placed.inside,
        core=placed.core,
        reference=placed.reference_hu,
        axial_mm=placed.axial_diameter_mm,
        provenance=provenance,
    )
    report(1.0)
    return result


def decode_and_place(
    generator: Generator,
    code: Codes,
    around: Neighbourhood,
    spec: LesionSpec,
    rng: np.random.Generator,
    *,
    centre_zyx: NDArray[np.float64],
) -> tuple[DecodedLesion, PlacedLesion]:
    """The first exemplar whose lesion fits the place and looks like one.

    Few voxels hold no rough or long shape, so that every refused one leaves the next a rounder one. Raises the
    EditError of the last one when none of several does.
    """
    decoder = PlaceDecoder(generator, code)
    refused: set[int] = set()
    problem = EditError(NOTHING_SUITS)
    while len(refused) < MAX_REFUSED:
        lesion = decode_lesion(decoder, spec, rng, without=refused, irregular=max(0.0, 1 - len(refused) / ROUND_AFTER))
        try:
            placed = place(lesion, around, centre_zyx, spec, rng)
            if placed.looks_like_a_lesion(spec):
                return lesion, placed
        except EditError as error:
            problem = error
        refused.add(lesion.exemplar)
    raise problem


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion fitted into the part of the crop that it changes."""

    around: Neighbourhood
    inside: Mask
    core: Mask
    change: Change
    reference_hu: float
    axial_diameter_mm: float

    def as_scanned(self, spec: LesionSpec) -> Volume:
        """The change as the scanner would have shown it; what its blur takes of the contrast is given back.

        Never below water: a blurred edge may otherwise swing below the core that it leads to.
        """
        passed = self.around.scanner.transmitted(self.change.hu) * self.around.liver
        wanted = self.reference_hu + spec.contrast_hu - float(self.around.source_hu[self.core].mean())
        lowest = self.change.lowest_hu
        change, factor = np.maximum(passed, lowest), 1.0
        for _ in range(GIVING_BACK_STEPS):
            got = float(change[self.core].mean())
            if got >= 0:
                break
            factor = float(np.clip(factor * wanted / got, 1 / MAX_GIVEN_BACK, MAX_GIVEN_BACK))
            change = np.maximum(passed * np.float32(factor), lowest)
        return change

    def looks_like_a_lesion(self, spec: LesionSpec) -> bool:
        """Whether it is dark where it was asked for, and hardly elsewhere."""
        dark = (self.change.hu < 0.5 * spec.contrast_hu) & ~self.inside
        return bool(dark.sum() <= MAX_HALO * self.inside.sum())


def place(
    lesion: DecodedLesion,
    around: Neighbourhood,
    centre_zyx: NDArray[np.float64],
    spec: LesionSpec,
    rng: np.random.Generator,
) -> PlacedLesion:
    """Fit a decoded lesion to its place (``centre_zyx`` in the crop's voxels) and to what was asked for.

    Raises LesionDoesNotFitError, or EditError where it comes apart, is too faint or would be darker than water.
    """
    pose = find_pose(lesion, around, centre_zyx, spec, rng)
    inside = pose.fit_volume(lesion, around, spec)
    if not inside.any() or np.abs(centroid(inside) - centre_zyx).max() > MAX_OFF_VOXELS:
        # Nothing of it is left here, or it came apart and the piece that was kept lies elsewhere.
        raise EditError(NOTHING_SUITS)
    axial_mm = axial_diameter_mm(inside[bounding_box(inside)], around.grid)
    if axial_mm > MAX_AXIAL_RATIO * spec.diameter_mm:
        # Some exemplars decode to slabs at some places.
        raise EditError(NOTHING_SUITS)
    mass = MassEffect.of(spec.kind, spec.diameter_mm)
    frame = LesionFrame.of(inside, around.spacing_zyx_mm, reach_mm=mass.reach_mm)
    site = Site.of(around, frame, inside)
    core = site.inside
    if spec.kind == "ring_enhancing":
        lesion = replace(lesion, profile_hu=ring_profile(spec.diameter_mm / 2, around.noise_hu))
        core = core_of(lesion, site.depth, site.inside)
    change = compose(lesion, site, spec, core=core, mass=mass)
    return PlacedLesion(site.part, site.inside, core, change, site.reference_hu, axial_mm)


def check_inside_liver(grid: Grid, liver_mask: Mask, centre_zyx: NDArray[np.float64]) -> None:
    """Raise PointOutsideLiverError (with the distance) unless the nearest voxel is liver."""
    z, y, x = (int(v) for v in np.rint(centre_zyx))
    if grid.contains((z, y, x)) and bool(liver_mask[z, y, x]):
        return
    reach = (SEARCH_MM, SEARCH_MM, SEARCH_MM)
    box = grid.box_around(np.clip(centre_zyx, 0, np.array(grid.size_zyx) - 1), half_extent_zyx_mm=reach)
    liver = np.argwhere(liver_mask[box])
    if not len(liver):
        raise PointOutsideLiverError(distance_mm=None)
    offset = (liver + [s.start for s in box] - centre_zyx) * np.array(grid.spacing_zyx_mm)
    raise PointOutsideLiverError(distance_mm=float(np.sqrt((offset**2).sum(1).min())))
