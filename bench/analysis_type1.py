"""Error rates of the verdicts; run `python -m bench.analysis_type1 [part] [repetitions] [--seed N]`.

Parts: `patients` (several cases of one patient, with cases taken as independent and with patients as units),
`equivalence` (false equivalence of the same patients and of fewer, more closely), `readers` (the AUC of two to eight
raters), `few` (percent correct of two, three and five raters; raters who stop early), `cases` (one case per patient)
and `power` (planned against simulated). Without a part all of them run. Raters share case effects; under the null the
truth has no influence. The Monte Carlo error at 5 % is 0.5 points with 2,000 repetitions. `patients` with 2,000 takes
about eight minutes of one core.
"""

import argparse
from dataclasses import replace
from functools import cache
from math import comb, sqrt
from statistics import NormalDist

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis import (
    PlanningAssumptions,
    adjust_p_values,
    auc_tost,
    binomial_tost,
    case_label_permutation,
    confusion,
    design_power,
    exact_binomial,
    fisher_exact,
    majority_vote,
    panel_accuracy,
    reader_averaged_accuracy,
    reader_averaged_auc,
    share_over_patients,
    ustatistic_auc,
    variance_of_average,
)

CUTS = np.array([-1.2, -0.6, 0.0, 0.6, 1.2])
MARGIN = 0.15
PERMUTATIONS = 199
CASE_VARIANCE = 0.2
RATERS = 5


_SEED = [0]


def luck(*cell):
    """Of one cell of a table; another `--seed` draws other studies in every cell."""
    return np.random.default_rng([*_SEED, *cell])


def patient_structure(synthetic, real):
    """Truth and patient of every case from the cases of each kind that each patient gives."""
    truth = np.concatenate([np.ones(sum(synthetic)), np.zeros(sum(real))])
    own = [np.repeat(np.arange(len(counts)), counts) for counts in (synthetic, real)]
    return truth, np.concatenate(own)


# Cases per patient as the matched draw took 50 pairs from real lesion geometry (LiTS: 443 lesions of 8 to 40 mm in 94
# patients): edits in the 13 (or 8 of the 13) scans without tumour against lesions of 31 (30) other patients, and edits
# in 40 scans that have lesions, most of them paired with a lesion of the same patient.
FREE_13 = ([4] * 11 + [3] * 2 + [0] * 31, [0] * 13 + [6, 5, 4, 3] + [2] * 5 + [1] * 22)
FREE_8 = ([7, 7, 6, 6, 6, 6, 6, 6] + [0] * 30, [0] * 8 + [6, 5, 4, 4, 3] + [2] * 3 + [1] * 22)
PAIRED_40 = ([2] * 14 + [1] * 22, [2] * 14 + [1] * 22)
STRUCTURES = {
    "edits in 13 tumour-free scans": FREE_13,
    "edits in 8 tumour-free scans": FREE_8,
    "edits in 40 scans with lesions": PAIRED_40,
    "truth constant, 2 cases a patient": ([2] * 25 + [0] * 25, [0] * 25 + [2] * 25),
    "truth constant, 5 cases a patient": ([5] * 10 + [0] * 10, [0] * 10 + [5] * 10),
    "truth constant, 10 cases a patient": ([10] * 5 + [0] * 5, [0] * 5 + [10] * 5),
}
CELLS = [(name, variance) for name in STRUCTURES for variance in ((0.1, 0.2, 0.3) if "scans" in name else (0.2,))]


def answers(random, truth, patients, *, variance, effect):
    """Ratings 1..6 (cases, raters): d' * truth + patient + case + own noise, of variance 1 together."""
    shared = np.sqrt(variance) * random.normal(size=patients.max() + 1)[patients]
    shared = shared + np.sqrt(CASE_VARIANCE) * random.normal(size=len(truth))
    noise = np.sqrt(1 - variance - CASE_VARIANCE) * random.normal(size=(len(truth), RATERS))
    return np.digitize(((truth - 0.5) * effect + shared)[:, None] + noise, CUTS) + 1.0


def area_of(effect):
    """True AUC of the six levels."""
    edges = np.array([-np.inf, *CUTS, np.inf])
    real, synthetic = (np.diff(stats.norm.cdf(edges - shift)) for shift in (-effect / 2, effect / 2))
    return float(synthetic @ (np.cumsum(real) - real / 2))


def majority_of(effect, variance):
    """True accuracy of the majority: the raters are independent given what they share."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    shared = sqrt(variance + CASE_VARIANCE)
    right = stats.norm.cdf((effect / 2 + shared * nodes) / sqrt(1 - shared**2))
    majority = sum(comb(RATERS, k) * right**k * (1 - right) ** (RATERS - k) for k in range(RATERS // 2 + 1, RATERS + 1))
    return float(weights @ majority / weights.sum())


def effect_for(measure, target):
    return float(optimize.brentq(lambda effect: measure(effect) - target, 0, 4))


def verdicts(truth, ratings, patients, *, raters, counted=True):
    """Per confirmatory analysis: significant, equivalent; cases independent where `patients` is None.

    Without `counted` the tests of counts, nearly all of the time, are left out.
    """
    calls = (ratings > 3).astype(float)
    area = reader_averaged_auc(truth=truth, ratings=ratings, patients=patients)
    found = {"AUC": (area.p is not None and area.p <= 0.05, bool(auc_tost(panel=area, margin=MARGIN).equivalent))}
    majority = majority_vote(calls).decided()
    columns = [*calls.T, majority] if raters else [majority]
    if patients is None:
        share = panel_accuracy(correct=(calls == truth[:, None]).astype(float), level=0.9)
        within = share.low is not None and share.low >= 0.5 - MARGIN and share.high <= 0.5 + MARGIN
        right = [int((column == truth).sum()) for column in columns]
        same = binomial_tost(successes=right[-1], trials=len(truth), margin=MARGIN).equivalent
    else:
        share = reader_averaged_accuracy(truth=truth, calls=calls, patients=patients)
        within = bool(auc_tost(panel=share, margin=MARGIN).equivalent)
        vote = share_over_patients(truth=truth, calls=majority, patients=patients)
        same = bool(auc_tost(panel=vote, margin=MARGIN).equivalent)
    found |= {"percent correct": (False, within), "ensemble": (False, same)}
    if not counted:
        return found
    if patients is None:
        tests = [exact_binomial(successes=count, trials=len(truth)).p_minlike for count in right]
    else:
        tests = [permutation_p(truth, column[:, None], patients) for column in columns]
    found["percent correct"] = (permutation_p(truth, calls, patients) <= 0.05, within)
    found["ensemble"] = (tests[-1] <= 0.05, same)
    if raters:
        found["any rater, Holm"] = (min(adjust_p_values(tests[:-1])) <= 0.05, False)
    return found


def permutation_p(truth, calls, patients):
    found = case_label_permutation(truth=truth, calls=calls, patients=patients, permutations=PERMUTATIONS)
    return found.p_two_sided


def rates(truth, patients, *, variance, effect, repetitions, raters=False, compared=True, counted=True):
    """Shares of studies (significant, equivalent) before and after, per analysis."""
    random = luck(20210817, len(np.unique(patients)), round(100 * variance), round(1000 * effect))
    units = {"before": None, "after": patients} if compared else {"after": patients}
    found = {unit: [] for unit in units}
    for _ in range(repetitions):
        ratings = answers(random, truth, patients, variance=variance, effect=effect)
        for unit, used in units.items():
            found[unit].append(verdicts(truth, ratings, used, raters=raters, counted=counted))
    return {
        unit: {name: 100 * np.mean([one[name] for one in rows], axis=0) for name in rows[0]}
        for unit, rows in found.items()
    }


def pair(found, name, which):
    return f"{found['before'][name][which]:5.1f} / {found['after'][name][which]:4.1f}"


def patients_as_units(repetitions):
    print(f"Cases independent / patients as units, % of {repetitions} studies, {RATERS} raters, 50 + 50 cases")
    print(f"Monte Carlo error at 5 %: {100 * sqrt(0.05 * 0.95 / repetitions):.1f} points\n")
    names = ("AUC", "percent correct", "ensemble", "any rater, Holm")
    print("| patients | variance | " + " | ".join(f"type I: {name}" for name in names) + " |")
    print("|---|---|" + "---|" * len(names))
    for cell, variance in CELLS:
        truth, patients = patient_structure(*STRUCTURES[cell])
        found = rates(truth, patients, variance=variance, effect=0.0, repetitions=repetitions, raters=True)
        print(f"| {cell} | {variance} | " + " | ".join(pair(found, name, 0) for name in names) + " |", flush=True)
    print("\n| patients | variance | " + " | ".join(f"false equivalence at .65: {name}" for name in names[:3]), end="")
    print(" | power of the AUC at .65 | the same with 100 patients |\n|---|---|---|---|---|---|---|")
    for cell, variance in CELLS:
        print(f"| {cell} | {variance} | " + " | ".join(at_65(cell, variance, repetitions)) + " |", flush=True)


def at_65(cell, variance, repetitions):
    truth, patients = patient_structure(*STRUCTURES[cell])
    effects = {
        "AUC": effect_for(area_of, 0.65),
        "percent correct": 2 * NormalDist().inv_cdf(0.65),
        "ensemble": effect_for(lambda effect: majority_of(effect, variance), 0.65),
    }
    # Of the tests only that of the AUC is printed.
    known = {"variance": variance, "repetitions": repetitions // 2, "counted": False}
    found = {name: rates(truth, patients, effect=effect, **known) for name, effect in effects.items()}
    alone = rates(truth, np.arange(len(truth)), effect=effects["AUC"], compared=False, **known)
    return [
        *(pair(one, name, 1) for name, one in found.items()),
        pair(found["AUC"], "AUC", 0),
        f"{alone['after']['AUC'][0]:.1f}",
    ]


def of_both_kinds(patients, each):
    return [each] * patients, [each] * patients


# Patients with both kinds, down to where nothing is called equivalent any more.
FEWER = {
    "8 patients, 4 cases of both kinds each": of_both_kinds(8, 4),
    "5 patients, 6 cases of both kinds each": of_both_kinds(5, 6),
    "3 patients a kind, 10 cases each": ([10] * 3 + [0] * 3, [0] * 3 + [10] * 3),
}


def equivalence(repetitions):
    """False equivalence at .65, patients as units: every measure and structure, without the tests against chance."""
    print(f"\nFalse equivalence at .65 in % of {repetitions} studies, {RATERS} raters, patients as units")
    print("| patients | variance | AUC | percent correct | ensemble |\n|---|---|---|---|---|")
    for name, counts in {**STRUCTURES, **FEWER}.items():
        truth, patients = patient_structure(*counts)
        for variance in (0.1, 0.3):
            random = luck(65, len(truth), patients.max(), round(100 * variance))
            found = np.zeros(3)
            for _ in range(repetitions):
                found += _falsely_equivalent(random, truth, patients, variance)
            print(f"| {name} | {variance} | " + " | ".join(f"{100 * one / repetitions:.1f}" for one in found) + " |")


def _falsely_equivalent(random, truth, patients, variance):
    effects = (area_effect(), 2 * NormalDist().inv_cdf(0.65), majority_effect(variance))
    areas, calls, votes = (answers(random, truth, patients, variance=variance, effect=one) for one in effects)
    majority = majority_vote((votes > 3).astype(float)).decided()
    panels = (
        reader_averaged_auc(truth=truth, ratings=areas, patients=patients),
        reader_averaged_accuracy(truth=truth, calls=(calls > 3).astype(float), patients=patients),
        share_over_patients(truth=truth, calls=majority, patients=patients),
    )
    return [bool(auc_tost(panel=panel, margin=MARGIN).equivalent) for panel in panels]


@cache
def area_effect():
    return effect_for(area_of, 0.65)


@cache
def majority_effect(variance):
    return effect_for(lambda effect: majority_of(effect, variance), 0.65)


ONE_EACH = {f"{n} + {n} cases, one a patient": ([1] * n + [0] * n, [0] * n + [1] * n) for n in (50, 15)}


def readers(repetitions):
    """The AUC with few raters who differ in skill: Hillis' degrees of freedom, and those that the analysis takes."""
    print(f"\nAUC of few raters, % of {repetitions} studies: Hillis' degrees of freedom / those of the analysis")
    print("| raters | patients | SD of d' between raters | type I | false equivalence at .65 |\n|---|---|---|---|---|")
    shapes = {**ONE_EACH, **{name: STRUCTURES[name] for name in list(STRUCTURES)[0:3:2]}}
    for count in (2, 3, 4, 5):
        for name, kinds in shapes.items():
            truth, patients = patient_structure(*kinds)
            for spread in (0.2, 0.5):
                rates = _rates_of_readers(truth, patients, count, spread, repetitions)
                shown = [f"{100 * before:.1f} / {100 * after:.1f}" for before, after in rates]
                print(f"| {count} | {name} | {spread} | {shown[0]} | {shown[1]} |", flush=True)


def _rates_of_readers(truth, patients, count, spread, repetitions):
    random = luck(count, len(truth), patients.max(), round(10 * spread))
    shared, own = sqrt(0.2), sqrt(1 - 0.2 - CASE_VARIANCE)
    edge = effect_for(lambda effect: mean_area(effect, spread), 0.65)
    found = np.zeros((2, 2))
    for _ in range(repetitions):
        for row, effect in enumerate((0.0, edge)):
            look = shared * random.normal(size=patients.max() + 1)[patients]
            look = look + sqrt(CASE_VARIANCE) * random.normal(size=len(truth))
            skill = effect + spread * random.normal(size=count)
            noise = own * random.normal(size=(len(truth), count))
            ratings = np.digitize((truth[:, None] - 0.5) * skill + look[:, None] + noise, CUTS) + 1.0
            panel = reader_averaged_auc(truth=truth, ratings=ratings, patients=patients)
            if panel.reason:
                # No variance, so neither a test nor limits: the study counts and rejects nothing.
                continue
            for column, judged in enumerate((replace(panel, df=_hillis(panel)), panel)):
                low, high = judged.interval(level=0.95)
                is_same = bool(auc_tost(panel=judged, margin=MARGIN).equivalent)
                found[row, column] += is_same if row else not low <= 0.5 <= high
    return found / repetitions


def _hillis(panel):
    """The degrees of freedom without what few readers take from them."""
    _, df = variance_of_average(
        ms_reader=np.array([panel.ms_reader]),
        cov2=np.array([panel.cov2]),
        fixed=np.array([panel.fixed_variance]),
        readers=len(panel.reader_aucs),
        df_patients=panel.df_patients,
    )
    return float(df[0])


def mean_area(effect, spread):
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    return float(sum(w * area_of(effect + spread * x) for x, w in zip(nodes, weights / weights.sum(), strict=True)))


def few_raters(repetitions):
    """Percent correct with skill that varies between raters: coverage and false equivalence at a true share of .65."""
    print(f"\nPercent correct of raters whose skill varies (SD .08), 60 cases, {repetitions} studies, before / after")
    print("| raters | coverage of the 95 % interval at .65 | false equivalence at .65 |\n|---|---|---|")
    for raters in (2, 3, 5):
        random, covered, same = luck(7), np.zeros(2), np.zeros(2)
        truth = np.repeat([0.0, 1.0], 30)
        for _ in range(repetitions):
            chance = np.clip(0.65 + 0.08 * random.normal(size=raters), 0, 1)
            shared = sqrt(CASE_VARIANCE) * random.normal(size=(60, 1))
            own = sqrt(1 - CASE_VARIANCE) * random.normal(size=(60, raters))
            correct = (stats.norm.ppf(chance) + shared + own > 0).astype(float)
            before = [panel_accuracy(correct=correct, level=level) for level in (0.95, 0.9)]
            after = reader_averaged_accuracy(truth=truth, calls=np.where(correct, truth[:, None], 1 - truth[:, None]))
            limits = [(before[0].low, before[0].high), (after.low, after.high)]
            narrow = [(before[1].low, before[1].high), after.interval(level=0.9) or (None, None)]
            covered += [low is not None and low <= 0.65 <= high for low, high in limits]
            same += [low is not None and low >= 0.35 and high <= 0.65 for low, high in narrow]
        shown = [f"{100 * one[0] / repetitions:.1f} / {100 * one[1] / repetitions:.1f}" for one in (covered, same)]
        print(f"| {raters} | {shown[0]} | {shown[1]} |", flush=True)
    stopping_early(repetitions)


def stopping_early(repetitions):
    print(f"\nThree raters of 60 cases who stop after 60, 20 and 10 under the null, {repetitions} studies")
    print("| | not tested | significant at 5 % of all |\n|---|---|---|")
    random = luck(11)
    p = []
    for _ in range(repetitions):
        truth = random.permutation(np.repeat([0.0, 1.0], 30))
        shared = np.sqrt(CASE_VARIANCE) * random.normal(size=(60, 1))
        ratings = np.digitize(shared + np.sqrt(1 - CASE_VARIANCE) * random.normal(size=(60, 3)), CUTS) + 1.0
        for rater, answered in enumerate((60, 20, 10)):
            ratings[answered:, rater] = np.nan
        p.append(
            [ustatistic_auc(truth=truth, ratings=ratings).panel.p, reader_averaged_auc(truth=truth, ratings=ratings).p]
        )
    for name, tests in zip(("unbiased U-statistic", "each rater's own AUC"), zip(*p, strict=True), strict=True):
        gone = 100 * np.mean([one is None for one in tests])
        print(f"| {name} | {gone:.1f} % | {100 * np.mean([one is not None and one <= 0.05 for one in tests]):.1f} % |")


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
    area_p = reader_averaged_auc(truth=truth, ratings=ratings).p
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


def one_case_each(repetitions):
    print(f"\nShare of {repetitions} null studies called significant at 5 %, one case per patient")
    for name, settings in SCENARIOS.items():
        random = luck(20210817)
        found = [rejections(*panel(random, **settings)) for _ in range(repetitions)]
        print(f"\n{name}")
        for test in found[0]:
            print(f"  {test:<34}{100 * np.mean([one[test] for one in found]):6.1f} %")


def coverage_and_power(repetitions):
    print(
        f"\nReader-averaged AUC, {repetitions} studies each: coverage of the 95 % interval, power planned and simulated"
    )
    for raters, cases, area in ((5, 50, 0.65), (5, 100, 0.5), (5, 100, 0.65), (10, 60, 0.6), (8, 200, 0.5)):
        random, truth_sd = luck(7), 0.2
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


PARTS = {
    "patients": patients_as_units,
    "equivalence": equivalence,
    "readers": readers,
    "few": few_raters,
    "cases": one_case_each,
    "power": coverage_and_power,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("repetitions", nargs="?", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _SEED[0] = options.seed
    for part in [options.part] if options.part else PARTS:
        PARTS[part](options.repetitions)


if __name__ == "__main__":
    main()
