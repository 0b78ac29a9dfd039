"""What scanners and exporters really write: right voxels, or a refusal with the true reason, once."""

import struct

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, generate_uid

from ctplatform.datasets.importing import dicom_file, dicom_pixels
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.scans import voxels
from tests.datasets.files import write_file, write_series
from tests.datasets.reading import Read, given, notes_of
from tests.factories import make_dataset
from tests.phantoms import small_ct, small_grid

GRID = small_grid((12, 24, 32), (2.5, 0.7031, 0.7031))
VOLUME = small_ct(GRID)


def slightly(keyword, *values):
    """The value of a slice alternates between those given."""
    return lambda index: {keyword: values[index % len(values)]}


NEARLY_ALIKE = {
    "the fourth digit of the pixel spacing": slightly("PixelSpacing", ["0.7031", "0.7031"], ["0.7032", "0.7032"]),
    "a direction on both sides of a rounding limit": slightly(
        "ImageOrientationPatient", [1, 0.000499, 0, -0.000499, 1, 0], [1, 0.000501, 0, -0.000501, 1, 0]
    ),
}


@pytest.mark.parametrize("what", NEARLY_ALIKE)
def test_last_digits_do_not_cut_a_scan_in_two(tmp_path, what):
    write_series(tmp_path / "in", VOLUME, GRID, per_slice=NEARLY_ALIKE[what])
    scan = Read(tmp_path / "in").only
    assert np.array_equal(scan.volume, VOLUME)
    assert scan.grid.spacing_zyx_mm == pytest.approx(GRID.spacing_zyx_mm, abs=1e-4)


def test_stacks_that_really_differ_are_told(tmp_path):
    write_series(tmp_path / "in", VOLUME, GRID, series_uid="1.2.3")
    coarse = small_grid((6, 24, 32), (5.0, 1.4, 1.4))
    write_series(tmp_path / "in/b", small_ct(coarse), coarse, series_uid="1.2.3")
    read = Read(tmp_path / "in")
    assert sorted(scan.grid.size_zyx[0] for scan in read.scans) == [6, 12]
    assert all("2 stacks that differ" in notes_of(scan) for scan in read.scans)


@pytest.mark.parametrize(("scale", "shown"), [("MGML", "milligrams"), ("Z_EFF", "atomic numbers"), ("EDW", "electron")])
def test_maps_of_something_else_than_hu(tmp_path, scale, shown):
    write_series(tmp_path / "in", VOLUME, GRID, RescaleType=scale)
    ((label, reason),) = Read(tmp_path / "in").refusals
    assert label == "DICOM series 1 (12 files)"
    assert shown in reason


@pytest.mark.parametrize("scale", ["HU", "US", ""])
def test_a_scale_of_hu_or_none(tmp_path, scale):
    write_series(tmp_path / "in", VOLUME, GRID, RescaleType=scale)
    assert np.array_equal(Read(tmp_path / "in").only.volume, VOLUME)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("padding", [63536, 65535])
def test_unsigned_padding_is_air(tmp_path, padding, declared):
    """It came in as 32767 HU."""
    stored = VOLUME.astype(np.int32) + 1024
    stored[:, :3] = padding

    def unsigned(index):
        return {"PixelData": stored[index].astype("<u2").tobytes(), "PixelRepresentation": 0}

    write_series(tmp_path / "in", VOLUME, GRID, per_slice=unsigned)
    for file in (tmp_path / "in").iterdir() if declared else []:
        header = pydicom.dcmread(file)
        header.add_new("PixelPaddingValue", "US", padding)
        header.save_as(file)
    scan = Read(tmp_path / "in").only
    assert (scan.volume[:, :3] == -1024).all()
    assert np.array_equal(scan.volume[:, 3:], VOLUME[:, 3:])
    assert "padding" in str(scan.report["changed"])


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e20])
def test_values_that_are_no_hu_become_air_and_are_told(tmp_path, value):
    volume = VOLUME.astype(np.float32)
    volume[:, 0, :5] = value
    scan = Read(write_file(tmp_path / "case_1.nii.gz", volume, GRID)).only
    assert (scan.volume[:, 0, :5] == -1024).all()
    assert np.array_equal(scan.volume[:, 1:], VOLUME[:, 1:])
    assert "60 voxels that can't be HU" in str(scan.report["changed"])


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate"])
def test_two_persons_in_one_series(tmp_path, keyword):
    other = {"PatientBirthDate": "19690102"}.get(keyword, "Roe^Richard")
    number = {} if keyword == "PatientID" else {"PatientID": None}
    write_series(
        tmp_path / "in", VOLUME, GRID, per_slice=lambda index: number | ({keyword: other} if index % 2 else {})
    )
    read = Read(tmp_path / "in")
    assert read.scans == []
    ((label, reason),) = read.refusals
    assert label == "DICOM series 1 (12 files)"
    assert "more than one person" in reason
    assert "Roe" not in reason


def test_one_person_written_in_two_ways(tmp_path):
    spelled = slightly("PatientName", "Mustermann^Erika", "MUSTERMANN^ERIKA^^")
    write_series(tmp_path / "in", VOLUME, GRID, per_slice=spelled, PatientID=None)
    assert np.array_equal(Read(tmp_path / "in").only.volume, VOLUME)


def test_one_identifier_for_all_slices(tmp_path):
    write_series(tmp_path / "in", VOLUME, GRID, SOPInstanceUID="1.2.3.4")
    assert np.array_equal(Read(tmp_path / "in").only.volume, VOLUME)


def enhanced(headers, **changes):
    for header in headers:
        header.SeriesDate = header.ContentDate = header.AcquisitionDate = header.StudyDate
        header.SeriesTime = header.ContentTime = header.AcquisitionTime = "101112"
        header.SoftwareVersions, header.PositionReferenceIndicator = "1", ""
    converted = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        headers,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
    )
    for keyword, value in changes.items():
        setattr(converted, keyword, value)
    return converted


def write_enhanced(path, volume=VOLUME, *, syntax=None, **changes):
    headers = write_series(path.parent / "classic", volume, GRID, BurnedInAnnotation="NO", **changes)
    for file in (path.parent / "classic").iterdir():
        file.unlink()
    whole = enhanced(headers)
    path.parent.mkdir(exist_ok=True)
    if syntax:
        whole.compress(syntax, generate_instance_uid=False)
    whole.save_as(path)
    return whole


@pytest.mark.parametrize("syntax", [None, JPEGLSLossless])
def test_enhanced_multi_frame_ct(tmp_path, syntax):
    """What new scanners write: all slices in one file."""
    write_enhanced(tmp_path / "in/one.dcm", syntax=syntax)
    scan = Read(tmp_path / "in").only
    assert np.array_equal(scan.volume, VOLUME)
    assert np.allclose(scan.grid.to_world((3, 4, 5)), GRID.to_world((3, 4, 5)), atol=1e-4)
    assert (scan.acquisition["manufacturer"], scan.acquisition["kvp"]) == ("Siemens", 120)
    assert "PatientName" in scan.report["removed"]


def test_two_enhanced_files_of_one_series(tmp_path):
    whole = write_enhanced(tmp_path / "in/one.dcm")
    second = write_enhanced(tmp_path / "in/two.dcm", small_ct(GRID, 5), AcquisitionNumber=2)
    second.SeriesInstanceUID = whole.SeriesInstanceUID
    second.save_as(tmp_path / "in/two.dcm")
    assert len(Read(tmp_path / "in").scans) == 2


@pytest.mark.django_db
def test_enhanced_ct_through_the_confined_reader(tmp_path):
    write_enhanced(tmp_path / "in/one.dcm", syntax=JPEGLSLossless)
    dataset = make_dataset()
    (scan,) = import_path(tmp_path / "in", ImportOrder(dataset=dataset, created_by=dataset.owner)).save()
    assert np.array_equal(voxels.read_volume(scan.pk, scan.geometry), VOLUME)


def test_an_enhanced_file_that_describes_other_frames_than_it_has(tmp_path):
    whole = write_enhanced(tmp_path / "in/one.dcm")
    whole.NumberOfFrames = 7
    whole.save_as(tmp_path / "in/one.dcm")
    assert "number of its frames" in Read(tmp_path / "in").reasons


def test_a_multi_frame_file_of_another_kind(tmp_path):
    headers = write_series(tmp_path / "other", VOLUME, GRID)
    headers[0].NumberOfFrames = 12
    (tmp_path / "in").mkdir()
    headers[0].save_as(tmp_path / "in/one.dcm", enforce_file_format=True)
    assert "multi-frame picture" in Read(tmp_path / "in").reasons


def bare(path, *, implicit, keeps_meta=False):
    """As some archives and 3D-IRCADb have it: without the 128 bytes in front, or without the file meta group too."""
    header = pydicom.dcmread(path)
    if implicit:
        header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
        header.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=True)
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 140)[0]
    path.write_bytes(content[132:] if keeps_meta else content[144 + length :])


@pytest.mark.parametrize(("implicit", "keeps_meta"), [(True, False), (False, False), (True, True), (False, True)])
def test_files_without_preamble(tmp_path, implicit, keeps_meta):
    write_series(tmp_path / "in", VOLUME, GRID)
    for file in (tmp_path / "in").iterdir():
        bare(file, implicit=implicit, keeps_meta=keeps_meta)
    assert np.array_equal(Read(tmp_path / "in").only.volume, VOLUME)


def placed(*shifts_mm):
    def per_slice(index):
        x, y, z = GRID.to_world((index, 0, 0))
        return {"ImagePositionPatient": [str(x), str(y), f"{z + shifts_mm[index % len(shifts_mm)]:.4f}"]}

    return per_slice


def test_slices_a_little_beside_their_place(tmp_path):
    write_series(tmp_path / "in", VOLUME, GRID, per_slice=placed(0, 0.03, -0.03))
    scan = Read(tmp_path / "in").only
    assert np.array_equal(scan.volume, VOLUME)
    assert scan.grid.spacing_zyx_mm[0] == pytest.approx(2.5, abs=0.01)
    assert "beside an even spacing" in notes_of(scan)


def test_slices_far_beside_their_place(tmp_path):
    write_series(tmp_path / "in", VOLUME, GRID, per_slice=placed(0, 0.4))
    assert "not evenly spaced" in Read(tmp_path / "in").reasons


def test_a_spacing_that_changes_on_the_way(tmp_path):
    """No gap is far from the others, but half way up a slice lies a third of a gap beside its place."""

    def per_slice(index):
        x, y, z = GRID.to_world((index, 0, 0))
        return {"ImagePositionPatient": [str(x), str(y), f"{z + 0.09 * max(0, index - 6):.4f}"]}

    write_series(tmp_path / "in", VOLUME, GRID, per_slice=per_slice)
    assert "changes on the way" in Read(tmp_path / "in").reasons


def test_one_reason_for_many_damaged_files(tmp_path):
    write_series(tmp_path / "in", VOLUME, GRID)
    for file in (tmp_path / "in").iterdir():
        header = pydicom.dcmread(file)
        header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
        header.save_as(file)
    ((label, reason),) = Read(tmp_path / "in").refusals
    assert label == "DICOM file 1 and 11 more"
    assert "deflated" in reason


def changed_nifti(tmp_path, change):
    path = write_file(tmp_path / "case_1.nii", VOLUME, GRID)
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return path


def without_sform(content):
    struct.pack_into("<h", content, 254, 0)


def test_a_pixdim_of_0_is_asked(tmp_path):
    def nothing(content):
        without_sform(content)
        struct.pack_into("<3f", content, 80, 0.7031, 0.7031, 0)

    path = changed_nifti(tmp_path, nothing)
    assert "no spacing of its own" in Read(path).reasons
    assert Read(path, spacing="0.7031 0.7031 2.5").only.grid.spacing_zyx_mm == (2.5, 0.7031, 0.7031)


@pytest.mark.parametrize(("suffix", "field"), [("mhd", b"ElementSpacing"), ("nrrd", b"space directions")])
def test_headers_without_spacing_are_asked(tmp_path, suffix, field):
    path = write_file(tmp_path / f"in/case_1.{suffix}", VOLUME, GRID)
    content = path.read_bytes()
    lines = [line for line in content.split(b"\n") if not line.startswith((field, b"space", b"kinds"))]
    path.write_bytes(b"\n".join(lines if suffix == "nrrd" else [x for x in content.split(b"\n") if field not in x]))
    assert "no spacing of its own" in Read(tmp_path / "in").reasons


@pytest.mark.parametrize(("mirrored", "word"), [(True, "mirrored"), (False, "displaced")])
def test_two_places_that_contradict_each_other_are_told(tmp_path, mirrored, word):
    def contradict(content):
        struct.pack_into("<2h", content, 252, 1, 1)
        if mirrored:
            struct.pack_into("<f", content, 76, -struct.unpack_from("<f", content, 76)[0])
        else:
            struct.pack_into("<f", content, 268, 400.0)

    scan = Read(changed_nifti(tmp_path, contradict)).only
    assert f"one is {word}" in notes_of(scan)
    assert np.array_equal(scan.volume, VOLUME)


def test_two_places_that_agree_are_not_told(tmp_path):
    def both(content):
        struct.pack_into("<2h", content, 252, 1, 1)

    assert "contradict" not in notes_of(Read(changed_nifti(tmp_path, both)).only)


@pytest.mark.parametrize("first_bytes", [dicom_file.HEADER_BYTES, dicom_file.LONG_HEADER_BYTES])
@pytest.mark.parametrize("beyond", [-20_000, -2, 0, 2, *range(18, 50, 2), 40_000])
def test_a_header_of_any_length_is_read_to_its_end(tmp_path, first_bytes, beyond):
    """Most end within the first bytes, which are read into memory; what lies behind a long element counts as well."""
    write_series(tmp_path / "short", VOLUME, GRID, RedPaletteColorLookupTableData=b"")
    pixels_at = dicom_file.read_header(given(tmp_path / "short")[0]).pixels_at
    long = {"RedPaletteColorLookupTableData": b"\0" * (first_bytes - pixels_at + beyond)}
    write_series(tmp_path / "in", VOLUME, GRID, per_slice=lambda _: long)
    scan = Read(tmp_path / "in").only
    assert np.array_equal(scan.volume, VOLUME)
    assert "RedPaletteColorLookupTableData" in scan.report["removed"]
    # which follow it: the first bytes may end between two elements
    assert scan.report["removed_private_elements"] == 2


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int8, np.uint8])
@pytest.mark.parametrize("intercept", [0, -1024, -8192, -32768, -40_000, 1024, 40_000, 0.5, 10**9, -(10**9)])
def test_the_short_way_to_hu_gives_what_the_long_one_gives(monkeypatch, dtype, intercept):
    limits, header = np.iinfo(dtype), Dataset()
    header.RescaleSlope, header.RescaleIntercept = 1, intercept
    random = np.random.default_rng(7)
    ranges = [(limits.min, limits.max), (0, 100), (max(limits.min, -100), 100), (limits.max - 50, limits.max)]
    slices = [random.integers(low, high, (6, 7), dtype, endpoint=True) for low, high in ranges]
    short = [dicom_pixels._to_hu(header, stored) for stored in slices]
    monkeypatch.setattr(dicom_pixels, "_shifted", lambda *_: None)
    for (hu, count), stored in zip(short, slices, strict=True):
        expected, expected_count = dicom_pixels._to_hu(header, stored)
        assert np.array_equal(hu, expected)
        assert (hu.dtype, count) == (expected.dtype, expected_count)


@pytest.mark.parametrize("padding", [-2000, -1500, -1501, 63_536, 500, 501, 30_000])
@pytest.mark.parametrize("limit", [None, -1800, -1400, 400])
def test_a_slice_without_a_padded_sample_takes_the_short_way(monkeypatch, padding, limit):
    """Padding that a header names lies at the border of the samples, within them, or nowhere."""
    header, stored = Dataset(), np.random.default_rng(3).integers(-1500, 500, (30, 30), np.int16, endpoint=True)
    header.PixelRepresentation, header.PixelPaddingValue, header.RescaleIntercept = 1, padding, 0
    stored[0, :2] = -1500, 500
    if limit is not None:
        header.PixelPaddingRangeLimit = limit
    short, count = dicom_pixels._to_hu(header, stored)
    monkeypatch.setattr(dicom_pixels, "_shifted", lambda *_: None)
    expected, expected_count = dicom_pixels._to_hu(header, stored)
    assert np.array_equal(short, expected)
    assert count == expected_count
