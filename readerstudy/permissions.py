"""Who may do what with a study. Services ask here and refuse; pages ask the models the same, to hide what would be.

The list and the object form stand beside the rows: `Study.objects.visible_to` and `Study.editable_by`.
"""

from typing import Any

from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ForbiddenError
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext
from readerstudy.models import Study


def refuse_unless_editor(study: Study, actor: User) -> None:
    if not study.editable_by(actor):
        raise ForbiddenError(
            gettext("Only %(owner)s and administrators decide about this study. Ask one of them.")
            % {"owner": study.owner}
        )


def refuse_unless_in_team(study: Study, actor: User) -> None:
    if not Study.objects.visible_to(actor).filter(pk=study.pk).exists():
        raise ForbiddenError(gettext("Only the team of this study can do this."))


def study_of_job(payload: dict[str, Any], context: JobContext) -> tuple[Study, User]:
    """What a job of an editor is about, and who ordered it: who may have another role by the time that it runs."""
    study = Study.objects.get(pk=payload["study"])
    person = Job.objects.select_related("owner").get(pk=context.job_id).owner
    refuse_unless_editor(study, person)
    return study, person
