"""The one way by which a truth leaves a sealed study: a rater is told what the own answers were about.

Only of answers that stand, and telling makes them stand. Every truth that is told is a row, and an entry of the record.
Programs are told nothing: whoever runs one would know the truth while others read.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.ledger.rows import held_head, see_exclusion
from readerstudy.models import CaseTruth, Feedback, Presentation, RatingEvent, Session, Study, TruthTold, record
from readerstudy.tasks.task import REAL, SYNTHETIC, Task
from readerstudy.unblinding.marked import distance_mm
from readerstudy.verification.told import TOLD

UNSURE = 0.5


def tell_of_case(presentation: Presentation) -> dict[str, Any]:
    """Of the trial that this image belongs to, once it is answered."""
    session = presentation.session
    answers = _tell(session, Feedback.CASE, [Feedback.CASE], needed=1, position=presentation.position)
    return _payloads(session, answers)[0]


def tell_of_all(session: Session) -> dict[str, Any]:
    """Of every case, once the last one is answered; also where raters were told after each."""
    trials = Presentation.objects.filter(session=session, side=0).count()
    cases = _payloads(session, _tell(session, Feedback.END, [Feedback.CASE, Feedback.END], needed=trials))
    judged = [case["right"] for case in cases if case["right"] is not None]
    return {"cases": cases, "right": sum(judged), "judged": len(judged)}


def _tell(
    session: Session, told: Feedback, allowed: Sequence[Feedback], *, needed: int, position: int | None = None
) -> list[RatingEvent]:
    """The answers that stand, of all cases or of the one at `position`, each marked as told."""
    rater = session.rater
    if rater.study.asked.feedback not in allowed:
        raise ConflictError(gettext("This study tells nobody what its cases are."), code="no_feedback")
    if rater.user.as_program is not None:
        raise ConflictError(gettext("Programs are told nothing of single cases."), code="no_feedback")
    with transaction.atomic():
        # Under the lock of the chain: no answer changes meanwhile, and a closing sees all that was told before it.
        study = held_head(rater.study_id)
        see_exclusion(rater)
        if not study.accepts_ratings or rater.excluded_at is not None:
            raise ConflictError(gettext("This study takes no more ratings from you."), code="study_not_open")
        answers = _standing(session, position)
        if len(answers) < needed:
            raise ConflictError(_not_yet(told), code="not_answered")
        _mark_as_told(study, session, answers)
    return answers


def _not_yet(told: Feedback) -> str:
    if told == Feedback.CASE:
        return gettext("What this case is, you are told once you have answered it.")
    return gettext("What the cases are, you are told once you have answered all of them.")


def _standing(session: Session, position: int | None) -> list[RatingEvent]:
    events = RatingEvent.objects.filter(presentation__session=session, superseded_by=None)
    if position is not None:
        events = events.filter(presentation__position=position)
    return list(events.select_related("presentation__stimulus", "told").order_by("presentation__position"))


def _mark_as_told(study: Study, session: Session, answers: Sequence[RatingEvent]) -> None:
    new = [event for event in answers if not hasattr(event, "told")]
    if not new:
        return
    at = timezone.now()
    TruthTold.objects.bulk_create(TruthTold(event=event, at=at) for event in new)
    # Raters are numbers there, and no truth: the team reads the record while the study is sealed.
    entries = [event.sequence for event in new]
    record(study=study, actor=None, action=TOLD, rater=session.rater.number, entries=entries)


def _payloads(session: Session, answers: Sequence[RatingEvent]) -> list[dict[str, Any]]:
    task = session.rater.study.asked.task
    slots = Presentation.objects.filter(
        session=session, position__in=[event.presentation.position for event in answers]
    ).select_related("stimulus")
    truths = CaseTruth.objects.in_bulk([slot.stimulus.case_id for slot in slots])
    to_find = _sides_to_find(task, list(slots), truths)
    return [
        {
            "position": event.presentation.position + 1,
            "answer": event.answer,
            "level": event.level,
            "side": event.presentation.side,
            **_told_of(event, task, truths[event.presentation.stimulus.case_id]),
            **_found_at(to_find.get(event.presentation.position), task, truths[event.presentation.stimulus.case_id]),
        }
        for event in answers
    ]


def _sides_to_find(task: Task, slots: Sequence[Presentation], truths: dict[UUID, CaseTruth]) -> dict[int, int]:
    """By position the side of the image to find; nothing where each is shown alone."""
    if task.images == 1:
        return {}
    wanted = bool(task.put_together()["finds_synthetic"])
    return {slot.position: slot.side for slot in slots if truths[slot.stimulus.case_id].synthetic == wanted}


def _found_at(side: int | None, task: Task, truth: CaseTruth) -> dict[str, Any]:
    """With the words that say it: the room's own program names no kinds, for some studies must not."""
    if side is None:
        was = gettext("It was synthetic.") if truth.synthetic else gettext("It was real.")
    elif task.put_together()["finds_synthetic"]:
        was = gettext("The synthetic one was image %(number)s.") % {"number": side + 1}
    else:
        was = gettext("The real one was image %(number)s.") % {"number": side + 1}
    return {"to_find": side, "was": was}


def _told_of(event: RatingEvent, task: Task, truth: CaseTruth) -> dict[str, Any]:
    """`kind` is that of the image which the answer is about; an answer between both is neither right nor wrong."""
    call = task.call(event)
    return {
        "kind": SYNTHETIC if truth.synthetic else REAL,
        "right": None if call == UNSURE else call == truth.synthetic,
        "hit": _hit(event, task, truth),
    }


def _hit(event: RatingEvent, task: Task, truth: CaseTruth) -> bool | None:
    """Whether some mark lies on what was edited; None where nothing was, or nothing is marked."""
    marks = [event.mark] if event.mark else list(event.marks or [])
    if task.mark is None or not truth.synthetic:
        return None
    away = [distance_mm(mark, truth, event.presentation.stimulus) for mark in marks]
    return any(one is not None and one <= task.mark.radius_mm for one in away)
