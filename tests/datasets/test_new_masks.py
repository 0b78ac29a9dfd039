"""Masks that a person adds to a scan that is there, or puts in the place of its own."""

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image
from pydicom.sr.codedict import codes

from ctplatform.datasets import services
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import MadeBy, Mask, Origin
from ctplatform.datasets.scans import voxels
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.models import Job
from ml.geometry import Grid
from readerstudy.models import Case, CaseTruth, Study, Template
from tests.datasets.files import write_dicom_seg, write_file, write_series
from tests.factories import edited_here, make_dataset, make_scan, make_user, token_headers
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def scan():
    grid = small_grid()
    lesion = ball(grid, (3, 12, 16), 7).astype(np.uint8)
    return make_scan(
        make_dataset(),
        grid=grid,
        origin=Origin.ACQUIRED,
        masks={MaskKind.LIVER: liver_box(grid), MaskKind.LESION: lesion},
    )


@pytest.fixture
def send_files(django_capture_on_commit_callbacks):
    """Sends files as masks for a scan, and gives back the job when it has ended."""

    def run(scan, *paths, kind="", labels=""):
        files = [SimpleUploadedFile(path.name, path.read_bytes()) for path in paths]
        with django_capture_on_commit_callbacks(execute=True):
            job = services.request_masks(scan=scan, user=scan.dataset.owner, files=files, kind=kind, labels=labels)
        job.refresh_from_db()
        return job

    return run


@pytest.fixture
def send(tmp_path, send_files):
    def run(scan, *masks, kind="", labels="", name="mask.nii.gz"):
        paths = [write_file(tmp_path / str(number) / name, mask, scan.geometry) for number, mask in enumerate(masks)]
        return send_files(scan, *paths, kind=kind, labels=labels)

    return run


def segmentation(folder, grid, masks_by_label, **options):
    """A DICOM segmentation of a series of this grid, alone."""
    path = folder / "seg.dcm"
    write_dicom_seg(path, write_series(folder / "series", small_ct(grid), grid), masks_by_label, **options)
    return path


def labels_of(scan, kind):
    return voxels.read_labels(scan.masks.get(kind=kind).pk, scan.geometry)


def test_a_liver_takes_the_place_of_the_one_that_is_there(scan, send, stored_files):
    old, contrast = scan.masks.get(kind=MaskKind.LIVER), scan.lesions.get().contrast_hu
    scan.lesions.update(contrast_hu=None)
    narrow = liver_box(scan.geometry, margin=9)
    job = send(scan, narrow, kind=MaskKind.LIVER, name="anything at all.nii.gz")
    assert (job.status, job.result["masks"]) == ("succeeded", ["liver"])
    assert np.array_equal(labels_of(scan, MaskKind.LIVER) > 0, narrow)
    assert not Mask.objects.filter(pk=old.pk).exists()
    assert not [path for path in stored_files() if str(old.pk) in path]
    assert not [path for path in stored_files() if "uploads" in path]
    assert scan.lesions.get().contrast_hu == pytest.approx(contrast, abs=5)
    scan.refresh_from_db()
    assert any("(liver) were replaced by" in note for note in scan.import_report["notes"])


def test_new_lesions_are_numbered_and_measured_anew(scan, send):
    two = np.zeros(scan.geometry.size_zyx, dtype=np.uint8)
    two[ball(scan.geometry, (2, 8, 10), 5)] = 1
    two[ball(scan.geometry, (3, 15, 22), 5)] = 2
    assert send(scan, two, kind=MaskKind.LESION).status == "succeeded"
    assert [lesion.number for lesion in scan.lesions.all()] == [1, 2]
    assert np.array_equal(labels_of(scan, MaskKind.LESION), two)
    assert all(lesion.diameter_mm > 3 for lesion in scan.lesions.all())


def test_without_a_kind_the_labels_are_asked_for(scan, send):
    odd = liver_box(scan.geometry).astype(np.uint8) * 7
    job = send(scan, odd)
    assert job.status == "failed"
    assert "nothing was changed" in job.error
    assert send(scan, odd, labels="7=liver").status == "succeeded"


def test_a_dicom_segmentation_says_itself_what_and_where_it_is(tmp_path, scan, send_files):
    liver, tumour = liver_box(scan.geometry, margin=8), ball(scan.geometry, (2, 12, 12), 6)
    path = segmentation(tmp_path, scan.geometry, {"Liver": liver, "Tumour": tumour})
    job = send_files(scan, path)
    assert (job.status, job.result["masks"]) == ("succeeded", ["liver", "lesion"])
    assert np.array_equal(labels_of(scan, MaskKind.LIVER) > 0, liver)
    assert np.array_equal(labels_of(scan, MaskKind.LESION) > 0, tumour)
    assert scan.lesions.get().diameter_mm == pytest.approx(6, abs=1.5)


@pytest.mark.parametrize("kind", [MaskKind.LIVER, MaskKind.LESION])
def test_of_a_dicom_segmentation_only_the_kind_that_was_asked_for_is_taken(tmp_path, scan, send_files, kind):
    both = {"Liver": liver_box(scan.geometry, margin=8), "Tumour": ball(scan.geometry, (2, 12, 12), 6)}
    before = {str(mask.kind): mask.pk for mask in scan.masks.all()}
    job = send_files(scan, segmentation(tmp_path, scan.geometry, both), kind=kind)
    assert job.result["masks"] == [kind]
    assert any("was left out" in told for told in job.result["told"])
    (other,) = {MaskKind.LIVER, MaskKind.LESION} - {kind}
    assert scan.masks.get(kind=other).pk == before[other]
    scan.refresh_from_db()
    assert {one["kind"] for one in scan.import_report["masks"]} == {kind}


def test_segments_without_a_name_are_what_the_person_says(tmp_path, scan, send_files):
    parts = {"Segment_1": ball(scan.geometry, (2, 8, 10), 5), "Segment_2": ball(scan.geometry, (3, 15, 22), 5)}
    unnamed = dict.fromkeys(parts, codes.SCT.Tissue)
    path = segmentation(tmp_path, scan.geometry, parts, types=unnamed)
    assert "None of its segments is called" in send_files(scan, path).error
    assert send_files(scan, path, kind=MaskKind.LESION).status == "succeeded"
    expected = np.where(parts["Segment_1"], 1, 0) + np.where(parts["Segment_2"], 2, 0)
    assert np.array_equal(labels_of(scan, MaskKind.LESION), expected)


def test_a_dicom_segmentation_of_another_place_changes_nothing(tmp_path, scan, send_files):
    grid = scan.geometry
    far = Grid(grid.size_zyx, grid.spacing_zyx_mm, (900.0, 900.0, 900.0), grid.direction)
    before = scan.masks.get(kind=MaskKind.LIVER).pk
    job = send_files(scan, segmentation(tmp_path, far, {"Liver": liver_box(grid)}), kind=MaskKind.LIVER)
    assert "does not overlap" in job.error
    assert scan.masks.get(kind=MaskKind.LIVER).pk == before


def test_masks_drawn_as_dicom_slices(tmp_path, scan, send_files):
    narrow = liver_box(scan.geometry, margin=8)
    write_series(tmp_path / "drawn", narrow.astype(np.int16) - 1024, scan.geometry)
    job = send_files(scan, *sorted((tmp_path / "drawn").iterdir()), kind=MaskKind.LIVER)
    assert (job.status, job.result) == ("succeeded", {**job.result, "masks": ["liver"]})
    assert np.array_equal(labels_of(scan, MaskKind.LIVER) > 0, narrow)


def test_a_header_keeps_its_voxels_whatever_the_person_says_it_holds(tmp_path, scan, send_files):
    narrow = liver_box(scan.geometry, margin=8)
    write_file(tmp_path / "odd.mhd", narrow.astype(np.uint8), scan.geometry)
    paths = sorted(tmp_path.glob("odd.*"))
    assert len(paths) == 2
    assert send_files(scan, *paths, kind=MaskKind.LIVER).status == "succeeded"
    assert np.array_equal(labels_of(scan, MaskKind.LIVER) > 0, narrow)


def test_several_files_of_one_kind_are_numbered(scan, send):
    first, second = ball(scan.geometry, (2, 8, 10), 5), ball(scan.geometry, (3, 15, 22), 5)
    assert send(scan, first, second, kind=MaskKind.LESION).status == "succeeded"
    assert np.array_equal(labels_of(scan, MaskKind.LESION), np.where(first, 1, 0) + np.where(second, 2, 0))


def test_pictures_without_a_place_are_refused_for_that(tmp_path, scan, send_files):
    picture = tmp_path / "liver_000.png"
    Image.fromarray(liver_box(scan.geometry)[0].astype(np.uint8)).save(picture)
    assert "don't say where they lie" in send_files(scan, picture).error


def test_the_api_takes_a_dicom_segmentation(tmp_path, scan, client, django_capture_on_commit_callbacks):
    narrow = liver_box(scan.geometry, margin=8)
    path = segmentation(tmp_path, scan.geometry, {"Liver": narrow})
    with path.open("rb") as file, django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            f"/api/datasets/scans/{scan.pk}/masks/", {"files": file}, headers=token_headers(scan.dataset.owner)
        )
    assert answer.status_code == 202
    assert Job.objects.get(pk=answer.json()["id"]).status == "succeeded"
    assert np.array_equal(labels_of(scan, MaskKind.LIVER) > 0, narrow)


def test_what_is_no_mask_changes_nothing(scan, send, stored_files):
    before = stored_files()
    assert send(scan, np.zeros(scan.geometry.size_zyx, dtype=np.uint8), kind=MaskKind.LIVER).status == "failed"
    assert stored_files() == before


def test_lesions_that_a_study_shows_stand(scan, send):
    study = Study.objects.create(
        owner=scan.dataset.owner, title="Trial", template=Template.INSERTED_LESIONS, question="?"
    )
    lesion = scan.lesions.get()
    CaseTruth.objects.create(
        case=Case.objects.create(study=study),
        synthetic=False,
        scan=scan,
        lesion=lesion,
        place_lps_mm=[0.0, 0.0, 0.0],
        diameter_mm=7,
    )
    with pytest.raises(ConflictError, match="case of a reader study"):
        send(scan, ball(scan.geometry, (3, 12, 16), 9), kind=MaskKind.LESION)
    both = liver_box(scan.geometry).astype(np.uint8) + ball(scan.geometry, (3, 12, 16), 9)
    job = send(scan, both, labels="1=liver, 2=lesion")
    assert "case of a reader study" in job.error
    assert scan.lesions.get() == lesion


def test_masks_of_edits_stay(scan):
    edit = make_scan(scan.dataset, origin=Origin.SYNTHETIC, provenance=edited_here(), source_scan=scan)
    with pytest.raises(ConflictError, match="belong to its edit"):
        services.request_masks(scan=edit, user=scan.dataset.owner, files=[SimpleUploadedFile("liver.nii", b"x")])


def test_the_page_takes_masks_and_says_what_follows(scan, client):
    client.force_login(scan.dataset.owner)
    assert "A mask takes the place of the one of its kind." in shown(client.get(scan.get_absolute_url()))
    address = reverse("datasets:new-masks", args=[scan.pk])
    answer = client.post(address, {"masks": SimpleUploadedFile("liver.nii.gz", b"x"), "kind": "liver"})
    assert answer["Location"] == reverse("jobs:job", args=[Job.objects.get(kind=services.MASKS_KIND).pk])
    client.force_login(make_user())
    assert client.post(address, {}).status_code == 404


def test_an_estimated_liver_is_found_right_once(scan, client):
    owner = scan.dataset.owner
    with pytest.raises(ConflictError, match="no estimated liver"):
        services.accept_liver(scan=scan, user=owner, seen=scan.masks.get(kind=MaskKind.LIVER).pk)
    scan.masks.filter(kind=MaskKind.LIVER).update(made_by=MadeBy.ESTIMATED)
    client.force_login(owner)
    seen = scan.masks.get(kind=MaskKind.LIVER).pk
    page = shown(client.post(reverse("datasets:accept-liver", args=[scan.pk]), {"mask": seen}, follow=True))
    assert f"found right by {owner}" in page
    with pytest.raises(DomainError, match="no estimated liver"):
        services.accept_liver(scan=scan, user=owner, seen=seen)
