from typing import Any

from django.db import models

from ctplatform.accounts.models import User
from readerstudy.models.study import Study


class AuditEntry(models.Model):
    """Who did what with a study, and when; append-only in the database, like the ledger."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="record")
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=60)
    details = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["study", "id"]

    def __str__(self) -> str:
        return f"{self.action} at {self.at:%Y-%m-%d %H:%M}"


def record(*, study: Study, actor: User | None, action: str, **details: Any) -> AuditEntry:
    return AuditEntry.objects.create(study=study, actor=actor, action=action, details=details)
