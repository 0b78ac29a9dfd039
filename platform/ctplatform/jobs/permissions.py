"""Who may steer a job: services ask here and refuse. The list form stands beside the rows: `Job.objects.visible_to`."""

from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ForbiddenError
from ctplatform.jobs.models import Job


def refuse_unless_owner(job: Job, actor: User) -> None:
    if not Job.objects.visible_to(actor).filter(pk=job.pk).exists():
        raise ForbiddenError(
            gettext("Only %(owner)s, who ordered this job, and administrators steer it.") % {"owner": job.owner}
        )
