"""How often the change between two phases rejects a true null, in %: interval's test, and exchange of the phases.

A plan is judged by the first. "Trials" are rows of one kind, as choices of the right image among several are.

    python -m bench.phases_type1 500

Latent variance of a look at a case: .3 of its patient, .3 of its own, .4 of each reader, half of which is the same in
both phases; readers differ in skill (SD .3) and in how their skill happens to change (SD `drift`, mean 0). With a drift
the exchange tests another null: that nobody changed.
"""

import sys

import numpy as np

from bench.latent import levels, looks
from readerstudy.analysis import PhaseAnswers, compare_phases

# readers, cases, cases of each patient, images, drift of the readers' skills
DESIGNS = [
    (3, 40, 1, "same", 0.0),
    (5, 40, 1, "same", 0.0),
    (5, 40, 2, "same", 0.0),
    (5, 40, 1, "same", 0.3),
    (10, 40, 1, "same", 0.0),
    (5, 40, 1, "other", 0.0),
    (5, 40, 2, "other", 0.3),
]
LIFT, KEPT = 0.6, 0.5
MEASURES = ("AUC", "right", "trials")


def answers(
    random: np.random.Generator, truth: np.ndarray, patients: np.ndarray, skills: list[np.ndarray], *, same: bool
) -> list[np.ndarray]:
    shape = (len(truth), len(skills[0]))
    first = looks(random, patients)
    both = [first, first if same else looks(random, patients)]
    own = random.normal(size=shape)
    found = []
    for seen, skill in zip(both, skills, strict=True):
        noise = np.sqrt(KEPT) * (own if same else random.normal(size=shape)) + np.sqrt(1 - KEPT) * random.normal(
            size=shape
        )
        latent = seen[:, None] + truth[:, None] * skill + np.sqrt(0.4) * noise
        found.append(levels(latent))
    return found


def rejections(
    readers: int, cases: int, of_patient: int, images: str, drift: float, *, studies: int
) -> dict[str, float]:
    random, same = np.random.default_rng(7), images == "same"
    truth, patients = np.arange(cases) % 2, np.arange(cases) // of_patient
    counts = dict.fromkeys((f"{name}{test}" for name in MEASURES for test in ("", ", exchange")), 0)
    for _ in range(studies):
        skill = LIFT + 0.3 * random.normal(size=readers)
        changed = skill + drift * random.normal(size=readers)
        scores = answers(random, truth, patients, [skill, changed], same=same)
        calls = [(one > 3).astype(float) for one in scores]
        right = [(one == truth[:, None]).astype(float) for one in calls]
        for name, tables in zip(MEASURES, (scores, calls, right), strict=True):
            kinds = np.ones(cases) if name == "trials" else truth
            first, second = (
                PhaseAnswers(truth=kinds, answers=table, patients=[(same or phase, p) for p in patients])
                for phase, table in enumerate(tables)
            )
            found = compare_phases(
                first,
                second,
                rater_ids=[str(one) for one in range(readers)],
                scored=name == "AUC",
                same_images=same,
                exchanges=199,
            )
            counts[name] += (1 if found.p is None else found.p) < 0.05
            counts[f"{name}, exchange"] += found.exchange_p is not None and found.exchange_p <= 0.05
    return {name: round(100 * count / studies, 1) for name, count in counts.items()}


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for design in DESIGNS:
        print(*design, rejections(*design, studies=studies), flush=True)


if __name__ == "__main__":
    main()
