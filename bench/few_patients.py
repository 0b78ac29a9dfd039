"""Error rates of the panel's verdicts with few patients; run `python -m bench.few_patients [studies]`.

The model of `bench.analysis_type1` with five and eight raters who differ in d' by SD .2, patients .2 of the variance:
type I of the AUC, and false equivalence at .65 of AUC, percent correct and, with five raters, the majority.
"""

import sys
from functools import cache
from math import sqrt
from statistics import NormalDist

import numpy as np

from bench import analysis_type1 as model
from readerstudy.analysis import (
    auc_tost,
    majority_vote,
    reader_averaged_accuracy,
    reader_averaged_auc,
    share_over_patients,
)

VARIANCE, SPREAD = 0.2, 0.2
SHAPES = {
    "8, 4 cases of both kinds each": model.of_both_kinds(8, 4),
    "6, 5 cases of both kinds each": model.of_both_kinds(6, 5),
    "5, 6 cases of both kinds each": model.of_both_kinds(5, 6),
    "4, 8 cases of both kinds each": model.of_both_kinds(4, 8),
    "3 a kind, 10 cases each": ([10] * 3 + [0] * 3, [0] * 3 + [10] * 3),
}


def ratings_of(random, truth, patients, raters, effect):
    shared = sqrt(VARIANCE) * random.normal(size=patients.max() + 1)[patients]
    shared = shared + sqrt(model.CASE_VARIANCE) * random.normal(size=len(truth))
    own = sqrt(1 - VARIANCE - model.CASE_VARIANCE) * random.normal(size=(len(truth), raters))
    skill = effect + SPREAD * random.normal(size=raters)
    return np.digitize((truth[:, None] - 0.5) * skill + shared[:, None] + own, model.CUTS) + 1.0


@cache
def area_effect():
    return model.effect_for(lambda effect: model.mean_area(effect, SPREAD), 0.65)


def one_study(random, truth, patients, raters):
    """Rejected at chance by the AUC; falsely equivalent at .65 by AUC, percent correct and majority."""

    def ratings(effect):
        return ratings_of(random, truth, patients, raters, effect)

    chance = reader_averaged_auc(truth=truth, ratings=ratings(0.0), patients=patients)
    area = reader_averaged_auc(truth=truth, ratings=ratings(area_effect()), patients=patients)
    # A share of .65 of a rater whose d' is spread around its mean.
    right = 2 * NormalDist().inv_cdf(0.65) * sqrt(1 + SPREAD**2 / 4)
    calls = (ratings(right) > 3).astype(float)
    votes = majority_vote((ratings(model.majority_effect(VARIANCE)) > 3).astype(float)).decided()
    panels = (
        area,
        reader_averaged_accuracy(truth=truth, calls=calls, patients=patients),
        share_over_patients(truth=truth, calls=votes, patients=patients),
    )
    same = [bool(auc_tost(panel=panel, margin=model.MARGIN).equivalent) for panel in panels]
    return [chance.p is not None and chance.p <= 0.05, *same]


def main():
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"% of {studies} studies; Monte Carlo error at 5 %: {100 * sqrt(0.05 * 0.95 / studies):.1f}\n")
    print("| patients | raters | type I: AUC | false equivalence at .65: AUC | percent correct | ensemble |")
    print("|---|---|---|---|---|---|")
    for name, kinds in SHAPES.items():
        truth, patients = model.patient_structure(*kinds)
        for raters in (5, 8):
            random = np.random.default_rng([65, len(truth), int(patients.max()), raters])
            found = 100 * np.mean([one_study(random, truth, patients, raters) for _ in range(studies)], axis=0)
            # Eight raters split evenly, which the true accuracy of the majority does not know.
            ensemble = f"{found[3]:.1f}" if raters == model.RATERS else ""
            print(f"| {name} | {raters} | " + " | ".join(f"{one:.1f}" for one in found[:3]) + f" | {ensemble} |")


if __name__ == "__main__":
    main()
