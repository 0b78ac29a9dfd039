"""Studies that nobody works at any more: put away and taken back, and drafts that are given up. No record goes."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from readerstudy.design.cases import truths_of
from readerstudy.design.chain import continued_then, left_without
from readerstudy.design.feedback import refuse_told_elsewhere
from readerstudy.design.phases import held_with_phases, refuse_shown_to_the_same
from readerstudy.design.services import change_design, draft_for_change
from readerstudy.models import Study, StudyState, record
from readerstudy.permissions import refuse_unless_editor


def archive(*, study: Study, actor: User) -> None:
    refuse_unless_editor(study, actor)
    with transaction.atomic():
        held = Study.objects.select_for_update().get(pk=study.pk)
        if held.state == StudyState.COLLECTING:
            raise ConflictError(gettext("This study takes ratings. Close it, then archive it."))
        if not Study.objects.filter(pk=study.pk, archived_at=None).update(archived_at=timezone.now()):
            raise ConflictError(gettext("This study is archived already."))
        record(study=held, actor=actor, action="archived")


def take_back(*, study: Study, actor: User) -> None:
    refuse_unless_editor(study, actor)
    with transaction.atomic():
        held = held_with_phases(study)
        if held.state == StudyState.LOCKED:
            # Others may have been locked meanwhile as if nobody were ever to read this one.
            refuse_shown_to_the_same(held, truths_of(held))
            refuse_told_elsewhere(held)
        if not Study.objects.filter(pk=study.pk).exclude(archived_at=None).update(archived_at=None):
            raise ConflictError(gettext("This study is not archived."))
        record(study=study, actor=actor, action="taken back from the archive")


def give_up(*, study: Study, actor: User) -> None:
    """A draft loses cases and raters and goes to the archive; its record, which only grows, says what was there.

    Drafts that continued it continue what it continued, for what is given up is never locked.
    """
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        had: dict[str, Any] = {"cases": draft.cases.count(), "raters": draft.raters.count()}
        if draft.continues is not None:
            had["continued"] = str(draft.continues_id)
        _leave_the_chain(draft, actor)
        draft.cases.all().delete()
        draft.raters.all().delete()
        draft.match_report, draft.archived_at = {}, draft.archived_at or timezone.now()
        draft.save(update_fields=["match_report", "archived_at"])
        record(study=draft, actor=actor, action="given up", **had)


def _leave_the_chain(draft: Study, person: User) -> None:
    alone: dict[str, Any] = {"continues": None, "least_gap_days": 0, "other_patients": False}
    earlier = continued_then(draft, person)
    for later in left_without(draft, person):
        change_design(study=later, actor=person, **(alone if earlier is None else {"continues": earlier}))
    for name, value in alone.items():
        setattr(draft, name, value)
    draft.save(update_fields=list(alone))
