"""How synthetic scans came to be, and what was decided about them."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_noop

from ctplatform.accounts.models import User
from ctplatform.datasets.models.scan import Scan


class Made(models.TextChoices):
    HERE = "here", "Edited here"
    ELSEWHERE = "elsewhere", "Made by another program"


class Operation(models.TextChoices):
    INSERT = "insert", "Insert"
    REMOVE = "remove", "Remove"
    WHOLE = "whole", "Whole scan"


EDITS = [Operation.INSERT, Operation.REMOVE]


class Verdict(models.TextChoices):
    PENDING = "pending", gettext_noop("To review")
    ACCEPTED = "accepted", gettext_noop("Accepted")
    REJECTED = "rejected", gettext_noop("Rejected")


_HERE_IS_COMPLETE = Q(
    made=Made.HERE,
    operation__in=EDITS,
    source_scan__isnull=False,
    centre_x_mm__isnull=False,
    diameter_mm__isnull=False,
    seed__isnull=False,
    generator_digest__gt="",
)
_NO_CENTRE = Q(centre_x_mm=None, centre_y_mm=None, centre_z_mm=None)
_WHOLE_CENTRE = Q(centre_x_mm__isnull=False, centre_y_mm__isnull=False, centre_z_mm__isnull=False)
_REVIEWED = Q(reviewed_by__isnull=False, reviewed_at__isnull=False)


def centre_columns(centre_lps_mm: Sequence[float]) -> dict[str, float]:
    return dict(zip(("centre_x_mm", "centre_y_mm", "centre_z_mm"), centre_lps_mm, strict=True))


class Provenance(models.Model):
    """Where a synthetic scan comes from, and whether it counts: one row per synthetic scan, whoever made it.

    `services.give_verdict` alone writes a verdict. The changed voxels are the scan's mask of that kind.
    """

    scan = models.OneToOneField(Scan, on_delete=models.CASCADE, primary_key=True, related_name="provenance")
    made = models.CharField(max_length=10, choices=Made.choices)
    operation = models.CharField(max_length=10, choices=Operation.choices)
    source_scan = models.ForeignKey(
        Scan, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="That it was edited from"
    )
    # Patient coordinates, LPS.
    centre_x_mm = models.FloatField(null=True, blank=True)
    centre_y_mm = models.FloatField(null=True, blank=True)
    centre_z_mm = models.FloatField(null=True, blank=True)
    diameter_mm = models.FloatField(null=True, blank=True, help_text="Asked for; of a removed lesion, as measured")
    kind = models.CharField(max_length=30, blank=True)
    contrast_hu = models.FloatField(null=True, blank=True)
    seed = models.PositiveBigIntegerField(null=True, blank=True)
    generator_name = models.CharField(max_length=120)
    generator_version = models.CharField(max_length=120, blank=True)
    generator_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of weights and card")
    precision = models.CharField(max_length=30, blank=True)
    processor = models.CharField(max_length=120, blank=True)
    measured = models.JSONField(default=dict, blank=True)
    details = models.JSONField(default=dict, blank=True, help_text="What else its program told of how it was made")
    verdict = models.CharField(max_length=10, choices=Verdict.choices, default=Verdict.PENDING)
    verdict_reason = models.CharField(max_length=300, blank=True)
    reviewed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="provenances_reviewed"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="provenance_speaks_known_words",
                condition=Q(made__in=Made.values, operation__in=Operation.values, verdict__in=Verdict.values),
            ),
            models.CheckConstraint(
                name="provenance_of_an_edit_here_is_complete",
                condition=Q(made=Made.ELSEWHERE) | _HERE_IS_COMPLETE,
            ),
            # A removed lesion is in no table of lesions, so nobody would find the place otherwise.
            models.CheckConstraint(
                name="provenance_of_a_removal_has_a_place",
                condition=~Q(operation=Operation.REMOVE) | Q(centre_x_mm__isnull=False, diameter_mm__isnull=False),
            ),
            models.CheckConstraint(name="provenance_names_its_generator", condition=Q(generator_name__gt="")),
            models.CheckConstraint(name="provenance_centre_is_whole", condition=_NO_CENTRE | _WHOLE_CENTRE),
            models.CheckConstraint(
                name="provenance_diameter_is_positive", condition=Q(diameter_mm=None) | Q(diameter_mm__gt=0)
            ),
            models.CheckConstraint(
                name="provenance_verdict_is_complete",
                condition=Q(verdict=Verdict.PENDING, verdict_reason="", reviewed_by=None, reviewed_at=None)
                | (Q(verdict=Verdict.ACCEPTED) & _REVIEWED)
                | (Q(verdict=Verdict.REJECTED, verdict_reason__gt="") & _REVIEWED),
            ),
        ]
        indexes = [models.Index(fields=["operation", "verdict"], name="provenance_by_verdict")]

    def __str__(self) -> str:
        return f"{self.get_made_display()}: {self.scan}"

    @property
    def centre_lps_mm(self) -> list[float] | None:
        if self.centre_x_mm is None or self.centre_y_mm is None or self.centre_z_mm is None:
            return None
        return [self.centre_x_mm, self.centre_y_mm, self.centre_z_mm]

    @property
    def kind_words(self) -> str:
        return self.kind.replace("_", "-")

    @property
    def facts(self) -> dict[str, Any]:
        """How the scan was made, ready for JSON."""
        return {
            "made": self.made,
            "operation": self.operation,
            "source_scan": str(self.source_scan_id) if self.source_scan_id else None,
            "centre_lps_mm": self.centre_lps_mm,
            "kind": self.kind,
            "diameter_mm": self.diameter_mm,
            "contrast_hu": self.contrast_hu,
            "seed": self.seed,
            "generator_name": self.generator_name,
            "generator_version": self.generator_version,
            "generator_digest": self.generator_digest,
            "precision": self.precision,
            "processor": self.processor,
            "measured": self.measured,
            "details": self.details,
        }


class Decision(models.Model):
    """One verdict on a synthetic scan, as it was given; the last one is the scan's. Only `services` writes here."""

    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="decisions")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.by}"
