from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from rest_framework import serializers

from ctplatform.datasets.models import Dataset, Lesion, Mask, Provenance, Scan
from ctplatform.datasets.scans.thumbnails import WINDOW_CENTRE_HU, WINDOW_WIDTH_HU
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

    class Meta:
        model = Mask
        fields = ["id", "kind", "made_by", "slice_url"]
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
    reviewed_by = serializers.CharField(source="reviewed_by.username", default=None, allow_null=True, read_only=True)

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

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        files: list[UploadedFile[bytes]] = attrs["files"]
        return {
            "files": files,
            "paths": attrs.get("files_paths", []),
            "masks": attrs.get("masks", []),
            "subject": attrs.get("subject", ""),
            "text_looked_at": attrs.get("text_looked_at", False),
        }


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
