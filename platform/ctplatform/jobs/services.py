"""What a person may ask of the job mechanism."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from ctplatform.jobs import registry
from ctplatform.jobs.models import Job, JobQuerySet, JobStatus, Queue
from ctplatform.jobs.permissions import refuse_unless_owner
from ctplatform.jobs.tasks import send


def enqueue(
    *,
    kind: str,
    title: str,
    owner: User,
    payload: dict[str, Any],
    queue: Queue = Queue.DEFAULT,
    result_url: str = "",
) -> Job:
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind, title=title[:200], owner=owner, payload=payload, queue=queue, result_url=result_url
        )
        send(job)
    return job


def cancel(*, job: Job, actor: User) -> Job:
    """A waiting job ends at once; a running one at its next progress report."""
    refuse_unless_owner(job, actor)
    waiting = Job.objects.filter(pk=job.pk, status=JobStatus.QUEUED)
    with transaction.atomic():
        if waiting.update(status=JobStatus.CANCELLED, finished_at=timezone.now(), message="Cancelled"):
            registry.abandon(job.kind, job.payload, "cancelled")
        elif not Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING).update(cancel_requested=True):
            raise ConflictError(gettext("This job has already ended, so it can't be cancelled."))
    job.refresh_from_db()
    return job


def stop(jobs: JobQuerySet, *, reason: str) -> None:
    """What the work is about has gone: waiting jobs end at once with the reason, running ones at their next report."""
    for job in jobs.filter(status=JobStatus.QUEUED):
        ended = {"status": JobStatus.FAILED, "error": reason, "message": reason[:300], "finished_at": timezone.now()}
        if Job.objects.filter(pk=job.pk, status=JobStatus.QUEUED).update(**ended):
            registry.abandon(job.kind, job.payload, reason)
    jobs.filter(status=JobStatus.RUNNING).update(cancel_requested=True)


def retry(*, job: Job, actor: User) -> Job:
    refuse_unless_owner(job, actor)
    ended = Job.objects.filter(pk=job.pk, status__in=[JobStatus.FAILED, JobStatus.CANCELLED])
    with transaction.atomic():
        [refusal] = registry.retry_refusals(job.kind, [job.payload])
        if refusal:
            raise ConflictError(refusal)
        if not ended.update(
            status=JobStatus.QUEUED,
            progress=0,
            message="",
            error="",
            attempts=0,
            cancel_requested=False,
            finished_at=None,
            lease_token=None,
            lease_expires_at=None,
        ):
            raise ConflictError(gettext("Only a failed or cancelled job can be tried again."))
        job.refresh_from_db()
        send(job)
    return job
