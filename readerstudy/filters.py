"""One set of filters for the pages and the API."""

import django_filters
from django.db.models import Q, QuerySet

from ctplatform.lists import ListFilter, Ordering, YesNoFilter
from readerstudy.models import Study, StudyState, Template


class StudyFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label="Search")
    state = django_filters.ChoiceFilter(choices=StudyState.choices, label="State", empty_label="All")
    template = django_filters.ChoiceFilter(choices=Template.choices, label="Template", empty_label="All")
    archived = YesNoFilter(field_name="archived_at", lookup_expr="isnull", exclude=True, label="Archived")
    ordering = Ordering(
        fields=["created_at", "title", "state"],
        field_labels={"created_at": "Oldest", "-created_at": "Newest", "title": "Title", "state": "State"},
        first="-created_at",
    )

    class Meta:
        model = Study
        fields: list[str] = []

    def with_text(self, studies: QuerySet[Study], _name: str, text: str) -> QuerySet[Study]:
        return studies.filter(Q(title__icontains=text) | Q(description__icontains=text))
