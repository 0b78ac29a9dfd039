import uuid
from collections.abc import Sequence
from typing import Any, Self

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_noop

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ml.geometry import Grid


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: User) -> Self:
        if user.is_administrator:
            return self
        if user.is_rater:
            return self.none()
        return self.filter(Q(owner=user) | Q(members=user)).distinct()

    def with_facts(self) -> Self:
        scans = Scan.objects.filter(dataset=OuterRef("pk"))
        counted = scans.order_by().values("dataset").annotate(count=Count("pk")).values("count")
        return self.annotate(scan_count=Coalesce(Subquery(counted), 0))


class Dataset(models.Model):
    """A named set of scans with source, licence and who may use it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=300, blank=True, help_text="Where the scans come from")
    licence = models.CharField(max_length=200, blank=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="datasets_owned")
    members = models.ManyToManyField(User, blank=True, related_name="datasets_shared")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:dataset", args=[self.pk])

    def editable_by(self, user: User) -> bool:
        """Members use a dataset; its owner and administrators change it and say who the members are."""
        return user.is_administrator or self.owner_id == user.pk


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
        masks = Mask.objects.filter(scan=OuterRef("pk"))
        lesions = Lesion.objects.filter(scan=OuterRef("pk"))
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
