"""Fetching from a real archive and sending to one, and what people are told when it does not do as it should."""

import http.server
import logging
import threading

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.archives import client as dicomweb
from ctplatform.datasets.archives import orders, wanted
from ctplatform.datasets.archives.configured import Archive
from ctplatform.datasets.archives.wanted import Wanted
from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.exporting.dicom_ct import ct_series
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.sweeping import sweep
from ctplatform.errors import DomainError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus
from tests.datasets.orthanc import PASSWORD, USER, need_orthanc, running_orthanc
from tests.factories import edited_here, make_dataset, make_scan, make_user, token_headers
from tests.pages import shown
from tests.phantoms import liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db
SECRETS = ("NEMO^NOBODY", "NEMO NOBODY", "H-4711")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    need_orthanc()
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as url:
        yield url


@pytest.fixture
def clinic(settings, address):
    settings.CT_ARCHIVES = {"clinic": {"url": address, "user": USER, "password": PASSWORD}}
    return Archive(name="clinic", url=address, user=USER, password=PASSWORD)


@pytest.fixture
def coordinator():
    return make_user(Role.COORDINATOR)


def as_in_a_hospital(scan):
    """Slices of a scan as an archive holds them: with a person's name and a hospital's number."""
    slices = list(ct_series(described(scan)))
    study, series = pydicom.uid.generate_uid(), pydicom.uid.generate_uid()
    for made in slices:
        made.PatientName, made.PatientID, made.StudyDate = SECRETS[0], SECRETS[2], "20240131"
        made.StudyInstanceUID, made.SeriesInstanceUID = study, series
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        made.SeriesDescription = "Abdomen portal venous"
        del made.SyntheticData
    return slices


def put(archive, slices):
    session = requests.Session()
    session.auth = (archive.user, archive.password)
    DICOMwebClient(archive.url, session=session).store_instances(slices)
    return Wanted(study=slices[0].StudyInstanceUID, series=slices[0].SeriesInstanceUID)


def run(job):
    execute(str(job.pk))
    job.refresh_from_db()
    return job


def test_a_series_is_found_fetched_and_nobody_is_named_afterwards(
    client, clinic, coordinator, stored_files, caplog, django_capture_on_commit_callbacks
):
    caplog.set_level(logging.DEBUG)
    there = make_scan(origin=Origin.ACQUIRED, volume=small_ct(small_grid(), seed=8))
    one = put(clinic, as_in_a_hospital(there))
    dataset = make_dataset(coordinator)
    client.force_login(coordinator)
    page = client.post(reverse("datasets:retrieve", args=[dataset.pk]), {"archive": "clinic", "patient_name": "NEMO*"})
    assert "Abdomen portal venous" in shown(page)
    assert SECRETS[1] in shown(page)
    assert page["Cache-Control"] == "no-store"
    sent = {"archive": "clinic", "fetch": "yes", "series": f"{one.study}/{one.series}"}
    answer = client.post(reverse("datasets:retrieve", args=[dataset.pk]), sent)
    assert answer.status_code == 302
    with django_capture_on_commit_callbacks(execute=True):
        job = run(Job.objects.get(kind=orders.RETRIEVAL_KIND))
    assert job.status == JobStatus.SUCCEEDED, job.error
    scan = dataset.scans.get()
    assert scan.content_digest == there.content_digest
    kept = [str(value) for value in (*vars(scan).values(), *vars(job).values())]
    told = [record.getMessage() for record in caplog.records if record.name.startswith(("ctplatform", "dicomweb"))]
    for text in (*kept, *told):
        assert not any(secret in text for secret in (*SECRETS, one.study, one.series)), text
    assert not [file for file in stored_files() if "retrievals" in file and file.endswith(".json")]


def test_a_sent_scan_is_whole_there_and_marked(clinic, coordinator):
    grid = small_grid()
    scan = make_scan(
        make_dataset(coordinator), grid=grid, origin=Origin.ACQUIRED, masks={MaskKind.LIVER: liver_box(grid)}
    )
    edit = make_scan(
        scan.dataset, grid=grid, origin=Origin.SYNTHETIC, source_scan=scan, provenance=edited_here(source_scan=scan)
    )
    job = run(orders.request_sending(user=coordinator, scans=[scan, edit], archive_name="clinic", masks=True))
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert job.result["objects"] == 2 * grid.size_zyx[0] + 1
    [found] = [
        one for one in dicomweb.find_series(clinic, SeriesDescription="SYNTH*") if one.description.endswith(edit.name)
    ]
    slices = [pydicom.dcmread(_file(content)) for content in dicomweb.fetch_files(clinic, found.study, found.series)]
    slices.sort(key=lambda made: made.InstanceNumber)
    assert {made.SyntheticData for made in slices} == {"YES"}
    assert np.array_equal(np.stack([made.pixel_array for made in slices]), voxels.read_volume(edit.pk, grid))
    # what is there already is no error
    assert run(orders.request_sending(user=coordinator, scans=[edit], archive_name="clinic", masks=False)).result


def _file(content):
    return pydicom.filebase.DicomBytesIO(content)


def test_programs_search_fetch_and_send(client, clinic, coordinator):
    one = put(clinic, as_in_a_hospital(make_scan(volume=small_ct(small_grid(), seed=11))))
    dataset, headers = make_dataset(coordinator), token_headers(coordinator)
    asked = {"content_type": "application/json", "headers": headers}
    assert client.get(reverse("datasets-api:archive-list"), headers=headers).json() == [{"name": "clinic"}]
    found = client.post(reverse("datasets-api:archive-search", args=["clinic"]), {"patient_id": SECRETS[2]}, **asked)
    assert one.series in {row["series"] for row in found.json()}
    sent = {"archive": "clinic", "series": [{"study": one.study, "series": one.series}]}
    answer = client.post(reverse("datasets-api:dataset-retrievals", args=[dataset.pk]), sent, **asked)
    assert answer.status_code == 202
    run(Job.objects.get(pk=answer.json()["id"]))
    back = {"scans": [str(dataset.scans.get().pk)], "archive": "clinic"}
    assert client.post(reverse("datasets-api:export-list"), back, **asked).status_code == 202
    assert run(Job.objects.get(kind=orders.SENDING_KIND)).status == JobStatus.SUCCEEDED


def test_a_wrong_login_and_a_series_that_is_not_there_are_told(clinic, settings, coordinator):
    gone = Wanted(study="1.2.3", series="1.2.3.4")
    job = run(
        orders.request_retrieval(
            dataset=make_dataset(coordinator), user=coordinator, archive_name="clinic", wanted=[gone]
        )
    )
    assert job.status == JobStatus.FAILED
    assert "clinic" in job.error
    assert "1.2.3" not in job.error
    assert job.retry_refusal == ""
    settings.CT_ARCHIVES["clinic"]["password"] = "wrong"
    with pytest.raises(DomainError, match="refused this server's login"):
        dicomweb.check(Archive(name="clinic", **settings.CT_ARCHIVES["clinic"]))


class Strange(http.server.BaseHTTPRequestHandler):
    answer = (200, "text/html", b"<html>Please accept our terms, NEMO NOBODY</html>")

    def do_GET(self):
        status, kind, body = self.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


UIDS = b'"0020000D": {"vr": "UI", "Value": ["1.2"]}, "0020000E": {"vr": "UI", "Value": ["1.3"]}'


@pytest.fixture
def strange():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Archive(name="strange", url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("sending", [False, True])
def test_a_job_does_not_outlive_the_right_to_order_it(named, coordinator, monkeypatch, sending):
    """Somebody who may see no names of patients any more tries an old job again."""
    asked = []
    monkeypatch.setattr(dicomweb, "fetch_files", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(dicomweb, "send", lambda *arguments: asked.append(arguments))
    dataset = make_dataset(coordinator)
    if sending:
        scans = [make_scan(dataset)]
        job = orders.request_sending(user=coordinator, scans=scans, archive_name="clinic", masks=False)
    else:
        one = Wanted(study="1.2.3", series="1.2.4")
        job = orders.request_retrieval(dataset=dataset, user=coordinator, archive_name="clinic", wanted=[one])
    type(coordinator).objects.filter(pk=coordinator.pk).update(role=Role.RESEARCHER)
    run(job)
    assert (job.status, asked) == (JobStatus.FAILED, [])
    assert "coordinators and administrators may use them" in job.error


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, "text/html", b"<html>NEMO NOBODY</html>"), "not DICOMweb"),
        ((200, "application/dicom+json", b'[{"0020000D": {"vr": "UI"}}]'), "not DICOMweb"),
        ((200, "application/dicom+json", b"[" * 100_000), "not DICOMweb"),
        (
            (200, "application/dicom+json", b'[{"00201209": {"vr": "DS", "Value": ["1e999"]}, ' + UIDS + b"}]"),
            "not DICOM",
        ),
        (
            (200, "application/dicom+json", b'[{"00201209": {"vr": "IS", "Value": [1e999]}, ' + UIDS + b"}]"),
            "not DICOM",
        ),
        ((500, "text/plain", b"NEMO NOBODY crashed"), "status 500"),
        ((404, "text/plain", b""), "nothing at that address"),
        ((403, "text/plain", b""), "login"),
    ],
)
def test_what_an_archive_should_not_say_is_told_in_our_own_words(strange, monkeypatch, answer, told):
    monkeypatch.setattr(Strange, "answer", answer)
    for asking in (
        lambda: dicomweb.find_series(strange, PatientID="1"),
        lambda: list(dicomweb.fetch_files(strange, "1.2", "1.3")),
    ):
        if answer[1] == "application/dicom+json" and asking.__code__.co_names[0] == "list":
            continue
        with pytest.raises(DomainError) as refused:
            asking()
        assert told in refused.value.message
        assert "NEMO" not in refused.value.message


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_value_that_does_not_fit_its_type_is_not_written_into_the_log(strange, monkeypatch, caplog):
    odd = b'[{"00180015": {"vr": "CS", "Value": ["Nemo nobody"]}, "00080020": {"vr": "DA", "Value": ["31.1.24"]}, '
    monkeypatch.setattr(Strange, "answer", (200, "application/dicom+json", odd + UIDS + b"}]"))
    assert [one.study for one in dicomweb.find_series(strange)] == ["1.2"]
    assert not [secret for secret in ("Nemo", "31.1.24") if secret in caplog.text]


def test_an_archive_that_is_not_there_is_told():
    with pytest.raises(DomainError, match="can't be reached"):
        dicomweb.check(Archive(name="away", url="http://127.0.0.1:9"))


@pytest.fixture
def named(settings):
    settings.CT_ARCHIVES = {"clinic": {"url": "http://127.0.0.1:9", "user": "u", "password": "p"}}


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.RATER])
def test_names_of_patients_are_not_for_everybody(client, named, role):
    person = make_user(role)
    dataset = make_dataset(person if role != Role.RATER else None)
    client.force_login(person)
    assert client.get(reverse("datasets:archives")).status_code == 404
    assert client.post(reverse("datasets:test-archive", args=["clinic"])).status_code == 404
    assert client.post(reverse("datasets:retrieve", args=[dataset.pk]), {"archive": "clinic"}).status_code == 404
    for name, arguments, body in [
        ("archive-search", ["clinic"], {"patient_id": "1"}),
        ("dataset-retrievals", [dataset.pk], {"archive": "clinic", "series": [{"study": "1.2", "series": "1.3"}]}),
    ]:
        address = reverse(f"datasets-api:{name}", args=arguments)
        answer = client.post(address, body, content_type="application/json")
        assert answer.status_code in {403, 404}
    assert client.get(reverse("datasets-api:archive-list")).status_code in {403, 404}
    with pytest.raises(DomainError, match="coordinators"):
        orders.request_sending(user=person, scans=[make_scan()], archive_name="clinic", masks=False)
    assert not Job.objects.exists()


def test_only_those_who_may_change_a_dataset_fetch_into_it(named, coordinator):
    with pytest.raises(DomainError, match="administrators change"):
        orders.request_retrieval(
            dataset=make_dataset(), user=coordinator, archive_name="clinic", wanted=[Wanted("1.2", "1.3")]
        )


@pytest.mark.parametrize(
    ("series", "reason"),
    [([], "at least one"), ([Wanted("1.2", "../../admin")], "identifiers"), ([Wanted("1", "2")] * 201, "too many")],
)
def test_an_order_that_makes_no_sense_is_refused(named, coordinator, series, reason):
    with pytest.raises(DomainError, match=reason):
        orders.request_retrieval(
            dataset=make_dataset(coordinator), user=coordinator, archive_name="clinic", wanted=series
        )


def test_an_empty_search_and_an_unknown_archive_are_refused(client, named, coordinator):
    dataset = make_dataset(coordinator)
    client.force_login(coordinator)
    address = reverse("datasets:retrieve", args=[dataset.pk])
    assert "at least one of the fields" in shown(client.post(address, {"archive": "clinic"}))
    assert client.post(address, {"archive": "other", "patient_id": "1"}).status_code == 422
    page = client.post(address, {"archive": "clinic", "patient_id": "kept"})
    assert page.status_code == 502
    assert 'value="kept"' in page.content.decode()
    assert "be reached" in shown(client.post(reverse("datasets:test-archive", args=["clinic"]), follow=True))


def test_no_page_and_no_log_has_a_login(client, named, coordinator):
    client.force_login(coordinator)
    assert "user and password" in shown(client.get(reverse("datasets:archives")))
    assert repr(Archive(name="clinic", url="u", user="n", password="hush", token="hush")) == "Archive(clinic)"


def test_what_was_wanted_goes_when_it_is_old(named, coordinator):
    order = orders.request_retrieval(
        dataset=make_dataset(coordinator), user=coordinator, archive_name="clinic", wanted=[Wanted("1.2", "1.3")]
    )
    late = timezone.now() + timezone.timedelta(hours=1)
    sweep(before=late)
    assert wanted.is_kept(order.payload["wanted"])
    run(order)
    sweep(before=late)
    assert not wanted.is_kept(order.payload["wanted"])
    order = Job.objects.get(pk=order.pk)
    assert "Look for them" in order.retry_refusal
