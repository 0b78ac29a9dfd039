"""From the browser's form through the job to scans, and what happens on the way down."""

import html
import zipfile
from datetime import timedelta

import numpy as np
import pytest
import SimpleITK
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.importing import uploads
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.registration import store_scan
from ctplatform.datasets.scans.sweeping import sweep
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import JobCancelledError, LeasedContext
from ctplatform.jobs.models import Job, JobStatus
from tests.datasets.files import write_file, write_series
from tests.factories import make_dataset, make_scan, make_user
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client):
    user = make_user()
    client.force_login(user)
    return user


@pytest.fixture
def dataset(owner):
    return make_dataset(owner)


def nifti(tmp_path, name="case_1.nii.gz", seed=0, array=None):
    array = small_ct(small_grid(), seed) if array is None else array
    return SimpleUploadedFile(name, write_file(tmp_path / name, array, small_grid()).read_bytes())


@pytest.fixture
def upload(django_capture_on_commit_callbacks):
    """Post the form and let what it orders run, as a commit would."""

    def post(client, dataset, headers=None, **data):
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(reverse("datasets:upload", args=[dataset.pk]), data, headers=headers or {})

    return post


def test_the_form_works_without_script(upload, client, dataset, tmp_path, stored_files):
    assert "multipart/form-data" in client.get(reverse("datasets:upload", args=[dataset.pk])).content.decode()
    response = upload(client, dataset, files=[nifti(tmp_path), nifti(tmp_path, "case_2.nii.gz", 2)], subject="P1")
    job = Job.objects.get()
    assert response["Location"] == reverse("jobs:job", args=[job.pk])
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert job.result_url == dataset.get_absolute_url()
    assert {scan.name for scan in dataset.scans.all()} == {"case_1", "case_2"}
    assert {scan.subject for scan in dataset.scans.all()} == {"P1"}
    assert not any("uploads" in name for name in stored_files())


def test_script_gets_json(upload, client, dataset, tmp_path):
    response = upload(client, dataset, {"accept": "application/json"}, files=nifti(tmp_path))
    assert response.status_code == 202
    assert response.json() == {"job_url": reverse("jobs:job", args=[Job.objects.get().pk])}
    refused = upload(client, dataset, {"accept": "application/json"})
    assert refused.status_code == 422
    assert "No file was chosen" in refused.json()["detail"]


def test_a_folder_keeps_its_shape(upload, client, dataset, tmp_path):
    grid = small_grid()
    labels = liver_box(grid).astype(np.uint8)
    files = [nifti(tmp_path, "liver_1.nii.gz"), nifti(tmp_path, "liver_1.nii.gz", array=labels)]
    upload(client, dataset, files=files, files_paths=["set/imagesTr/liver_1.nii.gz", "set/labelsTr/liver_1.nii.gz"])
    scan = Scan.objects.get()
    assert np.array_equal(voxels.read_labels(scan.masks.get(kind=MaskKind.LIVER).pk, grid) > 0, liver_box(grid))


def test_masks_have_their_own_field(upload, client, dataset, tmp_path):
    mask = nifti(tmp_path, "labels.nii.gz", array=liver_box(small_grid()).astype(np.uint8))
    upload(client, dataset, files=nifti(tmp_path), masks=mask)
    assert Scan.objects.get().masks.get().kind == MaskKind.LIVER


def drawn(tmp_path, name, values):
    return nifti(tmp_path, f"{name}.nii.gz", array=(liver_box(small_grid()) * values).astype(np.uint8))


def test_masks_of_the_field_are_what_their_names_say(upload, client, dataset, tmp_path):
    """The tumour was stored as the liver."""
    tumour = nifti(tmp_path, "tumor.nii.gz", array=ball(small_grid(), (2, 12, 16), 6).astype(np.uint8))
    upload(client, dataset, files=nifti(tmp_path, "ct.nii.gz"), masks=[drawn(tmp_path, "liver", 1), tumour])
    masks = {mask.kind: voxels.read_labels(mask.pk, small_grid()) > 0 for mask in Scan.objects.get().masks.all()}
    assert masks.keys() == {"liver", "lesion"}
    assert np.array_equal(masks["liver"], liver_box(small_grid()))
    assert np.array_equal(masks["lesion"], ball(small_grid(), (2, 12, 16), 6))


def test_what_became_of_masks_reaches_the_pages(upload, client, dataset, tmp_path):
    masks = [drawn(tmp_path, "liver", 1), drawn(tmp_path, "spleen", 1), drawn(tmp_path, "labels", 5)]
    upload(client, dataset, files=nifti(tmp_path, "ct.nii.gz"), masks=masks)
    for address in (dataset.get_absolute_url(), reverse("jobs:job", args=[Job.objects.get().pk])):
        page = html.unescape(shown(client.get(address)))
        assert "with liver" in page
        assert "1 mask of other structures was not used: spleen" in page
        assert "Its labels are 5, and they do not fit" in page


def test_what_an_import_asked_can_be_answered(upload, client, dataset, tmp_path):
    mask = drawn(tmp_path, "labels", 5)
    upload(client, dataset, files=nifti(tmp_path, "ct.nii.gz"), masks=mask, labels="5=liver")
    assert Scan.objects.get().masks.get().kind == MaskKind.LIVER


def test_the_answer_reaches_the_scan_that_is_there(upload, client, dataset, tmp_path):
    """Its voxels are not stored again; what was asked is no longer asked, and lesions know the liver around them."""
    grid, tumour = small_grid(), ball(small_grid(), (2, 12, 16), 6)

    def ct():
        return nifti(tmp_path, "ct.nii.gz")

    upload(
        client,
        dataset,
        files=ct(),
        masks=[drawn(tmp_path, "labels", 5), nifti(tmp_path, "tumor.nii.gz", array=tumour.astype(np.uint8))],
    )
    (scan,) = Scan.objects.all()
    assert scan.lesions.get().contrast_hu is None
    upload(client, dataset, files=ct(), masks=drawn(tmp_path, "labels", 5), labels="5=liver")
    (scan,) = Scan.objects.all()
    liver = scan.masks.get(kind=MaskKind.LIVER)
    assert np.array_equal(voxels.read_labels(liver.pk, grid) > 0, liver_box(grid))
    assert scan.lesions.get().contrast_hu is not None
    notes = " ".join(scan.import_report["notes"])
    assert "masks were added" in notes
    assert "they do not fit" not in notes
    upload(client, dataset, files=ct(), masks=drawn(tmp_path, "labels", 5), labels="5=liver")
    assert "already holds these voxels" in Job.objects.order_by("-created_at").first().error
    assert Scan.objects.get().masks.count() == 2


def test_lesions_that_come_later_are_measured(upload, client, dataset, tmp_path, stored_files):
    tumour = nifti(tmp_path, "tumor.nii.gz", array=ball(small_grid(), (2, 12, 16), 6).astype(np.uint8))
    upload(client, dataset, files=nifti(tmp_path, "ct.nii.gz"), masks=drawn(tmp_path, "liver", 1))
    upload(client, dataset, files=nifti(tmp_path, "ct.nii.gz"), masks=tumour)
    (scan,) = Scan.objects.all()
    assert {mask.kind for mask in scan.masks.all()} == {"liver", "lesion"}
    assert scan.lesions.get().contrast_hu is not None


@pytest.mark.parametrize(("field", "text"), [("labels", "five is the liver"), ("spacing", "thin")])
def test_an_answer_that_is_none_is_refused_before_anything_is_stored(
    upload, client, dataset, tmp_path, stored_files, field, text
):
    response = upload(client, dataset, files=nifti(tmp_path), **{field: text})
    assert response.status_code == 422
    assert "such as" in shown(response) or "for example" in shown(response)
    assert not Job.objects.exists()
    assert stored_files() == set()


def test_a_spacing_that_was_lost_is_asked_and_given(upload, client, dataset, tmp_path):
    path = tmp_path / "volume-28.nii"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(small_ct(small_grid())), str(path))

    def scan():
        return SimpleUploadedFile(path.name, path.read_bytes())

    upload(client, dataset, files=scan())
    assert "no spacing of its own" in Job.objects.get().error
    upload(client, dataset, files=scan(), spacing="0.57 0.57 1.6")
    assert Scan.objects.get().geometry.spacing_zyx_mm == (1.6, 0.57, 0.57)


def test_a_zip_of_dicom(upload, client, dataset, tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for file in (tmp_path / "in").iterdir():
            archive.write(file, f"study/{file.name}")
    upload(client, dataset, files=SimpleUploadedFile("x.zip", (tmp_path / "x.zip").read_bytes()))
    assert Scan.objects.get().slices == 6


def test_the_dataset_page_tells_what_was_refused(upload, client, dataset, tmp_path):
    upload(client, dataset, files=[nifti(tmp_path), SimpleUploadedFile("case_2.nii.gz", b"broken")])
    page = html.unescape(client.get(dataset.get_absolute_url()).content.decode())
    assert "1 not imported" in page
    assert "case_2: It is not a NIfTI-1 file" in page


def test_a_failed_import_leaves_only_its_reason_and_is_not_tried_again(upload, client, dataset, stored_files):
    upload(client, dataset, files=SimpleUploadedFile("case_2.nii.gz", b"broken"))
    job = Job.objects.get()
    assert job.status == JobStatus.FAILED
    assert "not a NIfTI-1 file" in job.error
    assert stored_files() == set()
    with pytest.raises(ConflictError, match="Upload them again"):
        jobs.retry(job=job, actor=job.owner)
    for path in ("/jobs/", f"/jobs/{job.pk}/"):
        page = shown(client.get(path))
        assert "Upload them again" in page
        assert "Try again" not in page


def test_a_duplicate_names_the_scan_that_is_there(upload, client, dataset, tmp_path):
    upload(client, dataset, files=nifti(tmp_path))
    upload(client, dataset, files=nifti(tmp_path, "case_9.nii.gz"))
    assert "case_1" in Job.objects.order_by("-created_at").first().error
    assert Scan.objects.count() == 1


def test_too_large_is_refused_before_the_body_is_read(upload, client, dataset, settings, tmp_path, stored_files):
    settings.CT_UPLOAD_MAX_BYTES = 1000
    response = upload(client, dataset, {"accept": "application/json"}, files=nifti(tmp_path))
    assert response.status_code == 413
    assert "are allowed" in response.json()["detail"]
    assert upload(client, dataset, files=nifti(tmp_path)).status_code == 413
    assert stored_files() == set()
    assert not Job.objects.exists()


def test_forged_requests_are_refused(upload, dataset, tmp_path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(dataset.owner)
    assert upload(client, dataset, files=nifti(tmp_path)).status_code == 403
    assert not Job.objects.exists()


def test_a_cancelled_import_leaves_nothing(upload, client, dataset, tmp_path, monkeypatch, stored_files):
    report = LeasedContext.progress

    def cancel_in_the_middle(self, fraction, message=""):
        report(self, fraction, message)
        if "slice 3" in message:
            raise JobCancelledError

    monkeypatch.setattr(LeasedContext, "progress", cancel_in_the_middle)
    upload(client, dataset, files=nifti(tmp_path))
    assert Job.objects.get().status == JobStatus.CANCELLED
    assert stored_files() == set()
    assert not Scan.objects.exists()


def test_a_full_disk_while_staging(dataset, tmp_path, monkeypatch, stored_files):
    save = FileSystemStorage.save
    calls = []

    def failing(self, name, content, max_length=None):
        calls.append(name)
        if len(calls) > 2:
            raise OSError("disk full")
        return save(self, name, content, max_length)

    monkeypatch.setattr(FileSystemStorage, "save", failing)
    with pytest.raises(OSError, match="disk full"):
        uploads.stage(files=[nifti(tmp_path), nifti(tmp_path, "case_2.nii.gz", 2)], paths=[])
    assert stored_files() == set()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a/b/c.dcm", "a/b/c.dcm"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\x.nii", "x.nii"),
        ("C:/x.nii", "x.nii"),
        ("2025-01-01T10:00/a:b.nii.gz", "2025-01-01T10_00/a_b.nii.gz"),
        ("", "file"),
        ("..", "file"),
    ],
)
def test_paths_from_the_browser_stay_inside(given, kept):
    assert uploads.safe_path(given) == kept


def test_nobody_uploads_into_a_strangers_dataset(upload, client, owner, tmp_path):
    strange = make_dataset(members=[owner])
    assert upload(client, strange, files=nifti(tmp_path)).status_code == 404
    assert not Job.objects.exists()


def test_the_api_imports_too(client, dataset, tmp_path, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"/api/datasets/{dataset.pk}/imports/", {"files": [nifti(tmp_path)], "subject": "S"})
    assert response.status_code == 202
    assert response.json()["job_url"] == reverse("jobs:job", args=[Job.objects.get().pk])
    assert Scan.objects.get().subject == "S"


def test_the_command_imports_a_folder(tmp_path, capsys):
    owner = make_user(Role.ADMINISTRATOR, username="ada")
    grid = small_grid()
    for number in (1, 2):
        write_file(tmp_path / f"in/volume-{number}.nii", small_ct(grid, number), grid)
        write_file(tmp_path / f"masks/segmentation-{number}.nii", liver_box(grid), grid)
    (tmp_path / "in/volume-3.nii").write_bytes(b"broken")
    call_command(
        "import_scans",
        tmp_path / "in",
        dataset="LiTS",
        masks=tmp_path / "masks",
        source="Codalab",
        licence="CC BY-NC-ND",
    )
    dataset = Dataset.objects.get(name="LiTS")
    assert (dataset.owner, dataset.source, dataset.licence) == (owner, "Codalab", "CC BY-NC-ND")
    assert [scan.name for scan in dataset.scans.all()] == ["volume-1", "volume-2"]
    assert all(scan.masks.filter(kind=MaskKind.LIVER).exists() for scan in dataset.scans.all())
    out, err = capsys.readouterr()
    assert "2 scan(s) imported" in out
    assert "volume-3" in err


def test_the_command_tells_of_masks_and_takes_answers(tmp_path, capsys):
    make_user(Role.ADMINISTRATOR, username="ada")
    grid = small_grid()
    ct = write_file(tmp_path / "in/ct.nii.gz", small_ct(grid), grid)
    mask = write_file(tmp_path / "labels.nii.gz", liver_box(grid).astype(np.uint8) * 7, grid)
    call_command("import_scans", ct, dataset="first", masks=mask)
    assert "--labels" in capsys.readouterr().out
    call_command("import_scans", ct, dataset="second", masks=mask, labels="7=liver")
    assert "labels were read by what was said at the import" in capsys.readouterr().out
    assert Scan.objects.get(dataset__name="second").masks.get().kind == MaskKind.LIVER
    with pytest.raises(CommandError, match="does not say what a label stands for"):
        call_command("import_scans", ct, dataset="third", labels="liver")


def test_the_command_says_what_is_wrong(tmp_path):
    with pytest.raises(CommandError, match="no account"):
        call_command("import_scans", tmp_path, dataset="x")
    make_user(Role.ADMINISTRATOR, username="ada")
    with pytest.raises(CommandError, match="There is no"):
        call_command("import_scans", tmp_path / "nowhere", dataset="x")
    with pytest.raises(CommandError, match="No CT scan was found"):
        call_command("import_scans", tmp_path, dataset="x", owner="ada")
    assert not Dataset.objects.exists()
    make_user(username="stranger")
    name = make_dataset().name
    with pytest.raises(CommandError, match="may not change"):
        call_command("import_scans", tmp_path, dataset=name, owner="stranger")


def test_what_a_killed_worker_leaves_is_swept(stored_files, tmp_path):
    """Files without rows go when they are old; rows keep their files, a running job keeps its upload."""
    dataset, grid = make_dataset(), small_grid()
    kept = make_scan(dataset, masks={MaskKind.LIVER: liver_box(grid)})
    before = stored_files()
    waiting = uploads.stage(files=[nifti(tmp_path)], paths=[])
    Job.objects.create(kind="x", title="x", owner=dataset.owner, payload={"upload": waiting})
    with_upload = stored_files()
    uploads.stage(files=[nifti(tmp_path)], paths=[])
    store_scan(
        dataset=dataset, name="lost", subject="s", origin="phantom", volume=small_ct(grid, 77), grid=grid,
        created_by=dataset.owner, masks={MaskKind.LIVER: liver_box(grid)},
    )  # fmt: skip
    assert sweep(before=timezone.now() - timedelta(hours=1)) == 0
    assert sweep(before=timezone.now() + timedelta(hours=1)) == 3
    assert stored_files() == with_upload
    Job.objects.update(finished_at=timezone.now())
    call_command("sweep_storage", hours=-1)
    assert stored_files() == before
    assert np.array_equal(voxels.read_labels(kept.masks.get().pk, grid) > 0, liver_box(grid))


def test_fetching_what_is_gone_says_so():
    with pytest.raises(DomainError, match="Upload them again"), uploads.offered("00000000-0000-0000-0000-000000000000"):
        pass
