"""Planned against simulated power, in %, of comparing two groups of raters and the same raters in two phases.

    python -m bench.comparison_power 1000

Studies are drawn from the planning model and judged by the test that the report makes; the standard error of a power of
one half is 1.6 points with 1,000 studies.
"""

import sys
from math import sqrt

import numpy as np
from scipy import stats

from readerstudy.analysis import PhaseAnswers, compare_phases, compare_reader_groups
from readerstudy.analysis.planning.comparison import Compared, ComparisonAssumptions, comparison_power

# raters (of each group), cases, areas of both
DESIGNS: dict[Compared, list[tuple[int, int, float, float]]] = {
    "groups": [(3, 60, 0.6, 0.8), (5, 40, 0.6, 0.75), (5, 100, 0.6, 0.7), (8, 60, 0.65, 0.75), (12, 100, 0.7, 0.78)],
    "phases": [(3, 60, 0.6, 0.75), (4, 100, 0.6, 0.68), (5, 40, 0.6, 0.7), (5, 100, 0.6, 0.65), (8, 60, 0.65, 0.7)],
}


def simulated(assumed: ComparisonAssumptions, *, raters: int, cases: int, studies: int) -> float:
    random, truth = np.random.default_rng(11), np.arange(cases) % 2
    found = 0
    for _ in range(studies):
        p = _p(assumed, random, truth, raters)
        found += p is not None and p <= assumed.alpha
    return found / studies


def _p(assumed: ComparisonAssumptions, random: np.random.Generator, truth: np.ndarray, raters: int) -> float | None:
    cases = len(truth)
    shared = sqrt(assumed.case_correlation) * random.normal(size=(cases, 1))
    own = sqrt(1 - assumed.case_correlation)
    means = [
        float(stats.norm.ppf(area)) * sqrt(2 + spread)
        for area, spread in zip((assumed.first, assumed.second), assumed.skill_variances, strict=True)
    ]
    if assumed.of == "groups":
        skill = np.repeat(means, raters) + assumed.rater_sd * random.normal(size=2 * raters)
        scores = (truth[:, None] - 0.5) * skill + shared + own * random.normal(size=(cases, 2 * raters))
        groups = ["a"] * raters + ["b"] * raters
        contrast = compare_reader_groups(truth=truth, scores=scores, groups=groups, measure="AUC")
        return None if contrast is None else contrast.p
    of_rater, stays = assumed.rater_sd * random.normal(size=raters), random.normal(size=(cases, raters))
    phases = []
    for mean, change in zip(means, (0.0, assumed.change_sd), strict=True):
        skill = mean + of_rater + change * random.normal(size=raters)
        noise = sqrt(assumed.kept) * stays + sqrt(1 - assumed.kept) * random.normal(size=(cases, raters))
        scores = (truth[:, None] - 0.5) * skill + shared + own * noise
        phases.append(PhaseAnswers(truth=truth, answers=scores, patients=list(range(cases))))
    numbers = [str(one) for one in range(raters)]
    return compare_phases(*phases, rater_ids=numbers, scored=True, same_images=True, exchanges=1).p


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for of, designs in DESIGNS.items():
        for raters, cases, first, second in designs:
            assumed = ComparisonAssumptions(of=of, first=first, second=second)
            planned = comparison_power(assumed, raters=raters, cases=cases)
            seen = simulated(assumed, raters=raters, cases=cases, studies=studies)
            print(of, raters, cases, first, second, f"{100 * planned:.1f} {100 * seen:.1f}", flush=True)


if __name__ == "__main__":
    main()
