"""One set of filters for the pages and the API."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Q

from ctplatform.datasets.models import Dataset, DatasetQuerySet, Lesion, Origin, Scan, ScanQuerySet


class YesNoFilter(django_filters.BooleanFilter):
    """A select of any, yes and no; Django's own boolean select calls "any" unknown."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("", "Any"), ("true", "Yes"), ("false", "No")]
        super().__init__(widget=forms.Select(choices=choices), **kwargs)


class DatasetFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="with_text", label="Text")
    ordering = django_filters.OrderingFilter(
        fields={"name": "name", "created_at": "created_at"},
        field_labels={"name": "Name", "created_at": "Oldest first", "-created_at": "Newest first"},
        label="Order",
        empty_label=None,
    )

    class Meta:
        model = Dataset
        fields: list[str] = []

    def with_text(self, datasets: DatasetQuerySet, _name: str, text: str) -> DatasetQuerySet:
        return datasets.filter(Q(name__icontains=text) | Q(description__icontains=text) | Q(source__icontains=text))


class ScanFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="with_text", label="Text")
    origin = django_filters.ChoiceFilter(choices=Origin.choices, empty_label="Any")
    has_lesions = YesNoFilter(label="Lesions")
    has_liver = YesNoFilter(label="Liver mask")
    dataset = django_filters.UUIDFilter()
    source_scan = django_filters.UUIDFilter()
    ordering = django_filters.OrderingFilter(
        fields=["name", "subject", "origin", "slices", "slice_spacing_mm", "lesion_count", "created_at"], label="Order"
    )

    class Meta:
        model = Scan
        fields: list[str] = []

    def with_text(self, scans: ScanQuerySet, _name: str, text: str) -> ScanQuerySet:
        phase = Q(acquisition__contrast_phase__icontains=text)
        return scans.filter(Q(name__icontains=text) | Q(subject__icontains=text) | phase)


class LesionFilter(django_filters.FilterSet):
    scan = django_filters.UUIDFilter()
    dataset = django_filters.UUIDFilter(field_name="scan__dataset")
    diameter_mm = django_filters.RangeFilter()
    inserted = django_filters.BooleanFilter()
    ordering = django_filters.OrderingFilter(
        fields=["number", "diameter_mm", "volume_ml", "mean_hu", "contrast_hu"], label="Order"
    )

    class Meta:
        model = Lesion
        fields: list[str] = []
