"""What the pages show, how lists filter and sort, and how changes are made."""

import html
import json
import re

import numpy as np
import pytest
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, MadeBy, Origin, Scan
from ctplatform.datasets.templatetags.datasets_tags import words
from tests.factories import edited_here, make_dataset, make_scan, make_user
from tests.phantoms import ball, liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client):
    user = make_user(username="olga")
    client.force_login(user)
    return user


@pytest.fixture
def dataset(owner):
    return make_dataset(owner, name="Portal venous")


def page(client, *route, **query):
    response = client.get(reverse(route[0], args=route[1:]), query)
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


def test_the_empty_list_says_what_to_do(client, owner):
    assert "There is no dataset yet" in page(client, "datasets:datasets")


def test_the_list_shows_counts_and_pictures(client, dataset):
    scan = make_scan(dataset)
    text = page(client, "datasets:datasets")
    assert "1 scan " in text
    assert reverse("datasets:thumbnail", args=[scan.pk]) in text
    assert "No dataset fits" in page(client, "datasets:datasets", q="nothing like it")


def test_a_dataset_is_made_changed_and_deleted(client, owner):
    client.post(reverse("datasets:create"), {"name": "HCC", "licence": "CC BY 4.0"})
    dataset = Dataset.objects.get(name="HCC")
    assert dataset.owner == owner
    client.post(reverse("datasets:edit", args=[dataset.pk]), {"name": "HCC-TACE", "source": "TCIA"})
    dataset.refresh_from_db()
    assert (dataset.name, dataset.source) == ("HCC-TACE", "TCIA")
    client.post(reverse("datasets:delete", args=[dataset.pk]))
    assert not Dataset.objects.filter(pk=dataset.pk).exists()


def test_a_taken_name_is_refused_and_the_form_stays(client, dataset):
    response = client.post(reverse("datasets:create"), {"name": dataset.name, "source": "my typing"})
    assert response.status_code == 422
    assert "my typing" in response.content.decode()


def test_a_dataset_with_scans_is_not_deleted(client, dataset):
    make_scan(dataset)
    response = client.post(reverse("datasets:delete", args=[dataset.pk]), follow=True)
    assert "still holds scans" in response.content.decode()
    assert Dataset.objects.filter(pk=dataset.pk).exists()


@pytest.fixture
def three(dataset):
    grid = small_grid()
    labelled = make_scan(
        dataset, name="beta", masks={MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2, 12, 16), 6)}
    )
    plain = make_scan(dataset, name="alpha", grid=small_grid((5, 24, 32)), acquisition={"contrast_phase": "arterial"})
    synthetic = make_scan(dataset, name="gamma", origin=Origin.SYNTHETIC, source_scan=plain, provenance=edited_here())
    return {"beta": labelled, "alpha": plain, "gamma": synthetic}


def names_on(text):
    return re.findall(r'<a href="/datasets/scans/[^"]+">(\w+)</a>', text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["alpha", "beta", "gamma"]),
        ({"ordering": "-name"}, ["gamma", "beta", "alpha"]),
        ({"ordering": "slices"}, ["alpha"]),
        ({"ordering": "-lesion_count"}, ["beta"]),
        ({"origin": "synthetic"}, ["gamma"]),
        ({"has_lesions": "true"}, ["beta"]),
        ({"has_lesions": "false"}, ["alpha", "gamma"]),
        ({"has_liver": "true"}, ["beta"]),
        ({"q": "arterial"}, ["alpha"]),
        ({"q": "gam"}, ["gamma"]),
    ],
)
def test_scans_are_filtered_and_sorted(client, dataset, three, query, expected):
    names = names_on(page(client, "datasets:dataset", dataset.pk, **query))
    assert names[: len(expected)] == expected
    if "ordering" not in query:
        assert names == expected


def test_nothing_fits_offers_the_way_back(client, dataset, three):
    assert "Show all 3" in page(client, "datasets:dataset", dataset.pk, q="zzz")


def test_long_lists_have_pages(client, dataset, monkeypatch, three):
    monkeypatch.setattr("ctplatform.datasets.web.views.SCANS_PER_PAGE", 2)
    assert names_on(page(client, "datasets:dataset", dataset.pk, page=2)) == ["gamma"]


def test_the_scan_page_has_what_the_viewer_and_the_panel_need(client, three):
    scan = three["beta"]
    text = html.unescape(page(client, "datasets:scan", scan.pk))
    assert f'data-manifest-url="/api/datasets/scans/{scan.pk}/manifest/"' in text
    assert f'hx-get="/synthesis/panel/{scan.pk}/"' in text
    centroid = json.loads(re.search(r'data-lesion-centroid="([^"]+)"', text).group(1))
    assert centroid == pytest.approx(scan.lesions.get().centroid_lps_mm)
    assert "src/pages/scan" in text or "scan-" in text


@pytest.mark.parametrize(
    ("name", "written"),
    [("slice_thickness_mm", "Slice thickness, mm"), ("kvp", "kVp"), ("exposure_mas", "Exposure, mAs"), ("mm", "Mm")],
)
def test_facts_are_written_as_people_write_them(name, written):
    assert words(name) == written


def test_reports_of_any_shape_are_shown(client, dataset):
    report = {
        "removed": [f"Keyword{n}" for n in range(30)],
        "masks": {"lesion": {"diameter_mm": 12.5}},
        "notes": [],
    }
    text = page(client, "datasets:scan", make_scan(dataset, import_report=report).pk)
    assert "30 elements" in text
    assert "diameter, mm 12.5" in text


def test_derived_scans_are_linked_both_ways(client, three):
    assert three["gamma"].get_absolute_url() in page(client, "datasets:scan", three["alpha"].pk)
    assert three["alpha"].get_absolute_url() in page(client, "datasets:scan", three["gamma"].pk)


def test_hostile_names_are_escaped(client, dataset):
    scan = make_scan(dataset, name="<script>alert(1)</script>", import_report={"notes": ["<b>bold</b>"]})
    for text in (page(client, "datasets:dataset", dataset.pk), page(client, "datasets:scan", scan.pk)):
        assert "<script>alert" not in text
        assert "<b>bold" not in text


def test_a_scan_is_renamed_and_deleted(client, dataset, stored_files):
    scan = make_scan(dataset)
    client.post(reverse("datasets:edit-scan", args=[scan.pk]), {"name": "new name", "subject": "S1"})
    scan.refresh_from_db()
    assert (scan.name, scan.subject) == ("new name", "S1")


def test_a_deleted_scan_leaves_no_file(client, stored_files, django_capture_on_commit_callbacks):
    owner = make_user()
    client.force_login(owner)
    grid = small_grid()
    scan = make_scan(make_dataset(owner), grid=grid, masks={MaskKind.LIVER: liver_box(grid)})
    assert stored_files()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("datasets:delete-scan", args=[scan.pk]))
    assert not Scan.objects.exists()
    assert stored_files() == set()


def test_a_scan_that_others_were_made_from_stays(client, three):
    response = client.post(reverse("datasets:delete-scan", args=[three["alpha"].pk]), follow=True)
    assert "can't be deleted" in html.unescape(response.content.decode())
    assert Scan.objects.filter(pk=three["alpha"].pk).exists()


def test_a_name_taken_in_the_dataset_is_refused(client, three):
    client.post(reverse("datasets:edit-scan", args=[three["alpha"].pk]), {"name": "beta", "subject": "x"})
    three["alpha"].refresh_from_db()
    assert three["alpha"].name == "alpha"


def test_sharing(client, dataset):
    member, rater = make_user(username="mia"), make_user(Role.RATER, username="rolf")
    text = page(client, "datasets:dataset", dataset.pk)
    assert "mia" in text
    assert "rolf" not in text
    client.post(reverse("datasets:share", args=[dataset.pk]), {"member": member.pk})
    client.post(reverse("datasets:share", args=[dataset.pk]), {"member": rater.pk})
    assert list(dataset.members.all()) == [member]
    client.post(reverse("datasets:unshare", args=[dataset.pk, member.pk]))
    assert not dataset.members.exists()


def test_a_missing_liver_is_estimated_and_marked(client, django_capture_on_commit_callbacks):
    owner = make_user()
    client.force_login(owner)
    grid = small_grid((40, 120, 160), (3.0, 2.5, 2.5), origin=(-200.0, -150.0, 0.0))
    body = ball(grid, (20, 60, 80), 380)
    body[:, :20] = body[:, -20:] = False
    liver = ball(grid, (20, 55, 55), 110)
    volume = np.where(body, 0, -1000) + np.where(liver, 110, 0)
    volume = (volume + np.random.default_rng(0).normal(0, 8, grid.size_zyx)).clip(-1024, 3000).astype(np.int16)
    scan = make_scan(
        make_dataset(owner), grid=grid, volume=volume, masks={MaskKind.LESION: ball(grid, (20, 55, 55), 15)}
    )
    assert scan.lesions.get().contrast_hu is None
    assert "Estimate the liver" in page(client, "datasets:scan", scan.pk)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("datasets:estimate-liver", args=[scan.pk]))
    mask = scan.masks.get(kind=MaskKind.LIVER)
    assert mask.made_by == MadeBy.ESTIMATED
    assert mask.note
    assert scan.lesions.get().contrast_hu is not None
    text = page(client, "datasets:scan", scan.pk)
    assert "Estimated by the platform" in text
    assert "Estimate the liver" not in text
    response = client.post(reverse("datasets:estimate-liver", args=[scan.pk]), follow=True)
    assert "has a liver mask already" in response.content.decode()


def test_the_thumbnail_is_a_private_png(client, dataset):
    response = client.get(reverse("datasets:thumbnail", args=[make_scan(dataset).pk]))
    assert response.content.startswith(b"\x89PNG")
    assert "private" in response["Cache-Control"]


def test_lists_do_not_ask_per_scan(client, dataset, django_assert_max_num_queries):
    for seed in range(8):
        make_scan(dataset, volume=small_ct(small_grid(), seed))
    with django_assert_max_num_queries(14):
        page(client, "datasets:dataset", dataset.pk)
    with django_assert_max_num_queries(8):
        page(client, "datasets:datasets")
