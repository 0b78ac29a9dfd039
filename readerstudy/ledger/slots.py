"""The slots of sittings in their order, and what was answered of them: whose turn it is follows from nothing else."""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from django.db import connection

# Every answer asks this. To have it composed anew each time costs more than its answer.
SLOTS = """
    SELECT slot.session_id, slot.position, slot.side, slot.token, COUNT(event.id), MAX(event.counter)
    FROM readerstudy_presentation slot
    LEFT JOIN readerstudy_ratingevent event ON event.presentation_id = slot.id
    WHERE slot.session_id IN ({}) GROUP BY slot.id ORDER BY slot.position, slot.side
"""


class Slot(NamedTuple):
    """All images at one position are a trial; `token` is that of the first. An answer makes all of its sitting anew."""

    position: int
    token: str
    answers: int
    counter: int | None
    """The highest number that one of its answers has in the sitting."""

    def with_answers(self, count: int, counter: int | None) -> "Slot":
        numbers = [number for number in (self.counter, counter) if number is not None]
        return self._replace(answers=self.answers + count, counter=max(numbers, default=None))


def slots_of(session_ids: Sequence[int]) -> dict[int, list[Slot]]:
    """By sitting; asks once for all of them."""
    slots: dict[int, list[Slot]] = {session_id: [] for session_id in session_ids}
    if not slots:
        return slots
    with connection.cursor() as cursor:
        cursor.execute(SLOTS.format(", ".join(["%s"] * len(slots))), list(slots))
        for session_id, position, side, token, answers, counter in cursor.fetchall():
            if side:
                slots[session_id][-1] = slots[session_id][-1].with_answers(answers, counter)
            else:
                slots[session_id].append(Slot(position, token, answers, counter))
    return slots


def answered_before(slots: Sequence[Slot]) -> list[Slot]:
    """Those before the first one that has no answer. Their number is no position: a rehearsal of the leak audit sits
    through some positions of a sitting only.
    """
    return list(takewhile(lambda slot: slot.answers, slots))


def turn_of(slots: Sequence[Slot]) -> int:
    """Position of the first slot without an answer; when all have one, the position that would come next."""
    before = answered_before(slots)
    if len(before) < len(slots):
        return slots[len(before)].position
    return slots[-1].position + 1 if slots else 0


def answered(slots: Sequence[Slot], *, position: int, counter: int | None) -> list[Slot]:
    """The same with one more answer."""
    return [slot.with_answers(1, counter) if slot.position == position else slot for slot in slots]
