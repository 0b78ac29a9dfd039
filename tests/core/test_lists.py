"""Every list is searched, sorted and cut into pages in one way, on its page and in the API."""

from math import ceil

import pytest
from django.test import Client

from ctplatform.accounts.models import Role, User
from ctplatform.jobs.models import Job
from ctplatform.lists import ListFilter
from readerstudy.models import Study
from synthesis.models import Generator
from tests.factories import make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db
PER_PAGE = {"/jobs/": 30, "/studies/": 25, "/synthesis/generators/": 30, "/people/": 50}


@pytest.fixture
def administrator():
    return make_user(Role.ADMINISTRATOR, username="anna")


@pytest.fixture
def client(administrator):
    client = Client()
    client.force_login(administrator)
    return client


def names(count):
    return [f"thing {number:02d}" for number in range(count)]


def fill(owner, count):
    for name in names(count):
        Job.objects.create(kind="x", title=name, owner=owner)
        Study.objects.create(owner=owner, title=name, template="inserted_lesions", question="?")
        Generator.objects.create(name=name, digest=name, storage_prefix="-", registered_by=owner)
        User.objects.create(username=name.replace(" ", "-"), display_name=name, role=Role.RESEARCHER)


def rows(client, path, **asked):
    page = shown(client.get(path, asked))
    return [name for name in names(60) if name in page]


@pytest.mark.parametrize("path", PER_PAGE)
def test_a_list_is_searched_and_sorted_and_says_when_nothing_fits(client, administrator, path):
    fill(administrator, 3)
    assert rows(client, path, q="NG 01") == ["thing 01"]
    assert rows(client, path, q="none of them") == []
    assert " fits this " in shown(client.get(path, {"q": "none of them"}))
    name = {"/jobs/": "title", "/studies/": "title", "/people/": "username"}.get(path, "name")
    for ordering, first, last in ((name, "thing 00", "thing 02"), (f"-{name}", "thing 02", "thing 00")):
        page = shown(client.get(path, {"ordering": ordering}))
        assert page.index(first) < page.index("thing 01") < page.index(last)
        assert f'<option value="{ordering}" selected' in page


@pytest.mark.parametrize("path", PER_PAGE)
def test_rows_that_are_equal_stand_on_one_page_each(client, administrator, path):
    fill(administrator, 60)
    Job.objects.update(created_at="2026-01-01T00:00Z")
    Study.objects.update(created_at="2026-01-01T00:00Z")
    Generator.objects.update(registered_at="2026-01-01T00:00Z")
    order = {"/studies/": "state", "/people/": "last_login", "/jobs/": "-finished_at"}.get(path, "")
    for asked in ({}, {"ordering": order}):
        pages = [rows(client, path, page=page, **asked) for page in range(1, ceil(60 / PER_PAGE[path]) + 1)]
        assert sorted(name for page in pages for name in page) == names(60)


@pytest.mark.parametrize("path", [*PER_PAGE, "/datasets/", "/synthesis/", "/people/record/"])
def test_what_a_list_does_not_know_is_passed_over(client, administrator, path):
    fill(administrator, 1)
    asked = {
        "status": "odd",
        "state": "odd",
        "ordering": "owner__password",
        "page": "99",
        "kind": "odd",
        "review": "odd",
    }
    assert client.get(path, asked).status_code == 200


def test_the_api_sorts_and_searches_as_the_pages_do(client, administrator):
    fill(administrator, 3)
    for path, name in (("/api/jobs/", "title"), ("/api/studies/", "title"), ("/api/synthesis/generators/", "name")):
        found = client.get(path, {"ordering": f"-{name}"}).json()["results"]
        assert [row[name] for row in found] == ["thing 02", "thing 01", "thing 00"]
        assert [row[name] for row in client.get(path, {"q": "g 01"}).json()["results"]] == ["thing 01"]
        assert client.get(path, {"ordering": "owner__password"}).status_code == 400


@pytest.mark.parametrize("asked", [{}, {"ordering": "-name"}, {"ordering": "title"}, {"ordering": "nonsense"}])
def test_equal_rows_follow_their_keys(asked):
    for made in ListFilter.__subclasses__():
        rows = made(asked, queryset=made.Meta.model.objects.all()).qs
        assert rows.query.order_by[-1] == "pk", made


def test_generators_in_use_and_retired_ones(client, administrator):
    fill(administrator, 2)
    Generator.objects.filter(name="thing 00").update(retired_at="2026-01-01T00:00Z")
    assert rows(client, "/synthesis/generators/", in_use="true") == ["thing 01"]
    assert rows(client, "/synthesis/generators/", in_use="false") == ["thing 00"]


def test_people_by_role_and_whether_they_may_log_in(client, administrator):
    fill(administrator, 2)
    User.objects.filter(display_name="thing 00").update(is_active=False)
    assert rows(client, "/people/", is_active="true") == ["thing 01"]
    assert rows(client, "/people/", role="researcher", is_active="false") == ["thing 00"]
    assert rows(client, "/people/", role="rater") == []


def test_a_batch_stays_chosen_when_its_edits_are_filtered(client):
    batch = "2b6a0a5e-6c6c-4b8e-9d5a-111111111111"
    page = shown(client.get("/synthesis/", {"batch": batch, "status": "failed"}))
    assert f'<input type="hidden" name="batch" value="{batch}"' in page
