from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from readerstudy.anchors import anchor
from readerstudy.digests import digest_of, storable
from readerstudy.models.study import Study


class AuditEntry(models.Model):
    """Who did what with a study, and when; chained by digests and append-only in the database, like the ledger."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="record")
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=60)
    details = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["study", "id"]
        constraints = [models.UniqueConstraint(fields=["study", "previous_digest"], name="record_does_not_fork")]

    def __str__(self) -> str:
        return f"{self.action} at {self.at:%Y-%m-%d %H:%M}"


def record(*, study: Study, actor: User | None, action: str, **details: Any) -> AuditEntry:
    with transaction.atomic():
        # The lock on the study's row keeps two entries from continuing the same one.
        Study.objects.select_for_update().only("pk").get(pk=study.pk)
        last = AuditEntry.objects.filter(study=study).order_by("-id").first()
        entry = AuditEntry(
            study=study,
            actor=actor,
            action=action,
            details=storable(details),
            previous_digest=last.digest if last else "",
        )
        entry.digest = digest_of(record_content(entry))
        entry.save(force_insert=True)
        number = AuditEntry.objects.filter(study=study).count()
        anchor(study=str(study.pk), chain="record", number=number, digest=entry.digest)
    return entry


def record_content(entry: AuditEntry) -> Mapping[str, Any]:
    """What the digest of an entry covers."""
    return {
        "study": str(entry.study_id),
        "actor": entry.actor_id,
        "action": entry.action,
        "details": entry.details,
        "at": entry.at,
        "previous_digest": entry.previous_digest,
    }
