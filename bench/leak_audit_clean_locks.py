"""How often the lock of a clean study is refused; run `python -m bench.leak_audit_clean_locks --locks 200`.

Real locks, with stimuli, orders, tokens, files and a walk through the application: what `leak_audit_false_alarms`
leaves out. All cases are made in one way, and which of them count as synthetic is dealt anew for every lock, so nothing
but chance tells the kinds apart. The stated share of false alarms is 1 %.
"""

import argparse
import sys
import time

import numpy as np
from scipy import stats

from bench.database import empty_database
from readerstudy.models import CaseTruth
from tests.readerstudy.planting import make_planted

STATED = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locks", type=int, default=200)
    parser.add_argument("--cases", type=int, default=16, help="Below 15 no statistic is taken")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random, began = np.random.default_rng(options.seed), time.monotonic()
    with empty_database():
        planted = make_planted(cases=options.cases, all_edited=True)
        alarms = 0
        for number in range(1, options.locks + 1):
            deal(planted.study, random)
            leaks = planted.lock()
            alarms += bool(leaks)
            if leaks:
                print(f"lock {number} refused: {', '.join(leaks)}", flush=True)
        interval = stats.binomtest(alarms, options.locks).proportion_ci(method="exact")
        print(
            f"{options.locks} locks of {options.cases} cases: {alarms} refused ({100 * alarms / options.locks:.1f} %, "
            f"95 % {100 * interval.low:.1f} to {100 * interval.high:.1f}; stated {100 * STATED:.0f} %); "
            f"{(time.monotonic() - began) / options.locks:.1f} s per lock"
        )
        return int(interval.low > STATED)


def deal(study, random) -> None:
    """Half of the cases, whichever, are called synthetic."""
    truths = list(CaseTruth.objects.filter(case__study=study))
    for truth, place in zip(truths, random.permutation(len(truths)), strict=True):
        truth.synthetic = bool(place % 2)
    CaseTruth.objects.bulk_update(truths, ["synthetic"])


if __name__ == "__main__":
    sys.exit(main())
