"""Seconds that the statistics take; run `python -m bench.analysis_speed`."""

import time

import numpy as np

from readerstudy.analysis import (
    PlanningAssumptions,
    case_label_permutation,
    default_analysis,
    plan_grid,
    time_model,
)


def panel(*, cases, raters, seed=1, missing=0.0):
    random = np.random.default_rng(seed)
    truth = np.repeat([1.0, 0.0], [cases // 2, cases - cases // 2])
    latent = 0.4 * truth[:, None] + 0.7 * random.normal(size=(cases, 1)) + random.normal(size=(cases, raters))
    ratings = np.digitize(latent, [-1.2, -0.5, 0.2, 0.9, 1.6]) + 1.0
    ratings[random.random(ratings.shape) < missing] = np.nan
    calls = np.where(np.isnan(ratings), np.nan, ratings > 3)
    order = np.argsort(random.random(ratings.shape), axis=0) + 1.0
    times = random.lognormal(9, 0.4, ratings.shape)
    return {"truth": truth, "calls": calls, "ratings": ratings, "order": order, "times_ms": times}


def seconds(name, function, limit=None):
    """Print the best of three: wall-clock seconds, and processor seconds, which other programs do not inflate."""
    wall, cpu = np.inf, np.inf
    for _ in range(3):
        start, start_cpu = time.perf_counter(), time.process_time()
        function()
        wall, cpu = min(wall, time.perf_counter() - start), min(cpu, time.process_time() - start_cpu)
    verdict = "" if limit is None else f"  (limit {limit} s: {'kept' if wall < limit else 'missed by the clock'})"
    print(f"{name:<62}{wall:8.3f} s, cpu {cpu:7.3f} s{verdict}")


def main():
    small, large = panel(cases=200, raters=10), panel(cases=500, raters=20)
    holes = panel(cases=500, raters=20, missing=0.05)
    votes = {"truth": small["truth"], "calls": small["calls"]}
    seconds("full default analysis, 10 raters x 200 cases", lambda: default_analysis(**small))
    seconds("full default analysis, 20 raters x 500 cases", lambda: default_analysis(**large), limit=2)
    seconds("the same with 5 % missing ratings", lambda: default_analysis(**holes), limit=2)
    seconds(
        "10,000 case-label permutations, 10 raters x 200 cases",
        lambda: case_label_permutation(**votes, method="monte_carlo", permutations=10_000),
        limit=1,
    )
    seconds("exact permutation distribution, 10 raters x 200 cases", lambda: case_label_permutation(**votes))
    for measure in ("auc", "panel_accuracy", "ensemble"):
        for goal in ("detect", "equivalent"):
            assumed = PlanningAssumptions(measure=measure, goal=goal, effect=0.6 if goal == "detect" else 0.5)
            seconds(f"planner grid, {measure}, {goal}", lambda assumed=assumed: plan_grid(assumed), limit=1)
    few = PlanningAssumptions(measure="ensemble", goal="detect", effect=0.64, cases_per_patient=5)
    seconds("planner grid, ensemble, detect, five cases a patient", lambda: plan_grid(few), limit=8)
    case, rater = np.nonzero(~np.isnan(small["calls"]))
    correct = (small["calls"] == small["truth"][:, None]).astype(float)
    seconds(
        "response-time model, 10 raters x 200 cases",
        lambda: time_model(
            time_ms=small["times_ms"][case, rater],
            trial=small["order"][case, rater],
            correct=correct[case, rater],
            rater=rater,
            case=case,
        ),
    )


if __name__ == "__main__":
    main()
