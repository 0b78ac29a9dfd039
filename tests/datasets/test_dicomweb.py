"""A dataset read by DICOMweb with an independent client, over HTTP, as a viewer would."""

import io

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin
from ctplatform.datasets.scans import voxels
from tests.factories import edited_here, make_dataset, make_scan, make_user, token_headers
from tests.phantoms import liver_box, small_grid

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dataset():
    dataset = make_dataset(make_user(), name="Livers")
    grid = small_grid()
    scan = make_scan(dataset, grid=grid, name="case 1", subject="P-01", origin=Origin.ACQUIRED)
    make_scan(
        dataset,
        grid=grid,
        name="case 1 insert",
        subject="P-01",
        origin=Origin.SYNTHETIC,
        source_scan=scan,
        provenance=edited_here(source_scan=scan),
    )
    make_scan(
        dataset,
        grid=grid,
        name="case 2",
        subject="P-02",
        origin=Origin.ACQUIRED,
        masks={MaskKind.LIVER: liver_box(grid)},
    )
    return dataset


def address(server, dataset):
    return server.url + reverse("datasets-api:dicomweb-studies", args=[dataset.pk]).removesuffix("/studies")


@pytest.fixture
def viewer(live_server, dataset):
    with requests.Session() as session:
        session.headers.update(token_headers(dataset.owner))
        yield DICOMwebClient(address(live_server, dataset), session=session)


def value(row, keyword):
    return pydicom.Dataset.from_json(row).get(keyword)


def test_a_viewer_finds_studies_series_and_slices(viewer):
    first, second = viewer.search_for_studies()
    assert [value(row, "PatientID") for row in (first, second)] == ["P-01", "P-02"]
    assert value(first, "NumberOfStudyRelatedSeries") == 2
    series = viewer.search_for_series(value(first, "StudyInstanceUID"))
    assert [value(row, "SeriesDescription") for row in series] == ["case 1", "SYNTHETIC case 1 insert"]
    assert [value(row, "SyntheticData") for row in series] == ["NO", "YES"]
    slices = viewer.search_for_instances(value(first, "StudyInstanceUID"), value(series[0], "SeriesInstanceUID"))
    assert [value(row, "InstanceNumber") for row in slices] == list(range(1, small_grid().size_zyx[0] + 1))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"PatientID": "P-02"}, ["P-02"]),
        ({"PatientName": "p-0*"}, ["P-01", "P-02"]),
        ({"PatientName": "P-0"}, []),
        ({"ModalitiesInStudy": "MR"}, []),
    ],
)
def test_a_query_finds_what_matches_and_nothing_else(viewer, asked, found):
    assert [value(row, "PatientID") for row in viewer.search_for_studies(search_filters=asked)] == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [("00100020=P-02", 1), ("00100020=*P-0*", 2), ("00080061=MR", 0), ("FFFFFFFF=1", 2), ("0010=1", 2)],
)
def test_a_query_may_name_attributes_by_their_tags(client, dataset, asked, found):
    """Unheeded they let everything through: a viewer that asks for one patient was shown all of them."""
    url = reverse("datasets-api:dicomweb-studies", args=[dataset.pk])
    assert len(client.get(f"{url}?{asked}", headers=token_headers(dataset.owner)).json()) == found


def test_queries_come_in_pages(viewer):
    assert [value(row, "PatientID") for row in viewer.search_for_studies(limit=1, offset=1)] == ["P-02"]


def test_slices_arrive_as_they_are_stored(viewer, dataset):
    for scan in dataset.scans.all():
        [row] = [r for r in viewer.search_for_series() if str(value(r, "SeriesDescription")).endswith(scan.name)]
        study, series = value(row, "StudyInstanceUID"), value(row, "SeriesInstanceUID")
        stored = voxels.read_volume(scan.pk, scan.geometry)
        slices = viewer.retrieve_series(study, series)
        assert np.array_equal(np.stack([made.pixel_array for made in slices]), stored)
        third = slices[2].SOPInstanceUID
        frame = viewer.retrieve_instance_frames(study, series, third, [1])[0]
        assert np.array_equal(np.frombuffer(frame, "<i2").reshape(stored[2].shape), stored[2])
        alone = viewer.retrieve_instance(study, series, third)
        assert np.array_equal(alone.pixel_array, stored[2])
        told = [pydicom.Dataset.from_json(one) for one in viewer.retrieve_series_metadata(study, series)]
        assert [one.SOPInstanceUID for one in told] == [made.SOPInstanceUID for made in slices]
        assert all("PixelData" not in one for one in told)
        assert viewer.retrieve_instance_metadata(study, series, third) == told[2].to_json_dict()


def paths(client, dataset):
    """The address of every view."""
    asked = {"headers": token_headers(dataset.owner)}
    row = client.get(reverse("datasets-api:dicomweb-all-series", args=[dataset.pk]), **asked).json()[0]
    ids = [dataset.pk, value(row, "StudyInstanceUID"), value(row, "SeriesInstanceUID")]
    instance = client.get(reverse("datasets-api:dicomweb-instances", args=ids), **asked).json()[0]
    one = [*ids, value(instance, "SOPInstanceUID")]
    return {
        "studies": ids[:1],
        "all-series": ids[:1],
        "series": ids[:2],
        "instances": ids,
        "series-metadata": ids,
        "files": ids,
        "metadata": one,
        "file": one,
        "frame": one,
    }


def test_nobody_reads_what_is_not_shared_with_them(client, dataset):
    for name, arguments in paths(client, dataset).items():
        there = reverse(f"datasets-api:dicomweb-{name}", args=arguments)
        assert client.get(there, headers=token_headers(dataset.owner)).status_code == 200, name
        assert client.get(there).status_code == 401
        assert client.get(there, headers=token_headers(make_user(Role.COORDINATOR))).status_code == 404
        rater = make_user(Role.RATER)
        dataset.members.add(rater)
        client.force_login(rater)
        assert client.get(there).status_code in {403, 404}
        client.logout()
        assert client.post(there, headers=token_headers(dataset.owner)).status_code == 405


def test_identifiers_of_another_study_or_series_find_nothing(client, dataset):
    headers = token_headers(dataset.owner)
    for name, arguments in paths(client, dataset).items():
        for place in range(1, len(arguments)):
            wrong = [*arguments[:place], "1.2.3", *arguments[place + 1 :]]
            answer = client.get(reverse(f"datasets-api:dicomweb-{name}", args=wrong), headers=headers)
            if name == "series":
                # a query that finds nothing is answered, with nothing
                assert (answer.status_code, answer.content) == (200, b"[]")
            else:
                assert answer.status_code == 404, (name, place)


def test_what_cannot_be_sent_is_refused_and_what_was_asked_is_named(client, dataset):
    arguments = paths(client, dataset)["file"]
    headers = token_headers(dataset.owner) | {"Accept": 'multipart/related; type="image/jls"'}
    answer = client.get(reverse("datasets-api:dicomweb-frame", args=arguments), headers=headers)
    assert answer.status_code == 406
    assert "octet-stream" in answer.json()["detail"]
    odd = client.get(reverse("datasets-api:dicomweb-studies", args=arguments[:1]) + "?limit=x", headers=headers)
    assert odd.status_code == 400


def test_more_scans_are_no_more_queries(client, dataset, django_assert_max_num_queries):
    headers = token_headers(dataset.owner)
    for number in range(3):
        make_scan(dataset, name=f"more {number}")
    with django_assert_max_num_queries(12):
        client.get(reverse("datasets-api:dicomweb-all-series", args=[dataset.pk]), headers=headers)


def test_a_series_is_sent_piece_by_piece(client, dataset):
    arguments = paths(client, dataset)["files"]
    answer = client.get(reverse("datasets-api:dicomweb-files", args=arguments), headers=token_headers(dataset.owner))
    assert answer.streaming
    first = next(iter(answer.streaming_content))
    assert first.startswith(b"--")
    rest = b"".join(answer.streaming_content)
    assert pydicom.dcmread(io.BytesIO(rest[: rest.index(b"\r\n--")])).Modality == "CT"


def test_whoever_asks_for_no_number_gets_some_and_is_told_of_the_rest(client, dataset, monkeypatch):
    monkeypatch.setattr("ctplatform.datasets.api.dicomweb_views.ROWS_UNASKED", 2)
    client.force_login(dataset.owner)
    series = f"/api/datasets/{dataset.pk}/dicomweb/series"

    def names(**asked):
        answer = client.get(series, asked)
        return [value(row, "SeriesDescription") for row in answer.json()], answer.get("Warning", "")

    first, warning = names()
    assert first == ["case 1", "SYNTHETIC case 1 insert"]
    assert warning.startswith("299 ")
    assert names(offset=2) == (["case 2"], "")
    assert names(limit=3) == ([*first, "case 2"], "")


def test_an_edit_whose_source_lies_in_another_dataset_belongs_to_the_study_of_that(client, dataset):
    first = dataset.scans.get(name="case 1")
    middle = dataset.scans.get(name="case 1 insert")
    elsewhere = make_dataset(dataset.owner)
    make_scan(
        elsewhere,
        grid=small_grid(),
        subject="P-01",
        origin=Origin.SYNTHETIC,
        source_scan=middle,
        provenance=edited_here(source_scan=middle),
    )
    client.force_login(dataset.owner)

    def studies(of):
        rows = client.get(reverse("datasets-api:dicomweb-studies", args=[of.pk]), {"PatientID": first.subject}).json()
        return [value(row, "StudyInstanceUID") for row in rows]

    assert studies(elsewhere) == studies(dataset)
