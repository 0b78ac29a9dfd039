"""Planned against simulated power: every measure and goal on a grid of designs, with Monte Carlo errors.

    .venv/bin/python -m bench.analysis_power [repetitions] > docs/planned-power.md

The simulation draws panels from the planning model and runs the analysis' own tests.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from readerstudy.analysis import PlanningAssumptions, design_power, patient_pattern, simulated_power

DESIGNS = [(3, 60), (4, 100), (5, 60), (5, 100), (8, 60), (10, 100)]
QUESTIONS = [
    PlanningAssumptions(measure="auc", goal="equivalent"),
    PlanningAssumptions(measure="auc", goal="detect", effect=0.65),
    PlanningAssumptions(measure="panel_accuracy", goal="equivalent", margin=0.1),
    PlanningAssumptions(measure="panel_accuracy", goal="detect", effect=0.6),
    PlanningAssumptions(measure="ensemble", goal="equivalent"),
    PlanningAssumptions(measure="ensemble", goal="detect", effect=0.6),
]
# Other beliefs, each for one design: what raters share, how they differ, patients with several cases.
VARIATIONS = [
    (QUESTIONS[0], {"case_correlation": 0.6}),
    (QUESTIONS[1], {"rater_sd": 0.5}),
    (QUESTIONS[2], {"rater_sd": 0.5}),
    (QUESTIONS[3], {"rater_sd": 0.5}),
    (QUESTIONS[0], {"cases_per_patient": 5.0}),
    (QUESTIONS[2], {"cases_per_patient": 5.0}),
]
# Few patients with several cases each: (raters, patients, cases per patient), margins and effects that can be reached.
OF_FEW_PATIENTS = [(5, 8, 5), (5, 12, 5), (8, 12, 10), (3, 20, 5), (5, 20, 5), (5, 30, 4)]
OF_FEW = [
    replace(QUESTIONS[0], margin=0.2),
    replace(QUESTIONS[1], effect=0.7),
    replace(QUESTIONS[2], margin=0.15),
    replace(QUESTIONS[3], effect=0.65),
    replace(QUESTIONS[4], margin=0.2),
    replace(QUESTIONS[5], effect=0.65),
]
# Patients of both kinds: so many, with so many synthetic and real cases each.
MIXED = (10, 2, 3)


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("# Planned and simulated power\n")
    print(
        f"Made by `bench/analysis_power.py`: {repetitions} simulated studies per row, each drawn from the planning "
        "model and analysed\nwith the tests of the analysis. The error is the Monte Carlo standard error, "
        "all in percent. Patients stand where they give\nseveral cases, all of one kind unless both are named.\n"
    )
    print(
        "| measure | goal | effect | margin | beliefs | raters | patients | cases | planned | simulated | error | gap |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for asked in QUESTIONS:
        for raters, cases in DESIGNS:
            worst = max(worst, row(asked, raters, cases, repetitions))
    for asked, changed in VARIATIONS:
        words = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in changed.items())
        cases = 200 if "cases_per_patient" in changed else 100
        patients = "40" if "cases_per_patient" in changed else ""
        worst = max(worst, row(replace(asked, **changed), 5, cases, repetitions, words=words, patients=patients))
    for asked in OF_FEW:
        for raters, patients, each in OF_FEW_PATIENTS:
            assumed = replace(asked, cases_per_patient=float(each))
            worst = max(worst, row(assumed, raters, patients * each, repetitions, patients=str(patients)))
    for asked in OF_FEW:
        worst = max(worst, mixed_row(asked, repetitions))
    print(f"\nLargest difference: {100 * worst:.1f} points.")


def mixed_row(asked: PlanningAssumptions, repetitions: int) -> float:
    count, synthetic, real = MIXED
    numbers = np.concatenate([np.repeat(np.arange(count), synthetic), np.repeat(np.arange(count), real)])
    truth = np.repeat([1.0, 0.0], [count * synthetic, count * real])
    assumed = replace(
        asked, pattern=patient_pattern(truth=truth, patients=numbers), share_synthetic=synthetic / (synthetic + real)
    )
    return row(assumed, 5, len(truth), repetitions, patients=f"{count} of both kinds", numbers=numbers)


def row(
    asked: PlanningAssumptions,
    raters: int,
    cases: int,
    repetitions: int,
    *,
    words: str = "",
    patients: str = "",
    numbers: np.ndarray | None = None,
) -> float:
    planned = design_power(asked, raters=raters, cases=cases)
    found = simulated_power(asked, raters=raters, cases=cases, repetitions=repetitions, patients=numbers)
    error = (found * (1 - found) / repetitions) ** 0.5
    margin = f"{asked.margin:g}" if asked.goal == "equivalent" else ""
    print(
        f"| {asked.measure} | {asked.goal} | {asked.effect:g} | {margin} | {words} | {raters} | {patients} | {cases} | "
        f"{100 * planned:.1f} | {100 * found:.1f} | {100 * error:.1f} | {100 * (planned - found):+.1f} |",
        flush=True,
    )
    return abs(planned - found)


if __name__ == "__main__":
    main()
