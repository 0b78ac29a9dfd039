import tarfile
import zipfile

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.scans import voxels as storage
from ml.geometry import Grid
from ml.scans.volume_io import read_mask, read_volume
from tests.datasets.files import to_sitk, write_dicom_seg, write_file, write_series
from tests.factories import make_dataset
from tests.phantoms import ball, liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    dataset = make_dataset()
    return ImportOrder(dataset=dataset, created_by=dataset.owner)


def imported(path, order, **changes):
    outcome = import_path(path, order, **changes)
    return outcome.save(), outcome.refused


def only(path, order, **changes):
    scans, refused = imported(path, order, **changes)
    assert [refusal.as_dict() for refusal in refused] == []
    (scan,) = scans
    return scan


def voxels(scan):
    return storage.read_volume(scan.pk, scan.geometry)


def labels_of(scan, kind):
    return storage.read_labels(scan.masks.get(kind=kind).pk, scan.geometry)


def assert_same_place(scan, grid, tolerance_mm=1e-3):
    size = np.array(grid.size_zyx) - 1
    corners = np.array([(a, b, c) for a in (0, size[0]) for b in (0, size[1]) for c in (0, size[2])])
    assert np.abs(scan.geometry.to_world(corners) - grid.to_world(corners)).max() < tolerance_mm


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", "dicom"])
def test_values_and_places_survive_every_format(tmp_path, order, suffix, oblique):
    grid = small_grid(oblique=oblique)
    volume = small_ct(grid)
    if suffix == "dicom":
        write_series(tmp_path / "in", volume, grid)
    else:
        write_file(tmp_path / "in" / f"case_12{suffix}", volume, grid)
    scan = only(tmp_path / "in", order)
    assert np.array_equal(voxels(scan), volume)
    assert_same_place(scan, grid)


def test_one_content_has_one_digest_whatever_the_format(tmp_path, order):
    grid = small_grid(oblique=True, spacing_zyx_mm=(2.5, 0.703125, 0.703125), origin=(-171.123456, 33.333333, -7.1))
    volume = small_ct(grid)
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        write_file(tmp_path / "in" / f"case_{len(suffix)}{suffix}", volume, grid)
    write_series(tmp_path / "in" / "dicom", volume, grid)
    scans, refused = imported(tmp_path / "in", order)
    assert len(scans) == 1
    assert len(refused) == 3
    assert all("already holds" in refusal.reason for refusal in refused)
    assert all(refusal.reason.count(scans[0].name) == 1 for refusal in refused)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=lambda uid: uid.name[:12])
def test_compressed_dicom(tmp_path, order, syntax):
    grid = small_grid((4, 80, 96))
    volume = small_ct(grid)
    write_series(tmp_path / "in", volume, grid, syntax=syntax)
    assert np.array_equal(voxels(only(tmp_path / "in", order)), volume)


def test_lossless_jpeg_as_archives_send_it(tmp_path, order):
    """Process 14, the commonest compression of CT archives; pydicom itself can't decode it."""
    grid = small_grid((4, 40, 48))
    volume = small_ct(grid)
    write_series(tmp_path / "in", volume, grid)
    for file in (tmp_path / "in").iterdir():
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(str(tmp_path / "compressed.dcm"))
        writer.SetUseCompression(True)
        writer.SetCompressor("JPEG")
        writer.Execute(SimpleITK.Cast(SimpleITK.ReadImage(str(file)), SimpleITK.sitkInt16))
        compressed, header = pydicom.dcmread(tmp_path / "compressed.dcm"), pydicom.dcmread(file)
        assert compressed.file_meta.TransferSyntaxUID == JPEGLosslessSV1
        header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        header.PixelData = compressed.PixelData
        header["PixelData"].is_undefined_length = True
        header.RescaleIntercept = compressed.RescaleIntercept
        header.save_as(file)
    assert np.array_equal(voxels(only(tmp_path / "in", order)), volume)


def test_a_zip_is_a_folder(tmp_path, order):
    grid = small_grid()
    volume = small_ct(grid)
    write_series(tmp_path / "in" / "deep" / "down", volume, grid)
    with zipfile.ZipFile(tmp_path / "scans.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "in").rglob("*"):
            archive.write(file, file.relative_to(tmp_path))
    assert np.array_equal(voxels(only(tmp_path / "scans.zip", order)), volume)


def test_several_series_in_one_folder_are_told_apart(tmp_path, order):
    grid = small_grid()
    for seed in (1, 2):
        write_series(tmp_path / "in", small_ct(grid, seed), grid, study_uid="1.2.3")
    scans, refused = imported(tmp_path / "in", order)
    assert len(scans) == 2
    assert refused == []
    assert scans[0].subject == scans[1].subject


def test_phases_that_share_one_series_are_told_apart(tmp_path, order):
    grid = small_grid()
    volumes = [small_ct(grid, seed) for seed in (1, 2)]
    for number, volume in enumerate(volumes, start=1):
        write_series(tmp_path / f"in/{number}", volume, grid, series_uid="1.2.3.4", AcquisitionNumber=number)
    scans, refused = imported(tmp_path / "in", order)
    assert refused == []
    assert {scan.content_digest for scan in scans} == {storage.content_digest(v, grid) for v in volumes}


def test_a_localizer_in_the_series_is_set_aside(tmp_path, order):
    grid = small_grid()
    volume = small_ct(grid)
    write_series(tmp_path / "in", volume, grid, series_uid="1.2.3.4")
    write_series(
        tmp_path / "in/scout", volume[:1], grid, series_uid="1.2.3.4", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    scans, refused = imported(tmp_path / "in", order)
    assert len(scans) == 1
    assert "localizer" in refused[0].reason


def test_the_same_files_twice_are_one_series(tmp_path, order):
    grid = small_grid()
    headers = write_series(tmp_path / "in", small_ct(grid), grid)
    (tmp_path / "in/copy").mkdir()
    for number, header in enumerate(headers):
        header.save_as(tmp_path / f"in/copy/{number}.dcm", enforce_file_format=True)
    assert only(tmp_path / "in", order).slices == len(headers)


@pytest.mark.parametrize("value", [-2000, 63536])
def test_dicom_padding_becomes_air(tmp_path, order, value):
    grid = small_grid()
    volume = small_ct(grid)
    stored = volume.astype(np.int32) + 1024
    stored[:, :2] = -2000
    write_series(
        tmp_path / "in", volume, grid, per_slice=lambda index: {"PixelData": stored[index].astype("<i2").tobytes()}
    )
    for file in (tmp_path / "in").iterdir():
        header = pydicom.dcmread(file)
        header.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
        header.save_as(file)
    scan = only(tmp_path / "in", order)
    result = voxels(scan)
    assert (result[:, :2] == -1024).all()
    assert np.array_equal(result[:, 2:], volume[:, 2:])
    assert any("padding" in change for change in scan.import_report["changed"])


def test_padding_without_a_flag_becomes_air(tmp_path, order):
    grid = small_grid()
    volume = small_ct(grid)
    volume[:, :2] = -3024
    scan = only(write_file(tmp_path / "case_1.nii.gz", volume, grid), order)
    assert voxels(scan).min() == -1024
    assert np.array_equal(voxels(scan)[:, 2:], volume[:, 2:])
    assert "-3024" in scan.import_report["changed"][0]


@st.composite
def turned_grids(draw):
    """Any axis order and any flips, with three different sizes so that mistakes show."""
    order = draw(st.permutations([0, 1, 2]))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    direction = np.zeros((3, 3))
    for axis, world in enumerate(order):
        direction[world, axis] = signs[axis]
    tilt = draw(st.floats(-0.3, 0.3))
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return Grid((3, 4, 5), (3.0, 1.5, 0.7), (10.0, -20.0, 30.0), tuple((turn @ direction).ravel().tolist()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=turned_grids())
def test_reordered_axes_leave_every_voxel_at_its_place(grid):
    array = np.arange(60, dtype=np.int16).reshape(grid.size_zyx)
    turned, new_grid, _ = canonical(array, grid)
    assert np.abs(new_grid.direction_matrix).argmax(axis=0).tolist() == [0, 1, 2]
    assert (np.diag(new_grid.direction_matrix) > 0).all()
    for index in np.ndindex(*grid.size_zyx):
        place = new_grid.nearest_voxel(grid.to_world(index))
        assert turned[place] == array[index]
        assert np.allclose(new_grid.to_world(place), grid.to_world(index))


def test_a_feet_first_prone_series_is_stored_head_up(tmp_path, order):
    grid = Grid((6, 24, 32), (3.0, 1.25, 1.25), (20.0, 15.0, 100.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1))
    volume = small_ct(grid)
    volume[2, 12, 3:6] = 900
    write_series(tmp_path / "in", volume, grid)
    scan = only(tmp_path / "in", order)
    place = scan.geometry.nearest_voxel(grid.to_world((2, 12, 4)))
    assert voxels(scan)[place] == 900
    assert np.allclose(scan.geometry.direction_matrix, np.eye(3))


def lits_labels(grid):
    labels = liver_box(grid, 5).astype(np.uint8)
    labels[ball(grid, (2, 12, 16), 6)] = 2
    return labels


@pytest.mark.parametrize(
    ("scan_name", "mask_name"),
    [
        ("volume-{}.nii", "segmentation-{}.nii"),
        ("imagesTr/liver_{}.nii.gz", "labelsTr/liver_{}.nii.gz"),
        ("imagesTr/liver_{}_0000.nii.gz", "labelsTr/liver_{}.nii.gz"),
        ("case{}/ct.nii.gz", "case{}/labels.nii.gz"),
        ("case_{}.nrrd", "case_{}_seg.nrrd"),
        ("a/volume-{}.nii", "b/segmentation-{}.nii"),
    ],
)
def test_scans_find_their_masks(tmp_path, order, scan_name, mask_name):
    grid = small_grid()
    labels = lits_labels(grid)
    for number in (1, 2):
        write_file(tmp_path / "in" / scan_name.format(number), small_ct(grid, number), grid)
        write_file(tmp_path / "in" / mask_name.format(number), np.roll(labels, number, axis=2), grid)
    scans, refused = imported(tmp_path / "in", order)
    assert refused == []
    assert len(scans) == 2
    by_digest = {scan.content_digest: scan for scan in scans}
    for number in (1, 2):
        scan = by_digest[storage.content_digest(small_ct(grid, number), grid)]
        expected = np.roll(labels, number, axis=2)
        assert np.array_equal(labels_of(scan, "liver"), expected >= 1)
        assert np.array_equal(labels_of(scan, "lesion"), expected == 2)
        assert scan.lesions.count() == 1


def test_masks_named_after_what_they_hold(tmp_path, order):
    grid = small_grid()
    write_file(tmp_path / "in/phantom_003_ct.nii.gz", small_ct(grid), grid)
    lesions = np.zeros(grid.size_zyx, np.uint8)
    lesions[2, 10:13, 10:13], lesions[4, 15:18, 20:23] = 1, 2
    write_file(tmp_path / "in/phantom_003_liver.nii.gz", liver_box(grid), grid)
    write_file(tmp_path / "in/phantom_003_lesions.nii.gz", lesions, grid)
    write_file(tmp_path / "in/phantom_003_vessels.nii.gz", liver_box(grid, 9), grid)
    scan = only(tmp_path / "in", order)
    assert np.array_equal(labels_of(scan, "lesion"), lesions)
    assert np.array_equal(labels_of(scan, "liver"), liver_box(grid))
    assert np.array_equal(labels_of(scan, "vessel"), liver_box(grid, 9))


def test_masks_may_be_given_apart(tmp_path, order):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    mask = write_file(tmp_path / "elsewhere/labels.nrrd", lits_labels(grid), grid)
    scan = only(tmp_path / "in", order, masks=mask)
    assert np.array_equal(labels_of(scan, "liver"), lits_labels(grid) >= 1)


def test_a_mask_on_another_grid_is_brought_to_the_scans(tmp_path, order):
    grid = small_grid()
    part = (slice(1, 5), slice(4, 20), slice(3, 30))
    write_file(tmp_path / "in/ct.nii.gz", small_ct(grid), grid)
    write_file(tmp_path / "in/liver.nii.gz", liver_box(grid)[part], grid.crop(part))
    scan = only(tmp_path / "in", order)
    expected = np.zeros(grid.size_zyx, bool)
    expected[part] = liver_box(grid)[part]
    assert np.array_equal(labels_of(scan, "liver"), expected)
    assert scan.import_report["masks"][0]["grid"] == "resampled by nearest neighbour"


def test_a_mask_that_lies_elsewhere_in_space_is_told_and_left(tmp_path, order):
    grid = small_grid()
    far = Grid(grid.size_zyx, grid.spacing_zyx_mm, (900.0, 900.0, 900.0), grid.direction)
    write_file(tmp_path / "in/ct.nii.gz", small_ct(grid), grid)
    write_file(tmp_path / "in/liver.nii.gz", liver_box(grid), far)
    scan = only(tmp_path / "in", order)
    assert not scan.masks.exists()
    assert "does not overlap" in scan.import_report["notes"][0]


@pytest.mark.parametrize("oblique", [False, True])
def test_a_dicom_segmentation_becomes_masks(tmp_path, order, oblique):
    grid = small_grid(oblique=oblique)
    headers = write_series(tmp_path / "in", small_ct(grid), grid)
    tumour = ball(grid, (2, 12, 16), 6)
    write_dicom_seg(tmp_path / "in/seg.dcm", headers, {"Liver": liver_box(grid), "Tumour": tumour})
    scan = only(tmp_path / "in", order)
    assert np.array_equal(labels_of(scan, "liver"), liver_box(grid))
    assert np.array_equal(labels_of(scan, "lesion"), tumour)


def test_float_volumes_are_rounded(tmp_path, order):
    grid = small_grid()
    image = to_sitk(small_ct(grid).astype(np.float32) + 0.3, grid)
    SimpleITK.WriteImage(image, str(tmp_path / "case_1.nii"))
    assert np.array_equal(voxels(only(tmp_path / "case_1.nii", order)), small_ct(grid))


def test_real_siemens_series_in_jpeg_2000(shared_ct, order):
    scan = only(shared_ct("ts_dicom20/dicom"), order, masks=shared_ct("ts_dicom20/liver.nii.gz"))
    assert scan.slices == 20
    assert scan.slice_spacing_mm == pytest.approx(2.0)
    liver = labels_of(scan, "liver") > 0
    assert 300_000 < liver.sum() < 400_000
    assert 80 < voxels(scan)[liver].mean() < 98
    assert (scan.acquisition["manufacturer"], scan.acquisition["kvp"]) == ("Siemens", 120)


def test_real_ge_series_with_dicom_segmentation_and_padding(shared_ct, order):
    scan = only(shared_ct("dcmqi_3slice"), order)
    assert scan.slices == 3
    assert voxels(scan).min() == -1024
    assert any("padding" in change for change in scan.import_report["changed"])
    liver = labels_of(scan, "liver")
    assert liver.sum() == 107_098
    nrrd_liver, _ = read_mask(shared_ct("dcmqi_3slice/liver_seg.nrrd"))
    assert np.array_equal(liver > 0, nrrd_liver > 0)


def test_real_hcc_series_agrees_with_its_nifti(shared_ct, order, tmp_path):
    with tarfile.open(shared_ct("hcc048/dicom_original.tar.xz")) as archive:
        archive.extractall(tmp_path / "in", filter="data")
    scan = only(tmp_path / "in", order)
    assert (scan.slices, scan.slice_spacing_mm) == (89, pytest.approx(2.5))
    cropped, grid = read_volume(shared_ct("hcc048/ct.nii.gz"))
    start = scan.geometry.nearest_voxel(grid.to_world((0, 0, 0)))
    box = tuple(slice(a, a + n) for a, n in zip(start, grid.size_zyx, strict=True))
    inside = cropped > -1024  # air was taken out of the cropped copy
    assert np.array_equal(storage.read_box(scan.pk, scan.geometry, box)[inside], cropped[inside])


def test_real_nifti_with_lits_labels(shared_ct, order):
    scan = only(shared_ct("ircad01"), order)
    assert scan.name == "ircad01"
    assert scan.slices == 108
    volumes = sorted((lesion.volume_ml for lesion in scan.lesions.all()), reverse=True)
    assert volumes[:4] == pytest.approx([84, 10, 7.5, 3.7], rel=0.05)
    main = scan.lesions.get(number=1)
    assert -60 < main.contrast_hu < -20
