"""Is the smallest leak that the audit's page prints found in 90 % of draws? Run `python -m bench.leak_audit_power`.

Every draw is a clean study of its own, as in `leak_audit_false_alarms`, and one family in turn gets one more observable
that tells the kinds apart with just the AUC that the clean study's certificate prints for it (binormal, of equal
spread). Where it prints no AUC, but that what tells every case is found, just that is planted: as numbers, each kind
in a range of its own, and as a word of two. "Found" is: the family is called a leak and names the plant.
"""

import argparse
import sys
import time
from collections import defaultdict

import numpy as np
from scipy import stats

from bench.leak_audit_false_alarms import clean_study
from readerstudy.blinding import leaks
from readerstudy.blinding.observables import Observable, number_observable
from readerstudy.blinding.smallest import POWER

PLANT = "planted"
# Cases, raters, and whether they are shown in pairs of both kinds.
SIZES = ((16, 30, False), (100, 30, False), (100, 3, False), (30, 3, True), (100, 3, True))


def study(cases, raters, paired, random):
    """Observables, kinds and trials; see `leaks.audit`."""
    seen, kinds = clean_study(cases, raters, random)
    if not paired:
        return seen, kinds, None
    first = random.permutation(np.arange(cases // 2) % 2 == 0)
    return seen, np.column_stack([first, ~first]).ravel(), [case // 2 for case in range(cases)]


def plants(family, kinds, random):
    """By form of the plant, an observable with as weak a leak as the certificate prints."""
    area = family["smallest_auc"]
    if area is not None and area < 1:
        values = random.normal(size=len(kinds)) + np.sqrt(2) * stats.norm.ppf(area) * kinds
        return {"a shift": number_observable(PLANT, values.tolist(), family=family["name"])}
    apart = random.uniform(size=len(kinds)) + 2 * kinds
    numbers = number_observable(PLANT, apart.tolist(), family=family["name"])
    if area is not None:
        return {"a range of its own": numbers}
    words = Observable(name=PLANT, sort="blind", values=["ab"[int(kind)] for kind in kinds], family=family["name"])
    return {"a range of its own": numbers, "a word of its own": words}


def found(seen, plant, kinds, together):
    outcome = leaks.audit([*seen, plant], synthetic=kinds.tolist(), together=together)
    family = next(held for held in outcome["families"] if held["name"] == plant.family)
    return family["leak"] and PLANT in family["telling"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--size", type=int, choices=range(len(SIZES)), help="One of the sizes alone")
    options = parser.parse_args()
    sizes = SIZES if options.size is None else [SIZES[options.size]]
    return max(measured(*size, draws=options.draws) for size in sizes)


def measured(cases, raters, paired, *, draws):
    """1 where the share that is found leaves out what is printed, by more than chance."""
    random, began = np.random.default_rng([cases, raters, paired]), time.monotonic()
    counts, printed = defaultdict(list), defaultdict(list)
    for draw in range(draws):
        seen, kinds, together = study(cases, raters, paired, random)
        certificate = leaks.audit(seen, synthetic=kinds.tolist(), together=together)
        judged = [held for held in certificate["families"] if held["judgeable"] and held["name"] != leaks.CLASSIFIER]
        family = judged[draw % len(judged)]
        printed[family["name"]].append(family["smallest_auc"])
        for form, plant in plants(family, kinds, random).items():
            counts[family["name"], form].append(found(seen, plant, kinds, together))
    shown = "in pairs, " if paired else ""
    print(f"{cases} cases {shown}{raters} raters, {draws} draws, {(time.monotonic() - began) / draws:.1f} s each")
    told = 0
    for form in sorted({form for _, form in counts}):
        of_form = {name: held for (name, held_form), held in counts.items() if held_form == form}
        for name, held in of_form.items():
            areas = [area for area in printed[name] if area is not None]
            at = f"AUC {np.median(areas):.2f}" if areas else "no AUC"
            print(f"  {form}, {name} ({at} printed): found {sum(held)} of {len(held)}")
        whole = [one for held in of_form.values() for one in held]
        interval = stats.binomtest(sum(whole), len(whole)).proportion_ci(method="exact")
        print(
            f"  {form}, altogether: {sum(whole)} of {len(whole)} ({100 * np.mean(whole):.0f} %, "
            f"95 % {100 * interval.low:.0f} to {100 * interval.high:.0f}; printed: {100 * POWER:.0f} %)",
            flush=True,
        )
        told |= interval.high < POWER
    return int(told)


if __name__ == "__main__":
    sys.exit(main())
