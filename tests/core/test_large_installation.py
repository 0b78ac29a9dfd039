"""The bench of large installations makes one and measures its pages; here a small one, for queries and not for time."""

import pytest

from bench.large_installation import Size, make_installation, measure

pytestmark = pytest.mark.django_db
# What an empty installation would let pass: these must answer.
PAGES = {
    "datasets/<uuid:pk>/",
    "datasets/<uuid:pk>/export/",
    "synthesis/atlas/<uuid:pk>/patches/",
    "synthesis/atlas/<uuid:pk>/points.json",
    "synthesis/review/",
    "studies/<uuid:pk>/ (draft)",
    "studies/<uuid:pk>/ (running)",
    "studies/<uuid:pk>/look/ (running)",
    "studies/<uuid:pk>/cases/ (draft)",
}
MOST_QUERIES = 40


def test_every_list_and_page_answers_with_a_bounded_number_of_queries():
    found = {
        one.path: one for one in measure(make_installation(Size(scans=3, edits=60, cases=60, raters=3, patches=60)))
    }
    assert found.keys() >= PAGES
    assert {path: one.queries for path, one in found.items() if one.queries > MOST_QUERIES} == {}
