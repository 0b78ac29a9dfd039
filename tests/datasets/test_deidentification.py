"""No identity may be found in the database, the storage, the report or the log after an import."""

import json
import logging
import struct

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset as DicomDataset

from ctplatform.datasets import deidentify, vocabulary
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.models import Scan
from ctplatform.jobs.models import Job
from tests.datasets.files import IDENTITY, write_file, write_series
from tests.factories import make_dataset, make_user
from tests.phantoms import small_ct, small_grid

pytestmark = pytest.mark.django_db

ORDINARY = {"7", "M.", "called", "from"}
SECRETS = sorted({part for value in IDENTITY.values() for part in value.replace("^", " ").split()} - ORDINARY)


def imported(path, dataset=None, **options):
    dataset = dataset or make_dataset()
    outcome = import_path(path, ImportOrder(dataset=dataset, created_by=dataset.owner, **options))
    return outcome.save()


def everything_stored(stored_files):
    """All rows of all tables as text, and the names and contents of all files."""
    rows = [json.dumps(list(model.objects.values()), default=str) for model in apps.get_models()]
    contents = []
    for name in stored_files():
        with default_storage.open(name) as file:
            contents.append(file.read())
    return "\n".join(rows) + "\n".join(stored_files()), b"\n".join(contents)


def assert_no_trace(stored_files, secrets, caplog):
    text, content = everything_stored(stored_files)
    for secret in secrets:
        assert secret.lower() not in text.lower()
        assert secret.encode() not in content
        assert secret.lower() not in caplog.text.lower()


def test_no_identity_of_a_dicom_series_is_kept(tmp_path, stored_files, caplog):
    caplog.set_level(logging.DEBUG)
    grid = small_grid()
    headers = write_series(tmp_path / "Mustermann Erika", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "Mustermann Erika")
    uids = {str(headers[0][keyword].value) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
    assert_no_trace(stored_files, [*SECRETS, *uids], caplog)
    assert scan.name.startswith("ct-")
    assert scan.subject.startswith("subject-")


def test_the_report_names_what_was_removed_by_keyword(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in")
    removed = set(scan.import_report["removed"])
    assert set(IDENTITY) <= removed
    assert {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SeriesDescription"} <= removed
    assert not removed & {"Rows", "KVP", "PixelSpacing", "ConvolutionKernel"}
    assert scan.import_report["removed_private_elements"] == 2
    assert "PS3.15" in scan.import_report["profile"]


def test_what_research_needs_is_kept(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in")
    assert scan.acquisition == {
        "modality": "CT",
        "kvp": 120,
        "slice_thickness_mm": 3,
        "manufacturer": "Siemens",
        "model": "Sensation 64",
        "kernel": "B30f",
        "description": "liver portal venous",
        "contrast_phase": "portal venous",
        "sex": "F",
        "age_years": 90,
    }


@pytest.mark.parametrize(
    "keyword", ["Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "PatientSex", "PatientAge"]
)
def test_identities_in_kept_elements_do_not_pass(tmp_path, stored_files, caplog, keyword):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid, **{keyword: "Mustermann"})
    imported(tmp_path / "in")
    assert_no_trace(stored_files, SECRETS, caplog)


def test_the_subject_is_the_same_within_a_dataset_and_another_elsewhere():
    first, other = DicomDataset(), DicomDataset()
    first.PatientID, other.PatientID = "MRN4711998", "MRN4711999"
    one, two = make_dataset().pk, make_dataset().pk
    assert deidentify.subject_label(one, first) == deidentify.subject_label(one, first)
    assert deidentify.subject_label(one, first) != deidentify.subject_label(two, first)
    assert deidentify.subject_label(one, first) != deidentify.subject_label(one, other)


def test_the_subject_cannot_be_recomputed_without_the_server_key(settings):
    header, dataset_id = DicomDataset(), make_dataset().pk
    header.PatientID = "MRN4711998"
    before = deidentify.subject_label(dataset_id, header)
    settings.SECRET_KEY = "another"
    assert deidentify.subject_label(dataset_id, header) != before


def test_a_given_subject_is_taken(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in", subject="P-07")
    assert scan.subject == "P-07"


def test_texts_in_a_nifti_header_are_dropped_and_listed(tmp_path, stored_files, caplog):
    path = write_file(tmp_path / "case_1.nii", small_ct(small_grid()), small_grid())
    content = bytearray(path.read_bytes())
    struct.pack_into("80s", content, 148, b"Mustermann Erika 19570312")
    struct.pack_into("24s", content, 228, b"mustermann.txt")
    struct.pack_into("18s", content, 14, b"Sonnenberg")
    path.write_bytes(content)
    (scan,) = imported(path)
    assert {"descrip", "aux_file", "db_name"} <= set(scan.import_report["removed"])
    assert_no_trace(stored_files, ["Mustermann", "Sonnenberg", "19570312"], caplog)


def test_key_value_pairs_of_nrrd_are_dropped_and_listed(tmp_path, stored_files, caplog):
    path = write_file(tmp_path / "case_1.nrrd", small_ct(small_grid()), small_grid())
    content = path.read_bytes().replace(b"\nencoding:", b"\nPatientName:=Mustermann\nencoding:", 1)
    path.write_bytes(content)
    (scan,) = imported(path)
    assert "key/value pairs" in scan.import_report["removed"]
    assert_no_trace(stored_files, ["Mustermann"], caplog)


@pytest.mark.parametrize(
    ("file_name", "stored_name"),
    [
        ("volume-12.nii", "volume-12"),
        ("liver_31_0000.nii.gz", "liver_31_0000"),
        ("LIDC-IDRI-0001.nrrd", "LIDC-IDRI-0001"),
        ("hcc048.nii.gz", "hcc048"),
        ("case 3 portal venous.mha", "case 3 portal venous"),
        ("Mustermann_Erika.nii.gz", None),
        ("erika1.nii", None),
        ("case_19570312.nii", None),
        ("MRN4711998.nrrd", None),
        ("CT_Mustermann.mha", None),
        ("Müller.nii", None),
        ("Li_Wu.nii", None),
        ("case_Åsa.nii", None),
    ],
)
def test_file_names(tmp_path, stored_files, caplog, file_name, stored_name):
    write_file(tmp_path / "in" / file_name, small_ct(small_grid()), small_grid())
    (scan,) = imported(tmp_path / "in")
    assert scan.name == (stored_name or f"ct-{scan.content_digest[:8]}")
    if stored_name is None:
        assert_no_trace(stored_files, [file_name.split(".")[0]], caplog)


@given(st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=12))
def test_a_word_that_is_not_in_the_vocabulary_never_passes(word):
    if word.lower() not in vocabulary.ALL_WORDS:
        assert vocabulary.harmless_name(f"case {word} 7") == ""
        assert word.lower() not in vocabulary.measured_words(f"liver {word}").split()


@pytest.mark.parametrize("good", [True, False])
def test_an_upload_leaves_no_trace_of_its_names(
    client, tmp_path, stored_files, caplog, good, django_capture_on_commit_callbacks
):
    """Whether it succeeds or fails: job, title, error and storage know nothing of the file's name."""
    owner = make_user()
    client.force_login(owner)
    dataset = make_dataset(owner)
    path = write_file(tmp_path / "Mustermann_Erika.nii.gz", small_ct(small_grid()), small_grid())
    content = path.read_bytes() if good else b"nothing"
    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            reverse("datasets:upload", args=[dataset.pk]),
            {"files": SimpleUploadedFile(path.name, content), "files_paths": "Erika Mustermann 19570312/ct.nii.gz"},
        )
    assert Scan.objects.count() == int(good)
    assert Job.objects.get().status == ("succeeded" if good else "failed")
    assert_no_trace(stored_files, ["Mustermann", "Erika", "19570312"], caplog)
    assert not any("uploads" in name for name in stored_files())
