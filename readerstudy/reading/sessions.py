"""Where a rater stands in the stored order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from django.db.models import Max, QuerySet
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from readerstudy.blinding.presentation import IN_SIGHT
from readerstudy.blinding.wire import RAW
from readerstudy.ledger.append import Appended
from readerstudy.ledger.phases import not_yet_begun
from readerstudy.ledger.slots import Slot, answered_before, slots_of
from readerstudy.ledger.turns import policy_of
from readerstudy.models import Feedback, GoingBack, Presentation, RatingEvent, Session, Study, StudyState, TruthTold
from readerstudy.reading.phases import Wait, waits_of
from readerstudy.tasks.labels import mark_in, question_in

# What a study's row holds of the whole study; a rater's requests need none of it.
WIDE = ("description", "plan_options", "match_report", "leak_audit", "flow", "protocol")

# Of a study that continues another one, while it is too early for the rater.
WAITING = "waiting"
OPENED = (StudyState.COLLECTING, StudyState.CLOSED, StudyState.UNBLINDED)


@dataclass(frozen=True, kw_only=True)
class Standing:
    done: int
    total: int
    state: str
    next: list[str]
    previous: str | None
    previous_answer: dict[str, Any] | None = None
    previous_position: int | None = None
    counter: int = 0
    wait: Wait | None = None

    def as_payload(self) -> dict[str, Any]:
        return {
            "progress": {"done": self.done, "total": self.total},
            "state": self.state,
            "next": self.next,
            "previous": self.previous,
            "previous_answer": self.previous_answer,
            "counter": self.counter,
        }


def sessions_of(user: User) -> QuerySet[Session]:
    """What a rater may know of: own sessions of studies that were opened for reading."""
    sessions = Session.objects.filter(rater__user=user, rater__study__state__in=OPENED).select_related("rater__study")
    return sessions.defer(*(f"rater__study__{name}" for name in WIDE))


def as_locked(sessions: Iterable[Session]) -> list[Session]:
    """Without those of studies whose protocol was changed: of these nothing is shown."""
    return [session for session in sessions if session.rater.study.is_as_locked]


def standing(session: Session) -> Standing:
    """With the answer that a browser would replace."""
    at = standings([session])[session.pk]
    return _with_previous_answer(session, at)


def standing_after(appended: Appended) -> Standing:
    """As the ledger saw the sitting when it took the answer, or took it again."""
    event, session = appended.event, appended.event.presentation.session
    if not appended.new:
        return _with_previous_answer(session, _standing(session, appended.slots))
    session.rater.study = event.study  # as it stood under the lock of the chain
    at = _standing(session, appended.slots)
    if event.presentation.position == at.previous_position:
        return replace(at, previous_answer=given_answer(event))
    return _with_previous_answer(session, at)


def _with_previous_answer(session: Session, at: Standing) -> Standing:
    if at.previous_position is None:
        return at
    events = RatingEvent.objects.filter(presentation__session=session, presentation__position=at.previous_position)
    current = events.filter(superseded_by=None).select_related("presentation")
    return replace(at, previous_answer=given_answer(current.first()))


def given_answer(event: RatingEvent | None) -> dict[str, Any] | None:
    """What its own rater is told of an answer."""
    if event is None:
        return None
    return {
        "client_event_id": event.client_event_id,
        "answer": event.answer,
        "confidence": event.confidence,
        "level": event.level,
        "mark": event.mark,
        "marks": event.marks,
        "side": event.presentation.side,
        "answered_at": event.answered_at,
    }


def note_left(session: Session, *, unsent: int) -> None:
    """The rater's page is closed; where it held no answer, none can arrive before it is opened again."""
    kept = {} if unsent else {"fetched_at": None}
    Session.objects.filter(pk=session.pk).update(unsent=unsent, **kept)


def standings(sessions: Sequence[Session]) -> dict[int, Standing]:
    """By the sessions' ids; asks once for all of them."""
    slots, waits = slots_of([session.pk for session in sessions]), waits_of(sessions)
    found = {session.pk: _standing(session, slots[session.pk]) for session in sessions}
    waiting = {pk: wait for pk, wait in waits.items() if found[pk].state == "open"}
    return found | {pk: replace(found[pk], state=WAITING, next=[], wait=wait) for pk, wait in waiting.items()}


def shown_title(session: Session) -> str:
    """A title may tell what the earlier study is about."""
    study = session.rater.study
    if not_yet_begun(session):
        return gettext("What follows “%(title)s”") % {"title": study.frozen["continues"]["title"]}
    return study.asked.title


def _standing(session: Session, slots: Sequence[Slot]) -> Standing:
    waiting = [slot.token for slot in slots if not slot.answers]
    state = state_of(session, finished=not waiting)
    before = answered_before(slots)
    may_go_back = state != "closed" and policy_of(session.rater.study) != GoingBack.NEVER and not _was_told(session)
    previous = before[-1] if before and may_go_back else None
    return Standing(
        done=len(slots) - len(waiting),
        total=len(slots),
        state=state,
        next=waiting[:IN_SIGHT] if state == "open" else [],
        previous=previous.token if previous else None,
        previous_position=previous.position if previous else None,
        counter=max((slot.counter or 0 for slot in slots), default=0),
    )


def _was_told(session: Session) -> bool:
    """Of all cases what they were; before the last answer nobody is, but where no answer is ever changed."""
    if session.rater.study.asked.feedback != Feedback.END:
        return False
    return TruthTold.objects.filter(event__presentation__session=session).exists()


def state_of(session: Session, *, finished: bool) -> str:
    if not session.rater.study.accepts_ratings or session.rater.excluded_at is not None:
        return "closed"
    return "finished" if finished else "open"


def samples_form(study: Study) -> str:
    """What the decompressed bytes of a slice are; studies that were locked before were stored as they are."""
    form: str = study.frozen.get("display", {}).get("samples", RAW)
    return form


def study_payload(study: Study) -> dict[str, Any]:
    asked = study.asked
    return {
        "study": {
            "title": asked.title,
            "instructions": asked.instructions,
            "question": asked.question,
            **question_in(asked.task, asked.language),
            "mark": mark_in(asked.task, asked.language),
            "further": [item.payload() for item in asked.items],
            "at_the_end": asked.end_question,
            "feedback": asked.feedback,
        },
        "display": {
            "mode": str(asked.display_mode),
            "field_of_view_mm": asked.field_of_view_mm if asked.display_mode == "patch" else None,
            "window": {"center": asked.window_center_hu, "width": asked.window_width_hu},
            "window_may_stay": asked.window_may_stay,
            "images": asked.task.images,
        },
    }


def images_of(presentation: Presentation) -> list[str]:
    """Tokens of what is shown together, from the left."""
    if presentation.session.rater.study.asked.task.images == 1:
        return [presentation.token]
    return list(presentation.trial.values_list("token", flat=True))


def median_seconds_per_case(sessions: Sequence[Session]) -> dict[int, float]:
    """By the sessions' ids, from the person's own answers; a session without an answer has none."""
    times = RatingEvent.objects.filter(presentation__session__in=sessions)
    seconds: dict[int, list[float]] = {}
    for session_id, reading_ms, load_ms in times.values_list("presentation__session", "reading_ms", "load_ms"):
        seconds.setdefault(session_id, []).append((reading_ms + load_ms) / 1000)
    return {session_id: median(values) for session_id, values in seconds.items()}


def last_receipts(sessions: Sequence[Session]) -> dict[int, RatingEvent]:
    """By the sessions' ids the last entry of the ledger that is the person's own."""
    own = RatingEvent.objects.filter(presentation__session__in=sessions)
    last = own.values("presentation__session").annotate(last=Max("pk")).values("last")
    found = (
        RatingEvent.objects.filter(pk__in=last)
        .select_related("presentation")
        .only("sequence", "digest", "presentation")
    )
    return {event.presentation.session_id: event for event in found}
