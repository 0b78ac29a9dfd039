"""The signature atlas: made as a job, seen by those who see the dataset, each point a true place of a scan."""

import io

import numpy as np
import pytest
from PIL import Image

from ctplatform.accounts.models import Role
from ctplatform.errors import DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import JobStatus
from ml.generator.atlas import TILE_PX, contact_sheet
from ml.generator.card import DEMO_FOLDER
from synthesis.atlas import services as atlas
from synthesis.generators import services as generators
from tests.factories import make_dataset, make_scan, make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def generator(phantom_scan):
    return generators.register(folder=DEMO_FOLDER, name="Demo", registered_by=phantom_scan.dataset.owner)


@pytest.fixture
def made(phantom_scan, generator):
    ordered = atlas.order_atlas(
        ordered_by=phantom_scan.dataset.owner, generator=generator, dataset=phantom_scan.dataset
    )
    execute(str(ordered.job_id))
    ordered.refresh_from_db()
    assert ordered.job.status == JobStatus.SUCCEEDED, ordered.job.error
    return ordered


@pytest.mark.recipe
def test_points_are_places_of_the_scan_and_say_what_lies_there(made, phantom_scan, phantom):
    points = made.content["points"]
    assert {point["scan"] for point in points} == {str(phantom_scan.pk)}
    assert any(point["lesion"] for point in points)
    for point in points:
        voxel = tuple(np.rint(phantom.grid.to_voxel(point["at"])).astype(int))
        assert phantom.liver[voxel] or phantom.labels[voxel]
        if point["lesion"]:
            distance = np.abs(np.argwhere(phantom.labels == point["lesion"]) - np.array(voxel)).max(1).min()
            assert distance <= 1
        else:
            assert phantom.labels[voxel] == 0
    shares = made.content["explained_variance_ratio"]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1
    columns = np.array([point["components"] for point in points])
    assert np.abs(columns.mean(0)).max() < 0.05


@pytest.mark.recipe
def test_the_page_the_points_and_the_pictures_are_for_those_who_see_the_dataset(made, client):
    urls = [made.get_absolute_url() + tail for tail in ("", "points.json", "pictures.png")]
    client.force_login(made.dataset.owner)
    page, points, pictures = (client.get(url) for url in urls)
    assert f"{len(made.content['points'])} liver patches" in page.content.decode()
    assert points.json() == made.content
    sheet = np.asarray(Image.open(io.BytesIO(pictures.content)))
    assert sheet[:TILE_PX, :TILE_PX].std() > 5
    for stranger in (make_user(role=Role.COORDINATOR), make_user(role=Role.RATER)):
        client.force_login(stranger)
        assert [client.get(url).status_code for url in urls] == [404, 404, 404]
    client.logout()
    assert {client.get(url).status_code for url in urls} == {302}


def test_an_atlas_of_a_dataset_that_is_not_shared_or_has_no_liver_is_refused(phantom_scan, generator, client):
    stranger = make_user(role=Role.COORDINATOR)
    with pytest.raises(DomainError, match="not shared"):
        atlas.order_atlas(ordered_by=stranger, generator=generator, dataset=phantom_scan.dataset)
    client.force_login(stranger)
    url = f"/synthesis/generators/{generator.pk}/atlas/"
    assert client.post(url, {"dataset": str(phantom_scan.dataset_id)}).status_code == 404
    assert client.post(url, {"dataset": "nonsense"}).status_code == 404
    empty = make_scan(make_dataset(stranger))
    with pytest.raises(DomainError, match="liver mask"):
        atlas.order_atlas(ordered_by=stranger, generator=generator, dataset=empty.dataset)


def test_a_cancelled_atlas_leaves_nothing_and_can_be_tried_again(phantom_scan, generator, client):
    owner = phantom_scan.dataset.owner
    ordered = atlas.order_atlas(ordered_by=owner, generator=generator, dataset=phantom_scan.dataset)
    jobs.cancel(job=ordered.job, actor=ordered.job.owner)
    client.force_login(owner)
    assert "Try again" in shown(client.get(ordered.get_absolute_url()))
    for tail in ("points.json", "pictures.png"):
        assert client.get(ordered.get_absolute_url() + tail).status_code == 404
    client.post(f"/jobs/{ordered.job_id}/retry/", {"next": ordered.get_absolute_url()})
    ordered.job.refresh_from_db()
    assert ordered.job.status == JobStatus.QUEUED


def test_an_atlas_of_a_generator_retired_since_offers_no_second_try(phantom_scan, generator, client):
    owner = phantom_scan.dataset.owner
    ordered = atlas.order_atlas(ordered_by=owner, generator=generator, dataset=phantom_scan.dataset)
    jobs.cancel(job=ordered.job, actor=ordered.job.owner)
    generators.retire(generator=generator, user=make_user(role=Role.COORDINATOR), reason="Rims too sharp")
    client.force_login(owner)
    for url in (ordered.get_absolute_url(), "/jobs/", f"/jobs/{ordered.job_id}/"):
        page = shown(client.get(url))
        assert "Try again" not in page
        assert "is retired. Order again with another one." in page


@pytest.mark.recipe
@pytest.mark.parametrize("code", [0.0, np.nan])
def test_signatures_that_are_no_numbers_or_all_the_same_are_said_to_be_so(phantom_scan, generator, monkeypatch, code):
    loaded = generators.load(generator)
    monkeypatch.setattr(generators, "load", lambda _: loaded)
    monkeypatch.setattr(loaded, "signatures", lambda patches: np.full((len(patches), 64), code))
    ordered = atlas.order_atlas(
        ordered_by=phantom_scan.dataset.owner, generator=generator, dataset=phantom_scan.dataset
    )
    execute(str(ordered.job_id))
    ordered.refresh_from_db()
    assert ordered.job.status == JobStatus.FAILED
    assert "can't be drawn" in ordered.job.error


def test_the_sheet_holds_every_picture_in_its_place():
    pictures = np.arange(70, dtype=np.uint8)[:, None, None] * np.ones((1, TILE_PX, TILE_PX), np.uint8)
    sheet = contact_sheet(pictures)
    assert sheet.shape == (3 * TILE_PX, 32 * TILE_PX)
    assert (sheet[TILE_PX : 2 * TILE_PX, TILE_PX : 2 * TILE_PX] == 33).all()
    assert (sheet[2 * TILE_PX :, 6 * TILE_PX :] == 0).all()
