"""Raters with two computers and three tabs each in the midst of trouble; run `python -m bench.reading_chaos --runs 20`.

Lost and doubled requests, lost replies, proxies' pages, other people's logins, expired logins, reloads, storages that
are full, hang, throw or don't delete, clocks set back and forth, a study closed and opened again, and a rater who is
excluded meanwhile; then the readers read to the end. Studies that take every change, that of the last case alone, and
none, in turn. On SQLite, or on the database of DJANGO_DATABASE_URL.
"""

import argparse
import sys
import time
from contextlib import nullcontext

from django.db import connection

from bench.database import empty_database
from readerstudy.models import GoingBack
from tests.readerstudy.chaos import run
from tests.readerstudy.worlds import Cast, Stages, make_draft, make_world


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="of each run; a study has 12 cases")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with empty_database():
        cast = Cast.create()
        world = make_world(cast.owner)
        found, answers, faults = 0, 0, 0
        for number in range(options.runs):
            going_back = list(GoingBack)[number % len(GoingBack)]
            study = Stages(lambda **_: nullcontext()).open(make_draft(cast, world, going_back=going_back))
            start = time.monotonic()
            outcome = run(study, steps=options.steps, seed=options.seed + number)
            print(
                f"{connection.vendor}, {going_back}, seed {options.seed + number}: {outcome.presses} answers, "
                f"{outcome.faults} faults, {len(outcome.problems)} problems, "
                f"{time.monotonic() - start:.0f} s; {dict(outcome.happened)}",
                flush=True,
            )
            found += len(outcome.problems)
            answers += outcome.presses
            faults += outcome.faults
            for problem in outcome.problems:
                print(f"  {problem}")
        print(f"{connection.vendor}: {options.runs} runs, {answers} answers, {faults} faults, {found} problems")
        return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
