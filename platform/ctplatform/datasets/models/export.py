"""Packages of scans for other programs."""

import uuid
from typing import Self

from django.db import models

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models.scan import Scan


class ExportQuerySet(models.QuerySet["Export"]):
    def visible_to(self, user: User) -> Self:
        """Its owner's, as long as every scan in it is still one that its owner may use."""
        mine = self.filter(owner=user)
        return mine.exclude(scans__in=Scan.objects.exclude(pk__in=Scan.objects.visible_to(user)))


class Export(models.Model):
    """A finished package of scans for other programs; kept for some days. Files lie below `exports/`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="exports")
    form = models.CharField(max_length=10, choices=ExportFormat.choices)
    scans = models.ManyToManyField(Scan, related_name="exports")
    scan_count = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    kept_until = models.DateTimeField()

    objects = ExportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.scan_count} scan(s) as {self.form}"

    @property
    def key(self) -> str:
        return f"exports/{self.pk}/scans.zip"
