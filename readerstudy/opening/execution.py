"""Checking a locked study for leaks as its raters see it, and opening it when none is found."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from ctplatform.jobs.registry import JobContext
from readerstudy.auditing.audit import audit_study
from readerstudy.auditing.certificate import leaks_of, outcome_digest
from readerstudy.models import Study, StudyState, record
from readerstudy.permissions import study_of_job
from readerstudy.verification import verify
from readerstudy.verification.displays import RECORDED

Outcome = dict[str, Any]


def run_opening(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    study, actor = study_of_job(payload, context)
    outcome = audit_study(study, on_progress=context.progress)
    refuse_unless_as_locked(study)
    return lambda: {"opened": write_opening(study, outcome, actor=actor), **_told(outcome)}


def run_audit(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    study, actor = study_of_job(payload, context)
    refuse_unless_sealed(study)
    outcome = audit_study(study, on_progress=context.progress)

    def write() -> dict[str, Any]:
        _write_outcome(study, outcome, actor=actor, occasion="check")
        return _told(outcome)

    return write


def _told(outcome: Outcome) -> dict[str, Any]:
    return {"passed": outcome["passed"], "leaks": leaks_of(outcome, sealed=True)}


def check_for_leaks(study: Study) -> Outcome:
    """The check at once, for a command."""
    refuse_unless_sealed(study)
    outcome = audit_study(study, on_progress=unheard)
    with transaction.atomic():
        _write_outcome(study, outcome, actor=None, occasion="check")
    study.refresh_from_db()
    return outcome


def unheard(_done: float, _message: str) -> None:
    """Progress where nobody waits for a job."""


def refuse_unless_sealed(study: Study) -> None:
    if not study.stage.sealed:
        raise ConflictError("The check for leaks runs at the lock, and again whenever you like until the unblinding.")


def refuse_unless_as_locked(study: Study) -> None:
    """All rows are compared with what was locked; the check for leaks has read the stored pixels."""
    proof = verify(study, with_stimuli=False)
    if not proof.intact:
        raise ConflictError(
            f"The study was not opened, for it is not the one that was locked: {'; '.join(proof.problems)}. Find out "
            "who changed the database; a copy of the study can be drawn and locked anew."
        )


def write_opening(study: Study, outcome: Outcome, *, actor: User) -> bool:
    """Open the locked study unless something leaks; the outcome is kept in both cases."""
    _write_outcome(study, outcome, actor=actor, occasion="opening")
    if not outcome["passed"]:
        return False
    opened = Study.objects.filter(pk=study.pk, state=StudyState.LOCKED, archived_at=None).update(
        state=StudyState.COLLECTING, opened_at=timezone.now()
    )
    if not opened:
        raise ConflictError("Only a locked study that is not archived can be opened for reading.")
    record(study=study, actor=actor, action="opened for reading", display_checks=RECORDED)
    return True


def _write_outcome(study: Study, outcome: Outcome, *, actor: User | None, occasion: str) -> None:
    """The last outcome stands with the study, every one in its record."""
    Study.objects.filter(pk=study.pk).update(leak_audit=outcome)
    details = {name: outcome[name] for name in ("passed", "requests", "checked_at")}
    details |= {"leaks": leaks_of(outcome, sealed=True), "outcome_digest": outcome_digest(outcome, study.seal)}
    record(study=study, actor=actor, action="checked for leaks", occasion=occasion, **details)
