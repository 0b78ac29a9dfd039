"""How real are edits? Inserted lesions against real ones, removed ones against lesion-free liver.

Real and synthetic come from disjoint patients where there are enough, none of whom trained the generator.
Every number stands beside a real-against-real floor and a planted difference that shows the power of the test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EDITOR_VERSION
from ml.errors import TrainingError
from ml.evaluation.bands import band_features
from ml.evaluation.bootstrap import ENOUGH_PATIENTS, LESIONS_NOTE, estimate, groups_of
from ml.evaluation.realism.comparisons import distributions, noise_power, removal_profile, rim_dip
from ml.evaluation.realism.edits import Harvest, harvest, lesion_patches
from ml.evaluation.realism.gate import gate
from ml.evaluation.realism.memorisation import memorisation
from ml.evaluation.two_sample import FOLDS, TwoSampleData, feature_test, kernel_test, network_tests
from ml.generator.model import Generator
from ml.patches.case import Volume
from ml.scans.cases import CaseFiles, find_cases

# A change that the tests must find: contrast times this, and a blur of so many pixels.
PLANTED_CONTRAST, PLANTED_SMOOTHING_PX = 0.7, 0.5
TOO_FEW = "not measured: too few lesions"
NO_TRAINING = "not measured: no training cases given"


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
    """One set cut into two by patients (by patches where patients are few), for the floor."""
    people = groups_of(patients)
    names = np.random.default_rng(seed).permutation(np.unique(people))
    second = np.isin(people, names[: len(names) // 2])
    stack = np.stack(patches)
    return TwoSampleData.of(stack[~second], stack[second], people[~second], people[second])


def summarise(rows: list[dict[str, float]], patients: list[str]) -> dict[str, dict[str, Any]]:
    """Mean with its interval, median and 95th percentile of the absolute values of every measurement."""
    if not rows:
        return {}
    table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return {key: _summary(values, patients) for key, values in table.items()}


def _summary(values: NDArray[np.float64], patients: list[str]) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    interval = estimate(list(values), patients)
    return {
        "mean": float(known.mean()) if len(known) else None,
        "low": interval.low,
        "high": interval.high,
        "median": float(np.median(known)) if len(known) else None,
        "p95_absolute": float(np.percentile(np.abs(known), 95)) if len(known) else None,
        "n": len(known),
    }


def regrouped(data: TwoSampleData) -> TwoSampleData:
    """Patches as their own groups where there are too few patients, in all or of one class, for folds."""
    by_class = [len(np.unique(data.patients[data.truth == label])) for label in (0, 1)]
    if len(np.unique(data.patients)) >= ENOUGH_PATIENTS and min(by_class) >= FOLDS:
        return data
    return TwoSampleData(data.patches, data.truth, np.array([f"patch {n}" for n in range(len(data.truth))]))


def two_sample(data: TwoSampleData, *, seed: int = 0) -> dict[str, Any]:
    """The feature, band, network and kernel tests of one pair; the best plane is the network's result."""
    if min(data.counts) < FOLDS:
        return {"note": TOO_FEW, "n": list(data.counts)}
    people, data = data, regrouped(data)
    planes = network_tests(data, seed=seed)
    found: dict[str, Any] = {} if data is people else {"note": LESIONS_NOTE}
    return found | {
        "features": feature_test(data, seed=seed).to_dict(),
        "bands": feature_test(data, table=band_features(data.patches), seed=seed).to_dict(),
        "network": max(planes, key=lambda r: r.auc).to_dict(),
        "network_planes": [result.to_dict() for result in planes],
        "kernel": kernel_test(data, seed=seed),
    }


def two_sample_tests(out: Harvest, *, seed: int = 0) -> dict[str, Any]:
    """Insertion, removal, the floor and the planted difference."""
    if min(len(out.patches[name]) for name in out.patches) < FOLDS:
        return {name: {"note": TOO_FEW} for name in ("insertion", "removal")}
    pairs = {"insertion": out.pair("real", "inserted"), "removal": out.pair("free", "removed")}
    floor = split_by_patient(out.patches["real"], out.patients["real"], seed)
    pairs |= {"floor_real_against_real": floor, "power_planted_difference": planted(floor)}
    return {name: two_sample(data, seed=seed) for name, data in pairs.items()}


def report(out: Harvest, *, training: list[Volume] | None = None, seed: int = 0) -> dict[str, Any]:
    """All tests and measurements as one JSON-ready table."""
    real, inserted = out.patches["real"], out.patches["inserted"]
    both = bool(real) and bool(inserted)
    measured: dict[str, Any] = {
        name: summarise(rows, out.row_patients[name]) for name, rows in out.rows.items() if name != "removal_profile"
    }
    memory: dict[str, Any] = {"note": TOO_FEW if training is not None else NO_TRAINING}
    if training and both:
        people = (out.patients["inserted"], out.patients["real"])
        memory = memorisation(inserted, people[0], real, people[1], training, seed=seed)
    result: dict[str, Any] = {
        "two_sample": two_sample_tests(out, seed=seed),
        "noise_power_log_difference": noise_power_difference(np.stack(real), np.stack(inserted)) if both else [],
        "noise_power": {
            "insertion": noise_power(out.local["real"], out.local["inserted"], seed=seed),
            "removal": noise_power(out.local["free"], out.local["removed"], seed=seed),
        },
        "distributions": {
            "insertion": distributions(out.local["real"], out.local["inserted"], seed=seed),
            "removal": distributions(out.local["free"], out.local["removed"], seed=seed),
        },
        "rim": rim_dip(out, seed=seed),
        "removal_profile": removal_profile(out, seed=seed),
        "memorisation": memory,
        "measurements": measured,
        "asked": [dict(row) for row in out.rows["asked"]],
        "refused_edits": out.refused,
        "notes": out.notes,
    }
    return result | {"gate": gate(result, out, seed=seed)}


def evaluate_generator(
    scans: list[CaseFiles], generator: Generator, *, seed: int = 0, training: Path | None = None, jobs: int = 1
) -> dict[str, Any]:
    """The realism report of a generator on held-out cases.

    Cases are phantoms with a lesion-free twin or real scans without one. For the test of memorisation the cases
    that the generator learnt from are in ``training``, or, all of them, among ``scans``. Raises TrainingError
    when these hold no others.
    """
    held_out = [files for files in scans if files.name not in generator.case_names]
    if not held_out:
        raise TrainingError("The generator learnt from every one of these scans; it is measured on others.")
    learnt_from = [files for files in scans if files.name in generator.case_names]
    if training is not None:
        learnt_from = find_cases(training)
    elif len(learnt_from) < len(generator.case_names):
        learnt_from = []
    known = lesion_patches(learnt_from) if learnt_from else None
    result = report(harvest(held_out, generator, seed=seed, jobs=jobs), training=known, seed=seed)
    return result | {
        "held_out_cases": len(held_out),
        # Nothing but a phantom has a twin without lesions.
        "measured_on": "phantoms" if all(files.twin for files in held_out) else "scans",
        "editor_version": EDITOR_VERSION,
        "generator_sha256": generator.digest,
    }


def write_report(result: dict[str, Any], path: Path) -> None:
    """Write a report as JSON."""
    path.write_text(json.dumps(result, indent=2) + "\n")
