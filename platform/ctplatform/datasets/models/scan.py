"""CT volumes of a dataset. Tables that stand on this one are named by text: they import it."""

import uuid
from typing import Self

from django.apps import apps
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_noop

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models.dataset import Dataset
from ml.geometry import Grid


class Origin(models.TextChoices):
    ACQUIRED = "acquired", gettext_noop("Acquired")
    PHANTOM = "phantom", gettext_noop("Phantom")
    SYNTHETIC = "synthetic", gettext_noop("Synthetic")


class ScanQuerySet(models.QuerySet["Scan"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(dataset__in=Dataset.objects.visible_to(user))

    def with_pixels(self) -> Self:
        """All but the withdrawn ones."""
        return self.filter(withdrawn_at=None)

    def with_facts(self) -> Self:
        """What lists show and filter by, without a query per scan."""
        masks = apps.get_model("datasets", "Mask").objects.filter(scan=OuterRef("pk"))
        lesions = apps.get_model("datasets", "Lesion").objects.filter(scan=OuterRef("pk"))
        counted = lesions.order_by().values("scan").annotate(count=Count("pk")).values("count")
        return self.annotate(
            has_liver=Exists(masks.filter(kind=MaskKind.LIVER)),
            has_lesions=Exists(lesions),
            lesion_count=Coalesce(Subquery(counted), 0),
        )


class Scan(models.Model):
    """One CT volume in HU with its geometry (LPS, mm), de-identified. Voxels lie in `scans.voxels`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="scans")
    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=120, help_text="Groups the scans of one person; never an identity")
    origin = models.CharField(max_length=20, choices=Origin.choices)
    source_scan = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="derived_scans",
        help_text="The scan that this one was edited from, or whose lesion-free twin it is",
    )
    grid = models.JSONField(help_text="ml.geometry.Grid: size, spacing, origin and direction")
    slices = models.PositiveIntegerField()
    slice_spacing_mm = models.FloatField()
    pixel_spacing_mm = models.FloatField()
    content_digest = models.CharField(max_length=64, help_text="SHA-256 over size and voxels")
    acquisition = models.JSONField(
        default=dict, help_text="Kernel, kVp, phase and the like: what research needs and names nobody"
    )
    import_report = models.JSONField(default=dict, help_text="Format, what was removed, what was changed")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="scans_created")
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, help_text="Since then it has no pixels")
    withdrawn_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    withdrawn_reason = models.CharField(max_length=300, blank=True)

    objects = ScanQuerySet.as_manager()

    class Meta:
        ordering = ["dataset", "name"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "content_digest"], name="scan_once_per_dataset"),
            models.UniqueConstraint(fields=["dataset", "name"], name="scan_name_once_per_dataset"),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None, withdrawn_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False, withdrawn_reason__gt=""),
                name="scan_withdrawal_is_complete",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:scan", args=[self.pk])

    @property
    def geometry(self) -> Grid:
        return Grid.from_dict(self.grid)

    @property
    def before_all_edits(self) -> "Scan":
        """The scan at the beginning; a phantom's lesion-free twin has a source too and is a body of its own."""
        edited = getattr(self, "provenance", None) is not None
        return self.source_scan.before_all_edits if edited and self.source_scan is not None else self
