"""Zips as people have them: several at once, in one another, with names that a file system would not take."""

import zipfile
from dataclasses import replace

import numpy as np

from ctplatform.datasets.importing import archive
from ctplatform.datasets.importing.discovery import discover
from ctplatform.datasets.importing.said import Said
from tests.datasets import layouts
from tests.datasets.files import write_file, write_series
from tests.datasets.layouts import GRID, LESION, LIVER, SECOND_LESION
from tests.datasets.reading import PlainRoom, Read, given, masks_of
from tests.phantoms import small_ct


def zipped(folder, path, rename=str):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                opened.write(file, rename(str(file.relative_to(folder))))
    return path


def series(tmp_path, seed):
    write_series(tmp_path / f"raw{seed}", small_ct(GRID, seed), GRID, PatientID=f"P{seed}")
    return tmp_path / f"raw{seed}"


def test_several_zips_and_loose_files_together(tmp_path):
    for seed in (1, 2):
        zipped(series(tmp_path, seed), tmp_path / f"in/{seed}.zip")
    write_file(tmp_path / "in/case_3.nii.gz", small_ct(GRID, 3), GRID)
    read = Read(tmp_path / "in")
    assert read.refusals == []
    assert len(read.scans) == 3


def test_a_bad_zip_spoils_no_other(tmp_path):
    zipped(series(tmp_path, 1), tmp_path / "in/1.zip")
    (tmp_path / "in/2.zip").write_bytes((tmp_path / "in/1.zip").read_bytes()[:5000])
    read = Read(tmp_path / "in")
    assert len(read.scans) == 1
    assert read.refusals == [("zip 2", archive.DAMAGED)]


def test_zips_inside_a_zip_as_3d_ircadb_is_sent(tmp_path):
    layouts.ircadb(tmp_path / "raw")
    patient = tmp_path / "raw/3Dircadb1.1"
    for name in ("PATIENT_DICOM", "MASKS_DICOM"):
        zipped(patient / name, tmp_path / f"packed/3Dircadb1.1/{name}.zip", lambda path, name=name: f"{name}/{path}")
    scan = Read(zipped(tmp_path / "packed", tmp_path / "in/3Dircadb1.zip")).only
    assert np.array_equal(masks_of(scan)["liver"], LIVER)
    assert np.array_equal(masks_of(scan)["lesion"], LESION | SECOND_LESION)


def test_masks_given_as_a_zip(tmp_path):
    ct = write_file(tmp_path / "in/ct.nii.gz", small_ct(GRID), GRID)
    write_file(tmp_path / "drawn/liver.nii.gz", LIVER, GRID)
    write_file(tmp_path / "drawn/lesion_1.nii.gz", LESION, GRID)
    scan = Read(ct, masks=zipped(tmp_path / "drawn", tmp_path / "masks.zip")).only
    assert masks_of(scan).keys() == {"liver", "lesion"}


def test_names_with_a_time_in_them(tmp_path):
    path = zipped(series(tmp_path, 1), tmp_path / "in/x.zip", lambda name: f"study/2025-01-01T10:00:00/{name}")
    assert np.array_equal(Read(path).only.volume, small_ct(GRID, 1))


def test_deflate64_is_called_by_its_name(tmp_path):
    content = bytearray(zipped(series(tmp_path, 1), tmp_path / "in/x.zip").read_bytes())
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = -1
        while (start := content.find(mark, start + 1)) >= 0:
            content[start + at] = 9
    (tmp_path / "in/x.zip").write_bytes(content)
    ((_, reason),) = Read(tmp_path / "in").refusals
    assert "Deflate64" in reason


def test_all_zips_together_have_one_limit(tmp_path, monkeypatch):
    for seed in (1, 2):
        zipped(series(tmp_path, seed), tmp_path / f"in/{seed}.zip")
    size = sum(file.stat().st_size for file in (tmp_path / "raw1").iterdir())
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", int(1.5 * size))
    read = Read(tmp_path / "in")
    assert len(read.scans) == 1
    assert "The zips of this import together" in read.reasons


def test_a_zip_in_a_zip_in_a_zip_is_left(tmp_path):
    zipped(series(tmp_path, 1), tmp_path / "a/1.zip")
    zipped(tmp_path / "a", tmp_path / "b/2.zip")
    read = Read(zipped(tmp_path / "b", tmp_path / "c/3.zip"))
    assert read.refusals == [("other file .zip", "It is no format that holds a CT scan.")]


def test_what_was_refused_names_its_files_by_their_number(tmp_path):
    """The browser that sent them knows what they are called; what lies in a zip goes by the zip's number."""
    write_file(tmp_path / "in/a.nii.gz", small_ct(GRID, 3), GRID)
    (tmp_path / "in/b.exe").write_bytes(b"MZ")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/c.xyz").write_bytes(b"?")
    zipped(tmp_path / "raw", tmp_path / "in/d.zip")
    files = [replace(file, number=number) for number, file in enumerate(given(tmp_path / "in"))]
    found = discover(files, PlainRoom(), Said())
    assert [candidate.numbers for candidate in found.candidates] == [(0,)]
    assert [refusal.numbers for refusal in found.refusals] == [(1, 2)]
