"""What may still arrive: raters whose browsers may hold answers, and cases that nobody has answered."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from readerstudy.models import Presentation, RatingEvent, Session, Study


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    rater: str
    """The rater's name."""
    number: int
    left: int
    """Cases, or trials of several, without an answer."""
    unsent: int
    """Answers that the browser said it held when it was last heard."""
    may_hold: bool
    """A case was sent to this rater's browser after its last answer, and the page was not closed since, or with answers
    in it."""
    last_heard_at: datetime | None


def under_way(study: Study) -> list[UnderWay]:
    """Raters who have not finished or may hold answers, by number; excluded ones only if they may hold some."""
    left, last = _left(study), _last_answers(study)
    sessions = (
        Session.objects.filter(rater__study=study).select_related("rater__user__program").order_by("rater__number")
    )
    rows = [_row(session, left.get(session.pk, 0), last.get(session.pk)) for session in sessions]
    excluded = {session.rater.number for session in sessions if session.rater.excluded_at is not None}
    return [row for row in rows if row.may_hold or (row.left and row.number not in excluded)]


def may_hold_answers(study: Study) -> list[UnderWay]:
    return [row for row in under_way(study) if row.may_hold]


def _row(session: Session, left: int, last_answer_at: datetime | None) -> UnderWay:
    fetched = session.fetched_at
    shown_since = fetched is not None and left > 0 and (last_answer_at is None or fetched > last_answer_at)
    return UnderWay(
        rater=session.rater.name,
        number=session.rater.number,
        left=left,
        unsent=session.unsent,
        may_hold=shown_since or session.unsent > 0,
        last_heard_at=max((at for at in (fetched, last_answer_at) if at is not None), default=None),
    )


def _left(study: Study) -> dict[int, int]:
    """Every trial has one answer that replaces none."""
    trials = Presentation.objects.filter(session__rater__study=study, side=0).values("session")
    first = RatingEvent.objects.filter(study=study, supersedes=None).values("presentation__session")
    answered = dict(first.annotate(n=Count("pk")).values_list("presentation__session", "n"))
    rows = trials.annotate(n=Count("pk")).values_list("session", "n")
    return {session: count - answered.get(session, 0) for session, count in rows}


def _last_answers(study: Study) -> dict[int, datetime]:
    events = RatingEvent.objects.filter(study=study).values("presentation__session")
    return dict(events.annotate(last=Max("received_at")).values_list("presentation__session", "last"))
