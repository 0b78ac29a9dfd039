"""One set of filters for the pages and the API."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from ctplatform.lists import ListFilter, Ordering, YesNoFilter, in_language
from readerstudy.models import Study, StudyState, Template


class StudyFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label=gettext_lazy("Search"))
    state = django_filters.ChoiceFilter(
        choices=StudyState.choices, label=gettext_lazy("State"), empty_label=gettext_lazy("All")
    )
    template = django_filters.ChoiceFilter(
        choices=in_language(Template.choices), label=gettext_lazy("Template"), empty_label=gettext_lazy("All")
    )
    archived = YesNoFilter(field_name="archived_at", lookup_expr="isnull", exclude=True, label=gettext_lazy("Archived"))
    ordering = Ordering(
        fields=["created_at", "title", "state"],
        field_labels={
            "created_at": gettext_lazy("Oldest"),
            "-created_at": gettext_lazy("Newest"),
            "title": gettext_lazy("Title"),
            "state": gettext_lazy("State"),
        },
        first="-created_at",
    )

    class Meta:
        model = Study
        fields: list[str] = []

    def with_text(self, studies: QuerySet[Study], _name: str, text: str) -> QuerySet[Study]:
        return studies.filter(Q(title__icontains=text) | Q(description__icontains=text))
