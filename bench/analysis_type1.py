"""Type-I error, coverage and planned against simulated power; run `python -m bench.analysis_type1 [repetitions]`.

Raters share case effects; under the null the truth has no influence. Two Monte Carlo standard errors at 5 % and
1,000 repetitions are 1.4 points.
"""

import sys
from statistics import NormalDist

import numpy as np

from readerstudy.analysis import (
    PlanningAssumptions,
    adjust_p_values,
    auc_tost,
    case_label_permutation,
    confusion,
    design_power,
    exact_binomial,
    fisher_exact,
    majority_vote,
    reader_averaged_auc,
    ustatistic_auc,
)

CUTS = np.array([-1.2, -0.6, 0.0, 0.6, 1.2])


def panel(random, *, cases, raters, rho, share=0.5, effect=0.0, rater_sd=0.0, bias=0.0, missing=0.0):
    """One simulated panel: latent rating = d' * truth + shared case effect + own noise, six rating levels."""
    truth = (np.arange(cases) < round(cases * share)).astype(float)
    skill = effect + rater_sd * random.normal(size=raters)
    noise = np.sqrt(rho) * random.normal(size=(cases, 1)) + np.sqrt(1 - rho) * random.normal(size=(cases, raters))
    ratings = np.digitize((truth[:, None] - 0.5) * skill + noise + bias, CUTS) + 1.0
    ratings[random.random(ratings.shape) < missing] = np.nan
    return truth, np.where(np.isnan(ratings), np.nan, ratings > 3), ratings


def rejections(truth, calls, ratings):
    """Which analyses call this panel significant at 5 %."""
    rated = ~np.isnan(calls)
    correct = (calls == truth[:, None]).sum(axis=0)
    each = [
        exact_binomial(successes=int(c), trials=int(n)).p_minlike
        for c, n in zip(correct, rated.sum(axis=0), strict=True)
    ]
    fisher = [fisher_exact(confusion(truth=truth, calls=column)).p_two_sided for column in calls.T]
    vote = confusion(truth=truth, calls=majority_vote(calls).decided())
    whole = not np.isnan(ratings).any()
    area = reader_averaged_auc if whole else lambda **table: ustatistic_auc(**table).panel
    area_p = area(truth=truth, ratings=ratings).p
    return {
        "pooled binomial (for contrast)": exact_binomial(
            successes=int(correct.sum()), trials=int(rated.sum())
        ).p_minlike
        <= 0.05,
        "any rater, Fisher, unadjusted": min(fisher) <= 0.05,
        "any rater, binomial, Holm": min(adjust_p_values(each)) <= 0.05,
        "any rater, Fisher, Holm": min(adjust_p_values(fisher)) <= 0.05,
        "ensemble, Fisher": fisher_exact(vote).p_two_sided <= 0.05,
        "case-label permutation": case_label_permutation(truth=truth, calls=calls).p_two_sided <= 0.05,
        "reader-averaged AUC": area_p is not None and area_p <= 0.05,
    }


SCENARIOS = {
    "5 x 50, rho 0.0": {"cases": 50, "raters": 5, "rho": 0.0},
    "5 x 50, rho 0.4": {"cases": 50, "raters": 5, "rho": 0.4},
    "5 x 50, rho 0.7": {"cases": 50, "raters": 5, "rho": 0.7},
    "10 x 100, rho 0.4": {"cases": 100, "raters": 10, "rho": 0.4},
    "5 x 50, rho 0.4, 10 % missing": {"cases": 50, "raters": 5, "rho": 0.4, "missing": 0.1},
    # Only the mean d' is 0 here: these very raters do differ from chance, so tests that hold the raters fixed must
    # reject more often; it is a null for random raters, that is for the reader-averaged AUC.
    "5 x 50, rho 0.4, d' varies by 0.6 (null for random raters)": {
        "cases": 50,
        "raters": 5,
        "rho": 0.4,
        "rater_sd": 0.6,
    },
    "5 x 50, 70:30, says synthetic 70 %": {"cases": 50, "raters": 5, "rho": 0.2, "share": 0.7, "bias": 0.52},
}


def type_one(repetitions):
    print(f"Share of {repetitions} null studies called significant at 5 %")
    for name, settings in SCENARIOS.items():
        random = np.random.default_rng(20210817)
        found = [rejections(*panel(random, **settings)) for _ in range(repetitions)]
        print(f"\n{name}")
        for test in found[0]:
            print(f"  {test:<34}{100 * np.mean([one[test] for one in found]):6.1f} %")


def coverage_and_power(repetitions):
    print(
        f"\nReader-averaged AUC, {repetitions} studies each: coverage of the 95 % interval, power planned and simulated"
    )
    for raters, cases, area in ((5, 50, 0.65), (5, 100, 0.5), (5, 100, 0.65), (10, 60, 0.6), (8, 200, 0.5)):
        random, truth_sd = np.random.default_rng(7), 0.2
        d_prime = NormalDist().inv_cdf(area) * np.sqrt(2 + truth_sd**2)
        covered, detected, equivalent = 0, 0, 0
        for _ in range(repetitions):
            truth = (np.arange(cases) < cases // 2).astype(float)
            skill = d_prime + truth_sd * random.normal(size=raters)
            shared = np.sqrt(0.25) * random.normal(size=(cases, 1))
            rating = truth[:, None] * skill + shared + np.sqrt(0.75) * random.normal(size=(cases, raters))
            found = reader_averaged_auc(truth=truth, ratings=rating)
            covered += found.low <= area <= found.high
            detected += found.p <= 0.05
            equivalent += auc_tost(panel=found, margin=0.15).equivalent
        planned = [
            design_power(PlanningAssumptions(goal=goal, effect=area), raters=raters, cases=cases)
            for goal in ("detect", "equivalent")
        ]
        shown = [100 * count / repetitions for count in (covered, detected, equivalent)]
        print(
            f"  {raters:2} x {cases:3}, AUC {area}: coverage {shown[0]:5.1f} %, "
            f"detect {shown[1]:5.1f} % (planned {100 * planned[0]:5.1f}), "
            f"equivalent {shown[2]:5.1f} % (planned {100 * planned[1]:5.1f})"
        )


def main():
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    type_one(repetitions)
    coverage_and_power(repetitions)


if __name__ == "__main__":
    main()
