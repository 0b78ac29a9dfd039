"""Owner, administrator, member, other, rater and nobody, against every address of the datasets app."""

from contextlib import contextmanager

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.exporting import uids
from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Export, Mask, Operation, Origin, Provenance, Scan, centre_columns
from ctplatform.jobs.models import Job
from tests.factories import made_elsewhere, make_dataset, make_scan, make_user
from tests.phantoms import liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db

PEOPLE = ["owner", "administrator", "member", "other", "rater", "nobody"]
USE = {"owner": 200, "administrator": 200, "member": 200, "other": 404, "rater": 404, "nobody": 302}
# Owner and administrator change; what others get when they try
CHANGE_PAGE = {"owner": 302, "administrator": 302, "member": 302, "other": 404, "rater": 404, "nobody": 302}
HIDDEN_PAGE = {"owner": 200, "administrator": 200, "member": 404, "other": 404, "rater": 404, "nobody": 302}
API_USE = {**USE, "nobody": 401}
API_CHANGE = {**API_USE, "member": 403}
COORDINATORS = dict.fromkeys(PEOPLE, 404) | {"administrator": 200, "other": 200, "nobody": 302}
API_COORDINATORS = dict.fromkeys(PEOPLE, 403) | {"administrator": 200, "other": 200, "rater": 404, "nobody": 401}
# By the number of identifiers that the address holds: dataset, study, series, instance
DICOMWEB = {
    "studies": 1,
    "all-series": 1,
    "series": 2,
    "instances": 3,
    "series-metadata": 3,
    "files": 3,
    "metadata": 4,
    "file": 4,
    "frame": 4,
}
# A package of scans is its owner's alone
OWN = dict.fromkeys(PEOPLE, 404) | {"owner": 200, "nobody": 302}
API_OWN = {**OWN, "nobody": 401}
# What members do as well as owners
OPEN_TO_MEMBERS = {
    "datasets-api:dataset-list",
    "datasets-api:export-list",
    "datasets:export",
    "datasets:decide-scan",
    "datasets-api:scan-verdict",
}

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
    ("datasets:export", "GET"): USE,
    ("datasets:export", "POST"): {**USE, "owner": 302, "administrator": 302, "member": 302},
    ("datasets:exports", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 302},
    ("datasets:export-file", "GET"): OWN,
    ("datasets:delete-export", "POST"): {**OWN, "owner": 302},
    # coordinators and administrators only; `other` is one and may not change the dataset
    ("datasets:archives", "GET"): COORDINATORS,
    ("datasets:test-archive", "POST"): {**COORDINATORS, "administrator": 302, "other": 302},
    ("datasets:retrieve", "GET"): {**COORDINATORS, "other": 404},
    ("datasets:retrieve", "POST"): {**COORDINATORS, "administrator": 422, "other": 404},
    ("datasets:scan", "GET"): USE,
    ("datasets:edit-scan", "POST"): CHANGE_PAGE,
    ("datasets:delete-scan", "POST"): CHANGE_PAGE,
    ("datasets:estimate-liver", "POST"): CHANGE_PAGE,
    ("datasets:decide-scan", "POST"): CHANGE_PAGE,
    ("datasets:compare-scan", "GET"): USE,
    ("datasets:accept-liver", "POST"): CHANGE_PAGE,
    ("datasets:new-masks", "POST"): CHANGE_PAGE,
    ("datasets:take-back-correction", "POST"): CHANGE_PAGE,
    ("datasets:withdraw-scan", "GET"): HIDDEN_PAGE,
    ("datasets:withdraw-scan", "POST"): {**HIDDEN_PAGE, "owner": 302, "administrator": 302},
    ("datasets-api:scan-masks", "POST"): {**API_CHANGE, "owner": 202, "administrator": 202},
    ("datasets-api:scan-corrected-mask", "POST"): API_CHANGE,
    ("datasets-api:scan-withdraw", "POST"): API_CHANGE,
    ("datasets:thumbnail", "GET"): USE,
    ("datasets-api:dataset-list", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 401},
    ("datasets-api:dataset-list", "POST"): dict.fromkeys(PEOPLE, 201) | {"rater": 404, "nobody": 401},
    ("datasets-api:dataset-detail", "GET"): API_USE,
    ("datasets-api:dataset-detail", "PATCH"): API_CHANGE,
    # it still holds scans
    ("datasets-api:dataset-detail", "DELETE"): {**API_CHANGE, "owner": 409, "administrator": 409},
    ("datasets-api:dataset-imports", "POST"): {**API_CHANGE, "owner": 202, "administrator": 202},
    ("datasets-api:scan-list", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 401},
    ("datasets-api:scan-detail", "GET"): API_USE,
    ("datasets-api:scan-detail", "PATCH"): API_CHANGE,
    ("datasets-api:scan-detail", "DELETE"): {**API_CHANGE, "owner": 204, "administrator": 204},
    ("datasets-api:scan-manifest", "GET"): API_USE,
    ("datasets-api:scan-slices", "GET"): API_USE,
    ("datasets-api:scan-verdict", "POST"): API_USE,
    ("datasets-api:scan-liver-estimate", "POST"): {**API_CHANGE, "owner": 202, "administrator": 202},
    ("datasets-api:mask-slices", "GET"): API_USE,
    ("datasets-api:export-list", "GET"): dict.fromkeys(PEOPLE, 200) | {"rater": 404, "nobody": 401},
    ("datasets-api:export-list", "POST"): dict.fromkeys(PEOPLE, 202) | {"other": 400, "rater": 404, "nobody": 401},
    ("datasets-api:export-detail", "GET"): API_OWN,
    ("datasets-api:export-detail", "DELETE"): {**API_OWN, "owner": 204},
    ("datasets-api:export-file", "GET"): API_OWN,
    ("datasets-api:archive-list", "GET"): API_COORDINATORS,
    ("datasets-api:archive-search", "POST"): {**API_COORDINATORS, "administrator": 400, "other": 400},
    ("datasets-api:dataset-retrievals", "POST"): {**API_CHANGE, "owner": 403, "administrator": 400},
    **{(f"datasets-api:dicomweb-{name}", "GET"): API_USE for name in DICOMWEB},
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
    made = make_scan(
        dataset,
        name="C",
        origin=Origin.SYNTHETIC,
        source_scan=bare,
        provenance=made_elsewhere(Operation.INSERT, **centre_columns((0.0, 0.0, 0.0))),
    )
    export = Export.objects.create(
        owner=people["owner"], form="nifti", scan_count=1, size_bytes=4, sha256="0" * 64, kept_until=timezone.now()
    )
    export.scans.add(scan)
    default_storage.save(export.key, ContentFile(b"scan"))
    return {
        "people": people,
        "dataset": dataset,
        "scan": scan,
        "bare": bare,
        "made": made,
        "mask": scan.masks.get(),
        "export": export,
    }


def arguments(name, world):
    dataset, scan = world["dataset"].pk, world["scan"].pk
    if name in {
        "datasets:export-file",
        "datasets:delete-export",
        "datasets-api:export-detail",
        "datasets-api:export-file",
    }:
        return [world["export"].pk]
    if "dicomweb-" in name:
        told = described(world["scan"])
        series, instance = uids.series(told.id, told.subject), uids.instance(told.id, told.subject, 0)
        return [dataset, uids.study(told), series, instance][: DICOMWEB[name.rpartition("dicomweb-")[2]]]
    return {
        "datasets:unshare": [dataset, world["people"]["member"].pk],
        "datasets:estimate-liver": [world["bare"].pk],
        "datasets-api:scan-liver-estimate": [world["bare"].pk],
        "datasets:decide-scan": [world["made"].pk],
        "datasets:compare-scan": [world["made"].pk],
        "datasets-api:scan-verdict": [world["made"].pk],
        "datasets-api:scan-slices": [scan, 0],
        "datasets-api:mask-slices": [world["mask"].pk, 0],
        "datasets:test-archive": ["clinic"],
        "datasets-api:archive-search": ["clinic"],
    }.get(name) or (
        []
        if name.endswith("-list")
        or name
        in {"datasets:datasets", "datasets:create", "datasets:procedure", "datasets:exports", "datasets:archives"}
        else [
            dataset
            if "dataset-" in name
            or name.split(":")[1] in {"dataset", "edit", "delete", "share", "upload", "export", "retrieve"}
            else scan
        ]
    )


def body(name, method, world):
    files = {"files": SimpleUploadedFile("x.nii", b"x")}
    return (
        {
            "datasets:edit": {"name": "renamed"},
            "datasets:upload": files,
            "datasets-api:dataset-imports": files,
            "datasets-api:scan-masks": files,
            "datasets:new-masks": {"masks": files["files"]},
            "datasets-api:scan-corrected-mask": {"kind": "liver", "base": str(world["mask"].pk), "lengths": [0, 4]},
            "datasets:withdraw-scan": {"reason": "consent"},
            "datasets-api:scan-withdraw": {"reason": "consent"},
            "datasets:export": {"scans": [world["scan"].pk], "form": "dicom"},
            "datasets-api:export-list": {"scans": [str(world["scan"].pk)]},
            "datasets-api:archive-search": {"patient_id": "1"},
            "datasets-api:dataset-retrievals": {
                "archive": "clinic",
                "series[0]study": "1.2",
                "series[0]series": "1.3",
            },
            "datasets-api:dataset-list": {"name": "made"},
            "datasets:decide-scan": {"decision": "accept"},
            "datasets-api:scan-verdict": {"accept": True},
            "datasets:edit-scan": {"name": "renamed", "subject": "s"},
        }.get(name, {})
        if method == "POST"
        else {}
    )


def call(client, method, url, data):
    if method == "PATCH":
        return client.patch(url, {"name": "renamed"}, content_type="application/json")
    if "lengths" in data:
        return client.post(url, data, content_type="application/json")
    return client.generic(method, url) if method == "DELETE" else getattr(client, method.lower())(url, data)


@pytest.mark.parametrize(("name", "method"), MATRIX, ids=str)
def test_matrix(world, name, method):
    answers, untouched = {}, {}
    for person in PEOPLE:
        with rolled_back():
            before = facts(world)
            response = call(
                client_of(world, person), method, reverse(name, args=arguments(name, world)), body(name, method, world)
            )
            # not response.close(), which ends the connection to the database
            for close in response._resource_closers if response.streaming else ():
                close()
            answers[person] = response.status_code
            untouched[person] = facts(world) == before
            if person == "nobody" and response.status_code == 302:
                assert "/account/login/" in response["Location"]
    assert answers == MATRIX[name, method]
    outsiders = {"other", "rater", "nobody"} | ({"member"} if name not in OPEN_TO_MEMBERS else set())
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
        list(Mask.objects.order_by("pk").values_list("pk", flat=True)),
        list(Provenance.objects.order_by("pk").values_list("pk", "verdict")),
        Export.objects.count(),
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
    for person, count in {"owner": 3, "administrator": 3, "member": 3, "other": 0}.items():
        client = Client()
        client.force_login(world["people"][person])
        assert client.get("/api/datasets/scans/").json()["count"] == count
        assert client.get("/api/datasets/").json()["count"] == (1 if count else 0)
