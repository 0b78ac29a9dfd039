"""How real are edits? Inserted lesions against real ones, removed ones against lesion-free liver.

Real and synthetic come from disjoint patients, none of whom trained the generator. Every number stands
beside a real-against-real floor and a planted difference that shows the power of the test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EditResult, LesionSpec, insert_lesion, remove_lesion
from ml.editing.spec import MAX_CONTRAST_HU, MAX_DIAMETER_MM, MIN_CONTRAST_HU
from ml.errors import EditError
from ml.generator import Generator
from ml.lesions import Lesion, lesion_table
from ml.nets.config import NetConfig
from ml.patches import HU_SCALE, Case, PatchFrame, Volume, load_case
from ml.two_sample import TwoSampleData, feature_test, kernel_test, network_test
from ml.volume_io import read_volume

# The judges look at native in-plane resolution, not through the generator's own view.
JUDGE = NetConfig(patch_zyx=(16, 40, 40), spacing_zyx_mm=(3.0, 1.25, 1.25))
SMALLEST_MM = 6.0
PLANTED_CONTRAST, PLANTED_SMOOTHING_PX = 0.7, 0.5
CYCLE_SPEC = ("hypodense", 16.0, -40.0)


@dataclass
class Harvest:
    """Patches with their patients, by name ("real", "inserted", "free", "removed"), and single measurements."""

    patches: dict[str, list[Volume]]
    patients: dict[str, list[str]]
    rows: dict[str, list[dict[str, float]]]
    refused: int = 0

    @classmethod
    def empty(cls) -> Harvest:
        """Nothing yet."""
        names = ("real", "inserted", "free", "removed")
        rows = ("asked", "removal", "cycle", "rim")
        return cls({n: [] for n in names}, {n: [] for n in names}, {n: [] for n in rows})

    def add(self, name: str, patch: Volume, patient: str) -> None:
        """Keep one patch."""
        self.patches[name].append(patch)
        self.patients[name].append(patient)

    def pair(self, first: str, second: str) -> TwoSampleData:
        """Two of the named sets for a test."""
        sets = (np.stack(self.patches[first]), np.stack(self.patches[second]))
        return TwoSampleData.of(*sets, np.array(self.patients[first]), np.array(self.patients[second]))


def judge_patch(hu: NDArray[np.int16], case: Case, centre_zyx: NDArray[np.float64]) -> Volume:
    """What the judges see: (HU - liver) / 80 about a lesion, without any masking."""
    z, y, x = (float(v) for v in centre_zyx)
    frame = PatchFrame(JUDGE, case.grid.spacing_zyx_mm, (z, y, x))
    box = frame.source_box(case.grid.size_zyx)
    patch: Volume = np.clip(
        (frame.sample(hu[box], box, smooth=False, outside=None) - case.level_hu) / HU_SCALE, -2.5, 2.5
    )
    return patch


def harvest(folders: list[Path], generator: Generator) -> Harvest:
    """Even folders give real lesions and removals, odd ones insertions into their lesion-free twins."""
    out = Harvest.empty()
    for number, folder in enumerate(folders):
        case = load_case(folder)
        twin, _ = read_volume(folder / "lesion_free.nii.gz")
        lesions = lesion_table(case.hu, case.grid, lesion_mask=case.labels, liver_mask=case.liver)
        for lesion in lesions:
            if lesion.diameter_mm < SMALLEST_MM:
                continue
            if number % 2 == 0:
                _real_and_removed(out, case, twin, lesion, generator)
            else:
                _inserted(out, case, twin, lesion, generator)
        if number % 2:
            _cycle(out, case, twin, generator, seed=number)
    return out


def _real_and_removed(out: Harvest, case: Case, twin: NDArray[np.int16], lesion: Lesion, generator: Generator) -> None:
    centre = case.grid.to_voxel(lesion.centroid_lps_mm)
    z, y, x = (round(float(v)) for v in centre)
    label = case.labels[z, y, x]
    if label == 0:
        return
    mask = case.labels == label
    out.add("real", judge_patch(case.hu, case, centre), case.name)
    result = remove_lesion(
        case.hu, case.grid, liver_mask=case.liver, lesion_mask=mask, generator=generator, seed=int(label)
    )
    edited = result.apply(case.hu)
    out.add("removed", judge_patch(edited, case, centre), case.name)
    out.rows["removal"].append(
        {
            "before_hu": _mean_error(case.hu, twin, mask),
            "after_hu": _mean_error(edited, twin, mask),
            "noise_hu": float(result.measured["noise_hu"]),
            "left_contrast_hu": float(result.measured["contrast_hu"]),
        }
    )


def _inserted(out: Harvest, case: Case, twin: NDArray[np.int16], lesion: Lesion, generator: Generator) -> None:
    centre = case.grid.to_voxel(lesion.centroid_lps_mm)
    record = min(case.lesions, key=lambda r: float(np.linalg.norm(np.subtract(r.centre_zyx, centre))))
    out.add("free", judge_patch(twin, case, centre), case.name)
    kind = record.kind or "hypodense"
    contrast = lesion.contrast_to_liver_hu or -40.0
    if kind == "ring_enhancing":
        contrast += core_mean_hu(case, record.label) - lesion.mean_hu
    contrast = float(np.clip(contrast, MIN_CONTRAST_HU, MAX_CONTRAST_HU))
    spec = LesionSpec(kind, min(lesion.diameter_mm, MAX_DIAMETER_MM), contrast, record.label)  # type: ignore[arg-type]
    try:
        result = insert_lesion(
            twin, case.grid, liver_mask=case.liver, centre_lps_mm=lesion.centroid_lps_mm, spec=spec, generator=generator
        )
    except EditError:
        out.refused += 1
        return
    out.add("inserted", judge_patch(result.apply(twin), case, centre), case.name)
    place = case.grid.to_voxel(result.measured["centre_lps_mm"])
    out.rows["asked"].append(
        {
            "diameter_error": result.measured["diameter_mm"] / spec.diameter_mm - 1,
            "contrast_error_hu": result.measured["contrast_hu"] - spec.contrast_hu,
            "centre_error_voxels": float(np.abs(place - centre).max()),
        }
    )
    out.rows["rim"].append({"sigma_ratio": rim_sigma_ratio(result, twin, case)})


def core_mean_hu(case: Case, label: int) -> float:
    """Mean HU of the inner half (by depth) of a lesion: what a ring's contrast is asked by."""
    inside = case.labels == label
    depth = ndimage.distance_transform_edt(inside, sampling=case.grid.spacing_zyx_mm)
    return float(case.hu[depth > 0.5 * depth.max()].mean())


def rim_sigma_ratio(result: EditResult, source: NDArray[np.int16], case: Case) -> float:
    """High-pass noise just outside an inserted lesion, after against before (1 is no dip)."""
    spacing = case.grid.spacing_zyx_mm
    distance = ndimage.distance_transform_edt(~result.lesion_mask, sampling=spacing)
    rim = (distance > 0) & (distance < 5) & case.liver[result.box]

    def rough(volume: NDArray[np.int16]) -> float:
        values = volume[result.box].astype(np.float32)
        return float((values - ndimage.gaussian_filter(values, (0, 1.5, 1.5)))[rim].std())

    return rough(result.apply(source)) / max(rough(source), 1e-6)


def _cycle(out: Harvest, case: Case, twin: NDArray[np.int16], generator: Generator, *, seed: int) -> None:
    """Insert into lesion-free liver, remove again, compare with the start."""
    depth = ndimage.distance_transform_edt(case.liver, sampling=case.grid.spacing_zyx_mm)
    edge = int(np.ceil(10 / case.grid.spacing_zyx_mm[0]))
    depth[:edge] = depth[-edge:] = 0
    places = np.argwhere(depth > 9)
    if not len(places):
        return
    centre = places[np.random.default_rng(seed).integers(len(places))]
    kind, diameter_mm, contrast_hu = CYCLE_SPEC
    spec = LesionSpec(kind, diameter_mm, contrast_hu, seed)  # type: ignore[arg-type]
    common: dict[str, Any] = {"liver_mask": case.liver, "generator": generator}
    try:
        inserted = insert_lesion(
            twin, case.grid, centre_lps_mm=case.grid.to_world(centre).tolist(), spec=spec, **common
        )
    except EditError:
        out.refused += 1
        return
    edited = inserted.apply(twin)
    mask = inserted.paste_mask(twin.shape, what="lesion")
    restored = remove_lesion(edited, case.grid, lesion_mask=mask, seed=seed, **common).apply(edited)
    error = (restored.astype(np.float32) - twin)[(restored != twin) | (edited != twin)]
    box_error = (restored.astype(np.float32) - twin)[inserted.box]
    noise = float(inserted.measured["noise_hu"])
    out.rows["cycle"].append(
        {
            "changed_rmse_sigma": float(np.sqrt((error**2).mean())) / noise,
            "box_rmse_sigma": float(np.sqrt((box_error**2).mean())) / noise,
        }
    )


def _mean_error(volume: NDArray[np.int16], twin: NDArray[np.int16], mask: NDArray[np.bool_]) -> float:
    return float(np.abs(volume[mask].astype(np.float32) - twin[mask]).mean())


def noise_power_difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> list[float]:
    """Difference of the mean log noise power of two sets of patches in eight bands up to 0.5 cycles/pixel."""

    def power(patches: NDArray[np.float32]) -> NDArray[np.float64]:
        middle = patches[:, patches.shape[1] // 2]
        rough = middle - ndimage.gaussian_filter(middle, (0, 2.5, 2.5))
        window = np.outer(np.hanning(middle.shape[1]), np.hanning(middle.shape[2]))
        return np.asarray((np.abs(np.fft.fft2(rough * window)) ** 2).mean(0), dtype=np.float64)

    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n) for n in first.shape[2:]], indexing="ij"))
    ratio = np.log(power(second) / power(first))
    return [float(ratio[(frequency >= a) & (frequency < a + 0.0625)].mean()) for a in np.arange(0, 0.5, 0.0625)]


def planted(data: TwoSampleData) -> TwoSampleData:
    """The floor with one class altered as a poor generator would: weaker contrast, noise smoothed a little."""
    patches = data.patches.copy()
    second = data.truth == 1
    altered = PLANTED_CONTRAST * patches[second]
    patches[second] = ndimage.gaussian_filter(altered, (0, 0, PLANTED_SMOOTHING_PX, PLANTED_SMOOTHING_PX))
    return TwoSampleData(patches, data.truth, data.patients)


def split_by_patient(patches: list[Volume], patients: list[str], seed: int) -> TwoSampleData:
    """One set cut into two by patients, for the floor."""
    names = np.random.default_rng(seed).permutation(np.unique(patients))
    second = np.isin(patients, names[: len(names) // 2])
    stack, people = np.stack(patches), np.array(patients)
    return TwoSampleData.of(stack[~second], stack[second], people[~second], people[second])


def summarise(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean, median and 95th percentile of the absolute values of every measurement."""
    if not rows:
        return {}
    table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return {
        key: {
            "mean": float(v.mean()),
            "median": float(np.median(v)),
            "p95_absolute": float(np.percentile(np.abs(v), 95)),
            "n": len(v),
        }
        for key, v in table.items()
    }


def report(out: Harvest, *, seed: int = 0) -> dict[str, Any]:
    """All tests and measurements as one JSON-ready table."""
    floor = split_by_patient(out.patches["real"], out.patients["real"], seed)
    pairs = {
        "insertion": out.pair("real", "inserted"),
        "removal": out.pair("free", "removed"),
        "floor_real_against_real": floor,
        "power_planted_difference": planted(floor),
    }
    tests = {
        name: {
            "features": feature_test(data, seed=seed).to_dict(),
            "network": network_test(data, seed=seed).to_dict(),
            "kernel": kernel_test(data, seed=seed),
        }
        for name, data in pairs.items()
    }
    real, inserted = np.stack(out.patches["real"]), np.stack(out.patches["inserted"])
    return {
        "two_sample": tests,
        "noise_power_log_difference": noise_power_difference(real, inserted),
        "measurements": {name: summarise(rows) for name, rows in out.rows.items()},
        "refused_edits": out.refused,
    }


def evaluate_generator(data: Path, generator: Generator, *, seed: int = 0) -> dict[str, Any]:
    """The realism report of a generator on a folder of held-out phantoms with lesion-free twins."""
    folders = sorted(p for p in data.iterdir() if (p / "lesion_free.nii.gz").is_file())
    trained_on = set(generator.card.get("data", {}).get("case_names", []))
    held_out = [p for p in folders if p.name not in trained_on]
    result = report(harvest(held_out, generator), seed=seed)
    return result | {"held_out_cases": len(held_out), "generator_sha256": generator.digest}


def write_report(result: dict[str, Any], path: Path) -> None:
    """Write a report as JSON."""
    path.write_text(json.dumps(result, indent=2) + "\n")
