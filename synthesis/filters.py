"""One set of filters for the pages and the API."""

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Dataset, Scan, ScanQuerySet, Verdict
from ctplatform.jobs.models import JobStatus
from ctplatform.lists import ListFilter, Ordering, YesNoFilter
from synthesis.models import LESION_KIND_CHOICES, OPERATION_CHOICES, EditOrder, Generator


class GeneratorFilter(ListFilter):
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Name")
    in_use = YesNoFilter(field_name="retired_at", lookup_expr="isnull", label="In use")
    ordering = Ordering(
        fields=["registered_at", "name"],
        field_labels={"registered_at": "Oldest first", "-registered_at": "Newest first", "name": "Name"},
        first="-registered_at",
    )

    class Meta:
        model = Generator
        fields: list[str] = []


def datasets_of(request: HttpRequest | None) -> QuerySet[Dataset]:
    user = getattr(request, "user", None)
    return Dataset.objects.visible_to(user) if isinstance(user, User) else Dataset.objects.none()


class EditOrderFilter(ListFilter):
    operation = django_filters.ChoiceFilter(choices=OPERATION_CHOICES, empty_label="Any operation")
    status = django_filters.ChoiceFilter(
        field_name="job__status", choices=JobStatus.choices, label="Status", empty_label="Any status"
    )
    review = django_filters.ChoiceFilter(
        field_name="result_scan__provenance__verdict",
        choices=Verdict.choices,
        label="Review",
        empty_label="Any review",
    )
    batch = django_filters.UUIDFilter(widget=forms.HiddenInput)
    scan = django_filters.UUIDFilter(field_name="source_scan", widget=forms.HiddenInput)
    ordering = Ordering(
        fields={"ordered_at": "ordered_at", "diameter_mm": "diameter_mm", "source_scan__name": "scan_name"},
        field_labels={
            "ordered_at": "Oldest first",
            "-ordered_at": "Newest first",
            "diameter_mm": "Smallest first",
            "-diameter_mm": "Largest first",
            "source_scan__name": "Scan",
        },
        first="-ordered_at",
    )

    class Meta:
        model = EditOrder
        fields = ["operation", "status", "review", "batch", "scan"]


class ResultFilter(ListFilter):
    """Of finished edits: what they are chosen and sorted by when many are reviewed."""

    review = django_filters.ChoiceFilter(
        field_name="result_scan__provenance__verdict", choices=Verdict.choices, label="Review", empty_label="All"
    )
    operation = django_filters.ChoiceFilter(choices=OPERATION_CHOICES, empty_label="Any operation")
    kind = django_filters.ChoiceFilter(choices=LESION_KIND_CHOICES, label="Type", empty_label="Any type")
    dataset = django_filters.ModelChoiceFilter(
        field_name="source_scan__dataset",
        queryset=datasets_of,  # type: ignore[arg-type]
        label="Dataset",
        empty_label="All",
    )
    batch = django_filters.UUIDFilter(widget=forms.HiddenInput)
    ordering = Ordering(
        fields={
            "ordered_at": "ordered_at",
            "diameter_mm": "diameter_mm",
            "contrast_hu": "contrast_hu",
            "source_scan__name": "scan_name",
        },
        field_labels={
            "ordered_at": "Oldest first",
            "-ordered_at": "Newest first",
            "diameter_mm": "Smallest first",
            "-diameter_mm": "Largest first",
            "contrast_hu": "Darkest first",
            "-contrast_hu": "Faintest first",
            "source_scan__name": "Scan",
        },
        first="ordered_at",
    )

    class Meta:
        model = EditOrder
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[EditOrder]) -> QuerySet[EditOrder]:
        chosen = super().filter_queryset(queryset)
        return chosen if self.form.cleaned_data.get("ordering") else chosen.order_by("ordered_at", "pk")


class SourceFilter(ListFilter):
    """Of scans that may be edited or learned from: which of them an order is about."""

    q = django_filters.CharFilter(method="with_text", label="Text")
    dataset = django_filters.ModelChoiceFilter(
        queryset=datasets_of,  # type: ignore[arg-type]
        label="Dataset",
        empty_label="All",
    )
    has_lesions = YesNoFilter(label="Lesions")

    class Meta:
        model = Scan
        fields: list[str] = []

    def with_text(self, scans: ScanQuerySet, _name: str, text: str) -> ScanQuerySet:
        return scans.filter(Q(name__icontains=text) | Q(subject__icontains=text))
