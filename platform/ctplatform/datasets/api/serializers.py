from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.models import Dataset, Export, Lesion, Mask, Provenance, Scan, Verdict
from ctplatform.datasets.scans.corrected import CORRECTABLE
from ctplatform.datasets.scans.flips import MOST_RUNS
from ctplatform.datasets.scans.thumbnails import WINDOW_CENTRE_HU, WINDOW_WIDTH_HU
from ctplatform.datasets.services import MAX_REASON
from ctplatform.jobs.models import Job


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    owner = serializers.CharField(source="owner.username", read_only=True)
    scan_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Dataset
        fields = ["id", "name", "description", "source", "licence", "owner", "scan_count", "created_at"]
        read_only_fields = ["id", "created_at"]


class MaskSerializer(serializers.ModelSerializer[Mask]):
    slice_url = serializers.SerializerMethodField()
    corrected_by = serializers.ListField(
        source="correctors", child=serializers.CharField(), read_only=True, help_text="Who corrected it by hand"
    )
    accepted_by = serializers.CharField(
        source="accepted_by.username",
        allow_null=True,
        read_only=True,
        help_text="Who found an estimate right",
    )

    class Meta:
        model = Mask
        fields = ["id", "kind", "made_by", "corrected_by", "accepted_by", "slice_url"]
        read_only_fields = fields

    def get_slice_url(self, mask: Mask) -> str:
        return slice_url_template("datasets-api:mask-slices", mask.pk)


class LesionSerializer(serializers.ModelSerializer[Lesion]):
    centroid_lps_mm = serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3)

    class Meta:
        model = Lesion
        fields = [
            "id",
            "scan",
            "number",
            "centroid_lps_mm",
            "diameter_mm",
            "volume_ml",
            "mean_hu",
            "contrast_hu",
            "kind",
            "inserted",
        ]
        read_only_fields = fields


class ProvenanceSerializer(serializers.ModelSerializer[Provenance]):
    centre_lps_mm = serializers.ListField(
        child=serializers.FloatField(), min_length=3, max_length=3, allow_null=True, read_only=True
    )
    measured = serializers.DictField(read_only=True)
    details = serializers.DictField(read_only=True, help_text="What else its program told of how it was made")
    reviewed_by = serializers.CharField(source="reviewed_by.username", allow_null=True, read_only=True)

    class Meta:
        model = Provenance
        fields = [
            "made",
            "operation",
            "source_scan",
            "centre_lps_mm",
            "diameter_mm",
            "kind",
            "contrast_hu",
            "seed",
            "generator_name",
            "generator_version",
            "generator_digest",
            "precision",
            "processor",
            "measured",
            "details",
            "verdict",
            "verdict_reason",
            "reviewed_by",
            "reviewed_at",
        ]
        read_only_fields = fields


class ScanSerializer(serializers.ModelSerializer[Scan]):
    has_liver = serializers.BooleanField(read_only=True)
    lesion_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Scan
        fields = [
            "id",
            "dataset",
            "name",
            "subject",
            "origin",
            "source_scan",
            "slices",
            "slice_spacing_mm",
            "pixel_spacing_mm",
            "content_digest",
            "has_liver",
            "lesion_count",
            "created_at",
            "withdrawn_at",
            "withdrawn_reason",
        ]
        read_only_fields = [name for name in fields if name not in {"name", "subject"}]


class ScanDetailSerializer(ScanSerializer):
    grid = serializers.DictField(read_only=True)
    acquisition = serializers.DictField(read_only=True)
    import_report = serializers.DictField(read_only=True)
    provenance = ProvenanceSerializer(
        read_only=True, allow_null=True, help_text="How a synthetic scan was made, and its verdict"
    )
    masks = MaskSerializer(many=True, read_only=True)
    lesions = LesionSerializer(many=True, read_only=True)

    class Meta(ScanSerializer.Meta):
        fields = [*ScanSerializer.Meta.fields, "grid", "acquisition", "import_report", "provenance", "masks", "lesions"]
        read_only_fields = [name for name in fields if name not in {"name", "subject"}]


class VerdictSerializer(serializers.Serializer[Any]):
    accept = serializers.BooleanField()
    reason = serializers.CharField(required=False, allow_blank=True, max_length=MAX_REASON)
    seen = serializers.ChoiceField(
        required=False, choices=Verdict.choices, help_text="The verdict that you saw; refused when it is another by now"
    )


class WindowSerializer(serializers.Serializer[Any]):
    center = serializers.FloatField()
    width = serializers.FloatField()


class ManifestSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    size_zyx = serializers.ListField(child=serializers.IntegerField(), min_length=3, max_length=3)
    spacing_zyx_mm = serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3)
    origin_lps_mm = serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3)
    direction = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3),
        min_length=3,
        max_length=3,
    )
    slice_url = serializers.CharField()
    window = WindowSerializer()
    masks = MaskSerializer(many=True)
    lesions = LesionSerializer(many=True)


class JobReferenceSerializer(serializers.ModelSerializer[Job]):
    job_url = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = ["id", "status", "job_url"]
        read_only_fields = fields

    def get_job_url(self, job: Job) -> str:
        return reverse("jobs:job", args=[job.pk])


class ExportSerializer(serializers.ModelSerializer[Export]):
    file_url = serializers.SerializerMethodField()

    class Meta:
        model = Export
        fields = ["id", "form", "scan_count", "size_bytes", "sha256", "created_at", "kept_until", "file_url"]
        read_only_fields = fields

    def get_file_url(self, export: Export) -> str:
        return reverse("datasets-api:export-file", args=[export.pk])


class ExportOrderSerializer(serializers.Serializer[Any]):
    scans = serializers.ListField(child=serializers.UUIDField(), allow_empty=False)
    form = serializers.ChoiceField(choices=ExportFormat.choices, default=ExportFormat.DICOM)
    masks = serializers.BooleanField(default=True)
    archive = serializers.CharField(
        default="", allow_blank=True, help_text="Send the scans there as DICOM instead of making a package"
    )


class ArchiveSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class SeriesSearchSerializer(serializers.Serializer[Any]):
    """Archives match whole values; `*` stands for any text. At least one must be given."""

    patient_id = serializers.CharField(default="", allow_blank=True, max_length=64)
    patient_name = serializers.CharField(default="", allow_blank=True, max_length=200)
    study_date = serializers.RegexField(r"^\d{8}(-\d{8})?$", required=False, help_text="20240131 or 20240101-20240131")
    description = serializers.CharField(default="", allow_blank=True, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.values()):
            raise serializers.ValidationError("Say what to look for: at least one of the fields.")
        return {
            "PatientID": attrs["patient_id"],
            "PatientName": attrs["patient_name"],
            "StudyDate": attrs.get("study_date", ""),
            "SeriesDescription": attrs["description"],
        }


class WantedSerializer(serializers.Serializer[Any]):
    study = serializers.CharField(max_length=64)
    series = serializers.CharField(max_length=64)


class FoundSeriesSerializer(WantedSerializer):
    patient_id = serializers.CharField()
    patient_name = serializers.CharField()
    study_date = serializers.CharField()
    study_description = serializers.CharField()
    description = serializers.CharField()
    slices = serializers.IntegerField(allow_null=True)


class RetrievalSerializer(serializers.Serializer[Any]):
    archive = serializers.CharField()
    series = WantedSerializer(many=True)
    text_looked_at = serializers.BooleanField(default=False)


class ImportSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(child=serializers.FileField(), allow_empty=False)
    files_paths = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The files' paths in their folder, in the same order"
    )
    masks = serializers.ListField(child=serializers.FileField(), required=False)
    subject = serializers.CharField(required=False, max_length=120)
    text_looked_at = serializers.BooleanField(
        required=False, help_text="You looked at the slices: marks that look like drawn text name nobody"
    )

    manifest = serializers.FileField(
        required=False, help_text="CSV, one row a file, for images that other programs made; see the README"
    )
    labels = serializers.CharField(
        required=False, max_length=300, help_text="What the labels of mask files mean, such as 1=liver, 2=lesion"
    )
    spacing = serializers.CharField(
        required=False, max_length=60, help_text="In mm, for scans whose file has lost it, such as 0.57 0.57 1.6"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        files: list[UploadedFile[bytes]] = attrs["files"]
        return {
            "files": files,
            "paths": attrs.get("files_paths", []),
            "masks": attrs.get("masks", []),
            "subject": attrs.get("subject", ""),
            "text_looked_at": attrs.get("text_looked_at", False),
            "manifest": attrs.get("manifest"),
            "labels": attrs.get("labels", ""),
            "spacing": attrs.get("spacing", ""),
        }


class WithdrawalSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=MAX_REASON)
    whole_patient = serializers.BooleanField(required=False, help_text="All scans of the patient in this dataset")


class NewMasksSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(child=serializers.FileField(), allow_empty=False)
    kind = serializers.ChoiceField(
        required=False,
        choices=[MaskKind.LIVER, MaskKind.LESION, MaskKind.VESSEL],
        help_text="What the files hold; without it their names and labels say",
    )
    labels = serializers.CharField(
        required=False, max_length=300, help_text="What the labels mean, such as 1=liver, 2=lesion"
    )


@extend_schema_field(
    {"type": "array", "maxItems": 2 * MOST_RUNS, "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}}
)
class LengthsField(serializers.Field[list[int], Any, Any, Any]):
    """A list of whole numbers; half a million fields of their own would take seconds."""

    default_error_messages = {"no_lengths": "Give a list of whole numbers."}

    def to_internal_value(self, data: Any) -> list[int]:
        if not isinstance(data, list) or not all(type(number) is int for number in data):
            self.fail("no_lengths")
        return data


class CorrectionSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=[(kind.value, kind.label) for kind in CORRECTABLE])
    base = serializers.UUIDField(
        allow_null=True, help_text="The mask that you corrected; null where the scan had none of its kind"
    )
    lengths = LengthsField(
        help_text="Of the scan's voxels, x fastest and z slowest: how many stay, how many turn over (from outside to "
        "inside or back), how many stay, and so on; it ends with how many turn over"
    )


class CorrectedSerializer(serializers.Serializer[Any]):
    mask = MaskSerializer()
    voxels_added = serializers.IntegerField()
    voxels_removed = serializers.IntegerField()


def slice_url_template(view_name: str, pk: Any) -> str:
    """The browser puts the index in: {index} must not be escaped."""
    return reverse(view_name, args=[pk, 0]).removesuffix("0/") + "{index}/"


def manifest_of(scan: Scan) -> dict[str, Any]:
    grid = scan.geometry
    return {
        "id": str(scan.pk),
        "name": scan.name,
        "size_zyx": list(grid.size_zyx),
        "spacing_zyx_mm": list(grid.spacing_zyx_mm),
        "origin_lps_mm": list(grid.origin_lps_mm),
        "direction": grid.direction_matrix.tolist(),
        "slice_url": slice_url_template("datasets-api:scan-slices", scan.pk),
        "window": {"center": WINDOW_CENTRE_HU, "width": WINDOW_WIDTH_HU},
        "masks": MaskSerializer(scan.masks.all(), many=True).data,
        "lesions": LesionSerializer(scan.lesions.all(), many=True).data,
    }
