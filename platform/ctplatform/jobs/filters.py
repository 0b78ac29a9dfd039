import django_filters
from django import forms
from django.db.models import Q

from ctplatform.jobs.models import Job, JobQuerySet, JobStatus
from ctplatform.lists import ListFilter, Ordering


class JobFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label="Text")
    status = django_filters.ChoiceFilter(choices=JobStatus.choices, label="Status", empty_label="Any")
    kind = django_filters.CharFilter(widget=forms.HiddenInput)
    ordering = Ordering(
        fields=["created_at", "finished_at", "title"],
        field_labels={
            "created_at": "Oldest first",
            "-created_at": "Newest first",
            "finished_at": "First finished first",
            "-finished_at": "Last finished first",
            "title": "Title",
        },
        first="-created_at",
    )

    class Meta:
        model = Job
        fields: list[str] = []

    def with_text(self, jobs: JobQuerySet, _name: str, text: str) -> JobQuerySet:
        return jobs.filter(Q(title__icontains=text) | Q(owner__username__icontains=text))
