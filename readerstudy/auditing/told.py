"""What raters are told of their own cases by design: it is taken out of what must not go with the kind, if it is that.

A truth told of another case, earlier, to somebody else or beside what is planned stays in, and is found.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from readerstudy.auditing.received import Received, object_of
from readerstudy.auditing.rehearsal import Slot, Trial
from readerstudy.auditing.visitor import Answer
from readerstudy.tasks.task import REAL, SYNTHETIC

FEEDBACK = "feedback"
OF_THE_ANSWER = ("position", "answer", "level", "side", "kind", "right", "hit", "to_find", "was")
OK = 200
AS_PLANNED, OTHERWISE = "of this case", "of another case"


def of_each(answer: Answer, trials: Sequence[Trial]) -> Iterator[tuple[Slot, Answer]]:
    """What a sitting is told of all its cases, apart for every image of every trial; a refusal is told of each."""
    told = {case.get("position"): case for case in object_of(answer.body).get("cases", [])}
    # How long the whole list is says nothing of one case.
    headers = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
    for slot in (slot for trial in trials for slot in trial):
        case = told.get(slot.position + 1)
        yield slot, answer if case is None else replace(answer, headers=headers, body=json.dumps(case).encode())


def is_told(received: Received) -> bool:
    return received.request == FEEDBACK and received.answer.code == OK


def as_planned(received: Received, trial: Trial, synthetic: Mapping[str, bool], *, finds: bool | None) -> str:
    """Whether the truth is that of the image which the answer was about; `finds`: which kind raters look for."""
    told = object_of(received.answer.body)
    about = next((slot for slot in trial if slot.side == told.get("side")), None)
    if about is None or told.get("position") != about.position + 1:
        return OTHERWISE
    kind = SYNTHETIC if synthetic[about.case_id] else REAL
    to_find = next((slot.side for slot in trial if synthetic[slot.case_id] == finds), None)
    return AS_PLANNED if (told.get("kind"), told.get("to_find")) == (kind, to_find) else OTHERWISE
