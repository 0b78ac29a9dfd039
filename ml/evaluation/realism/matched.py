"""Edits on a scan beside its own lesions: for each lesion a set of places that match it in size, level and depth.

A scan of a patient has no lesion-free twin. Each lesion is set among insertions that were asked to be what it is, and
its removal among plain places, all in parenchyma of the same liver, away from every lesion, as deep, with as much noise
within it as the lesion has, for noise grows towards the middle of a body, and among as many and as bright vessels: what
no edit changes must not tell. How far it tells all the same is seen from the same insertions at the lesion's own place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EditResult, LesionSpec, remove_lesion
from ml.editing.spec import MAX_CONTRAST_HU, MAX_DIAMETER_MM, MIN_CONTRAST_HU
from ml.errors import EditError
from ml.evaluation.bands import band_features
from ml.evaluation.radiomics import features
from ml.evaluation.realism.appearance import (
    core_of,
    level_around,
    share_outside_parenchyma,
    vessel_share_kept,
    vessels_of,
)
from ml.evaluation.realism.edits import judge_patch
from ml.evaluation.realism.local_measures import (
    LEAST_CONTRAST_HU,
    PROFILE_MM,
    differing_outside,
    mean_over_depth,
    zones_of,
)
from ml.evaluation.realism.places import AWAY_MM, SMALLEST_MM, Place, Scan, try_insert
from ml.evaluation.shape_measures import shape_measures
from ml.generator.model import Generator
from ml.geometry import Box
from ml.parallel import in_processes
from ml.patches.case import LiverCase, Mask, Volume
from ml.scans.cases import CaseFiles, load_case
from ml.scans.lesions import LesionKind, measure_lesions
from ml.scans.parenchyma import Parenchyma

# Others in a set, and the places that are tried for them.
OTHERS, PLACES = 8, 20
# So many insertions come to the lesion's own place.
OWN = 4
# Of so many places of the liver by chance, so many are looked at whose depth and noise are the most like the lesion's,
# and so many of these are taken into account whose surroundings are too; those that are tried lie apart by this part of
# the lesion's radius.
DRAWN, LOOKED_AT, LIKELY, APART_RADII = 10_000, 1_000, 120, 0.6
# A depth that is off by so many mm weighs as much as noise or the spread around that is off by such a part, the mean
# around by so many HU, or the share of liver around by so much.
OFF_MM, OFF_NOISE, OFF_SPREAD, OFF_HU, OFF_LIVER = 2.0, 0.05, 0.1, 3.0, 0.04
# Around a lesion is the liver at these distances (mm) from its edge: beyond its blur, within what judges see. So many
# of its voxels tell.
SHELL_MM, SHELL_VOXELS = (4.0, 12.0), 3_000
# Noise is what lies above a low-pass (sigma, pixels): finer than what lesions and liver show. Over a place it is
# averaged by a normal law as wide as a ball of the lesion's radius (standard deviation along an axis, in radii).
NOISE_SIGMA_PX, BALL_SIGMA_RADII = 1.0, 5**-0.5
# People draw outlines this far (mm) from where a lesion has half of its contrast, at most.
FARTHEST_DRAWN_MM = 3.0
# A lesion that is not brighter (HU) is taken for a cyst, every other one for a solid lesion: masks do not say.
FLUID_HU = 20.0
# What is measured of a lesion is read so far (mm) around it.
AROUND_MM = 14.0
# Shapes need so many voxels in so many slices.
SHAPE_VOXELS, SHAPE_SLICES = 40, 3


@dataclass(frozen=True)
class Seen:
    """One place as judges see it: the patch, the outline's measures (None where it is too small), single values."""

    patch: Volume
    shape: dict[str, float] | None = None
    values: dict[str, float] = field(default_factory=dict)

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """Hand-made features of the patch."""
        found: NDArray[np.float64] = features(self.patch[None])[0]
        return found

    @cached_property
    def bands(self) -> NDArray[np.float64]:
        """What wavelets and frequencies tell of the patch."""
        found: NDArray[np.float64] = band_features(self.patch[None])[0]
        return found


@dataclass
class MatchedSet:
    """A lesion among insertions made to match it, and its removal among plain places; ``notes`` say what is missing.

    ``at_own_place`` are insertions where the lesion was removed.
    """

    patient: str
    diameter_mm: float
    contrast_hu: float
    real: Seen
    removed: Seen | None
    plain: list[Seen]
    inserted: list[Seen] = field(default_factory=list)
    at_own_place: list[Seen] = field(default_factory=list)
    differing_voxels: int = 0
    refused: int = 0
    notes: list[str] = field(default_factory=list)


def matched_sets(scans: list[CaseFiles], generator: Generator, *, seed: int = 0, jobs: int = 1) -> list[MatchedSet]:
    """Sets of all lesions of 6 mm or more; ``jobs`` processes share the scans and give the same sets as one."""
    numbers = [seed + n for n in range(len(scans))]
    found = in_processes(sets_of_scan, scans, [generator] * len(scans), numbers, jobs=jobs)
    return [item for part in found for item in part]


def sets_of_scan(files: CaseFiles, generator: Generator, seed: int) -> list[MatchedSet]:
    """The sets of one scan, its lesions in the order of their numbers."""
    scan = _Edited(load_case(files), generator)
    large = [lesion for lesion in scan.case.lesions if lesion.diameter_mm >= SMALLEST_MM]
    return [scan.set_of(lesion.label, np.random.default_rng([seed, lesion.label, 64])) for lesion in large]


class _Edited:
    """A scan with what all of its sets need: depth in the liver, distance from lesions (mm), vessels."""

    def __init__(self, case: LiverCase, generator: Generator) -> None:
        self.case, self.generator = case, generator
        spacing = case.grid.spacing_zyx_mm
        self.deep = ndimage.distance_transform_edt(case.liver, sampling=spacing)
        self.away = ndimage.distance_transform_edt(case.labels == 0, sampling=spacing)
        self.vessels = vessels_of(case.hu, case.liver, case.level_hu, spacing)

    def noise_within(self, radius_mm: float) -> Volume:
        """The noise (HU) of the liver, lesions and all, within a ball about every voxel."""
        case = self.case
        hu = np.clip(case.hu, case.level_hu - 100, case.level_hu + 100).astype(np.float32)
        rough = hu - ndimage.gaussian_filter(hu, (0, NOISE_SIGMA_PX, NOISE_SIGMA_PX))
        liver = (case.liver | (case.labels > 0)).astype(np.float32)
        sigma = [BALL_SIGMA_RADII * radius_mm / s for s in case.grid.spacing_zyx_mm]
        power, share = (ndimage.gaussian_filter(v, sigma, truncate=2.5) for v in (liver * rough * rough, liver))
        found: Volume = np.sqrt(power / np.maximum(share, 1e-6))
        return found

    def set_of(self, label: int, rng: np.random.Generator) -> MatchedSet:
        """The lesion of a label among its matches."""
        case, lesion, notes = self.case, self.case.labels == label, list[str]()
        removal = self._removal(lesion, label, notes)
        extent = half_contrast_extent(case, lesion)
        asked, centre = _Asked.of(case, extent, label), np.argwhere(lesion).mean(0)
        places = self._places(extent, centre, asked.diameter_mm, rng)
        found = MatchedSet(
            case.name,
            asked.diameter_mm,
            asked.contrast_hu,
            self._seen(case.hu, centre, extent, outline=lesion),
            None if removal is None else Seen(judge_patch(removal.apply(case.hu), case, centre), values=_left(removal)),
            [Seen(judge_patch(case.hu, case, place)) for place in places[:OTHERS]],
            notes=notes,
            refused=int(removal is None),
        )
        if asked.contrast_hu > MAX_CONTRAST_HU:
            notes.append(f"{asked.contrast_hu:+.0f} HU against the liver: nothing like it is inserted")
        else:
            self._insert(found, asked, places, 100 * label)
            if removal is not None:
                self._insert_where_it_was(found, asked, removal.apply(case.hu), centre, 100 * label + PLACES)
        return found

    def _insert(self, found: MatchedSet, asked: _Asked, places: list[NDArray[np.float64]], first_seed: int) -> None:
        """Insertions at the first places that take one."""
        case = self.case
        for number, place in enumerate(places):
            spec = LesionSpec(asked.kind, asked.diameter_mm, asked.contrast_hu, first_seed + number)
            edit = try_insert(case, case.hu, Place(place, spec), self.generator)
            if edit is None:
                found.refused += 1
                continue
            edited = edit.apply(case.hu)
            found.differing_voxels += differing_outside(case.hu, edited, edit.box)[0]
            found.inserted.append(self._seen(edited, place, edit.paste_mask(edited.shape, what="lesion")))
            if len(found.inserted) == OTHERS:
                break

    def _insert_where_it_was(
        self, found: MatchedSet, asked: _Asked, without: Scan, centre: NDArray[np.float64], first_seed: int
    ) -> None:
        """Insertions in the middle of the lesion's place, in the scan ``without`` it."""
        place = np.rint(centre)
        for seed in range(first_seed, first_seed + OWN):
            spec = LesionSpec(asked.kind, asked.diameter_mm, asked.contrast_hu, seed)
            edit = try_insert(self.case, without, Place(place, spec), self.generator)
            if edit is None:
                found.refused += 1
                continue
            found.at_own_place.append(Seen(judge_patch(edit.apply(without), self.case, place)))

    def _removal(self, lesion: Mask, label: int, notes: list[str]) -> EditResult | None:
        """The lesion's removal; None where the editor refuses."""
        case = self.case
        try:
            return remove_lesion(
                case.hu, case.grid, liver_mask=case.liver, lesion_mask=lesion, generator=self.generator, seed=label
            )
        except EditError as error:
            notes.append(f"not removed: {error}")
            return None

    def _places(
        self, extent: Mask, centre: NDArray[np.float64], diameter_mm: float, rng: np.random.Generator
    ) -> list[NDArray[np.float64]]:
        """Voxels of parenchyma away from lesions, in a random order.

        As deep and as noisy as a lesion's centre, with surroundings like those of its ``extent``.
        """
        case, radius = self.case, diameter_mm / 2
        plain = Parenchyma.of(case.hu, case.grid, case.liver & (case.labels == 0), radius_mm=radius)
        if plain is None:
            return []
        z, y, x = np.rint(centre).astype(int)
        fits = plain.whole() & (self.away > radius + AWAY_MM)
        voxels = rng.permutation(np.flatnonzero(fits))[:DRAWN]
        off = np.abs(self.deep.ravel()[voxels] - self.deep[z, y, x]) / OFF_MM
        noise = self.noise_within(radius)
        off += np.abs(np.log(np.maximum(noise.ravel()[voxels], 0.1) / max(noise[z, y, x], 0.1))) / OFF_NOISE
        first = np.argsort(off, kind="stable")[:LOOKED_AT]
        off = off[first] + self._unlike_around(extent, np.rint(centre).astype(int), voxels[first], rng)
        likely = rng.permutation(voxels[first][np.argsort(off, kind="stable")[:LIKELY]])
        spacing = np.asarray(case.grid.spacing_zyx_mm)
        chosen: list[NDArray[np.float64]] = []
        for voxel in likely:
            place = np.array(np.unravel_index(int(voxel), case.hu.shape), np.float64)
            if all(np.linalg.norm((place - other) * spacing) > APART_RADII * radius for other in chosen):
                chosen.append(place)
        return chosen[:PLACES]

    def _unlike_around(
        self, extent: Mask, centre: NDArray[np.int_], voxels: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """How far mean and spread of the liver around places, and how much of it there is, are from a lesion's."""
        shell = shell_around(extent, self.case.grid.spacing_zyx_mm) - centre
        shell = shell[rng.permutation(len(shell))[:SHELL_VOXELS]]
        own, *others = (
            self._around(np.array(place) + shell)
            for place in (centre, *np.stack(np.unravel_index(voxels, extent.shape), 1))
        )
        level, spread, liver = np.array(others).T
        unlike: NDArray[np.float64] = np.abs(level - own[0]) / OFF_HU + np.abs(np.log(spread / own[1])) / OFF_SPREAD
        unlike += np.abs(liver - own[2]) / OFF_LIVER
        return unlike

    def _around(self, places: NDArray[np.int_]) -> tuple[float, float, float]:
        """Mean and standard deviation (HU, cut about the liver's level) of what is plain liver of some voxels.

        And how much of them is.
        """
        case, asked = self.case, len(places)
        z, y, x = places[np.all((places >= 0) & (places < case.hu.shape), axis=1)].T
        plain = case.liver[z, y, x] & (case.labels[z, y, x] == 0)
        hu = np.clip(case.hu[z, y, x][plain], case.level_hu - 100, case.level_hu + 100)
        share = len(hu) / asked
        return (float(hu.mean()), max(float(hu.std()), 0.1), share) if len(hu) else (case.level_hu, 0.1, share)

    def _seen(self, hu: Scan, centre: NDArray[np.float64], lesion: Mask, *, outline: Mask | None = None) -> Seen:
        """A scan's lesion as judges see it; vessels are those of the scan before, ``outline`` is a drawn one."""
        case, box = self.case, _near(lesion, self.case.grid.spacing_zyx_mm)
        spacing, inside, before, after = case.grid.spacing_zyx_mm, lesion[box], case.hu[box], hu[box]
        core, level = core_of(inside, spacing), level_around(after, case.liver[box], inside, spacing)
        kept = vessel_share_kept(before, after, core, self.vessels[box])
        values = {
            "mean_hu": float(after[inside].mean()) - level,
            "sd_inside_hu": float(after[core].std()) if core.any() else float("nan"),
            "vessels_kept": float("nan") if kept is None else kept,
            "outside_parenchyma": share_outside_parenchyma(before, inside, level, spacing),
        }
        drawn = inside if outline is None else outline[_near(outline, spacing)]
        enough = drawn.sum() >= SHAPE_VOXELS and drawn.any((1, 2)).sum() >= SHAPE_SLICES
        return Seen(judge_patch(hu, case, centre), shape_measures(drawn, spacing) if enough else None, values)


def shell_around(extent: Mask, spacing_zyx_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """Voxels (n, 3) at the distances of SHELL_MM from a lesion's edge."""
    box = _near(extent, spacing_zyx_mm)
    away = ndimage.distance_transform_edt(~extent[box], sampling=spacing_zyx_mm)
    found: NDArray[np.int64] = np.argwhere((away > SHELL_MM[0]) & (away <= SHELL_MM[1])) + [s.start for s in box]
    return found


def half_contrast_extent(case: LiverCase, lesion: Mask) -> Mask:
    """A drawn mask, wider or tighter by as many mm as lie between it and half of the lesion's contrast.

    That is what an insertion is asked by. A lesion that is not darker than the liver stays as it was drawn.
    """
    around = zones_of(lesion, case.liver & (lesion | (case.labels == 0)), case.grid)
    profile = mean_over_depth(case.hu[around.box], around)
    level = level_around(
        case.hu[around.box], around.tissue & (around.depth < 0), around.depth > 0, case.grid.spacing_zyx_mm
    )
    inner, known = profile[(PROFILE_MM > 0) & np.isfinite(profile)], np.isfinite(profile)
    dark = len(inner) >= 2 and inner[-2:].mean() < level - LEAST_CONTRAST_HU
    if not dark or case.hu[lesion].mean() >= level:
        return lesion
    share = np.maximum.accumulate((profile[known] - level) / (inner[-2:].mean() - level))
    edge_mm = float(np.clip(np.interp(0.5, share, PROFILE_MM[known]), -FARTHEST_DRAWN_MM, FARTHEST_DRAWN_MM))
    extent = np.zeros_like(lesion)
    extent[around.box] = around.tissue & (around.depth > edge_mm)
    return extent if extent.any() else lesion


@dataclass(frozen=True)
class _Asked:
    """What an insertion is asked for that matches a lesion; the contrast may be one that none can have."""

    kind: LesionKind
    diameter_mm: float
    contrast_hu: float

    @classmethod
    def of(cls, case: LiverCase, extent: Mask, label: int) -> _Asked:
        """The size and level of a lesion where it has half of its contrast."""
        numbered = np.where(extent, label, np.where(case.labels == label, 0, case.labels))
        table = measure_lesions(case.hu, case.grid, numbered=numbered, liver_mask=case.liver)
        measured = next(row for row in table if row.number == label)
        contrast = measured.contrast_to_liver_hu
        if contrast is None:
            contrast = measured.mean_hu - case.level_hu
        kind: LesionKind = "cystic" if measured.mean_hu < FLUID_HU else "hypodense"
        return cls(kind, min(measured.diameter_mm, MAX_DIAMETER_MM), max(contrast, MIN_CONTRAST_HU))


def _left(edit: EditResult) -> dict[str, float]:
    """What a removal says it left."""
    return {name: float(v) for name, v in edit.measured.items() if name.startswith("ghost_") or name == "contrast_hu"}


def _near(mask: Mask, spacing_zyx_mm: tuple[float, float, float]) -> Box:
    """The box of a mask with its surroundings."""
    margins = [int(np.ceil(AROUND_MM / s)) for s in spacing_zyx_mm]
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    z, y, x = (
        slice(max(0, s.start - m), min(n, s.stop + m)) for s, m, n in zip(found, margins, mask.shape, strict=True)
    )
    return z, y, x
