"""When a rater may begin a study that continues another one: after finishing that one, and the days between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from ctplatform.errors import ConflictError
from readerstudy.design.phases import held_with_phases
from readerstudy.ledger.phases import not_yet_begun
from readerstudy.ledger.slots import Slot, slots_of
from readerstudy.models import RatingEvent, Session


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Why a rater may not begin yet. Nothing of the later study is told: its question may give the earlier one away."""

    earlier: str
    """The earlier study's title."""
    left: int
    """Trials of it that have no answer yet."""
    gap_days: int
    until: datetime | None
    """None while the earlier one isn't finished."""

    @property
    def words(self) -> str:
        if self.until is not None:
            at = date_format(timezone.localtime(self.until), "DATETIME_FORMAT")
            return ngettext(
                "It opens for you on %(at)s, %(days)s day after your last answer in “%(earlier)s”.",
                "It opens for you on %(at)s, %(days)s days after your last answer in “%(earlier)s”.",
                self.gap_days,
            ) % {"at": at, "days": self.gap_days, "earlier": self.earlier}
        cases = ngettext("%(count)s case", "%(count)s cases", self.left) % {"count": self.left}
        said = {"earlier": self.earlier, "cases": cases, "days": self.gap_days}
        if not self.gap_days:
            return gettext("It opens when you have finished “%(earlier)s” (%(cases)s left).") % said
        return (
            ngettext(
                "It opens when you have finished “%(earlier)s” (%(cases)s left), %(days)s day after your last answer "
                "there.",
                "It opens when you have finished “%(earlier)s” (%(cases)s left), %(days)s days after your last answer "
                "there.",
                self.gap_days,
            )
            % said
        )


def begin(session: Session) -> None:
    """Let the rater in, once and for all; refuses while it is too early."""
    if not not_yet_begun(session):
        return
    _refuse_too_early(session)
    with transaction.atomic():
        # Until this ends none of them is opened again: what the rater had finished stays finished.
        held_with_phases(session.rater.study)
        _refuse_too_early(session)
        session.begun_at = timezone.now()
        Session.objects.filter(pk=session.pk, begun_at=None).update(begun_at=session.begun_at)


def _refuse_too_early(session: Session) -> None:
    if wait := waits_of([session]).get(session.pk):
        raise ConflictError(
            gettext("This reading isn't open to you yet. %(words)s") % {"words": wait.words}, code="not_begun"
        )


def waits_of(sessions: Sequence[Session]) -> dict[int, Wait]:
    """By the sessions' ids, of those whose raters must wait; asks as often for many as for one."""
    frozen = {session.pk: session.rater.study.frozen["continues"] for session in sessions if not_yet_begun(session)}
    before = _before([session for session in sessions if session.pk in frozen], frozen)
    if not before:
        return {}
    slots, last = slots_of([one.pk for one in before.values()]), _last_answers(before.values())
    # Whoever was never let into the earlier study, which has ended since, waits for what that one waits for.
    further_back = waits_of(list(before.values()))
    found: dict[int, Wait] = {}
    for pk, earlier in before.items():
        wait = _wait(earlier, slots[earlier.pk], last.get(earlier.pk), gap_days=frozen[pk]["least_gap_days"])
        wait = wait or further_back.get(earlier.pk)
        if wait is not None:
            found[pk] = wait
    return found


def _before(sessions: Sequence[Session], frozen: Mapping[int, Mapping[str, Any]]) -> dict[int, Session]:
    """By the later sessions' ids the same person's sitting of the earlier study. A program may have none."""
    wanted = {(UUID(frozen[session.pk]["study"]), session.rater.user_id): session.pk for session in sessions}
    if not wanted:
        return {}
    earlier = Session.objects.filter(
        rater__study__in={study for study, _ in wanted}, rater__user__in={user for _, user in wanted}
    )
    rows = earlier.select_related("rater__study").order_by("number")
    return {
        wanted[key]: session for session in rows if (key := (session.rater.study_id, session.rater.user_id)) in wanted
    }


def _last_answers(sessions: Any) -> dict[int, datetime]:
    events = RatingEvent.objects.filter(presentation__session__in=list(sessions)).values("presentation__session")
    return dict(events.annotate(last=Max("received_at")).values_list("presentation__session", "last"))


def _wait(earlier: Session, slots: Sequence[Slot], last: datetime | None, *, gap_days: int) -> Wait | None:
    study = earlier.rater.study
    ended = study.closed_at is not None or earlier.rater.excluded_at is not None
    left = 0 if ended else sum(not slot.answers for slot in slots)
    until = None if left or last is None else last + timedelta(days=gap_days)
    if not left and (until is None or until <= timezone.now()):
        return None
    return Wait(earlier=study.asked.title, left=left, gap_days=gap_days, until=until)
