"""Claim, run and end one job. Two workers may be told of the same job; the lease decides who does it."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F
from django.utils import timezone

from ctplatform.errors import DomainError
from ctplatform.jobs import registry
from ctplatform.jobs.models import Job, JobStatus, lease_end

logger = logging.getLogger(__name__)

# Longer than this, other people feel that they wait for the database.
LONG_WRITE_SECONDS = 1.0


class JobCancelledError(Exception):
    """The person asked for the work to stop."""


class LeaseLostError(Exception):
    """Another worker has taken this job over; nothing that this one did may be written."""


class LeasedContext:
    def __init__(self, job: Job) -> None:
        self.job_id = str(job.pk)
        self._held = Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING, lease_token=job.lease_token)
        self._unwritten: list[Callable[[], None]] = []

    def progress(self, fraction: float, message: str = "") -> None:
        changed = self._held.update(
            progress=min(max(fraction, 0.0), 1.0), message=message[:300], lease_expires_at=lease_end()
        )
        self.check(renewed=bool(changed))

    def report_device(self, device: str) -> None:
        self._held.update(device=device)

    def unless_written(self, remove: Callable[[], None]) -> None:
        self._unwritten.append(remove)

    def remove_unwritten(self) -> None:
        for remove in self._unwritten:
            try:
                remove()
            except Exception:
                # What stays behind is found by sweep_storage.
                logger.exception("could not remove files of a result", extra={"job": self.job_id})

    def renew(self) -> bool:
        return bool(self._held.update(lease_expires_at=lease_end()))

    def check(self, *, renewed: bool) -> None:
        if not renewed:
            raise LeaseLostError(self.job_id)
        if self._held.filter(cancel_requested=True).exists():
            raise JobCancelledError(self.job_id)

    def end(self, status: JobStatus, **fields: object) -> bool:
        """The terminal transition; false when this worker no longer holds the lease."""
        changes = {"lease_token": None, "lease_expires_at": None, "finished_at": timezone.now(), **fields}
        return bool(self._held.update(status=status, **changes))


def claim(job_id: str) -> Job | None:
    token = uuid.uuid4()
    won = (
        Job.objects.claimable()
        .filter(pk=job_id, attempts__lt=F("max_attempts"))
        .update(
            status=JobStatus.RUNNING,
            attempts=F("attempts") + 1,
            lease_token=token,
            lease_expires_at=lease_end(),
            started_at=timezone.now(),
        )
    )
    return Job.objects.get(pk=job_id) if won else None


@contextmanager
def heartbeat(context: LeasedContext) -> Iterator[None]:
    """Renew the lease while one long step (a training epoch, a large read) says nothing."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(settings.CT_JOB_LEASE_SECONDS / 3):
            try:
                context.renew()
            except Exception:
                logger.exception("could not renew the lease", extra={"job": context.job_id})
        connection.close()

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def execute(job_id: str) -> None:
    job = claim(job_id)
    if job is None:
        logger.info("job is done or held by another worker", extra={"job": job_id})
        return
    context = LeasedContext(job)
    kind = registry.kind(job.kind)
    try:
        context.check(renewed=True)
        with heartbeat(context):
            write_result = kind.run(job.payload, context)
        with _ending(job):
            if not context.end(JobStatus.SUCCEEDED, progress=1.0, message="Done"):
                raise LeaseLostError(job_id)  # noqa: TRY301 - caught below with all other ends
            Job.objects.filter(pk=job.pk).update(result=write_result())
    except LeaseLostError:
        logger.warning("job was taken over; nothing is written", extra={"job": job_id})
        context.remove_unwritten()
    except JobCancelledError:
        _end_without_result(job, context, JobStatus.CANCELLED, "Cancelled")
    except DomainError as error:
        _end_without_result(job, context, JobStatus.FAILED, error.message)
    except SoftTimeLimitExceeded:
        _end_without_result(job, context, JobStatus.FAILED, "The time limit was reached before the work was done.")
        raise
    except Exception:
        logger.exception("job failed", extra={"job": job_id, "kind": job.kind})
        message = f"An unexpected error stopped this job. The worker's log has the details (job {job_id})."
        _end_without_result(job, context, JobStatus.FAILED, message)
    finally:
        if not connection.in_atomic_block:
            close_old_connections()


def _end_without_result(job: Job, context: LeasedContext, status: JobStatus, reason: str) -> None:
    with _ending(job):
        ended = context.end(status, error="" if status == JobStatus.CANCELLED else reason, message=reason[:300])
        if ended:
            registry.abandon(job.kind, job.payload, reason)
    if ended:
        context.remove_unwritten()


@contextmanager
def _ending(job: Job) -> Iterator[None]:
    """The transaction that ends a job; the log tells when it kept others from writing."""
    with transaction.atomic():
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
    if seconds > LONG_WRITE_SECONDS:
        held = {"job": str(job.pk), "kind": job.kind, "seconds": round(seconds, 2)}
        logger.warning("the end of a job held the database for long", extra=held)
