"""From locked to collecting, and the check for leaks whenever somebody asks for it."""

from django.db import transaction
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job
from readerstudy.auditing.audit import audit_study
from readerstudy.auditing.certificate import leaks_of
from readerstudy.models import Study, StudyState, record
from readerstudy.opening.execution import refuse_unless_as_locked, refuse_unless_sealed, unheard, write_opening
from readerstudy.permissions import refuse_unless_editor


def request_opening(*, study: Study, actor: User) -> Job:
    """Order the check for leaks once more; the study is opened when that job finds none."""
    return _request_audit(study, actor, kind="study.open", title=f"Open “{study.title}”", action="opening ordered")


def request_audit(*, study: Study, actor: User) -> Job:
    """Order the check for leaks of a sealed study; nothing but its outcome is written."""
    title = f"Check “{study.title}” for blinding leaks"
    return _request_audit(study, actor, kind="study.audit", title=title, action="check for leaks ordered")


def _request_audit(study: Study, person: User, *, kind: str, title: str, action: str) -> Job:
    refuse_unless_editor(study, person)
    with transaction.atomic():
        held = Study.objects.select_for_update().get(pk=study.pk)
        if kind == "study.open" and held.state != StudyState.LOCKED:
            raise ConflictError(gettext("Only a locked study can be opened for reading."))
        refuse_unless_sealed(held)
        if held.busy_job is not None:
            raise ConflictError(
                gettext("“%(title)s” is at work on this study. Wait until it has ended.")
                % {"title": held.busy_job.title}
            )
        job = jobs.enqueue(
            kind=kind,
            title=title,
            owner=person,
            payload={"study": str(held.pk)},
            result_url=held.get_absolute_url(),
        )
        held.audit_job = job
        held.save(update_fields=["audit_job"])
        record(study=held, actor=person, action=action)
    study.refresh_from_db()
    return job


def open_for_reading(*, study: Study, actor: User) -> None:
    """Check for leaks and open at once: for programs, that need no job to wait for."""
    refuse_unless_editor(study, actor)
    if study.state != StudyState.LOCKED:
        raise ConflictError(gettext("Only a locked study can be opened for reading."))
    outcome = audit_study(study, on_progress=unheard)
    refuse_unless_as_locked(study)
    with transaction.atomic():
        opened = write_opening(study, outcome, actor=actor)
    study.refresh_from_db()
    if not opened:
        leaks = ", ".join(leaks_of(outcome, sealed=True))
        raise ConflictError(
            gettext("The study was not opened: the check found a blinding leak (%(leaks)s).") % {"leaks": leaks},
            code="leak",
        )
