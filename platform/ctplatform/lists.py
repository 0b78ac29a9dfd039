"""Lists that are searched, filtered, sorted and cut into pages: one set of filters for a page and for the API."""

from collections.abc import Iterable
from typing import Any

import django_filters
from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy
from django_filters.views import FilterView


def in_language(choices: Iterable[tuple[str, str]]) -> list[tuple[str, Any]]:
    """Names that are kept in English elsewhere, as a select of a page calls them."""
    return [(value, gettext_lazy(name)) for value, name in choices]


class YesNoFilter(django_filters.BooleanFilter):
    """A select of any, yes and no; Django's own boolean select calls "any" unknown."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("", gettext_lazy("Any")), ("true", gettext_lazy("Yes")), ("false", gettext_lazy("No"))]
        super().__init__(widget=forms.Select(choices=choices), **kwargs)


class Ordering(django_filters.OrderingFilter):
    """What a list is sorted by; `first` is the list's own order, which a select shows before anybody has chosen."""

    def __init__(self, *, first: str = "", **kwargs: Any) -> None:
        self.first = first
        super().__init__(label=gettext_lazy("Order"), empty_label=None, **kwargs)

    def build_choices(self, fields: Any, labels: Any) -> list[tuple[str, str]]:
        downwards = {
            f"-{field}": format_lazy(gettext_lazy("{what}, downwards"), what=label) for field, label in labels.items()
        }
        choices = super().build_choices(fields, {**downwards, **labels})
        return sorted(choices, key=lambda choice: choice[0] != self.first)


class ListFilter(django_filters.FilterSet):
    """Rows that are equal in what they are sorted by follow their keys: none stands on two pages or on none."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().filter_queryset(queryset)
        # Said anew, because counting groups the rows and drops the order of the model.
        return found.order_by(*(found.query.order_by or found.model._meta.ordering), "pk")  # noqa: SLF001 - Django documents _meta


class ListPage(FilterView):
    """What an address asks that the list doesn't know is passed over: a link of yesterday still shows a page."""

    strict = False
    paginate_by = 30

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(filterset_class), "data": self.request.GET}

    def paginate_queryset(self, queryset: Any, page_size: int) -> tuple[Paginator[Any], Page[Any], Any, bool]:
        page = self.get_paginator(queryset, page_size).get_page(self.request.GET.get(self.page_kwarg))
        return page.paginator, page, page.object_list, page.has_other_pages()
