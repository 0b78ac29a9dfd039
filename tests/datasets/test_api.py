import gzip

import numpy as np
import pytest
from rest_framework.test import APIClient

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Scan
from tests.factories import make_dataset, make_scan, make_user
from tests.phantoms import ball, liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def api(owner):
    client = APIClient()
    client.force_login(owner)
    return client


@pytest.fixture
def scan(owner):
    grid = small_grid(oblique=True)
    return make_scan(
        make_dataset(owner),
        grid=grid,
        volume=small_ct(grid),
        name="case 1",
        masks={MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2, 12, 16), 6)},
    )


def test_the_manifest_says_what_the_viewer_needs(api, scan):
    manifest = api.get(f"/api/datasets/scans/{scan.pk}/manifest/").json()
    grid = scan.geometry
    assert set(manifest) == {
        "id", "name", "size_zyx", "spacing_zyx_mm", "origin_lps_mm", "direction", "slice_url", "window", "masks", "lesions",
    }  # fmt: skip
    assert manifest["size_zyx"] == [6, 24, 32]
    assert manifest["window"] == {"center": 60, "width": 400}
    assert manifest["slice_url"] == f"/api/datasets/scans/{scan.pk}/slices/{{index}}/"
    direction = np.array(manifest["direction"])
    sz, sy, sx = manifest["spacing_zyx_mm"]
    world = np.array(manifest["origin_lps_mm"]) + direction @ np.array([7 * sx, 5 * sy, 3 * sz])
    assert world == pytest.approx(grid.to_world((3, 5, 7)))
    assert {mask["kind"] for mask in manifest["masks"]} == {"liver", "lesion"}
    assert manifest["lesions"][0]["number"] == 1


def test_slices_arrive_as_stored(api, scan):
    manifest = api.get(f"/api/datasets/scans/{scan.pk}/manifest/").json()
    response = api.get(manifest["slice_url"].replace("{index}", "4"))
    assert response["Content-Encoding"] == "gzip"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Cache-Control"] == "private, max-age=31536000, immutable"
    plane = np.frombuffer(gzip.decompress(response.content), "<i2").reshape(24, 32)
    assert np.array_equal(plane, small_ct(scan.geometry)[4])
    liver = next(mask for mask in manifest["masks"] if mask["kind"] == "liver")
    content = gzip.decompress(api.get(liver["slice_url"].replace("{index}", "4")).content)
    assert np.array_equal(np.frombuffer(content, "u1").reshape(24, 32) > 0, liver_box(scan.geometry)[4])


@pytest.mark.parametrize("index", ["6", "-1", "99999999", "abc"])
def test_slices_that_do_not_exist(api, scan, index):
    assert api.get(f"/api/datasets/scans/{scan.pk}/slices/{index}/").status_code == 404


def test_lists_are_paged_filtered_and_ordered(api, scan):
    make_scan(scan.dataset, name="case 0")
    listed = api.get("/api/datasets/scans/", {"ordering": "name"}).json()
    assert [row["name"] for row in listed["results"]] == ["case 0", "case 1"]
    only = api.get("/api/datasets/scans/", {"has_liver": "true"}).json()["results"]
    assert [row["name"] for row in only] == ["case 1"]
    assert (only[0]["lesion_count"], only[0]["has_liver"]) == (1, True)
    assert api.get("/api/datasets/scans/", {"page_size": 1}).json()["next"]
    assert api.get("/api/datasets/scans/", {"dataset": str(scan.dataset_id)}).json()["count"] == 2
    assert api.get("/api/datasets/lesions/", {"scan": str(scan.pk)}).json()["count"] == 1
    assert api.get("/api/datasets/lesions/", {"diameter_mm_min": 50}).json()["count"] == 0
    assert api.get("/api/datasets/").json()["results"][0]["scan_count"] == 2


def test_the_detail_tells_provenance(api, scan):
    detail = api.get(f"/api/datasets/scans/{scan.pk}/").json()
    assert detail["grid"]["size_zyx"] == [6, 24, 32]
    assert {"acquisition", "import_report", "masks", "lesions", "content_digest"} <= set(detail)


def test_datasets_and_scans_are_changed(api, owner, scan):
    made = api.post("/api/datasets/", {"name": "by api", "source": "me"}).json()
    assert (made["owner"], made["source"], made["scan_count"]) == (owner.username, "me", 0)
    api.patch(f"/api/datasets/{made['id']}/", {"licence": "CC0"})
    assert Dataset.objects.get(pk=made["id"]).licence == "CC0"
    response = api.patch(f"/api/datasets/scans/{scan.pk}/", {"name": "renamed"})
    assert response.json()["name"] == "renamed"
    address = f"/api/datasets/{scan.dataset_id}/"
    refused = api.delete(address)
    assert (refused.status_code, "still holds scans" in refused.json()["detail"]) == (409, True)
    assert api.delete(f"/api/datasets/scans/{scan.pk}/").status_code == 204
    assert not Scan.objects.exists()
    assert api.delete(address).status_code == 204
    assert not Dataset.objects.filter(pk=scan.dataset_id).exists()


def test_refusals_are_readable(api, scan):
    other = make_scan(scan.dataset, name="other")
    response = api.patch(f"/api/datasets/scans/{scan.pk}/", {"name": other.name})
    assert response.status_code == 409
    assert "Another scan" in response.json()["detail"]
    edited = make_scan(scan.dataset, name="edited", source_scan=scan)
    response = api.delete(f"/api/datasets/scans/{scan.pk}/")
    assert response.status_code == 409
    assert "can't be deleted" in response.json()["detail"]
    assert Scan.objects.filter(pk__in=[scan.pk, edited.pk]).count() == 2
