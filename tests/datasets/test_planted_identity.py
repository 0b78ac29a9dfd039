"""Markers in every place of a file that can hold one: none may be found in rows, files, reports, jobs or logs."""

import logging
import shutil
import struct
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.models import Scan
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job
from tests.datasets.files import ct_slice
from tests.datasets.planted import (
    MARKED_VRS,
    TELLING,
    Marks,
    plant_everywhere,
    save_planted,
    stored_text,
    traces,
)
from tests.factories import make_dataset, make_user
from tests.phantoms import small_ct, small_grid

pytestmark = pytest.mark.django_db

# A value of each form that an identity takes, beside what is known and alone
FORMS = (
    "Qxmustermann",
    "QXMUSTERMANN",
    "Qx^Erika",
    "QX4711998",
    "18570312",
    "QXM 1857",
    "Sensation 64 Qxmustermann",
    "B30f Qxmustermann",
)
NUMBERS = ("47311957", "47311957", "47311.957", "-47311957")
IN_ONE_SLICE = {1, 3}
NEEDLES = ("qxmustermann", "qx^erika", "qx4711998", "18570312", "qxm 1857", "47311957", "47311.9")


def fresh_series():
    grid = small_grid()
    uids = {"series_uid": generate_uid(), "study_uid": generate_uid()}
    return [ct_slice(plane, grid, index, **uids) for index, plane in enumerate(small_ct(grid))]


def try_import(folder):
    """Scans and reasons, as text; whether it is refused is not the question here."""
    dataset = make_dataset()
    try:
        outcome = import_path(folder, ImportOrder(dataset=dataset, created_by=dataset.owner))
    except DomainError as error:
        return [], f"{error.message} {error.details}"
    return outcome.save(), str(outcome.reasons())


@pytest.mark.parametrize("damaged", [False, True])
def test_of_markers_planted_everywhere_none_is_found(
    client, tmp_path, stored_files, caplog, damaged, django_capture_on_commit_callbacks
):
    """By the web form, as a zip with folders and files called after a person; imported, and refused as damaged."""
    caplog.set_level(logging.DEBUG)
    marks, headers = Marks(), fresh_series()
    series_uid = marks.of("UI")
    for header in headers:
        if header in headers[::3]:
            plant_everywhere(header, marks)
        header.SeriesInstanceUID = series_uid
        header.PatientID = headers[0].PatientID  # a series with two persons' numbers is refused
        if damaged:
            header.PixelData = header.PixelData[:-100]
    folder = tmp_path / marks.word() / f"{marks.word()} {marks.of('DA')}"
    save_planted(folder, headers)
    for file in folder.iterdir():
        file.rename(folder / f"{marks.word()}_{file.name}.dcm")
    archive = shutil.make_archive(str(tmp_path / marks.word()), "zip", folder.parent)
    owner = make_user()
    client.force_login(owner)
    with Path(archive).open("rb") as file, django_capture_on_commit_callbacks(execute=True):
        upload = SimpleUploadedFile(archive.rsplit("/", 1)[-1], file.read())
        client.post(reverse("datasets:upload", args=[make_dataset(owner).pk]), {"files": upload})
    job = Job.objects.get()
    assert (job.status, Scan.objects.count()) == (("failed", 0) if damaged else ("succeeded", 1))
    assert len(marks) > 20_000
    assert traces(marks.needles, stored_text(stored_files)) == []
    assert traces(marks.needles, caplog.text) == []
    if not damaged:
        assert len(Scan.objects.get().import_report["removed"]) > 2_000


READ_AS_TEXT = sorted(keyword for keyword in TELLING if dictionary_VR(keyword) in MARKED_VRS - {"SQ", "OB"})


@pytest.mark.parametrize("keyword", [*READ_AS_TEXT, "TransferSyntaxUID"])
def test_a_marker_in_an_attribute_that_is_read_goes_no_further(tmp_path, stored_files, caplog, capfd, keyword):
    """In one slice and in all: the scan may be refused, by reasons that don't repeat the value."""
    caplog.set_level(logging.DEBUG)
    forms = NUMBERS if dictionary_VR(keyword) in {"DS", "IS", "FD"} else FORMS
    for number, form in enumerate(forms):
        headers = fresh_series()
        for header in headers[2:3] if number in IN_ONE_SLICE else headers:
            plant(header, keyword, form)
        save_planted(tmp_path / "all" / str(number), headers)
    caplog.clear()
    _, reasons = try_import(tmp_path / "all")
    seen = stored_text(stored_files) + reasons + caplog.text + "".join(capfd.readouterr())
    assert traces(NEEDLES, seen) == []
    assert "47311" not in reasons  # nor a distance that starts with it


def plant(header, keyword, form):
    """The bytes as a careless exporter writes them, whatever the dictionary says."""
    place = header.file_meta if keyword == "TransferSyntaxUID" else header
    present = place.get(keyword, None)
    count = len(present) if isinstance(present, MultiValue) else 1
    tag, vr = Tag(keyword), dictionary_VR(keyword)
    value = struct.pack("<d", float(form)) if vr == "FD" else "\\".join([form] * count).encode()
    value += b" " * (len(value) % 2)
    place[tag] = RawDataElement(tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
