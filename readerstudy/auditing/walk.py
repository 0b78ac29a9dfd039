"""Everything that raters, strangers and the team can fetch before the unblinding, fetched as they would.

Every rater reads every case in the stored order: description, slices, answer. One of them also looks at what a case
could change elsewhere: all its slices, the session before it, the case as soon as it is served and so before its turn,
the same answer sent twice, going back to it and answering it anew, all that is refused, the closed study. Of some cases
everything else is asked that could be, by whoever could (`asking.py`), and the team's pages once for all (`team.py`).
Where there are fewer cases than any statistic could judge, each case is read by one rater and nobody looks elsewhere.
"""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from readerstudy.auditing.received import Walk
from readerstudy.auditing.rehearsal import PutRows, Sitting, Trial, rehearsed, sittings_of, trials_of
from readerstudy.auditing.stretch import Stretch
from readerstudy.auditing.team import ask_as_team, team_addresses
from readerstudy.auditing.visitor import unlogged_refusals

# Others wait for so long when they want to write meanwhile, and then get time to: SQLite tries again every 100 ms.
REHEARSAL_SECONDS = 0.8
PAUSE_SECONDS = 0.15

Progress = Callable[[float, str], None]


def walk(study_id: UUID, *, put_rows: PutRows, on_progress: Progress) -> Walk:
    walked = Walk()
    with rehearsed(study_id, put_rows=put_rows) as study:
        walked.sittings = sittings_of(study)
        walked.finds = study.asked.task.put_together().get("finds_synthetic")
        of_the_team = team_addresses(study)
    cases = sorted({slot.case_id for sitting in walked.sittings for slot in sitting.slots})
    walked.turn = {case_id: number for number, case_id in enumerate(cases)}
    held = 0.0
    with unlogged_refusals():
        for number, sitting in enumerate(walked.sittings):
            trials = _trials_to_read(walked, sitting, number)
            at = 0
            while at < len(trials):
                began = time.monotonic()
                with rehearsed(study_id, put_rows=put_rows) as study:
                    at = Stretch(study, sitting, walked, number).read(trials, at, seconds=REHEARSAL_SECONDS)
                held = _let_others_write(held + time.monotonic() - began)
                share = (number + at / len(trials)) / len(walked.sittings)
                on_progress(0.95 * share, f"reading as rater {sitting.rater_number}, case {at} of {len(trials)}")
        while not walked.few and len(walked.team_pages) < len(of_the_team):
            left = of_the_team[len(walked.team_pages) :]
            began = time.monotonic()
            with rehearsed(study_id, put_rows=put_rows) as study:
                ask_as_team(study, walked.sittings[0], walked, left, seconds=REHEARSAL_SECONDS)
            held = _let_others_write(held + time.monotonic() - began)
            on_progress(0.95 + 0.05 * len(walked.team_pages) / len(of_the_team), "asking for the team's pages")
    return walked


def _let_others_write(held_seconds: float) -> float:
    """Rest when rehearsals have kept others from writing for long; returns for how long they have since."""
    if held_seconds < REHEARSAL_SECONDS:
        return held_seconds
    time.sleep(PAUSE_SECONDS)
    return 0.0


def _trials_to_read(walked: Walk, sitting: Sitting, number: int) -> Sequence[Trial]:
    trials = trials_of(sitting.slots)
    if not walked.few:
        return trials
    # The same cases stand together for every rater, so the first of them tells whose turn all are.
    first = [(min(walked.turn[slot.case_id] for slot in trial), trial) for trial in trials]
    return [trial for turn, trial in first if turn % len(walked.sittings) == number]
