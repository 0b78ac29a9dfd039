"""A draft takes over the cases of the study that it continues: the same places of the same scans, as cases of its own.

Ids are new, codes and order are drawn at the lock: nothing names a case of one study by a case of the other.
"""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError, DomainError
from readerstudy.design.cases import as_candidate, truths_of
from readerstudy.design.phases import taken_from
from readerstudy.design.services import draft_for_change, refresh_match_report, write_cases
from readerstudy.models import Case, CaseTruth, Study, record
from readerstudy.models.study import new_seed


def take_same_cases(*, study: Study, actor: User) -> int:
    """Replaces the cases of the draft; plans as many as there are, from the same datasets."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        earlier = _to_take_from(draft, actor)
        truths = truths_of(earlier)
        ordinary = [as_candidate(truth) for truth in truths if not truth.control]
        draft.cases_planned, draft.seed, draft.flow = len(ordinary), new_seed(), {}
        _refuse_unfit(draft, earlier)
        CaseTruth.objects.filter(case__study=draft).delete()
        Case.objects.filter(study=draft).delete()
        write_cases(draft, ordinary)
        write_cases(draft, [as_candidate(truth) for truth in truths if truth.control], control=True)
        draft.save(update_fields=["cases_planned", "seed", "flow"])
        draft.datasets.set(earlier.datasets.all())
        refresh_match_report(draft)
        record(study=draft, actor=actor, action="same cases taken", of=str(earlier.pk), count=len(truths))
    return len(truths)


def _refuse_unfit(draft: Study, earlier: Study) -> None:
    try:
        draft.full_clean()
    except ValidationError as error:
        reasons = " ".join(error.messages)
        raise DomainError(
            gettext("The cases of “%(title)s” don't fit this protocol: %(reasons)s")
            % {"title": earlier.title, "reasons": reasons}
        ) from error


def _to_take_from(draft: Study, person: User) -> Study:
    # The draft shows which case is which, as the draft of the earlier study showed it to whoever decided there.
    earlier = taken_from(draft, person)
    if not earlier.cases.exists():
        raise ConflictError(gettext("“%(title)s” has no cases yet. Draw them there first.") % {"title": earlier.title})
    if earlier.template != draft.template:
        raise ConflictError(
            gettext("“%(title)s” asks something else (“%(question)s”), so its cases don't fit here.")
            % {"title": earlier.title, "question": gettext(earlier.get_template_display())}
        )
    if draft.other_patients:
        raise ConflictError(
            gettext("The protocol asks for other patients than there. Change that first, or draw cases.")
        )
    return earlier
