"""What waits for whoever decides about studies: counts and times alone, as on the page of a running study."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from ctplatform.accounts.models import User
from ctplatform.waiting import Waiting
from readerstudy.models import Study, StudyRater, StudyState

STALLED_AFTER = timedelta(days=7)
STUDIES_SHOWN = 20
NAMES_SHOWN = 3


@dataclass(frozen=True)
class _Reader:
    name: str
    left: int
    last_answer_at: datetime | None


def waiting_for(user: User) -> list[Waiting]:
    if not user.may_coordinate:
        return []
    mine = Study.objects.all() if user.is_administrator else Study.objects.filter(owner=user)
    under_way = mine.filter(archived_at=None, state__in=[StudyState.LOCKED, StudyState.COLLECTING, StudyState.CLOSED])
    studies = list(under_way.only("id", "title", "state", "opened_at").order_by("-locked_at", "pk")[:STUDIES_SHOWN])
    readers = _readers([study for study in studies if study.state == StudyState.COLLECTING])
    said = (_of_study(study, readers.get(study.pk, [])) for study in studies)
    return [waiting for waiting in said if waiting is not None]


def _readers(studies: Sequence[Study]) -> dict[UUID, list[_Reader]]:
    """Who counts in each study, with what has no answer yet: every trial has one answer that replaces none."""
    raters = StudyRater.objects.filter(study__in=studies, excluded_at=None).select_related("user__program")
    slots = "sessions__presentations"
    found: dict[UUID, list[_Reader]] = {}
    events = f"{slots}__events"
    for rater in raters.annotate(
        trials=Count(slots, filter=Q(**{f"{slots}__side": 0}), distinct=True),
        answered=Count(events, filter=Q(**{f"{events}__supersedes": None}), distinct=True),
        last=Max(f"{events}__received_at"),
    ):
        left = rater.trials - rater.answered  # type: ignore[attr-defined]
        found.setdefault(rater.study_id, []).append(_Reader(rater.name, left, rater.last))  # type: ignore[attr-defined]
    return found


def _of_study(study: Study, readers: Sequence[_Reader]) -> Waiting | None:
    if study.state == StudyState.LOCKED:
        why = gettext("It is locked; raters see nothing until it is opened.")
        return _waiting(study, gettext("Open “%(study)s”"), why)
    if study.state == StudyState.CLOSED:
        why = gettext("It is closed; its results are sealed until it is unblinded.")
        return _waiting(study, gettext("Unblind “%(study)s”"), why)
    if not readers:
        return None
    if not any(reader.left for reader in readers):
        return _waiting(study, gettext("Close “%(study)s”"), gettext("Every case of every rater has its answer."))
    stalled = [reader for reader in readers if _has_stalled(reader, study)]
    return _stalled(study, stalled) if stalled else None


def _stalled(study: Study, stalled: Sequence[_Reader]) -> Waiting:
    who = ", ".join(
        gettext("%(reader)s (%(left)s left)") % {"reader": reader.name, "left": reader.left}
        for reader in stalled[:NAMES_SHOWN]
    )
    more = len(stalled) - NAMES_SHOWN
    if more > 0:
        who = gettext("%(names)s and %(count)s more") % {"names": who, "count": more}
    what = ngettext("Remind %(count)s rater of “%(study)s”", "Remind %(count)s raters of “%(study)s”", len(stalled))
    return _waiting(study, what, gettext("No answer for a week: %(names)s.") % {"names": who}, count=len(stalled))


def _has_stalled(reader: _Reader, study: Study) -> bool:
    heard = reader.last_answer_at or study.opened_at
    return reader.left > 0 and heard is not None and heard < timezone.now() - STALLED_AFTER


def _waiting(study: Study, step: str, why: str, **said: int) -> Waiting:
    return Waiting(what=step % {"study": study.title, **said}, url=study.get_absolute_url(), why=why)
