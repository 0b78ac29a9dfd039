"""The end of a study: excluding, closing, unblinding. Each step has a name, a date and an entry in the record."""

from django.db import transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError, DomainError
from readerstudy.models import Study, StudyRater, StudyState, record
from readerstudy.permissions import refuse_unless_editor


def exclude_rater(*, rater: StudyRater, actor: User, reason: str) -> None:
    """The ratings stay in the ledger; the analysis leaves them out and says so."""
    refuse_unless_editor(rater.study, actor)
    if not reason.strip():
        raise DomainError("Say why this rater is excluded; the report will print it.")
    with transaction.atomic():
        study = Study.objects.select_for_update().get(pk=rater.study_id)
        if not study.stage.sealed:
            raise ConflictError(
                "Raters are excluded between the lock and the unblinding. "
                "Before the lock remove the rater; afterwards the analysis is fixed."
            )
        changed = StudyRater.objects.filter(pk=rater.pk, excluded_at=None).update(
            excluded_at=timezone.now(), excluded_by=actor, excluded_reason=reason.strip()[:300]
        )
        if not changed:
            raise ConflictError("This rater is excluded already.")
        record(study=study, actor=actor, action="rater excluded", rater=rater.number, reason=reason.strip()[:300])


def close(*, study: Study, actor: User) -> None:
    refuse_unless_editor(study, actor)
    with transaction.atomic():
        held = Study.objects.select_for_update().get(pk=study.pk)
        if held.state != StudyState.COLLECTING:
            raise ConflictError(f"Only a study that collects ratings can be closed; this one is {held.state}.")
        held.state, held.closed_at = StudyState.CLOSED, timezone.now()
        held.save(update_fields=["state", "closed_at"])
        record(study=held, actor=actor, action="closed", entries=held.ledger_count, ledger_head=held.ledger_head)
    study.refresh_from_db()


def unblind(*, study: Study, actor: User, typed_title: str) -> None:
    """Break the seal; the person confirms by typing the study's title."""
    refuse_unless_editor(study, actor)
    if typed_title.strip() != study.title:
        raise DomainError(f"Type the study's title exactly as it stands to unblind it: {study.title}")
    with transaction.atomic():
        held = Study.objects.select_for_update().get(pk=study.pk)
        if held.state != StudyState.CLOSED:
            raise ConflictError(f"Only a closed study can be unblinded; this one is {held.state}.")
        held.state, held.unblinded_at = StudyState.UNBLINDED, timezone.now()
        held.save(update_fields=["state", "unblinded_at"])
        record(
            study=held,
            actor=actor,
            action="unblinded",
            entries=held.ledger_count,
            ledger_head=held.ledger_head,
            protocol_digest=held.protocol_digest,
            plan_digest=held.plan_digest,
        )
    study.refresh_from_db()
