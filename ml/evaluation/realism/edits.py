"""Edits on held-out scans: patches for the judges and measurements at every place, by patient.

Phantoms have a lesion-free twin with the same noise: even cases give real lesions and removals, odd ones
insertions into the twin at the real lesions' places. Scans without a twin are edited in lesion-free liver
away from their lesions; whether patients can be kept apart depends on how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EditResult, LesionSpec, remove_lesion
from ml.errors import EditError
from ml.evaluation.bootstrap import ENOUGH_PATIENTS, LESIONS_NOTE
from ml.evaluation.realism.local_measures import (
    Local,
    differing_outside,
    mean_over_depth,
    textures_around,
    zone_sigma,
    zones_of,
)
from ml.evaluation.realism.places import (
    SMALLEST_MM,
    Place,
    Scan,
    insertion_places,
    large_lesions,
    same_place,
    try_insert,
)
from ml.evaluation.two_sample import TwoSampleData
from ml.generator.model import Generator
from ml.nets.config import NetConfig
from ml.parallel import in_processes
from ml.patches.case import LiverCase, Volume
from ml.patches.frames import HU_SCALE, PatchFrame
from ml.scans.cases import CaseFiles, load_case, load_twin
from ml.scans.lesions import MeasuredLesion

# The judges look at native in-plane resolution, not through the generator's own view.
JUDGE = NetConfig(patch_zyx=(16, 40, 40), spacing_zyx_mm=(3.0, 1.25, 1.25))
# Rounding to whole HU alone makes this noise (HU).
LEAST_NOISE_HU = 12**-0.5
# The lesion (kind, mm, HU) that is inserted and removed again.
CYCLE_SPEC = ("hypodense", 16.0, -40.0)
# Where patients are few, each gives several cycles; seeds of one patient lie this far apart.
CYCLES_OF_FEW, SEEDS_APART = 8, 1000
NAMES = ("real", "inserted", "free", "removed")
ROWS = ("asked", "removal", "cycle", "cycle_back", "rim", "real_rim", "outside", "removal_profile")


def _lists(names: tuple[str, ...]) -> dict[str, list[Any]]:
    return {name: [] for name in names}


@dataclass
class Harvest:
    """Patches with their patients, measurements at the same places, and rows of single values with theirs."""

    patches: dict[str, list[Volume]] = field(default_factory=lambda: _lists(NAMES))
    patients: dict[str, list[str]] = field(default_factory=lambda: _lists(NAMES))
    local: dict[str, list[Local]] = field(default_factory=lambda: _lists(NAMES))
    rows: dict[str, list[dict[str, float]]] = field(default_factory=lambda: _lists(ROWS))
    row_patients: dict[str, list[str]] = field(default_factory=lambda: _lists(ROWS))
    notes: list[str] = field(default_factory=list)
    refused: int = 0
    twins: int = 0

    def add(self, name: str, patch: Volume, patient: str) -> None:
        """Keep one patch."""
        self.patches[name].append(patch)
        self.patients[name].append(patient)

    def row(self, name: str, patient: str, values: dict[str, float]) -> None:
        """Keep one measurement."""
        self.rows[name].append(values)
        self.row_patients[name].append(patient)

    def extend(self, other: Harvest) -> None:
        """Take over everything of another harvest, in its order."""
        tables: list[tuple[dict[str, list[Any]], dict[str, list[Any]]]] = [
            (self.patches, other.patches),
            (self.patients, other.patients),
            (self.local, other.local),
            (self.rows, other.rows),
            (self.row_patients, other.row_patients),
        ]
        for own, more in tables:
            for name, values in more.items():
                own[name].extend(values)
        self.notes += other.notes
        self.refused += other.refused
        self.twins += other.twins

    def column(self, name: str, key: str) -> tuple[list[float], list[str]]:
        """One value of all rows with the patients."""
        return [row[key] for row in self.rows[name]], self.row_patients[name]

    def pair(self, first: str, second: str) -> TwoSampleData:
        """Two of the named sets for a test."""
        sets = (np.stack(self.patches[first]), np.stack(self.patches[second]))
        return TwoSampleData.of(*sets, np.array(self.patients[first]), np.array(self.patients[second]))


def judge_patch(hu: Scan, case: LiverCase, centre_zyx: NDArray[np.float64]) -> Volume:
    """What the judges see: (HU - liver) / 80 about a lesion, without any masking.

    About the voxel next to the centre: the middle of a drawn lesion lies between voxels, where interpolation takes
    noise away, and a place that was chosen on one, so that smoothness alone would tell them apart.
    """
    z, y, x = (float(v) for v in np.rint(centre_zyx))
    frame = PatchFrame(JUDGE, case.grid.spacing_zyx_mm, (z, y, x))
    box = frame.source_box(case.grid.size_zyx)
    patch: Volume = np.clip(
        (frame.sample(hu[box], box, smooth=False, outside=None) - case.level_hu) / HU_SCALE, -2.5, 2.5
    )
    return patch


def lesion_patches(scans: list[CaseFiles]) -> list[Volume]:
    """The judges' patches of all lesions of some scans (the training cases, for memorisation)."""
    patches = []
    for files in scans:
        case = load_case(files)
        large = [record for record in case.lesions if record.diameter_mm >= SMALLEST_MM]
        patches += [judge_patch(case.hu, case, np.array(record.centre_zyx)) for record in large]
    return patches


def harvest(scans: list[CaseFiles], generator: Generator, *, seed: int = 0, jobs: int = 1) -> Harvest:
    """All edits and measurements on some scans; ``jobs`` processes share them and give the same result as one."""
    apart = len(scans) >= ENOUGH_PATIENTS
    numbers = range(len(scans))
    alike = ([value] * len(scans) for value in (generator, seed, apart))
    parts = in_processes(_harvest_one, numbers, scans, *alike, jobs=jobs)
    out = Harvest()
    for part in parts:
        out.extend(part)
    if not apart:
        some = "one patient" if len(scans) == 1 else f"{len(scans)} patients"
        out.notes.append(f"{some}: {LESIONS_NOTE}")
    return out


def _harvest_one(number: int, files: CaseFiles, generator: Generator, seed: int, apart: bool) -> Harvest:  # noqa: FBT001 - a pool passes by position
    out = Harvest()
    case = load_case(files)
    if case.liver_note:
        out.notes.append(f"{case.name}: liver {case.liver_note}")
    twin = load_twin(files, case.grid)
    out.twins += twin is not None
    if number % 2 == 0 or not apart:
        for lesion in large_lesions(case):
            _real_and_removed(out, case, twin, lesion, generator)
    if number % 2 or not apart:
        source = case.hu if twin is None else twin
        for place in insertion_places(case, twin, seed=seed + number):
            _inserted(out, case, source, place, generator)
        for cycle_seed, centre in _cycle_places(case, source, number, count=1 if apart else CYCLES_OF_FEW):
            _cycle(out, case, source, centre, generator, seed=cycle_seed)
    return out


def _real_and_removed(
    out: Harvest, case: LiverCase, twin: Scan | None, lesion: MeasuredLesion, generator: Generator
) -> None:
    centre = case.grid.to_voxel(lesion.centroid_lps_mm)
    mask = case.labels == lesion.number
    around = zones_of(mask, case.liver, case.grid)
    out.add("real", judge_patch(case.hu, case, centre), case.name)
    out.local["real"].append(textures_around(case.hu, around, case.name))
    try:
        result = remove_lesion(
            case.hu, case.grid, liver_mask=case.liver, lesion_mask=mask, generator=generator, seed=lesion.number
        )
    except EditError:
        out.refused += 1
        return
    edited = result.apply(case.hu)
    _outside(out, case, case.hu, edited, result)
    out.add("removed", judge_patch(edited, case, centre), case.name)
    out.local["removed"].append(textures_around(edited, around, case.name))
    _insert_back(out, case, edited, same_place(case, lesion), generator)
    if twin is None:
        return
    noise = noise_of(result)
    out.row(
        "removal",
        case.name,
        {
            "before_hu": _mean_error(case.hu, twin, mask),
            "after_hu": _mean_error(edited, twin, mask),
            "noise_hu": noise,
            "left_contrast_hu": float(result.measured["contrast_hu"]),
        },
    )
    own = zone_sigma(twin[around.box], around, "rim")
    out.row("real_rim", case.name, {"sigma_ratio": zone_sigma(case.hu[around.box], around, "rim") / max(own, 1e-6)})
    left = edited[around.box].astype(np.float32) - twin[around.box]
    profile = mean_over_depth(left, around) / noise
    out.row("removal_profile", case.name, {f"{n:02d}": float(v) for n, v in enumerate(profile)})


def _inserted(out: Harvest, case: LiverCase, source: Scan, place: Place, generator: Generator) -> None:
    centre, spec = place.centre, place.spec
    out.add("free", judge_patch(source, case, centre), case.name)
    if place.mask is not None and place.mask.any():
        out.local["free"].append(textures_around(source, zones_of(place.mask, case.liver, case.grid), case.name))
    result = try_insert(case, source, place, generator)
    if result is None:
        out.refused += 1
        return
    edited = result.apply(source)
    mask = result.paste_mask(source.shape, what="lesion")
    around = zones_of(mask, case.liver, case.grid)
    if place.mask is None:
        out.local["free"].append(textures_around(source, around, case.name))
    _outside(out, case, source, edited, result)
    out.add("inserted", judge_patch(edited, case, centre), case.name)
    out.local["inserted"].append(textures_around(edited, around, case.name))
    found = case.grid.to_voxel(result.measured["centre_lps_mm"])
    out.row(
        "asked",
        case.name,
        {
            "diameter_error": result.measured["diameter_mm"] / spec.diameter_mm - 1,
            "contrast_error_hu": result.measured["contrast_hu"] - spec.contrast_hu,
            "centre_error_voxels": float(np.abs(found - centre).max()),
            "asked_diameter_mm": spec.diameter_mm,
            "asked_contrast_hu": spec.contrast_hu,
        },
    )
    before = zone_sigma(source[around.box], around, "rim")
    out.row("rim", case.name, {"sigma_ratio": zone_sigma(edited[around.box], around, "rim") / max(before, 1e-6)})


def _insert_back(out: Harvest, case: LiverCase, removed: Scan, place: Place, generator: Generator) -> None:
    """insert(remove(y)): the same size and contrast again, and how far the scan is from y."""
    result = try_insert(case, removed, place, generator)
    if result is None:
        out.refused += 1
        return
    again = result.apply(removed)
    _outside(out, case, removed, again, result)
    error = (again.astype(np.float32) - case.hu)[(again != case.hu) | (removed != case.hu)]
    out.row(
        "cycle_back",
        case.name,
        {
            "changed_rmse_sigma": float(np.sqrt((error**2).mean())) / noise_of(result) if error.size else 0.0,
            "mean_error_hu": float(error.mean()) if error.size else 0.0,
            "contrast_error_hu": result.measured["contrast_hu"] - place.spec.contrast_hu,
        },
    )


def _cycle_places(case: LiverCase, source: Scan, number: int, *, count: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Seeds and voxels deep in lesion-free liver; none where the liver is too thin."""
    free = case.liver & (case.labels == 0) if source is case.hu else case.liver
    depth = ndimage.distance_transform_edt(free, sampling=case.grid.spacing_zyx_mm)
    edge = int(np.ceil(10 / case.grid.spacing_zyx_mm[0]))
    depth[:edge] = depth[-edge:] = 0
    places = np.argwhere(depth > 9)
    seeds = [number + SEEDS_APART * n for n in range(count)] if len(places) else []
    return [(seed, places[np.random.default_rng(seed).integers(len(places))]) for seed in seeds]


def _cycle(
    out: Harvest, case: LiverCase, source: Scan, centre: NDArray[np.int64], generator: Generator, *, seed: int
) -> None:
    """remove(insert(x)): insert into lesion-free liver, remove again, compare with the start."""
    kind, diameter_mm, contrast_hu = CYCLE_SPEC
    spec = LesionSpec(kind, diameter_mm, contrast_hu, seed)  # type: ignore[arg-type]
    inserted = try_insert(case, source, Place(centre.astype(np.float64), spec), generator)
    if inserted is None:
        out.refused += 1
        return
    edited = inserted.apply(source)
    mask = inserted.paste_mask(source.shape, what="lesion")
    try:
        removed = remove_lesion(
            edited, case.grid, liver_mask=case.liver, lesion_mask=mask, generator=generator, seed=seed
        )
    except EditError:
        out.refused += 1
        return
    restored = removed.apply(edited)
    _outside(out, case, source, edited, inserted)
    _outside(out, case, edited, restored, removed)
    error = restored.astype(np.float32) - source
    noise = noise_of(inserted)
    changed, box = error[(restored != source) | (edited != source)], error[inserted.box]
    out.row(
        "cycle",
        case.name,
        {
            "changed_rmse_sigma": float(np.sqrt((changed**2).mean())) / noise,
            "box_rmse_sigma": float(np.sqrt((box**2).mean())) / noise,
        },
    )


def noise_of(result: EditResult) -> float:
    """The scan's noise in HU as an edit measured it; not below that of rounding to whole HU."""
    return max(float(result.measured["noise_hu"]), LEAST_NOISE_HU)


def _outside(out: Harvest, case: LiverCase, source: Scan, edited: Scan, result: EditResult) -> None:
    differing, looked_at = differing_outside(source, edited, result.box)
    out.row("outside", case.name, {"differing_voxels": float(differing), "voxels": float(looked_at)})


def _mean_error(volume: Scan, twin: Scan, mask: NDArray[np.bool_]) -> float:
    return float(np.abs(volume[mask].astype(np.float32) - twin[mask]).mean())
