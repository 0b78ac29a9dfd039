"""How often arm against arm and the family of arms reject a true null, and say "equal" at the margin, in %.

    python -m bench.arms_type1 1000 [--seed N]

Latent variance of a look at a case: .3 of its patient, .3 of its own, .4 of each reader; readers differ in how
well they find synthetic cases (SD .3); six levels of rating. The arms are alike; `lift` is how far from the real ones.
For "equal" the first arm is like the real cases, and the area of the others lies above its area by the margin.
"""

import argparse
from functools import cache

import numpy as np
from scipy import optimize, stats

from bench.latent import levels, looks
from readerstudy.analysis import PlannedArms, compare_arms

LIFTS = (0.0, 0.5)
MARGIN = 0.15
SKILL_SD = 0.3
# readers, cases per arm, arms, whose patients the cases have
DESIGNS = [
    (3, 20, 2, "own"),
    (5, 20, 2, "own"),
    (5, 20, 2, "twins"),
    (5, 20, 2, "hosts of the real"),
    (5, 20, 2, "two cases of each host"),
    (5, 20, 3, "twins"),
    (3, 8, 2, "hosts of the real"),
]


def patients_of(how: str, cases: int, arms: int) -> np.ndarray:
    own = np.arange(cases)
    if how == "own":
        return np.arange(cases * (arms + 1))
    if how == "twins":
        return np.concatenate([own, *[own + cases] * arms])
    return np.tile(own // 2 if how.startswith("two") else own, arms + 1)


def ratings_of(
    random: np.random.Generator, arm: np.ndarray, patients: np.ndarray, readers: int, lift: np.ndarray
) -> np.ndarray:
    look = looks(random, patients)
    skill = lift[arm][:, None] + SKILL_SD * random.normal(size=readers)
    seen = look[:, None] + (arm > 0)[:, None] * skill + np.sqrt(0.4) * random.normal(size=(len(arm), readers))
    return levels(seen)


def studies_of(readers: int, cases: int, arms: int, how: str, lifts: list[float], *, studies: int, seed: int):
    random = np.random.default_rng([5, seed])
    arm, patients = np.repeat(np.arange(arms + 1), cases), patients_of(how, cases, arms)
    names = [f"program {number}" if number else "real" for number in range(arms + 1)]
    for _ in range(studies):
        ratings = ratings_of(random, arm, patients, readers, np.array([0.0, *lifts]))
        yield compare_arms(
            arms=[names[number] for number in arm],
            truth=(arm > 0).astype(int),
            calls=(ratings > 3).astype(float),
            ratings=ratings,
            patients=patients,
            planned=PlannedArms(names=names[1:], margin=MARGIN),
        )


def rejections(design: tuple[int, int, int, str], lift: float, *, studies: int, seed: int) -> dict[str, float]:
    counts = dict.fromkeys(("one pair", "all pairs, Holm", "all equal", "any arm against chance, Holm"), 0)
    for found in studies_of(*design, [lift] * design[2], studies=studies, seed=seed):
        counts["one pair"] += (found.contrasts[0].p or 1) < 0.05
        counts["all pairs, Holm"] += any((pair.p_adjusted or 1) < 0.05 for pair in found.contrasts)
        counts["all equal"] += found.overall is not None and found.overall.p < 0.05
        counts["any arm against chance, Holm"] += any((one.p_adjusted or 1) < 0.05 for one in found.readings)
    return {name: round(100 * count / studies, 1) for name, count in counts.items()}


def falsely_equal(design: tuple[int, int, int, str], *, studies: int, seed: int) -> float:
    """Where the arms after the first lie exactly at the margin from it."""
    lifts = [0.0] + [lift_at_the_margin()] * (design[2] - 1)
    count = 0
    for found in studies_of(*design, lifts, studies=studies, seed=seed):
        apart = [pair for pair in found.contrasts if "program 1" in (pair.first, pair.second)]
        count += any(pair.equivalence is not None and bool(pair.equivalence.equivalent) for pair in apart)
    return round(100 * count / studies, 1)


@cache
def lift_at_the_margin() -> float:
    return float(optimize.brentq(lambda lift: mean_area(lift) - mean_area(0.0) - MARGIN, 0, 3))


def mean_area(lift: float) -> float:
    """Of the six levels against the real cases, over readers of other skill."""
    edges = np.array([-np.inf, *((np.arange(1, 6) + 0.5 - 3.5) / 1.5), np.inf])
    real = np.diff(stats.norm.cdf(edges))
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    areas = [
        float(np.diff(stats.norm.cdf(edges - lift - SKILL_SD * node)) @ (np.cumsum(real) - real / 2)) for node in nodes
    ]
    return float(weights @ areas / weights.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="?", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    drawn = {"studies": options.studies, "seed": options.seed}
    for design in DESIGNS:
        for lift in LIFTS:
            print(*design, lift, rejections(design, lift, **drawn), flush=True)
        print(*design, "falsely equal at the margin:", falsely_equal(design, **drawn), flush=True)


if __name__ == "__main__":
    main()
