"""Broken, foreign and hostile files: refused with a reason, and nothing half-stored."""

import gzip
import struct
import zipfile

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import DeflatedExplicitVRLittleEndian, EnhancedCTImageStorage, JPEG2000Lossless, generate_uid

from ctplatform.datasets.importing import refusal
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.models import Lesion, Mask, Scan
from ctplatform.errors import DomainError
from tests.datasets.files import to_sitk, write_file, write_series
from tests.factories import make_dataset
from tests.phantoms import small_ct, small_grid

pytestmark = pytest.mark.django_db
FUZZ_ROUNDS = 12


@pytest.fixture
def refused(stored_files):
    dataset = make_dataset()

    def check(path, reason):
        with pytest.raises(DomainError) as caught:
            import_path(path, ImportOrder(dataset=dataset, created_by=dataset.owner)).save()
        assert reason in caught.value.message
        assert str(path) not in caught.value.message
        assert [model.objects.count() for model in (Scan, Mask, Lesion)] == [0, 0, 0]
        assert stored_files() == set()

    return check


def nifti_header(size_xyz, *, datatype=4, sform=True, affine=None):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(size_xyz), *size_xyz, *[1] * (7 - len(size_xyz)))
    struct.pack_into("<2h", header, 70, datatype, 16)
    struct.pack_into("<8f", header, 76, 1, 1.25, 1.25, 3, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<2h", header, 252, 0, 1 if sform else 0)
    rows = np.array([[1.25, 0, 0, 0], [0, 1.25, 0, 0], [0, 0, 3, 0]]) if affine is None else affine
    struct.pack_into("<12f", header, 280, *np.asarray(rows, dtype=float).ravel())
    header[344:348] = b"n+1\0"
    return bytes(header)


def written(tmp_path, name, content):
    path = tmp_path / "in" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


SAMPLES = small_ct(small_grid()).tobytes()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.98])
def test_truncated_volume_files(tmp_path, refused, suffix, kept):
    whole = write_file(tmp_path / f"whole{suffix}", small_ct(small_grid()), small_grid()).read_bytes()
    refused(written(tmp_path, f"case_1{suffix}", whole[: int(len(whole) * kept)]), "")


def test_a_header_that_claims_40_gigabytes(tmp_path, refused):
    header = nifti_header((4000, 4000, 1300))
    refused(written(tmp_path, "case_1.nii", header + SAMPLES), "4000 x 4000")
    refused(written(tmp_path, "case_2.nii.gz", gzip.compress(header + SAMPLES)), "more than the 600 million voxels")


def test_a_header_that_claims_more_than_the_file_can_hold(tmp_path, refused):
    header = nifti_header((512, 512, 400))
    refused(written(tmp_path, "case_1.nii", header + SAMPLES), "truncated")
    refused(written(tmp_path, "case_2.nii.gz", gzip.compress(header + SAMPLES)), "truncated")


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((32, 24, 6, 5), "4 dimensions"),
        ((32, 24), "2 dimensions"),
        ((32, 24, 1), "1 slice"),
        ((3, 24, 6), "no CT scan"),
        ((20000, 24, 6), "no CT scan"),
        ((-5, 24, 6), "no CT scan"),
    ],
)
def test_absurd_dimensions(tmp_path, refused, size, reason):
    refused(written(tmp_path, "case_1.nii", nifti_header(size) + SAMPLES * 4), reason)


def test_colours_are_no_ct(tmp_path, refused):
    refused(written(tmp_path, "case_1.nii", nifti_header((32, 24, 6), datatype=128) + SAMPLES * 4), "colours")


def test_sheared_geometry(tmp_path, refused):
    affine = [[1.25, 0, 0.9, 0], [0, 1.25, 0, 0], [0, 0, 3, 0]]
    refused(written(tmp_path, "case_1.nii", nifti_header((32, 24, 6), affine=affine) + SAMPLES), "right angles")
    nrrd = (
        b"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 32 24 6\nendian: little\n"
        b"encoding: raw\nspace directions: (1,0,0) (0,1,0) (0.5,0,3)\n\n"
    )
    refused(written(tmp_path, "case_2.nrrd", nrrd + SAMPLES), "right angles")


def test_no_usable_geometry(tmp_path, refused):
    nothing, infinite = np.zeros((3, 4)), np.full((3, 4), np.inf)
    refused(written(tmp_path, "case_1.nii", nifti_header((32, 24, 6), affine=nothing) + SAMPLES), "no spacing")
    refused(written(tmp_path, "case_1.nii", nifti_header((32, 24, 6), affine=infinite) + SAMPLES), "geometry")


@pytest.mark.parametrize(
    "name", ["case_1.nii", "case_1.nii.gz", "case_1.nrrd", "case_1.mha", "case_1.mhd", "case_1.dcm"]
)
def test_something_else_under_a_good_name(tmp_path, refused, name):
    refused(written(tmp_path, name, b"%PDF-1.7 this is no scan" * 40), "")


def test_values_that_are_not_hu(tmp_path, refused):
    grid = small_grid()
    stored = small_ct(grid).astype(np.uint16) + 1024
    refused(write_file(tmp_path / "in/case_1.nii.gz", stored, grid), "not Hounsfield")
    SimpleITK.WriteImage(to_sitk((small_ct(grid) / 1000).astype(np.float32), grid), str(tmp_path / "in/case_1.nii.gz"))
    refused(tmp_path / "in/case_1.nii.gz", "not Hounsfield")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret.raw", "LIST", "slice%03d.raw 1 6 1", "missing.raw"])
def test_headers_that_point_elsewhere(tmp_path, refused, target):
    (tmp_path / "secret.raw").write_bytes(SAMPLES)
    header = f"NDims = 3\nDimSize = 32 24 6\nElementType = MET_SHORT\nElementDataFile = {target}\n"
    refused(written(tmp_path, "case_1.mhd", header.encode()), "points to a data file")
    nrrd = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 32 24 6\nencoding: raw\ndata file: {target}\n\n"
    refused(written(tmp_path, "case_1.nrrd", nrrd.encode()), "in another file")


def test_a_header_that_points_through_a_link(tmp_path, refused):
    (tmp_path / "secret.raw").write_bytes(SAMPLES)
    header = b"NDims = 3\nDimSize = 32 24 6\nElementType = MET_SHORT\nElementDataFile = case.raw\n"
    path = written(tmp_path, "case_1.mhd", header)
    (tmp_path / "in/case.raw").symlink_to(tmp_path / "secret.raw")
    refused(path, "points to a data file")


def zipped(tmp_path, entries, **options):
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name", ["../outside.nii", "/tmp/outside.nii", "a/../../outside.nii", "..\\outside.nii", "C:/x.nii"]
)
def test_a_zip_that_leads_out_of_its_folder(tmp_path, refused, name):
    refused(zipped(tmp_path, [(name, b"x")]), "leads out of its folder")
    assert not (tmp_path / "outside.nii").exists()


def test_a_zip_with_a_link(tmp_path, refused):
    link = zipfile.ZipInfo("case.nii")
    link.external_attr = 0o120777 << 16
    refused(zipped(tmp_path, [(link, "/etc/passwd")]), "a link")


def test_a_zip_bomb(tmp_path, refused):
    refused(zipped(tmp_path, [(f"{n}.dcm", b"\0" * 40_000_000) for n in range(3)]), "would unpack to more")


def test_a_zip_bomb_that_lies_about_its_size(tmp_path, refused):
    path = zipped(tmp_path, [("a.dcm", b"\0" * 90_000_000)])
    content = bytearray(path.read_bytes())
    size = struct.pack("<I", 90_000_000)
    while size in content:
        at = content.index(size)
        content[at : at + 4] = struct.pack("<I", 1000)
    path.write_bytes(content)
    refused(path, "")


def test_too_many_files(tmp_path, refused, monkeypatch):
    refused(zipped(tmp_path, [(f"{n}.dcm", b"") for n in range(refusal.MAX_FILES + 1)]), "20001 files")
    monkeypatch.setattr("ctplatform.datasets.importing.offering.MAX_FILES", 20)
    for number in range(21):
        written(tmp_path, f"{number}.dcm", b"x")
    refused(tmp_path / "in", "more than 20 files")


def test_a_damaged_and_an_encrypted_zip(tmp_path, refused):
    grid = small_grid()
    content = write_file(tmp_path / "case_1.nii", small_ct(grid), grid).read_bytes()
    path = zipped(tmp_path, [("case_1.nii", content)])
    broken = bytearray(path.read_bytes())
    broken[2000:2100] = b"\0" * 100
    path.write_bytes(broken)
    refused(path, "zip file is damaged")
    flagged = bytearray(zipped(tmp_path, [("case_1.nii", content)]).read_bytes())
    flagged[6] |= 1
    flagged[flagged.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(flagged)
    refused(path, "encrypted")


def test_links_that_leave_an_imported_folder_are_not_followed(tmp_path, refused):
    grid = small_grid()
    write_file(tmp_path / "outside/case_1.nii", small_ct(grid), grid)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/case_1.nii").symlink_to(tmp_path / "outside/case_1.nii")
    refused(tmp_path / "in", "No CT scan was found")


def series(tmp_path, volume=None, grid=None, **changes):
    grid = grid or small_grid()
    write_series(tmp_path / "in", small_ct(grid) if volume is None else volume, grid, **changes)
    return tmp_path / "in"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned into its pixels"),
        ({"RecognizableVisualFeatures": "YES"}, "recognised"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
        ({"ConversionType": "WSD"}, "secondary capture"),
        ({"Modality": "MR"}, "modality is MR"),
        ({"Modality": "PT"}, "only CT is imported"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "projection"),
        ({"ImagePositionPatient": None}, "place in the patient is unknown"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 0.8660254, 0]}, "right angles"),
        ({"PixelSpacing": ["0", "0"]}, "pixel spacing"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "inverted"),
        ({"NumberOfFrames": "6"}, "multi-frame"),
        ({"Rows": 40000}, "no CT scan"),
        ({"PixelData": b"\0" * 100}, "can't be decoded"),
    ],
)
def test_series_that_are_refused(tmp_path, refused, changes, reason):
    refused(series(tmp_path, **changes), reason)


def test_a_missing_slice(tmp_path, refused):
    refused(series(tmp_path, skip=(2,)), "not evenly spaced: 6.00 mm")


def test_a_tilted_gantry(tmp_path, refused):
    grid = small_grid()

    def tilted(index):
        place = grid.to_world((index, 0, 0)) + np.array([0, index * 3.0 * np.tan(np.deg2rad(12)), 0])
        return {"ImagePositionPatient": [f"{v:.5f}" for v in place]}

    refused(series(tmp_path, per_slice=tilted), "tilted by 12.0 degrees")


def test_slices_at_one_place(tmp_path, refused):
    refused(
        series(tmp_path, per_slice=lambda index: {"ImagePositionPatient": ["0", "0", str(index // 2)]}), "same place"
    )


def test_too_few_slices(tmp_path, refused):
    refused(series(tmp_path, skip=(2, 3, 4, 5)), "2 slice")


def test_enhanced_multi_frame_ct(tmp_path, refused):
    refused(series(tmp_path, SOPClassUID=EnhancedCTImageStorage, NumberOfFrames="6"), "")


def test_a_truncated_dicom_slice(tmp_path, refused):
    folder = series(tmp_path)
    victim = sorted(folder.iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-700])
    refused(folder, "")


def test_a_deflated_data_set_is_not_inflated(tmp_path, refused):
    folder = series(tmp_path)
    for file in folder.iterdir():
        content = pydicom.dcmread(file)
        content.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        content.save_as(file)
    refused(folder, "deflated")


def test_a_code_stream_that_claims_another_size(tmp_path, refused):
    grid = small_grid((4, 80, 96))
    folder = series(tmp_path, grid=grid, syntax=JPEG2000Lossless)
    for file in folder.iterdir():
        content = pydicom.dcmread(file)
        stream = bytearray(content.PixelData)
        at = stream.index(b"\xff\x4f\xff\x51")
        struct.pack_into(">II", stream, at + 8, 60000, 60000)
        content.PixelData = bytes(stream)
        content.save_as(file)
    refused(folder, "do not have the size")


@pytest.mark.parametrize("seed", range(FUZZ_ROUNDS))
def test_random_damage_never_gets_further_than_a_reason(tmp_path, stored_files, seed):
    """Whatever the damage: either a whole scan or nothing, and never an unexpected failure."""
    random = np.random.default_rng(seed)
    folder = series(tmp_path, grid=small_grid((4, 20, 20)))
    for file in list(folder.iterdir())[: 1 + seed % 4]:
        content = bytearray(file.read_bytes())
        for at in random.integers(0, len(content), 40):
            content[at] = int(random.integers(0, 256))
        file.write_bytes(content)
    dataset = make_dataset()
    try:
        import_path(folder, ImportOrder(dataset=dataset, created_by=dataset.owner)).save()
    except DomainError:
        assert stored_files() == set()
        assert not Scan.objects.exists()
    else:
        assert Scan.objects.exists()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("seed", range(FUZZ_ROUNDS // 4))
def test_random_damage_of_headers(tmp_path, stored_files, suffix, seed):
    random = np.random.default_rng(seed)
    path = write_file(tmp_path / f"case_1{suffix}", small_ct(small_grid()), small_grid())
    content = bytearray(path.read_bytes())
    for at in random.integers(0, 352, 3):
        content[at] = int(random.integers(0, 256))
    path.write_bytes(content)
    dataset = make_dataset()
    try:
        import_path(path, ImportOrder(dataset=dataset, created_by=dataset.owner)).save()
    except DomainError:
        assert stored_files() == set()
        assert not Scan.objects.exists()
    else:
        assert Scan.objects.exists()


def test_one_bad_series_does_not_spoil_the_good_one(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in/a", small_ct(grid, 1), grid)
    write_series(tmp_path / "in/b", small_ct(grid, 2), grid, series_uid=generate_uid(), skip=(2,))
    written(tmp_path, "broken.nii.gz", b"no gzip")
    dataset = make_dataset()
    outcome = import_path(tmp_path / "in", ImportOrder(dataset=dataset, created_by=dataset.owner))
    assert len(outcome.save()) == 1
    assert any("not evenly spaced" in reason for reason in outcome.reasons())
    assert any("not a NIfTI-1 file" in reason for reason in outcome.reasons())


def test_an_empty_folder_says_what_is_expected(tmp_path, refused):
    (tmp_path / "in").mkdir()
    refused(tmp_path / "in", "Give a DICOM folder or zip")


def test_a_broken_off_import_leaves_nothing(tmp_path, stored_files):
    """Cancelled in the second of three scans: the first goes as well, so that nothing is half-imported."""
    grid = small_grid()
    for number in range(3):
        write_file(tmp_path / f"in/case_{number}.nii", small_ct(grid, number), grid)
    dataset = make_dataset()

    def cancel(fraction, message):
        if message.startswith("scan 2") and "slice 3" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_path(tmp_path / "in", ImportOrder(dataset=dataset, created_by=dataset.owner), cancel)
    assert stored_files() == set()
    assert not Scan.objects.exists()


def test_limits_leave_room_for_real_scans():
    refusal.check_size((1200, 512, 512))
    refusal.check_size((500, 1024, 1024))
