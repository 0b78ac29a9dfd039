"""Do edits help? A segmentation network learns from few scans, with and without lesions added to them.

Every seed draws other few scans, other networks and other edits. The ways differ in what is added alone: nothing,
a generator's edits, or plain balls of the same sizes and contrasts at the same places, which tell whether it takes a
generator. All networks take the same number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import TrainingError
from ml.evaluation.bootstrap import estimate
from ml.evaluation.usefulness.pictures import Picture, add_ball, copies_of, picture_of, with_edits
from ml.evaluation.usefulness.segmenter import found_by, train_segmenter
from ml.generator.model import Generator
from ml.geometry import sphere_diameter_mm
from ml.parallel import in_processes
from ml.patches.case import LiverCase

# Scans to learn from, the fewest to measure on, and the most. Set by hand.
FEW, LEAST_TESTED, MOST_TESTED = 5, 5, 20
SEEDS = 5
# Lesions below this (mm) stand apart.
SMALL_MM = 20.0
# A lesion whose Dice with what touches it reaches this is found. Set by hand.
FOUND_DICE = 0.2
# The lesions that are counted: smaller ones (mm) are left out, as everywhere.
LEAST_MM = 6.0
WITHOUT, EDITS, BALLS = "without", "edits", "balls"
WAYS = (WITHOUT, EDITS, BALLS)


@dataclass(frozen=True)
class FoundLesion:
    """What a network made of one lesion: ``dice`` with all of the found parts that touch it."""

    patient: str
    number: int
    diameter_mm: float
    dice: float

    @property
    def found(self) -> bool:
        """Whether it counts as found."""
        return self.dice >= FOUND_DICE


@dataclass(frozen=True)
class Reading:
    """One network on one scan: Dice of all lesions together, found parts that touch none, and every lesion."""

    seed: int
    way: str
    patient: str
    dice: float
    false_parts: int
    lesions: list[FoundLesion]


def reading_of(picture: Picture, found: NDArray[np.bool_], *, seed: int, way: str) -> Reading:
    """Compare what a network found with what is there."""
    parts, count = ndimage.label(found)
    numbered, lesions = ndimage.label(picture.lesions)
    touching = np.unique(parts[picture.lesions])
    rows = []
    for number in range(1, lesions + 1):
        lesion = numbered == number
        touched = np.isin(parts, np.setdiff1d(parts[lesion], 0))
        diameter_mm = sphere_diameter_mm(float(lesion.sum()) * picture.voxel_mm3)
        if diameter_mm >= LEAST_MM:
            # Of a part that touches several lesions, what lies in the others is not held against this one.
            dice = _dice(lesion, touched & ~(picture.lesions & ~lesion))
            rows.append(FoundLesion(picture.name, number, diameter_mm, dice))
    false_parts = count - len(np.setdiff1d(touching, 0))
    return Reading(seed, way, picture.name, _dice(picture.lesions, found), false_parts, rows)


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    both = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / both if both else 1.0


def readings_of(cases: Sequence[LiverCase], generator: Generator, seed: int) -> list[Reading]:
    """One seed: few scans to learn from, networks of all ways, and what they find in other scans."""
    order = np.random.default_rng([seed, 47]).permutation(len(cases))
    few = [cases[n] for n in order[:FEW]]
    tested = [picture_of(case, case.hu, case.labels > 0) for case in (cases[n] for n in order[FEW:][:MOST_TESTED])]
    own = [picture_of(case, case.hu, case.labels > 0) for case in few]
    sources = {WITHOUT: [own]}
    for way, add in ((EDITS, with_edits(generator)), (BALLS, add_ball)):
        sources[way] = [own, [copy for case in few for copy in copies_of(case, add, seed=seed)]]
    rows = []
    for way, pictures in sources.items():
        network = train_segmenter(pictures, seed=seed)
        rows += [reading_of(picture, found_by(network, picture), seed=seed, way=way) for picture in tested]
    return rows


def usefulness(cases: Sequence[LiverCase], generator: Generator, *, seed: int = 0, jobs: int = 1) -> dict[str, Any]:
    """The table of five seeds, JSON-ready; ``cases`` must not have trained the generator.

    Raises TrainingError where there are too few scans whose lesions are all drawn.
    """
    usable = [case for case in cases if case.all_drawn and any(r.diameter_mm >= LEAST_MM for r in case.lesions)]
    if len(usable) < FEW + LEAST_TESTED:
        raise TrainingError(
            f"{len(usable)} scans have all lesions drawn; it takes {FEW} to learn from and {LEAST_TESTED} to measure "
            "on."
        )
    seeds = [seed + number for number in range(SEEDS)]
    parts = in_processes(readings_of, [usable] * SEEDS, [generator] * SEEDS, seeds, jobs=jobs)
    return report_of([row for part in parts for row in part], seed=seed)


Value = Callable[[Reading], list[float]]


def _lesions(keep: Callable[[FoundLesion], bool], value: Callable[[FoundLesion], float]) -> Value:
    return lambda reading: [value(lesion) for lesion in reading.lesions if keep(lesion)]


MEASURES: dict[str, Value] = {
    "Dice of a scan's lesions": lambda reading: [reading.dice],
    f"Dice of a lesion below {SMALL_MM:.0f} mm": _lesions(lambda r: r.diameter_mm < SMALL_MM, lambda r: r.dice),
    f"Dice of a lesion of {SMALL_MM:.0f} mm or more": _lesions(lambda r: r.diameter_mm >= SMALL_MM, lambda r: r.dice),
    f"found below {SMALL_MM:.0f} mm": _lesions(lambda r: r.diameter_mm < SMALL_MM, lambda r: float(r.found)),
    f"found of {SMALL_MM:.0f} mm or more": _lesions(lambda r: r.diameter_mm >= SMALL_MM, lambda r: float(r.found)),
    "false parts of a scan": lambda reading: [float(reading.false_parts)],
}


def report_of(readings: Sequence[Reading], *, seed: int) -> dict[str, Any]:
    """Means of every way and differences in the same scans or lesions, with intervals over patients."""
    lines = []
    for name, value in MEASURES.items():
        values = {way: [v for r in readings if r.way == way for v in value(r)] for way in WAYS}
        # All ways read the same scans in the same order.
        patients = [r.patient for r in readings if r.way == WITHOUT for _ in value(r)]
        lines.append(
            {
                "measure": name,
                "means": {way: estimate(values[way], patients, seed=seed).to_dict() for way in WAYS},
                "gain": {way: _gain(values, way, patients, seed) for way in (EDITS, BALLS)},
            }
        )
    return {
        "seeds": len({r.seed for r in readings}),
        "trained_on": FEW,
        "patients": len({r.patient for r in readings}),
        "by_seed": _by_seed(readings),
        "lines": lines,
        "readings": [asdict(r) for r in readings],
    }


def _gain(values: dict[str, list[float]], way: str, patients: list[str], seed: int) -> dict[str, Any]:
    gains = (np.array(values[way]) - np.array(values[WITHOUT])).tolist()
    return estimate(gains, patients, seed=seed).to_dict()


def _by_seed(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """The scans' mean Dice of every seed and way: how much of a gain is the seed's."""
    return [
        {"seed": seed}
        | {way: float(np.mean([r.dice for r in readings if (r.seed, r.way) == (seed, way)])) for way in WAYS}
        for seed in sorted({r.seed for r in readings})
    ]


def usefulness_table(report: dict[str, Any]) -> str:
    """The table in Markdown."""

    def cell(value: dict[str, Any], form: str) -> str:
        if value["value"] is None:
            return "-"
        return f"{value['value']:{form}} ({value['low']:{form}} to {value['high']:{form}})"

    counted = (
        f"{report['seeds']} seeds; each learns from {report['trained_on']} scans and is measured on others, "
        f"{report['patients']} patients in all. Differences are of the same scans or lesions; 95 % intervals over "
        "patients."
    )
    lines = [
        counted,
        "",
        "| measure | n | without | with edits | with balls | edits - without | balls - without |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["lines"]:
        means = [cell(row["means"][way], ".3f") for way in WAYS]
        gains = [cell(row["gain"][way], "+.3f") for way in (EDITS, BALLS)]
        lines.append(f"| {row['measure']} | {row['means'][WITHOUT]['n']} | {' | '.join(means + gains)} |")
    lines += ["", "| seed | without | with edits | with balls |", "|---|---|---|---|"]
    lines += [f"| {row['seed']} | " + " | ".join(f"{row[way]:.3f}" for way in WAYS) + " |" for row in report["by_seed"]]
    return "\n".join(lines) + "\n"
