import uuid

from django.db import models

from ctplatform.datasets.models import Lesion, Scan
from readerstudy.models.study import Study


class Case(models.Model):
    """What is judged in a study. Whatever says which kind it is stands in CaseTruth."""

    # Random, so that neither the id nor an ordering by it tells in which order the kinds were chosen.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="cases")
    code = models.CharField(max_length=12, blank=True, help_text="Its name in exports, drawn at the lock")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "code"], condition=~models.Q(code=""), name="case_code_once_per_study"
            )
        ]

    def __str__(self) -> str:
        return self.code or str(self.pk)


class CaseTruth(models.Model):
    """The sealed half of a case: read by design, by the making of stimuli, and after the unblinding."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, primary_key=True, related_name="truth")
    synthetic = models.BooleanField()
    control = models.BooleanField(
        default=False,
        help_text="A positive control: an edit degraded on purpose, shown to prove that raters would find one",
    )
    scan = models.ForeignKey(Scan, on_delete=models.PROTECT, related_name="+")
    lesion = models.ForeignKey(Lesion, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    place_lps_mm = models.JSONField()
    diameter_mm = models.FloatField()
    depth_mm = models.FloatField(null=True, blank=True, help_text="Below the surface of the liver")
    details = models.JSONField(default=dict, help_text="How the lesion was made or removed")
    position = models.JSONField(
        default=dict, blank=True, help_text="Where the place stands in picture and liver, and among other lesions"
    )
    pair = models.PositiveIntegerField(
        null=True, blank=True, help_text="Number of the matched pair that it was drawn in; by hand: none"
    )

    target = models.JSONField(
        default=dict,
        blank=True,
        help_text="Where raters mark a place: which samples of the picture were edited, and how likely a mark put at "
        "random is right",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(control=False) | models.Q(synthetic=True), name="positive_control_is_synthetic"
            )
        ]

    def __str__(self) -> str:
        return f"Truth of {self.case_id}"


class StudySeal(models.Model):
    """Secrets of a locked study. Whoever knew the seed could tell from an order which of its slots are synthetic."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, primary_key=True, related_name="seal")
    schedule_seed = models.CharField(max_length=32, help_text="Hexadecimal; published at the unblinding")
    salt = models.CharField(max_length=64, help_text="Keeps the digests of truth and pixels unguessable")

    def __str__(self) -> str:
        return f"Seal of {self.study_id}"
