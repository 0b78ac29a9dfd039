"""How often two groups of equally able readers are said to differ, in %, with the 95 % interval of the estimate.

    python -m bench.groups_type1 2000

Latent variance of a look at a case: .3 of its patient, .3 of its own, .4 of each reader; readers differ in how
well they find synthetic cases (SD .3, or as said of each group); six levels of rating. `lift` is how well on average.
"""

import sys

import numpy as np

from bench.latent import levels, looks
from readerstudy.analysis import proportion_interval, rater_interaction

LIFTS = (0.0, 0.7)
# readers of both groups, cases of each kind, cases of a patient, SD of the readers of both groups
DESIGNS = [
    ((3, 3), 25, 1, (0.3, 0.3)),
    ((3, 3), 50, 2, (0.3, 0.3)),
    ((5, 5), 50, 2, (0.3, 0.3)),
    ((5, 5), 50, 2, (0.0, 0.0)),
    ((3, 8), 50, 2, (0.3, 0.3)),
    ((3, 7), 50, 2, (0.5, 0.1)),
    ((7, 3), 50, 2, (0.5, 0.1)),
    ((5, 5), 50, 2, (0.5, 0.1)),
]


def ratings_of(random: np.random.Generator, truth: np.ndarray, patients: np.ndarray, skills: np.ndarray) -> np.ndarray:
    look = looks(random, patients)
    own = np.sqrt(0.4) * random.normal(size=(len(truth), len(skills)))
    return levels(look[:, None] + truth[:, None] * skills + own)


def said_to_differ(
    readers: tuple[int, int], cases: int, of_patient: int, spreads: tuple[float, float], lift: float, *, studies: int
) -> str:
    random = np.random.default_rng(5)
    truth, patients = np.repeat([0.0, 1.0], cases), np.tile(np.arange(cases) // of_patient, 2)
    inside = np.repeat([True, False], readers)
    said = 0
    for _ in range(studies):
        skills = lift + np.repeat(spreads, readers) * random.normal(size=sum(readers))
        scores = ratings_of(random, truth, patients, skills)
        found = rater_interaction(truth=truth, scores=scores, inside=inside, patients=patients)
        said += found.p is not None and found.p < 0.05
    share = proportion_interval(successes=said, trials=studies, method="wilson")
    low, high = share.limits or (0.0, 1.0)
    return f"{100 * said / studies:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for design in DESIGNS:
        for lift in LIFTS:
            print(*design, lift, said_to_differ(*design, lift, studies=studies), flush=True)


if __name__ == "__main__":
    main()
