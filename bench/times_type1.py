"""How often reading times of synthetic and real cases are called different where they are alike.

Run `python -m bench.times_type1 [studies]`. Logarithms of times have a standard deviation of .4 between raters, .2
between cases, .2 between patients where these give several, .5 within; raters differ in how much longer one kind takes
them by the spread in the table, with mean 0.
"""

import sys
from math import sqrt

import numpy as np

from readerstudy.analysis import times_of_kinds

# Raters, cases, cases of a patient (kinds alternate within), spread of the ratio's logarithm between raters.
CELLS = [
    (3, 40, 1, 0.2),
    (3, 60, 1, 0.2),
    (3, 100, 1, 0.2),
    (5, 60, 1, 0.0),
    (5, 60, 1, 0.2),
    (5, 60, 4, 0.2),
    (8, 100, 1, 0.2),
]


def study(random, raters, cases, per_patient, spread):
    truth, patients = np.tile([0.0, 1.0], cases // 2), np.arange(cases) // per_patient
    order = np.argsort(random.random((cases, raters)), axis=0) + 1.0
    logs = 0.4 * random.normal(size=raters) + (truth[:, None] - 0.5) * spread * random.normal(size=raters)
    logs = logs + 0.2 * random.normal(size=(cases, 1)) - 0.003 * order + 0.5 * random.normal(size=(cases, raters))
    if per_patient > 1:
        logs = logs + 0.2 * random.normal(size=cases)[patients][:, None]
    return {"times_ms": np.exp(9 + logs), "order": order, "truth": truth, "patients": patients}


def main():
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"% of {studies} studies; Monte Carlo error at 5 %: {100 * sqrt(0.05 * 0.95 / studies):.1f}\n")
    print("| raters | cases | of a patient | spread between raters | called different | covers |")
    print("|---|---|---|---|---|---|")
    for raters, cases, per_patient, spread in CELLS:
        random = np.random.default_rng([raters, cases, per_patient, round(10 * spread)])
        found = [times_of_kinds(**study(random, raters, cases, per_patient, spread)) for _ in range(studies)]
        rejected = 100 * np.mean([one.p is not None and one.p <= 0.05 for one in found])
        limits = [one.ratio.limits for one in found]
        covered = 100 * np.mean([low <= 1 <= high for low, high in filter(None, limits)])
        print(f"| {raters} | {cases} | {per_patient} | {spread} | {rejected:.1f} | {covered:.1f} |", flush=True)


if __name__ == "__main__":
    main()
