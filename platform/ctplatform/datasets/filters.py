"""One set of filters for the pages and the API."""

import django_filters
from django import forms
from django.db.models import Q

from ctplatform.datasets.models import Dataset, DatasetQuerySet, Lesion, Origin, Scan, ScanQuerySet, Verdict
from ctplatform.lists import ListFilter, Ordering, YesNoFilter


class DatasetFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label="Text")
    ordering = Ordering(
        fields={"name": "name", "created_at": "created_at"},
        field_labels={"name": "Name", "created_at": "Oldest first", "-created_at": "Newest first"},
        first="name",
    )

    class Meta:
        model = Dataset
        fields: list[str] = []

    def with_text(self, datasets: DatasetQuerySet, _name: str, text: str) -> DatasetQuerySet:
        return datasets.filter(Q(name__icontains=text) | Q(description__icontains=text) | Q(source__icontains=text))


class ScanFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label="Text")
    origin = django_filters.ChoiceFilter(choices=Origin.choices, empty_label="Any")
    review = django_filters.ChoiceFilter(
        field_name="provenance__verdict", choices=Verdict.choices, label="Review", empty_label="Any"
    )
    has_lesions = YesNoFilter(label="Lesions")
    has_liver = YesNoFilter(label="Liver mask")
    id = django_filters.UUIDFilter(widget=forms.HiddenInput)
    dataset = django_filters.UUIDFilter(widget=forms.HiddenInput)
    source_scan = django_filters.UUIDFilter(widget=forms.HiddenInput)
    ordering = Ordering(
        fields=["name", "subject", "origin", "slices", "slice_spacing_mm", "lesion_count", "created_at"],
        first="name",
        # The page sorts by the headings of its table.
        widget=forms.HiddenInput,
    )

    class Meta:
        model = Scan
        fields: list[str] = []

    def with_text(self, scans: ScanQuerySet, _name: str, text: str) -> ScanQuerySet:
        phase = Q(acquisition__contrast_phase__icontains=text)
        return scans.filter(Q(name__icontains=text) | Q(subject__icontains=text) | phase)


class LesionFilter(ListFilter):
    scan = django_filters.UUIDFilter()
    dataset = django_filters.UUIDFilter(field_name="scan__dataset")
    diameter_mm = django_filters.RangeFilter()
    inserted = django_filters.BooleanFilter()
    ordering = Ordering(fields=["number", "diameter_mm", "volume_ml", "mean_hu", "contrast_hu"])

    class Meta:
        model = Lesion
        fields: list[str] = []
