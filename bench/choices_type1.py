"""How often choices among images that are alike are said to differ from guessing.

Readers share a part of what they see in an image. Printed: share of p < .05 of the exact joint test, of the t test of
the mean share with readers and trials random, and of a binomial test of all choices pooled (as papers do it, and as it
is not done here), with 95 % intervals.

    OMP_NUM_THREADS=1 .venv/bin/python -m bench.choices_type1 [--studies 1000] [--seed 0]
"""

import argparse

import numpy as np
from scipy import stats

from readerstudy.analysis.panel.forced_choice import counts_of, joint_test, panel_share

CELLS = [
    (readers, trials, images, shared)
    for readers, trials in ((3, 20), (5, 50), (8, 50))
    for images in (2, 4)
    for shared in (0.0, 0.3, 0.6)
]


def study(
    random: np.random.Generator, readers: int, trials: int, images: int, shared: float
) -> tuple[float, float, float]:
    common = random.normal(size=(trials, images, 1)) * np.sqrt(shared)
    seen = common + random.normal(size=(trials, images, readers)) * np.sqrt(1 - shared)
    chosen = seen.argmax(axis=1).astype(float)
    right = (chosen == 0).astype(float)
    joint = joint_test(counts_of(chosen, images=images)).p
    mean = panel_share(right=right, images=images).p
    pooled = stats.binomtest(int(right.sum()), right.size, 1 / images).pvalue
    return 1.0 if joint is None else joint, 1.0 if mean is None else mean, float(pooled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.studies} studies a row, p <= .05 in %\nreaders trials images shared | joint | mean share | pooled")
    for cell in CELLS:
        random = np.random.default_rng([options.seed, *cell[:3], round(10 * cell[3])])
        found = np.array([study(random, *cell) for _ in range(options.studies)]) <= 0.05
        shares = []
        for own in found.T:
            limits = stats.binomtest(int(own.sum()), options.studies).proportion_ci(method="wilson")
            shares.append(f"{100 * own.mean():4.1f} ({100 * limits.low:.1f} to {100 * limits.high:.1f})")
        print("{:7} {:6} {:6} {:6.1f} | ".format(*cell) + " | ".join(shares), flush=True)


if __name__ == "__main__":
    main()
