"""Label volumes on the grid of a scan, and who corrected them."""

import uuid
from typing import Self

from django.db import models

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models.scan import Scan


class MadeBy(models.TextChoices):
    IMPORTED = "imported", "Imported"
    ESTIMATED = "estimated", "Estimated by the platform"
    PHANTOM = "phantom", "Known from the phantom"
    SYNTHESIS = "synthesis", "Made by lesion synthesis"
    DRAWN = "drawn", "Drawn by hand"


# What the mask of an edit says of that of its host, with their names.
CORRECTED_BY = "corrected by"


class MaskQuerySet(models.QuerySet["Mask"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(scan__in=Scan.objects.visible_to(user))


class Mask(models.Model):
    """A label volume on a scan's grid; 0 is background, lesions are numbered from 1."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="masks")
    kind = models.CharField(max_length=20, choices=MaskKind.choices)
    made_by = models.CharField(max_length=20, choices=MadeBy.choices)
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Who found an estimate right"
    )
    accepted_at = models.DateTimeField(null=True, blank=True)

    objects = MaskQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scan", "kind"], name="one_mask_per_kind")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.scan}"

    @property
    def correctors(self) -> list[str]:
        """Who corrected it by hand, each once, in the order in which they came."""
        earliest_first = sorted(self.corrections.all(), key=lambda one: one.pk)
        return list(dict.fromkeys(one.by.username for one in earliest_first))

    @property
    def told(self) -> str:
        """Its note with who corrected it: what a copy of it has to say."""
        corrected = f"{CORRECTED_BY} {', '.join(self.correctors)}" if self.correctors else ""
        return "; ".join(part for part in (self.note, corrected) if part)[:300]


class MaskCorrectionManager(models.Manager["MaskCorrection"]):
    """Who corrected how much is told often, what was turned over is asked for by `defer(None)`."""

    def get_queryset(self) -> models.QuerySet["MaskCorrection"]:
        return super().get_queryset().defer("flips", "numbers_before")


class MaskCorrection(models.Model):
    """One correction of a mask by brush, as it was saved. Only `scans.corrected` writes here.

    A corrected mask is a new one with files of its own, and takes over what was corrected before. The files of the one
    before go; the same flips once more make it again.
    """

    mask = models.ForeignKey(Mask, on_delete=models.CASCADE, related_name="corrections")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    voxels_added = models.PositiveIntegerField()
    voxels_removed = models.PositiveIntegerField()
    flips = models.BinaryField(help_text="scans.flips.Flips")
    numbers_before = models.BinaryField(
        null=True, blank=True, help_text="Of a mask of lesions: scans.numbering.numbers_where the numbers changed"
    )
    kinds_before = models.JSONField(
        default=dict, help_text="Of a mask of lesions: kinds by number, of lesions that went"
    )

    objects = MaskCorrectionManager()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"Correction of the {self.mask} by {self.by}"
