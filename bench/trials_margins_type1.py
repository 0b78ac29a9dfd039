"""Choices among several images: how often they are called equal at the margin, and two groups of readers different.

    OMP_NUM_THREADS=1 .venv/bin/python -m bench.trials_margins_type1 2000

Readers choose the image that looks most like the one to find. What they see of an image is .3 its own for all readers,
.7 of each reader; how far the one to find stands out is d', which differs from patient to patient (SD `hosts`) and from
reader to reader (SD `spread`). "At the margin" the expected share of right choices is that of an AUC of .60 (or .40),
the margin of the plans; "groups" are equally able. In %, with 95 % intervals (Wilson).
"""

import sys

import numpy as np
from scipy import optimize

from readerstudy.analysis import proportion_interval, share_interaction, share_of_d_prime, shares_within
from readerstudy.analysis.panel.forced_choice import panel_share

MARGIN, SHARED = 0.1, 0.3
# readers, trials, trials of a patient, images, SD of the patients' d', SD of the readers' d'
DESIGNS = [
    (5, 100, 1, 2, 0.0, 0.0),
    (5, 100, 1, 2, 0.0, 0.3),
    (5, 100, 1, 4, 0.0, 0.3),
    (5, 100, 2, 4, 0.4, 0.3),
    (8, 100, 1, 4, 0.0, 0.0),
    (8, 200, 2, 2, 0.4, 0.3),
    (3, 200, 1, 4, 0.0, 0.3),
]
# readers of both groups, SD of the d' of both; 60 trials, two of each patient, SD of the patients' d' .4
GROUPS = [
    ((3, 3), (0.3, 0.3)),
    ((5, 5), (0.3, 0.3)),
    ((5, 5), (0.0, 0.0)),
    ((3, 8), (0.3, 0.3)),
    ((3, 7), (0.5, 0.1)),
    ((7, 3), (0.5, 0.1)),
]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(31)


def expected_share(mean: float, sd: float, *, images: int) -> float:
    """Of d' that are normal around `mean`."""
    shares = [share_of_d_prime(mean + sd * node, images=images) for node in NODES]
    return float(np.dot(WEIGHTS, shares) / WEIGHTS.sum())


def d_prime_at(share: float, sd: float, *, images: int) -> float:
    return float(optimize.brentq(lambda mean: expected_share(mean, sd, images=images) - share, -6, 6))


def right_choices(
    random: np.random.Generator, d_prime: np.ndarray, patients: np.ndarray, *, images: int, hosts: float
) -> np.ndarray:
    """Shape (trials, readers); `d_prime` of each reader."""
    shape = (len(patients), images, len(d_prime))
    seen = np.sqrt(SHARED) * random.normal(size=(*shape[:2], 1)) + np.sqrt(1 - SHARED) * random.normal(size=shape)
    seen[:, 0, :] += d_prime + hosts * random.normal(size=patients.max() + 1)[patients, None]
    return (seen.argmax(axis=1) == 0).astype(float)


def in_percent(count: int, studies: int) -> str:
    share = proportion_interval(successes=count, trials=studies, method="wilson")
    low, high = share.limits or (0.0, 1.0)
    return f"{100 * count / studies:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def falsely_equal(design: tuple[int, int, int, int, float, float], *, upper: bool, studies: int) -> str:
    readers, trials, of_patient, images, hosts, spread = design
    random = np.random.default_rng(97)
    patients = np.arange(trials) // of_patient
    share = shares_within(MARGIN, images=images)[int(upper)]
    mean = d_prime_at(share, float(np.hypot(hosts, spread)), images=images)
    said = 0
    for _ in range(studies):
        d_prime = mean + spread * random.normal(size=readers)
        right = right_choices(random, d_prime, patients, images=images, hosts=hosts)
        said += bool(panel_share(right=right, images=images, patients=patients, margin=MARGIN).equivalent)
    return in_percent(said, studies)


def said_to_differ(readers: tuple[int, int], spreads: tuple[float, float], *, images: int, studies: int) -> str:
    """The groups' expected shares are alike, whatever the spread of each."""
    random = np.random.default_rng(98)
    patients, inside = np.arange(60) // 2, np.repeat([True, False], readers)
    share = shares_within(0.15, images=images)[1]
    means = [d_prime_at(share, float(np.hypot(0.4, sd)), images=images) for sd in spreads]
    said = 0
    for _ in range(studies):
        d_prime = np.repeat(means, readers) + np.repeat(spreads, readers) * random.normal(size=sum(readers))
        right = right_choices(random, d_prime, patients, images=images, hosts=0.4)
        found = share_interaction(right=right, inside=inside, patients=patients)
        said += found.p is not None and found.p < 0.05
    return in_percent(said, studies)


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("readers trials of_patient images hosts spread | equal at AUC .60 | equal at AUC .40")
    for design in DESIGNS:
        print(
            *design,
            *(f"| {falsely_equal(design, upper=upper, studies=studies)}" for upper in (True, False)),
            flush=True,
        )
    print("groups spreads | 2 images | 4 images")
    for readers, spreads in GROUPS:
        found = (said_to_differ(readers, spreads, images=images, studies=studies) for images in (2, 4))
        print(readers, spreads, *(f"| {one}" for one in found), flush=True)


if __name__ == "__main__":
    main()
