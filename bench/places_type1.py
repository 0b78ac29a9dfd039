"""How often marks put at random are said to have found places, and scores without skill to lie above chance.

Readers share what looks odd: with the given share they mark the same random spot of a case. Scores say nothing of the
kind. Printed: share of p < .05 of the first reader's hits, of the panel's central mark, of all marks pooled (as it is
not done), and of the panel's area above and below chance. 95 % interval of each share beside it.

    OMP_NUM_THREADS=1 .venv/bin/python -m bench.places_type1 [--studies 1000] [--seed 0]
"""

import argparse
import platform

import numpy as np
from scipy import stats

from readerstudy.analysis.panel.localization import places_found
from readerstudy.analysis.rater.localization import at_least_by_chance

REGION_MM, RADIUS_MM = 70.0, 15.0
CELLS = [(readers, cases, shared) for readers in (2, 5, 8) for cases in (20, 60) for shared in (0.0, 0.5)]


def in_region(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Places spread evenly over a disc, as (..., 3) mm."""
    radius, angle = REGION_MM * np.sqrt(random.random(shape)), 2 * np.pi * random.random(shape)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(shape)], axis=-1)


def study(random: np.random.Generator, readers: int, cases: int, shared: float) -> list[float]:
    truth = np.tile([1.0, 0.0], cases // 2)
    # Places whose circle lies within the region, so that the chance of a hit is the same for all.
    places = in_region(random, (cases,)) * (1 - RADIUS_MM / REGION_MM)
    odd, own = in_region(random, (cases, 1)), in_region(random, (cases, readers))
    marks = np.where(random.random((cases, readers, 1)) < shared, odd, own)
    away = np.linalg.norm(marks - places[:, None], axis=-1)
    chance = (RADIUS_MM / REGION_MM) ** 2
    found = places_found(
        truth=truth,
        scores=random.integers(1, 7, (cases, readers)).astype(float),
        distances_mm=away,
        marks_mm=marks,
        chances=np.full((cases, 1), chance),
        radii_mm=(RADIUS_MM,),
        reader_ids=[str(n) for n in range(readers)],
    ).planned
    assert found is not None
    hits = int((away[truth == 1] <= RADIUS_MM).sum())
    pooled = at_least_by_chance(hits, chances=np.full(readers * int(truth.sum()), chance))
    above = found.p is not None and found.area.value is not None and found.area.value > found.chance_area
    area = 1.0 if found.p is None else found.p
    return [found.readers[0].p or 1.0, found.panel.p or 1.0, pooled, area if above else 1.0, 1.0 if above else area]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    studies = options.studies
    print(f"{studies} studies a row, radius {RADIUS_MM:g} mm in a disc of {REGION_MM:g} mm, {platform.processor()}")
    print("readers cases shared | one reader | central mark | pooled | area above | area below")
    for readers, cases, shared in CELLS:
        random = np.random.default_rng([options.seed, readers, cases, int(10 * shared)])
        p = np.array([study(random, readers, cases, shared) for _ in range(studies)])
        shares = []
        for wrong in (p < 0.05).sum(axis=0):
            low, high = stats.binomtest(int(wrong), studies).proportion_ci(method="wilson")
            shares.append(f"{100 * wrong / studies:4.1f} ({100 * low:.1f} to {100 * high:.1f})")
        print(f"{readers:7} {cases:5} {shared:6.1f} | " + " | ".join(shares), flush=True)


if __name__ == "__main__":
    main()
