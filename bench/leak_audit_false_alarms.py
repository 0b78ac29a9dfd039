"""How often the leak audit stops a clean study; run `python -m bench.leak_audit_false_alarms [studies]`.

Clean studies have the observables of real ones: tokens, codes and file names from the product's alphabets, pixels of
noise with their measures, places in the liver and other lesions beside them, orders drawn by the product's own rule.
The stated share of false alarms is 1 %; with 200 studies two Monte Carlo standard errors are 1.4 points, with 2,000
0.44. Leaks of a given AUC are put into one observable: the share found must be 90 % at the AUC that the certificate
prints. `leak_audit_power` puts them into every family.
"""

import secrets
import sys
import time

import numpy as np
from scipy import stats

from readerstudy.auditing.anatomy import anatomy_observables
from readerstudy.blinding import leaks
from readerstudy.blinding.free_order import Distances, Evenness, draw_order
from readerstudy.blinding.measures import Shown, measure_observables, stimulus_measures, surroundings
from readerstudy.blinding.observables import number_observable, text_observables
from readerstudy.blinding.pairs import pair_observables, sketch
from readerstudy.blinding.schedule import CaseToOrder
from readerstudy.design.candidate import Candidate

SIZES = ((30, 3), (60, 5), (100, 30))
SHOWN = Shown(size_zyx=(1, 31, 31), spacing_zyx_mm=(1.0, 1.0, 1.0), place_zyx=None)
AREA = surroundings(SHOWN, radius_mm=11)


def clean_study(cases, raters, random):
    """Observables and kinds of one study in which nothing leaks."""
    kinds = random.permutation(np.arange(cases) % 2 == 0)
    pixels = [np.rint(random.normal(60, 15, SHOWN.size_zyx)).astype("<i2") for _ in range(cases)]
    seen = measure_observables([stimulus_measures(one, area=AREA) for one in pixels])
    seen += anatomy_observables([a_place(kind, random) for kind in kinds])
    seen += pair_observables([sketch(one, SHOWN) for one in pixels], seen_together=[range(cases)])
    seen += text_observables("file", [secrets.token_hex(16) for _ in range(cases)], family="files")
    seen.append(number_observable("time", random.lognormal(size=cases), family="times", spread=False))
    to_order = [
        CaseToOrder(case_id=f"{number:04d}", synthetic=bool(kind), scan=f"{number}", place=f"{number}")
        for number, kind in enumerate(kinds)
    ]
    for rater in range(1, raters + 1):
        seed = int(random.integers(2**31))
        order = draw_order(to_order, evenness=Evenness(), distances=Distances(), seed=seed, rater_number=rater)
        slots = np.argsort(np.argsort([int(case) for case in order]))
        seen.append(number_observable(f"slot {rater}", np.argsort(slots).tolist(), family="order"))
        tokens = [secrets.token_urlsafe(24) for _ in range(cases)]
        seen += text_observables(f"token {rater}", tokens, family="tokens")
    return seen, kinds


def a_place(synthetic, random):
    """As lesions lie: one in three pictures shows another one."""
    left, back, head = random.uniform(size=3)
    others = int(random.poisson(0.4))
    return Candidate(
        synthetic=bool(synthetic),
        scan="",
        root="",
        subject="",
        place_lps_mm=(0.0, 0.0, 0.0),
        diameter_mm=9.0,
        depth_mm=float(random.gamma(2.0, 8.0)),
        liver_left=left,
        liver_back=back,
        liver_head=head,
        others=others,
        other_distance_mm=float(random.uniform(5, 60)) if others else None,
    )


def leaking(seen, kinds, area, random):
    """The same study with one measure of the surroundings that tells the kinds apart with this AUC."""
    values = random.normal(size=len(kinds)) + np.sqrt(2) * stats.norm.ppf(area) * kinds
    return [*seen, number_observable("planted", values.tolist(), family="surroundings of the lesion")]


def main(studies):
    for cases, raters in SIZES:
        random, alarms, found, printed, seconds = np.random.default_rng(cases), 0, 0, [], 0.0
        for _ in range(studies):
            seen, kinds = clean_study(cases, raters, random)
            began = time.perf_counter()
            outcome = leaks.audit(seen, synthetic=kinds.tolist())
            seconds += time.perf_counter() - began
            alarms += not outcome["passed"]
            family = next(held for held in outcome["families"] if held["name"] == "surroundings of the lesion")
            smallest = family["smallest_auc"] or 0.99
            printed.append(smallest)
            planted = leaks.audit(leaking(seen, kinds, smallest, random), synthetic=kinds.tolist())
            found += not planted["passed"]
        interval = stats.binomtest(alarms, studies).proportion_ci(method="exact")
        print(
            f"{cases} cases, {raters} raters, {studies} studies: false alarms {alarms} "
            f"({100 * alarms / studies:.1f} %, 95 % {100 * interval.low:.1f} to {100 * interval.high:.1f}); "
            f"at the printed AUC (median {np.median(printed):.3f}) found {100 * found / studies:.0f} %; "
            f"{seconds / studies:.2f} s per study",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
