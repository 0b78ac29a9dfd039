"""One set of filters for the pages and the API."""

import django_filters
from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy

from ctplatform.datasets.models import Dataset, DatasetQuerySet, Lesion, Origin, Scan, ScanQuerySet, Verdict
from ctplatform.lists import ListFilter, Ordering, YesNoFilter, in_language


class DatasetFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label=gettext_lazy("Text"))
    ordering = Ordering(
        fields={"name": "name", "created_at": "created_at"},
        field_labels={
            "name": gettext_lazy("Name"),
            "created_at": gettext_lazy("Oldest first"),
            "-created_at": gettext_lazy("Newest first"),
        },
        first="name",
    )

    class Meta:
        model = Dataset
        fields: list[str] = []

    def with_text(self, datasets: DatasetQuerySet, _name: str, text: str) -> DatasetQuerySet:
        return datasets.filter(Q(name__icontains=text) | Q(description__icontains=text) | Q(source__icontains=text))


class ScanFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label=gettext_lazy("Text"))
    origin = django_filters.ChoiceFilter(
        choices=in_language(Origin.choices), label=gettext_lazy("Origin"), empty_label=gettext_lazy("Any")
    )
    review = django_filters.ChoiceFilter(
        field_name="provenance__verdict",
        choices=in_language(Verdict.choices),
        label=gettext_lazy("Review"),
        empty_label=gettext_lazy("Any"),
    )
    has_lesions = YesNoFilter(label=gettext_lazy("Lesions"))
    has_liver = YesNoFilter(label=gettext_lazy("Liver mask"))
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
