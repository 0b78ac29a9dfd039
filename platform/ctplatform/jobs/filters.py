import django_filters
from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy

from ctplatform.jobs.models import Job, JobQuerySet, JobStatus
from ctplatform.lists import ListFilter, Ordering


class JobFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label=gettext_lazy("Text"))
    status = django_filters.ChoiceFilter(
        choices=JobStatus.choices, label=gettext_lazy("Status"), empty_label=gettext_lazy("Any")
    )
    kind = django_filters.CharFilter(widget=forms.HiddenInput)
    ordering = Ordering(
        fields=["created_at", "finished_at", "title"],
        field_labels={
            "created_at": gettext_lazy("Oldest first"),
            "-created_at": gettext_lazy("Newest first"),
            "finished_at": gettext_lazy("First finished first"),
            "-finished_at": gettext_lazy("Last finished first"),
            "title": gettext_lazy("Title"),
        },
        first="-created_at",
    )

    class Meta:
        model = Job
        fields: list[str] = []

    def with_text(self, jobs: JobQuerySet, _name: str, text: str) -> JobQuerySet:
        return jobs.filter(Q(title__icontains=text) | Q(owner__username__icontains=text))
