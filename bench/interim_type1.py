"""What looks at the panel's area before the end cost: `python -m bench.interim_type1 [studies]`.

Every rater reads the cases in an order of their own; at a look each has answered the first share of that order. The
p-value of the area at a look is held to the bound of Lan & DeMets' spending of O'Brien-Fleming type at that share, the
last one to what is left. Beside it: the same looks at 5 % each. Raters share .2 of the latent variance by case and
differ in d' by the spread in the table; six levels.
"""

import sys
from math import sqrt

import numpy as np
from scipy import stats

from bench.analysis_type1 import CUTS
from readerstudy.analysis import group_sequential, reader_averaged_auc

LOOKS = {"one look at 1/2": (0.5, 1.0), "looks at 1/3 and 2/3": (1 / 3, 2 / 3, 1.0)}
# Raters, cases, spread of d' between raters, mean d'.
CELLS = [(5, 60, 0.2, 0.0), (5, 100, 0.0, 0.0), (5, 100, 0.5, 0.0), (8, 100, 0.2, 0.0), (5, 100, 0.2, 0.5)]
CASE_VARIANCE = 0.2


def p_values(random, shares, raters, cases, spread, effect):
    """The p-value of the area at every look, 1 where nothing can be tested yet."""
    truth = np.tile([0.0, 1.0], cases // 2)
    skill = effect + spread * random.normal(size=raters)
    look = sqrt(CASE_VARIANCE) * random.normal(size=(cases, 1))
    own = sqrt(1 - CASE_VARIANCE) * random.normal(size=(cases, raters))
    ratings = np.digitize((truth[:, None] - 0.5) * skill + look + own, CUTS) + 1.0
    place = np.argsort(np.argsort(random.random((cases, raters)), axis=0), axis=0)
    so_far = [np.where(place < round(share * cases), ratings, np.nan) for share in shares]
    return [reader_averaged_auc(truth=truth, ratings=answers).p or 1.0 for answers in so_far]


def main():
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    error = 100 * sqrt(0.05 * 0.95 / studies)
    print(f"Discriminates, % of {studies} studies; Monte Carlo error at 5 %: {error:.1f}\n")
    print("| raters | cases | spread | d' | looks | before the end | in all | every look at 5 % | without looks |")
    print("|---|---|---|---|---|---|---|---|---|")
    for raters, cases, spread, effect in CELLS:
        for name, shares in LOOKS.items():
            random = np.random.default_rng([raters, cases, round(10 * spread), round(10 * effect), len(shares)])
            bounds = 2 * stats.norm.sf(group_sequential(information_rates=shares).critical_z)
            p = np.array([p_values(random, shares, raters, cases, spread, effect) for _ in range(studies)])
            crossed = p <= bounds
            columns = (crossed[:, :-1].any(axis=1), crossed.any(axis=1), (p <= 0.05).any(axis=1), p[:, -1] <= 0.05)
            shown = " | ".join(f"{100 * column.mean():.1f}" for column in columns)
            print(f"| {raters} | {cases} | {spread} | {effect} | {name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
