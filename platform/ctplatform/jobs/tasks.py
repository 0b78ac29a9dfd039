"""The Celery side: two tasks that look into the job table. A message is a hint, never the truth."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ctplatform.celery import app
from ctplatform.jobs import registry
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus

HARD_LIMIT_SECONDS = 6 * 3600


def send(job: Job) -> None:
    """Tell a worker about the job once the transaction that made it is in the database."""
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())
    transaction.on_commit(lambda: run_job_task.apply_async(args=(str(job.pk),), queue=job.queue))


@app.task(soft_time_limit=HARD_LIMIT_SECONDS - 60, time_limit=HARD_LIMIT_SECONDS)
def run_job_task(job_id: str) -> None:
    execute(job_id)


@app.task(soft_time_limit=50, time_limit=60)
def requeue_lost_jobs_task() -> int:
    """Send again what waits without a message and what a dead worker left behind."""
    now = timezone.now()
    patience = timedelta(seconds=settings.CT_JOB_LEASE_SECONDS)
    lost = 0
    for job in Job.objects.claimable().exclude(sent_at__gt=now - patience):
        if job.attempts >= job.max_attempts and job.status == JobStatus.RUNNING:
            fail_exhausted(job)
            continue
        Job.objects.filter(pk=job.pk).update(sent_at=now)
        run_job_task.apply_async(args=(str(job.pk),), queue=job.queue)
        lost += 1
    return lost


def fail_exhausted(job: Job) -> None:
    message = f"The worker stopped {job.attempts} times while doing this. Look at the worker's log, then retry."
    with transaction.atomic():
        ended = Job.objects.claimable().filter(pk=job.pk, attempts=job.attempts)
        if ended.update(status=JobStatus.FAILED, error=message, finished_at=timezone.now(), lease_token=None):
            registry.abandon(job.kind, job.payload, message)
