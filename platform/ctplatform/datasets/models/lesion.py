"""Lesions as their mask measures them."""

from typing import Any, Self

from django.db import models

from ctplatform.accounts.models import User
from ctplatform.datasets.models.scan import Scan


class LesionQuerySet(models.QuerySet["Lesion"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(scan__in=Scan.objects.visible_to(user))


class Lesion(models.Model):
    """One connected lesion of a scan's lesion mask, as measured by ml.scans.lesions."""

    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="lesions")
    number = models.PositiveIntegerField(help_text="Its label in the lesion mask")
    centroid_lps_mm = models.JSONField()
    diameter_mm = models.FloatField(help_text="Of the sphere of equal volume")
    volume_ml = models.FloatField()
    mean_hu = models.FloatField()
    contrast_hu = models.FloatField(null=True, blank=True, help_text="Mean minus the liver around it")
    kind = models.CharField(max_length=30, blank=True)
    inserted = models.BooleanField(default=False, help_text="Made by lesion synthesis")

    objects = LesionQuerySet.as_manager()

    class Meta:
        ordering = ["scan", "number"]
        constraints = [models.UniqueConstraint(fields=["scan", "number"], name="lesion_number_once_per_scan")]

    def __str__(self) -> str:
        return f"Lesion {self.number} of {self.scan}"

    @property
    def kind_words(self) -> str:
        return self.kind.replace("_", "-")

    @property
    def measurements(self) -> dict[str, Any]:
        return {
            "diameter_mm": self.diameter_mm,
            "volume_ml": self.volume_ml,
            "mean_hu": self.mean_hu,
            "contrast_hu": self.contrast_hu,
        }
