"""A study as if it were open, for a moment: everything that is written in between is taken back.

No rating, session or record stays behind, and nobody else sees any of it. SQLite has one writer: a rehearsal lasts
about a second, then others may write, then the next one begins.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Concat, Now
from django.utils import timezone

from ctplatform.accounts.models import User
from readerstudy.models import Presentation, Session, Study, StudyState
from readerstudy.models.reading import FIRST_READING

PutRows = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One image in a rater's order, by the token that the rater's browser will know it by."""

    case_id: str
    token: str
    stimulus_id: UUID
    position: int
    side: int
    # Whether the rater saw the case before.
    again: bool


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """One session of one rater with all its slots in their order."""

    rater_number: int
    user: User
    session_id: int
    token: str
    slots: Sequence[Slot]


Trial = Sequence[Slot]


def trials_of(slots: Sequence[Slot]) -> list[Trial]:
    """What is shown together, in the order of the slots."""
    together: dict[int, list[Slot]] = {}
    for slot in slots:
        together.setdefault(slot.position, []).append(slot)
    return list(together.values())


@contextmanager
def rehearsed(study_id: UUID, *, put_rows: PutRows) -> Iterator[Study]:
    """The study, collecting. `put_rows` writes what a lock would; after the lock it has nothing to write."""
    with transaction.atomic():
        put_rows()
        Study.objects.filter(pk=study_id).update(
            state=StudyState.COLLECTING,
            locked_at=Coalesce("locked_at", Now()),
            opened_at=Coalesce("opened_at", Now()),
            closed_at=None,
            unblinded_at=None,
        )
        try:
            yield Study.objects.get(pk=study_id)
        finally:
            transaction.set_rollback(True)


def sittings_of(study: Study) -> list[Sitting]:
    """Of every rater who takes part."""
    sessions = Session.objects.filter(rater__study=study, rater__excluded_at=None).select_related("rater__user")
    slots: dict[int, list[Slot]] = {}
    stored = Presentation.objects.filter(session__in=sessions).order_by("session", "position", "side")
    columns = ("session", "stimulus__case", "token", "stimulus", "position", "side", "stimulus__reading")
    for session_id, case_id, token, stimulus_id, position, side, reading in stored.values_list(*columns):
        slot = Slot(
            case_id=str(case_id),
            token=token,
            stimulus_id=stimulus_id,
            position=position,
            side=side,
            again=reading != FIRST_READING,
        )
        slots.setdefault(session_id, []).append(slot)
    return [
        Sitting(
            rater_number=session.rater.number,
            user=session.rater.user,
            session_id=session.pk,
            token=session.token,
            slots=slots[session.pk],
        )
        for session in sessions.order_by("rater__number", "number")
        if session.pk in slots
    ]


def start_afresh(study: Study, sitting: Sitting, slots: Sequence[Slot]) -> None:
    """Within a rehearsal: a sitting of the same rater with the same tokens, nothing of it answered yet."""
    held = Session.objects.get(rater__study=study, rater__number=sitting.rater_number, token=sitting.token)
    Presentation.objects.filter(session=held).update(token=Concat(Value("-"), F("token")))
    Session.objects.filter(pk=held.pk).update(token=f"-{held.token}")
    last = Session.objects.filter(rater=held.rater).order_by("-number").values_list("number", flat=True)[0]
    # As if its rater had been let in: of a study that continues another one too.
    fresh = Session.objects.create(rater=held.rater, number=last + 1, token=sitting.token, begun_at=timezone.now())
    Presentation.objects.bulk_create(
        Presentation(
            session=fresh,
            position=slot.position,
            side=slot.side,
            token=slot.token,
            stimulus_id=slot.stimulus_id,
        )
        for slot in slots
    )
