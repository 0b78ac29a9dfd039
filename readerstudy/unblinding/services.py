"""The end of a study: excluding, closing, opening again, unblinding. Each step stands in the record."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from readerstudy.design.phases import held_with_phases
from readerstudy.models import AuditEntry, Study, StudyRater, StudyState, record
from readerstudy.permissions import refuse_unless_editor, refuse_unless_in_team
from readerstudy.unblinding.course import other_keys, was_invited
from readerstudy.unblinding.looks import EXCLUDED, looks_of
from readerstudy.unblinding.opened import StudyLedger
from readerstudy.unblinding.phases import refuse_exclusion, refuse_reopening, refuse_while_others_are_read
from readerstudy.unblinding.under_way import under_way
from readerstudy.unblinding.withdrawn import withdrawn_words
from readerstudy.verification import Verification, verify
from readerstudy.verification.displays import display_checks_digest


def exclude_rater(*, rater: StudyRater, actor: User, reason: str) -> None:
    """The ratings stay in the ledger; the analysis leaves them out and says so."""
    refuse_unless_editor(rater.study, actor)
    if not reason.strip():
        raise DomainError(gettext("Say why this rater is excluded; the report will print it."))
    with transaction.atomic():
        study = held_with_phases(rater.study)
        if not study.stage.sealed:
            raise ConflictError(
                gettext(
                    "Raters are excluded between the lock and the unblinding. Before the lock remove the rater; "
                    "afterwards the analysis is fixed."
                )
            )
        refuse_exclusion(study)
        changed = StudyRater.objects.filter(pk=rater.pk, excluded_at=None).update(
            excluded_at=timezone.now(), excluded_by=actor, excluded_reason=reason.strip()[:300]
        )
        if not changed:
            raise ConflictError(gettext("This rater is excluded already."))
        record(
            study=study,
            actor=actor,
            action=EXCLUDED,
            rater=rater.number,
            reason=reason.strip()[:300],
            answers_fetched_before=len(looks_of(study)),
        )


def close(*, study: Study, actor: User) -> Verification:
    refuse_unless_editor(study, actor)
    with transaction.atomic():
        held = Study.objects.select_for_update().get(pk=study.pk)
        if held.state != StudyState.COLLECTING:
            raise ConflictError(gettext("Only a study that collects ratings can be closed."))
        held.state, held.closed_at = StudyState.CLOSED, timezone.now()
        held.save(update_fields=["state", "closed_at"])
        record(
            study=held,
            actor=actor,
            action="closed",
            entries=held.ledger_count,
            ledger_head=held.ledger_head,
            display_checks_digest=display_checks_digest(held),
            other_keys=other_keys(StudyLedger(held)),
            **_missing(held),
        )
    study.refresh_from_db()
    return _verified(study, actor)


def reopen(*, study: Study, actor: User, reason: str) -> None:
    """Take ratings again. Nobody has seen a truth yet, so nothing is spoilt; the record says why."""
    refuse_unless_editor(study, actor)
    if not reason.strip():
        raise DomainError(gettext("Say why the study is opened again; it stands in the record."))
    with transaction.atomic():
        held = held_with_phases(study)
        if held.state != StudyState.CLOSED:
            raise ConflictError(gettext("Only a closed study that is not unblinded can be opened again."))
        refuse_reopening(held)
        if withdrawn_words(held):
            # A picture that does not come would tell a rater which case it is.
            raise ConflictError(
                gettext("Pixels of this study were withdrawn since it was closed, so it can't be opened again.")
            )
        closed_at = held.closed_at
        held.state, held.closed_at = StudyState.COLLECTING, None
        held.save(update_fields=["state", "closed_at"])
        record(
            study=held, actor=actor, action="opened again", reason=reason.strip()[:300], had_closed_at=str(closed_at)
        )
    study.refresh_from_db()


def _missing(study: Study) -> dict[str, Any]:
    """What was known to be missing when somebody decided to go on without it."""
    rows = under_way(study)
    return {
        "cases_left": {str(row.number): row.left for row in rows if row.left},
        "may_hold_answers": [row.number for row in rows if row.may_hold],
    }


def unblind(*, study: Study, actor: User, typed_title: str) -> Verification | None:
    """Break the seal; the person confirms by typing the study's title.

    None when the study asks for two people and this was the first: another one of the team does the same.
    """
    refuse_unless_in_team(study, actor)
    by_two = study.protocol.get("unblinding_by_two", False)
    first = first_to_unblind(study) if by_two else None
    if first is None:
        refuse_unless_editor(study, actor)
    title = study.asked.title
    if typed_title.strip() != title:
        raise DomainError(
            gettext("Type the study's title exactly as it stands to unblind it: %(title)s") % {"title": title}
        )
    if by_two and (first is None or first.actor == actor):
        _ask_for_second(study, actor, first)
        return None
    if by_two and not may_confirm(study, actor):
        raise ForbiddenError(
            gettext(
                "You came into the team after the lock. Somebody who was in it by then confirms the unblinding, "
                "or an administrator."
            )
        )
    with transaction.atomic():
        _closed_for_change(study)
    verification = _verified(study, actor)
    with transaction.atomic():
        held = _closed_for_change(study)
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
            **(_asked_by(first, actor) if first else {}),
            **_missing(held),
        )
    study.refresh_from_db()
    return verification


def _asked_by(first: AuditEntry, second: User) -> dict[str, Any]:
    return {"asked_by": str(first.actor), "invited_by_the_first": was_invited(second, by=first.actor)}


def first_to_unblind(study: Study) -> AuditEntry | None:
    """Who has asked to unblind a study that needs two people, since it was closed."""
    steps = study.record.filter(action__in=["closed", "unblinding asked"]).order_by("-id")
    last = steps.select_related("actor").first()
    return last if last is not None and last.action == "unblinding asked" else None


def may_confirm(study: Study, person: User) -> bool:
    """Not whom the first one could have taken into the team for this alone."""
    if person.is_administrator or study.owner_id == person.pk:
        return True
    locked = study.record.filter(action="locked").values("id")[:1]
    team = study.record.filter(action="team changed", id__lt=locked).order_by("-id").first()
    return team is not None and person.username in team.details["members"]


def _ask_for_second(study: Study, person: User, first: AuditEntry | None) -> None:
    if first is not None:
        raise ConflictError(
            gettext("You have asked for the unblinding already; another person of the team confirms it.")
        )
    with transaction.atomic():
        record(study=_closed_for_change(study), actor=person, action="unblinding asked")


def _closed_for_change(study: Study) -> Study:
    held = held_with_phases(study)
    if held.state != StudyState.CLOSED:
        raise ConflictError(gettext("Only a closed study can be unblinded."))
    refuse_while_others_are_read(held)
    return held


def _verified(study: Study, person: User) -> Verification:
    """Pixels are left to the report and to `manage.py verify_ledger`: reading them all may take minutes."""
    outcome = verify(study, with_stimuli=False)
    record(study=study, actor=person, action="verified", intact=outcome.intact, sentence=outcome.sentence())
    return outcome
