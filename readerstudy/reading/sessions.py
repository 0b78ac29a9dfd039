"""Where a rater stands in the stored order."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from ctplatform.accounts.models import User
from readerstudy.models import Presentation, RatingEvent, Session, Study, StudyState

AHEAD = 2  # the case being read and the one to fetch meanwhile

CONFIDENCE_LABELS: dict[int, list[str]] = {
    1: ["Sure"],
    2: ["Unsure", "Sure"],
    3: ["Guess", "Fairly sure", "Certain"],
    4: ["Guess", "Rather unsure", "Fairly sure", "Certain"],
    5: ["Guess", "Unsure", "Fairly sure", "Sure", "Certain"],
    6: ["Guess", "Very unsure", "Rather unsure", "Fairly sure", "Sure", "Certain"],
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    done: int
    total: int
    state: str
    next: list[str]
    previous: str | None

    def as_payload(self) -> dict[str, Any]:
        return {
            "progress": {"done": self.done, "total": self.total},
            "state": self.state,
            "next": self.next,
            "previous": self.previous,
        }


def sessions_of(user: User) -> QuerySet[Session]:
    """What a rater may know of: own sessions of studies that were opened for reading."""
    return Session.objects.filter(
        rater__user=user,
        rater__study__state__in=[StudyState.COLLECTING, StudyState.CLOSED, StudyState.UNBLINDED],
    ).select_related("rater__study", "rater__user")


def standing(session: Session) -> Standing:
    return standings([session])[session.pk]


def standings(sessions: Sequence[Session]) -> dict[int, Standing]:
    """By the sessions' ids; asks once for all of them."""
    answered = RatingEvent.objects.filter(presentation=OuterRef("pk"))
    slots: dict[int, list[tuple[str, bool]]] = {session.pk: [] for session in sessions}
    stored = Presentation.objects.filter(session__in=sessions).annotate(done=Exists(answered)).order_by("position")
    for session_id, token, done in stored.values_list("session", "token", "done"):
        slots[session_id].append((token, done))
    return {session.pk: _standing(session, slots[session.pk]) for session in sessions}


def _standing(session: Session, slots: Sequence[tuple[str, bool]]) -> Standing:
    done = sum(finished for _, finished in slots)
    state = state_of(session, finished=done == len(slots))
    waiting = [token for token, finished in slots if not finished]
    first_open = next((index for index, (_, finished) in enumerate(slots) if not finished), len(slots))
    may_go_back = first_open > 0 and state != "closed"
    return Standing(
        done=done,
        total=len(slots),
        state=state,
        next=waiting[:AHEAD] if state == "open" else [],
        previous=slots[first_open - 1][0] if may_go_back else None,
    )


def state_of(session: Session, *, finished: bool) -> str:
    if not session.rater.study.accepts_ratings or session.rater.excluded_at is not None:
        return "closed"
    return "finished" if finished else "open"


def study_payload(study: Study) -> dict[str, Any]:
    levels = study.confidence_levels
    labels = CONFIDENCE_LABELS.get(levels, [])
    confidence = {"levels": [{"value": n, "label": label, "key": str(n)} for n, label in enumerate(labels, start=1)]}
    return {
        "study": {
            "title": study.title,
            "instructions": study.instructions,
            "question": study.question,
            "answers": [
                {"value": "real", "label": "Real", "key": "1"},
                {"value": "synthetic", "label": "Synthetic", "key": "2"},
            ],
            "confidence": confidence if levels else None,
        },
        "display": {
            "mode": str(study.display_mode),
            "field_of_view_mm": study.field_of_view_mm if study.display_mode == "patch" else None,
            "window": {"center": study.window_center_hu, "width": study.window_width_hu},
        },
    }


def median_seconds_per_case(sessions: Sequence[Session]) -> dict[int, float]:
    """By the sessions' ids, from the person's own answers; a session without an answer has none."""
    times = RatingEvent.objects.filter(presentation__session__in=sessions)
    seconds: dict[int, list[float]] = {}
    for session_id, reading_ms, load_ms in times.values_list("presentation__session", "reading_ms", "load_ms"):
        seconds.setdefault(session_id, []).append((reading_ms + load_ms) / 1000)
    return {session_id: median(values) for session_id, values in seconds.items()}


def presentation_of(user: User, token: str) -> QuerySet[Presentation]:
    return Presentation.objects.filter(token=token, session__in=sessions_of(user)).select_related(
        "session__rater__study", "stimulus"
    )
