"""Owner, administrator, member, other, rater and nobody, against every address of the datasets app."""

from contextlib import contextmanager

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Mask, Origin, Scan
from ctplatform.jobs.models import Job
from tests.factories import make_dataset, make_scan, make_user
from tests.phantoms import liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db

PEOPLE = ["owner", "administrator", "member", "other", "rater", "nobody"]
USE = {"owner": 200, "administrator": 200, "member": 200, "other": 404, "rater": 404, "nobody": 302}
# Owner and administrator change; what others get when they try
CHANGE_PAGE = {"owner": 302, "administrator": 302, "member": 302, "other": 404, "rater": 404, "nobody": 302}
HIDDEN_PAGE = {"owner": 200, "administrator": 200, "member": 404, "other": 404, "rater": 404, "nobody": 302}
API_USE = {**USE, "nobody": 401}
API_CHANGE = {**API_USE, "member": 403}

MATRIX = {
    ("datasets:datasets", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 302},
    ("datasets:create", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 302},
    ("datasets:procedure", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 302},
    ("datasets:dataset", "GET"): USE,
    ("datasets:edit", "GET"): HIDDEN_PAGE,
    ("datasets:edit", "POST"): {**HIDDEN_PAGE, "owner": 302, "administrator": 302},
    ("datasets:delete", "POST"): CHANGE_PAGE,
    ("datasets:share", "POST"): CHANGE_PAGE,
    ("datasets:unshare", "POST"): CHANGE_PAGE,
    ("datasets:upload", "GET"): HIDDEN_PAGE,
    ("datasets:upload", "POST"): {**HIDDEN_PAGE, "owner": 302, "administrator": 302},
    ("datasets:scan", "GET"): USE,
    ("datasets:edit-scan", "POST"): CHANGE_PAGE,
    ("datasets:delete-scan", "POST"): CHANGE_PAGE,
    ("datasets:estimate-liver", "POST"): CHANGE_PAGE,
    ("datasets:thumbnail", "GET"): USE,
    ("datasets-api:dataset-list", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 401},
    ("datasets-api:dataset-list", "POST"): dict.fromkeys(PEOPLE, 201) | {"rater": 404, "nobody": 401},
    ("datasets-api:dataset-detail", "GET"): API_USE,
    ("datasets-api:dataset-detail", "PATCH"): API_CHANGE,
    ("datasets-api:dataset-imports", "POST"): {**API_CHANGE, "owner": 202, "administrator": 202},
    ("datasets-api:scan-list", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 401},
    ("datasets-api:scan-detail", "GET"): API_USE,
    ("datasets-api:scan-detail", "PATCH"): API_CHANGE,
    ("datasets-api:scan-detail", "DELETE"): {**API_CHANGE, "owner": 204, "administrator": 204},
    ("datasets-api:scan-manifest", "GET"): API_USE,
    ("datasets-api:scan-slices", "GET"): API_USE,
    ("datasets-api:scan-liver-estimate", "POST"): {**API_CHANGE, "owner": 202, "administrator": 202},
    ("datasets-api:mask-slices", "GET"): API_USE,
    ("datasets-api:lesion-list", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 401},
}


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr("ctplatform.jobs.services.send", lambda job: None)
    people = {
        "owner": make_user(username="owner"),
        "administrator": make_user(Role.ADMINISTRATOR, username="administrator"),
        "member": make_user(username="member"),
        "other": make_user(Role.COORDINATOR, username="other"),
        "rater": make_user(Role.RATER, username="rater"),
    }
    dataset = make_dataset(people["owner"], [people["member"], people["rater"]], name="Shared")
    grid = small_grid()
    scan = make_scan(dataset, name="A", masks={MaskKind.LIVER: liver_box(grid)})
    bare = make_scan(dataset, name="B", volume=small_ct(grid, 99), origin=Origin.PHANTOM)
    return {"people": people, "dataset": dataset, "scan": scan, "bare": bare, "mask": scan.masks.get()}


def arguments(name, world):
    dataset, scan = world["dataset"].pk, world["scan"].pk
    return {
        "datasets:unshare": [dataset, world["people"]["member"].pk],
        "datasets:estimate-liver": [world["bare"].pk],
        "datasets-api:scan-liver-estimate": [world["bare"].pk],
        "datasets-api:scan-slices": [scan, 0],
        "datasets-api:mask-slices": [world["mask"].pk, 0],
    }.get(name) or (
        []
        if name.endswith("-list") or name in {"datasets:datasets", "datasets:create", "datasets:procedure"}
        else [
            dataset
            if "dataset-" in name or name.split(":")[1] in {"dataset", "edit", "delete", "share", "upload"}
            else scan
        ]
    )


def body(name, method):
    files = {"files": SimpleUploadedFile("x.nii", b"x")}
    return (
        {
            "datasets:edit": {"name": "renamed"},
            "datasets:upload": files,
            "datasets-api:dataset-imports": files,
            "datasets-api:dataset-list": {"name": "made"},
            "datasets:edit-scan": {"name": "renamed", "subject": "s"},
        }.get(name, {})
        if method == "POST"
        else {}
    )


def call(client, method, url, data):
    if method == "PATCH":
        return client.patch(url, {"name": "renamed"}, content_type="application/json")
    return client.generic(method, url) if method == "DELETE" else getattr(client, method.lower())(url, data)


@pytest.mark.parametrize(("name", "method"), MATRIX, ids=str)
def test_matrix(world, name, method):
    answers, untouched = {}, {}
    for person in PEOPLE:
        with rolled_back():
            before = facts(world)
            response = call(
                client_of(world, person), method, reverse(name, args=arguments(name, world)), body(name, method)
            )
            answers[person] = response.status_code
            untouched[person] = facts(world) == before
            if person == "nobody" and response.status_code == 302:
                assert "/account/login/" in response["Location"]
    assert answers == MATRIX[name, method]
    outsiders = {"other", "rater", "nobody"} | ({"member"} if name != "datasets-api:dataset-list" else set())
    if name == "datasets-api:dataset-list":
        outsiders -= {"other"}  # anyone of the staff may make a dataset
    assert all(untouched[person] for person in outsiders)


@contextmanager
def rolled_back():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def client_of(world, person):
    client = Client()
    if person != "nobody":
        client.force_login(world["people"][person])
    return client


def facts(world):
    """What a person without the right to change must leave as it was."""
    return (
        list(Dataset.objects.order_by("pk").values_list("pk", "name", "licence")),
        list(Dataset.objects.get(pk=world["dataset"].pk).members.order_by("pk").values_list("pk", flat=True)),
        list(Scan.objects.order_by("pk").values_list("pk", "name", "subject")),
        Mask.objects.count(),
        Job.objects.count(),
    )


def test_the_matrix_names_every_address():
    def names(resolver, namespace=""):
        found = set()
        for pattern in resolver.url_patterns:
            if hasattr(pattern, "url_patterns"):
                inner = pattern.namespace or namespace
                found |= names(pattern, inner)
            elif namespace in {"datasets", "datasets-api"}:
                found.add(f"{namespace}:{pattern.name}")
        return found

    assert names(get_resolver()) == {name for name, _ in MATRIX}


def test_lists_hold_only_what_is_visible(world):
    for person, count in {"owner": 2, "administrator": 2, "member": 2, "other": 0}.items():
        client = Client()
        client.force_login(world["people"][person])
        assert client.get("/api/datasets/scans/").json()["count"] == count
        assert client.get("/api/datasets/").json()["count"] == (1 if count else 0)
