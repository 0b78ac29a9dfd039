import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy

from ctplatform.accounts.models import User
from ctplatform.jobs import registry


class JobStatus(models.TextChoices):
    QUEUED = "queued", gettext_lazy("Waiting")
    RUNNING = "running", gettext_lazy("Running")
    SUCCEEDED = "succeeded", gettext_lazy("Done")
    FAILED = "failed", gettext_lazy("Failed")
    CANCELLED = "cancelled", gettext_lazy("Cancelled")

    @property
    def terminal(self) -> bool:
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}


class Queue(models.TextChoices):
    DEFAULT = "default", "default"
    GPU = "gpu", "gpu"
    # Hours long, so that a short job never waits for it.
    TRAINING = "training", "training"


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: User) -> Self:
        return self if user.is_administrator else self.filter(owner=user)

    def unfinished(self) -> Self:
        return self.filter(status__in=[JobStatus.QUEUED, JobStatus.RUNNING])

    def terminal(self) -> Self:
        return self.filter(status__in=[JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED])

    def claimable(self) -> Self:
        """Waiting, or running under a lease that has run out because its worker died."""
        return self.filter(
            Q(status=JobStatus.QUEUED) | Q(status=JobStatus.RUNNING, lease_expires_at__lt=timezone.now())
        )


class Job(models.Model):
    """One piece of long work. This row is the truth about it; broker messages only say where to look."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=60)
    queue = models.CharField(max_length=20, choices=Queue.choices, default=Queue.DEFAULT)
    title = models.CharField(max_length=200)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="jobs")
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=JobStatus.choices, default=JobStatus.QUEUED)
    progress = models.FloatField(default=0.0)
    message = models.CharField(max_length=300, blank=True)
    error = models.TextField(blank=True, help_text="For the person who ordered it; details are in the log")
    result = models.JSONField(default=dict)
    result_url = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    device = models.CharField(max_length=60, blank=True, help_text="Where it ran: cpu, cuda:0 ...")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["status", "lease_expires_at"])]

    def __str__(self) -> str:
        return self.title

    @cached_property
    def retry_refusal(self) -> str:
        """Why ended work can't be tried again as it was ordered; empty where it can."""
        return registry.retry_refusals(self.kind, [self.payload])[0]

    @property
    def is_terminal(self) -> bool:
        return JobStatus(self.status).terminal

    @property
    def percent(self) -> int:
        return round(100 * self.progress)


def fetch_retry_refusals(jobs: Iterable[Job]) -> None:
    """Set `retry_refusal` of the jobs that a person could try again, asking once per kind."""
    by_kind: dict[str, list[Job]] = {}
    for job in jobs:
        if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
            by_kind.setdefault(job.kind, []).append(job)
    for kind, ended in by_kind.items():
        refusals = registry.retry_refusals(kind, [job.payload for job in ended])
        for job, refusal in zip(ended, refusals, strict=True):
            job.retry_refusal = refusal


def lease_end() -> object:
    return timezone.now() + timedelta(seconds=settings.CT_JOB_LEASE_SECONDS)
