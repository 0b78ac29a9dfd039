"""From draft to locked."""

import secrets

from django.db import transaction
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job
from readerstudy.design.readiness import blocking, readiness
from readerstudy.design.services import draft_for_change
from readerstudy.design.together import refuse_if_changed_since
from readerstudy.models import Study, record


def request_lock(*, study: Study, actor: User, seen: int | None = None) -> Job:
    """Order the making of stimuli, orders and audit; the study is locked when that job succeeds without a leak."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        if seen is not None:
            refuse_if_changed_since(draft, seen, actor)
        missing = blocking(readiness(draft))
        if missing:
            raise ConflictError(
                gettext("This study cannot be locked yet: %(missing)s") % {"missing": " ".join(missing)},
                code="not_ready",
                details=missing,
            )
        job = jobs.enqueue(
            kind="study.lock",
            title=f"Lock “{draft.title}”",
            owner=actor,
            payload={"study": str(draft.pk), "folder": f"stimuli/{secrets.token_hex(16)}"},
            result_url=draft.get_absolute_url(),
        )
        draft.lock_job = job
        draft.save(update_fields=["lock_job"])
        record(study=draft, actor=actor, action="lock ordered")
    return job
