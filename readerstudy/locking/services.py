"""From draft to locked to collecting."""

import secrets

from django.db import transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job
from readerstudy.design.readiness import blocking, readiness
from readerstudy.design.services import draft_for_change
from readerstudy.models import Study, StudyState, record
from readerstudy.permissions import refuse_unless_editor


def request_lock(*, study: Study, actor: User) -> Job:
    """Order the making of stimuli, orders and audit; the study is locked when that job succeeds without a leak."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        missing = blocking(readiness(draft))
        if missing:
            raise ConflictError(
                f"This study cannot be locked yet: {' '.join(missing)}", code="not_ready", details=missing
            )
        job = jobs.enqueue(
            kind="study.lock",
            title=f"Lock “{draft.title}”",
            owner=actor,
            payload={"study": str(draft.pk), "actor": actor.pk, "folder": f"stimuli/{secrets.token_hex(16)}"},
            result_url=draft.get_absolute_url(),
        )
        draft.lock_job = job
        draft.save(update_fields=["lock_job"])
        record(study=draft, actor=actor, action="lock ordered")
    return job


def open_for_reading(*, study: Study, actor: User) -> None:
    refuse_unless_editor(study, actor)
    with transaction.atomic():
        opened = Study.objects.filter(pk=study.pk, state=StudyState.LOCKED).update(
            state=StudyState.COLLECTING, opened_at=timezone.now()
        )
        if not opened:
            raise ConflictError("Only a locked study can be opened for reading.")
        record(study=study, actor=actor, action="opened for reading")
    study.refresh_from_db()
