"""How real are edits of patients' scans? Every lesion among edits that match it, by judges of line-ups.

The rows stand apart from those of phantoms: a phantom's lesions and its insertions come from one hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EDITOR_VERSION
from ml.editing.spec import GHOST_SEEN
from ml.evaluation.bootstrap import ENOUGH_PATIENTS, LESIONS_NOTE, NOTHING, BootstrapEstimate, estimate, line
from ml.evaluation.realism.gate import JUDGES
from ml.evaluation.realism.lineups import (
    LEAST_OTHERS,
    HeldOut,
    Judge,
    Lineups,
    Verdict,
    by_network,
    by_table,
    verdict,
)
from ml.evaluation.realism.matched import OWN, MatchedSet, Seen, matched_sets
from ml.evaluation.shape_measures import NAMES
from ml.generator.model import Generator
from ml.scans.cases import CaseFiles

# Targets, set by hand: the best judge's area, that of shapes, what is kept of a vessel's contrast, a ratio's distance
# from 1.
AREA_TARGET, SHAPE_TARGET, VESSEL_TARGET, RATIO_TARGET = 0.65, 0.60, 0.5, 0.1
# Lesions up to this (mm) stand apart as well.
SMALL_MM = 30.0
# A change that judges must find: contrast times this, and a blur of so many pixels.
PLANTED_CONTRAST, PLANTED_SMOOTHING_PX = 0.7, 0.5
# As often another one of each set stands for the odd one, which tells what the best of several judges finds by chance.
FLOORS, FLOORS_NETWORK = 8, 2
# Judges that are asked of the places alone as well; a network takes minutes for each answer.
PLACE_JUDGES = ("features", "bands")
HELD_OUT_WORDS: dict[HeldOut, str] = {
    "patients": "leave one patient out",
    "lesions": "leave one lesion out: its judge knows other lesions of the patient",
}
# Rounding to whole HU alone makes about this unevenness (HU).
LEAST_SD_HU = 0.3
NOT_JUDGED = "not measured: too few lesions with matches"


@dataclass(frozen=True)
class Pictured:
    """Sets whose first member is the odd one; ``small`` says which sets are of small lesions.

    ``at_own_place`` are edits of the others' kind where the odd one is, of every set.
    """

    members: list[list[Seen]]
    patients: list[str]
    small: NDArray[np.bool_]
    at_own_place: list[list[Seen]] = field(default_factory=list)

    @property
    def lineups(self) -> Lineups:
        """Their rows."""
        return Lineups.of([len(rows) for rows in self.members], self.patients)

    @property
    def patches(self) -> NDArray[np.float32]:
        """What judges see, all rows."""
        return np.stack([seen.patch for rows in self.members for seen in rows])

    @property
    def features(self) -> NDArray[np.float64]:
        """Their hand-made features, all rows."""
        return np.stack([seen.features for rows in self.members for seen in rows])

    @property
    def bands(self) -> NDArray[np.float64]:
        """What wavelets and frequencies tell of them, all rows."""
        return np.stack([seen.bands for rows in self.members for seen in rows])

    @property
    def shapes(self) -> NDArray[np.float64]:
        """Measures of the outlines, all rows."""
        return np.array([[(seen.shape or {})[name] for name in NAMES] for rows in self.members for seen in rows])

    def with_other_odd(self, number: int) -> Pictured:
        """The sets without their odd one, with another member in its place: nothing to find."""
        turned = [rows[1:] for rows in self.members]
        turned = [[rows[number % len(rows)], *rows[: number % len(rows)], *rows[number % len(rows) + 1 :]]
                  for rows in turned]  # fmt: skip
        return Pictured(turned, self.patients, self.small)

    @property
    def known_at_own_place(self) -> NDArray[np.bool_]:
        """Which sets have an edit where their odd one is."""
        return np.array([len(edits) > 0 for edits in self.at_own_place], bool)

    def with_edit_at_own_place(self, number: int) -> Pictured:
        """The sets of ``known_at_own_place`` with an edit for their odd one: only its place is there to find."""
        known = np.flatnonzero(self.known_at_own_place)
        members = [[self.at_own_place[n][number % len(self.at_own_place[n])], *self.members[n][1:]] for n in known]
        return Pictured(members, [self.patients[n] for n in known], self.small[known])

    def planted(self) -> Pictured:
        """The same, with a difference between the odd one and the others that a poor generator would make."""
        plain = self.with_other_odd(0)
        altered = [[rows[0], *(Seen(_poorer(seen.patch)) for seen in rows[1:])] for rows in plain.members]
        return Pictured(altered, self.patients, self.small)


def _poorer(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    altered: NDArray[np.float32] = ndimage.gaussian_filter(
        PLANTED_CONTRAST * patch, (0, PLANTED_SMOOTHING_PX, PLANTED_SMOOTHING_PX)
    )
    return altered


def of_insertions(sets: list[MatchedSet], *, shapes: bool = False) -> Pictured:
    """Lesions among insertions; with ``shapes`` only those whose outlines can be measured."""
    found = [(s, [seen for seen in s.inserted if seen.shape or not shapes]) for s in sets]
    kept = [(s, [s.real, *others]) for s, others in found
            if len(others) >= LEAST_OTHERS and (s.real.shape or not shapes)]  # fmt: skip
    # Shapes are the edit's alone, wherever it lies.
    return _pictured(kept, at_own_place=[] if shapes else [s.at_own_place for s, _ in kept])


def of_removals(sets: list[MatchedSet]) -> Pictured:
    """Removed lesions among plain liver."""
    return _pictured([(s, [s.removed, *s.plain]) for s in sets if s.removed and len(s.plain) >= LEAST_OTHERS])


def _pictured(kept: list[tuple[MatchedSet, list[Seen]]], *, at_own_place: list[list[Seen]] | None = None) -> Pictured:
    small = np.array([s.diameter_mm <= SMALL_MM for s, _ in kept], bool)
    return Pictured([rows for _, rows in kept], [s.patient for s, _ in kept], small, at_own_place or [])


def judged(pictured: Pictured, kind: str, *, seed: int) -> dict[str, Any]:
    """What one kind of judge (of JUDGES, or "shapes") finds, beside floor and power, by what is held out."""

    def judge_of(some: Pictured) -> Judge:
        if kind == "network":
            return by_network(some.patches, seed=seed)
        table: NDArray[np.float64] = getattr(some, kind)
        return by_table(table, seed=seed)

    if not pictured.members:
        return {}
    found: dict[str, Any] = {}
    ways: tuple[HeldOut, ...] = ("patients", "lesions")
    for held_out in ways:
        lineups = pictured.lineups
        if not lineups.can_hold_out(held_out):
            continue
        best = verdict(lineups, judge_of(pictured), held_out, seed=seed)
        turned = [pictured.with_other_odd(n) for n in range(FLOORS_NETWORK if kind == "network" else FLOORS)]
        floors = [float(verdict(some.lineups, judge_of(some), held_out, seed=seed).shares.mean()) for some in turned]
        found[held_out] = {
            "classifier": best.judge,
            "all": _told(best.estimate, lineups),
            "small": _told(best.among(pictured.small, pictured.patients, seed=seed), lineups),
            "floor": {"mean": float(np.mean(floors)), "largest": max(floors), "repeats": len(floors)},
        }
        if kind != "shapes":
            planted = pictured.planted()
            power = verdict(planted.lineups, judge_of(planted), held_out, seed=seed)
            found[held_out]["power"] = power.estimate.to_dict()
        if kind in PLACE_JUDGES:
            found[held_out] |= _of_the_place(pictured, best, judge_of, held_out, seed=seed)
    return found


def _of_the_place(
    pictured: Pictured, best: Verdict, judge_of: Callable[[Pictured], Judge], held_out: HeldOut, *, seed: int
) -> dict[str, Any]:
    """What judges find of the lesions' places: an edit there stands for the odd one; and what is left beyond that.

    Nothing where too few sets have such an edit.
    """
    known = pictured.known_at_own_place
    if not known.any() or not pictured.with_edit_at_own_place(0).lineups.can_hold_out(held_out):
        return {}
    edits = [pictured.with_edit_at_own_place(n) for n in range(OWN)]
    shares = np.mean([verdict(some.lineups, judge_of(some), held_out, seed=seed).shares for some in edits], axis=0)
    people = edits[0].patients
    return {
        "place": estimate(list(shares), people, seed=seed).to_dict(),
        "beyond_place": estimate(list(best.shares[known] - shares), people, seed=seed).to_dict(),
    }


def _told(value: BootstrapEstimate, lineups: Lineups) -> dict[str, Any]:
    return value.to_dict() | {"others": int((~lineups.odd).sum())}


def scans_report(scans: list[CaseFiles], generator: Generator, *, seed: int = 0, jobs: int = 1) -> dict[str, Any]:
    """All that is measured of a generator's edits on scans without a lesion-free twin, as one JSON-ready table."""
    return report_of(matched_sets(scans, generator, seed=seed, jobs=jobs), len(scans), seed=seed) | {
        "editor_version": EDITOR_VERSION,
        "generator_sha256": generator.digest,
    }


def report_of(sets: list[MatchedSet], scans: int, *, seed: int) -> dict[str, Any]:
    """The table of some sets."""
    insertions, outlines, removals = of_insertions(sets), of_insertions(sets, shapes=True), of_removals(sets)
    tests = {
        "insertion": {kind: judged(insertions, kind, seed=seed) for kind in JUDGES}
        | {"shapes": judged(outlines, "shapes", seed=seed)},
        "removal": {kind: judged(removals, kind, seed=seed) for kind in JUDGES},
    }
    patients = {s.patient for s in sets}
    # Without names of scans: not everybody who may see a generator's report may see them.
    notes = [f"a lesion of {s.diameter_mm:.0f} mm: {note}" for s in sets for note in s.notes]
    if len(patients) < ENOUGH_PATIENTS:
        notes.append(f"{len(patients)} of {scans} scans have lesions that were drawn: {LESIONS_NOTE}")
    measured = _measured(sets, seed=seed)
    return {
        "scans": scans,
        "patients": len(patients),
        "lesions": len(sets),
        "insertions": sum(len(s.inserted) for s in sets),
        "removals": sum(s.removed is not None for s in sets),
        "refused_edits": sum(s.refused for s in sets),
        "line_ups": tests,
        "measured": measured,
        "notes": notes,
        "gate": [*_areas(tests), *_single(measured, sets)],
    }


def _measured(sets: list[MatchedSet], *, seed: int) -> dict[str, Any]:
    """Single values with intervals; ratios of inserted to real are means of every set's own."""
    people = [s.patient for s in sets]

    def over(name: str) -> list[float]:
        return [_mean([seen.values[name] for seen in s.inserted]) / max(s.real.values[name], LEAST_SD_HU) for s in sets]

    def inserted(name: str) -> list[float]:
        return [_mean([seen.values[name] for seen in s.inserted]) for s in sets]

    found = {
        "sd_inside_ratio": estimate(over("sd_inside_hu"), people, seed=seed),
        "sd_inside_real_hu": estimate([s.real.values["sd_inside_hu"] for s in sets], people, seed=seed),
        "sd_inside_inserted_hu": estimate(inserted("sd_inside_hu"), people, seed=seed),
        "vessels_kept": estimate(inserted("vessels_kept"), people, seed=seed),
        "outside_parenchyma": estimate(inserted("outside_parenchyma"), people, seed=seed),
    }
    removed = [s for s in sets if s.removed]
    for name in GHOST_SEEN:
        values = [abs(s.removed.values.get(name, float("nan"))) for s in removed if s.removed]
        found[name] = estimate(values, [s.patient for s in removed], seed=seed)
    return {name: value.to_dict() for name, value in found.items()}


def _mean(values: list[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")


def _areas(tests: dict[str, Any]) -> list[dict[str, Any]]:
    """One line for every judge, by what is held out; all sizes and small lesions of insertions."""
    lines = []
    for pair, kinds in tests.items():
        for kind, ways in kinds.items():
            target = SHAPE_TARGET if kind == "shapes" else AREA_TARGET
            name = f"{pair}: {kind}, area within matched sets"
            if not ways:
                lines.append(line(name, NOTHING, target, "<=", note=NOT_JUDGED))
            for held_out, result in ways.items():
                note = _beside(result, held_out)
                lines.append(line(name, _estimate(result["all"]), target, "<=", note=note))
                if pair == "insertion":
                    small = f"{pair}, {SMALL_MM:.0f} mm or less: {kind}, area within matched sets"
                    lines.append(line(small, _estimate(result["small"]), target, "<=", note=note))
    return lines


def _beside(result: dict[str, Any], held_out: HeldOut) -> str:
    floor, power = result["floor"], result.get("power")
    said = f"{result['classifier']}; {HELD_OUT_WORDS[held_out]}; by chance {floor['mean']:.2f}, at most "
    said += f"{floor['largest']:.2f} of {floor['repeats']}"
    if power:
        said += f"; a planted difference {power['value']:.2f}"
    if place := result.get("place"):
        beyond = result["beyond_place"]
        said += f"; an edit at the lesion's own place {place['value']:.2f}, a lesion more than that by "
        said += f"{beyond['value']:+.2f} ({beyond['low']:+.2f} to {beyond['high']:+.2f})"
    return said


def _estimate(value: dict[str, Any]) -> BootstrapEstimate:
    return BootstrapEstimate(value["value"], value["low"], value["high"], value["n"])


def _single(measured: dict[str, Any], sets: list[MatchedSet]) -> list[dict[str, Any]]:
    ratio = _estimate(measured["sd_inside_ratio"])
    if ratio.value is not None and ratio.low is not None and ratio.high is not None:
        ratio = BootstrapEstimate(ratio.value - 1, ratio.low - 1, ratio.high - 1, ratio.n)
    differing = sum(s.differing_voxels for s in sets)
    edits = sum(len(s.inserted) for s in sets)
    lines = [
        line("insertion: sd inside over a real lesion's, minus 1", ratio, RATIO_TARGET, "absolute <="),
        line("insertion: contrast of vessels kept", _estimate(measured["vessels_kept"]), VESSEL_TARGET, "<="),
        line("insertion: differing voxels outside the box", BootstrapEstimate(differing, None, None, edits), 0, "=="),
    ]
    for name, seen in GHOST_SEEN.items():
        part = name.removeprefix("ghost_").removesuffix("_noise")
        lines.append(line(f"removal: {part} that is left / noise", _estimate(measured[name]), seen, "<="))
    return lines


def scans_table(report: dict[str, Any]) -> str:
    """The gate's lines and the notes in Markdown."""
    counted = (
        f"lesions {report['lesions']}, patients {report['patients']} of {report['scans']} scans, "
        f"insertions {report['insertions']}, removals {report['removals']}, refused edits {report['refused_edits']}."
    )
    lines = [
        counted,
        "",
        "| what | measured | n | target | reached | |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["gate"]:
        value = "-" if row["value"] is None else f"{row['value']:.2f}"
        if row["low"] is not None:
            value += f" ({row['low']:.2f}-{row['high']:.2f})"
        reached = {True: "yes", False: "no", None: "not measured"}[row["passed"]]
        lines.append(
            f"| {row['name']} | {value} | {row['n']} | {row['comparison']} {row['target']:g} | {reached} "
            f"| {row['note']} |"
        )
    return "\n".join([*lines, "", *(f"- {note}" for note in report["notes"])]) + "\n"
