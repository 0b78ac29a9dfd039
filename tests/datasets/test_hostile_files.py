"""Files made to get something out of the server, to stop it, or to cost it much: refused in little time, with a reason."""

import gzip
import itertools
import os
import struct
import zipfile
import zlib

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless

from ctplatform.datasets.importing import uploads
from ctplatform.datasets.importing.run import ImportOrder, ImportOutcome, import_path
from ctplatform.datasets.scans import voxels
from ctplatform.errors import DomainError
from tests.datasets.files import write_file, write_series
from tests.datasets.test_import_refusals import nifti_header
from tests.factories import make_dataset
from tests.phantoms import small_ct, small_grid

pytestmark = pytest.mark.django_db
SECRET = b"\x80\xffCANARY-of-the-server\x90" * 400
GRID = small_grid()
CT = small_ct(GRID)


def metaimage(
    last_lines="ElementDataFile = LOCAL\n", *, dims="NDims = 3", sample="MET_CHAR", payload=b"\x80\x00" * 4096
):
    head = (
        f"ObjectType = Image\n{dims}\nBinaryData = True\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
        f"ElementSpacing = 1 1 1\nDimSize = 16 16 3\nElementType = {sample}\n{last_lines}"
    )
    return head.encode() + payload


@pytest.fixture
def order():
    dataset = make_dataset()
    return ImportOrder(dataset=dataset, created_by=dataset.owner)


def voxel_bytes(outcome):
    volumes = [voxels.read_volume(stored.scan.pk, stored.scan.geometry) for stored in outcome.stored]
    return b"".join(volume.astype(np.int8).tobytes() + volume.tobytes() for volume in volumes)


@pytest.fixture
def folder(tmp_path):
    """What a stranger sends, beside what is none of his business."""
    (tmp_path / "secret.raw").write_bytes(SECRET)
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe.raw")
    (tmp_path / "in" / "link.raw").symlink_to(tmp_path / "secret.raw")
    (tmp_path / "in" / "LISTx.raw").write_bytes(f"{tmp_path}/secret.raw\n".encode() * 300)
    (tmp_path / "in" / "LIST 2").write_bytes(b"\x80" * 8192)
    return tmp_path / "in"


POINTERS = [
    "ElementDataFile : {secret}\n",
    "ElementDataFile : {secret}\nElementDataFile = LOCAL\n",
    "ElementDataFile = {secret}\nElementDataFile = LOCAL\n",
    "ElementDataFile = LOCAL\nElementDataFile = {secret}\n",
    "elementdatafile = {secret}\nElementDataFile = LOCAL\n",
    "ElementDataFile={secret}\n",
    "ElementDataFile = ../secret.raw\n",
    "ElementDataFile = in/../../secret.raw\n",
    "ElementDataFile = link.raw\n",
    "ElementDataFile = pipe.raw\n",
    "ElementDataFile = LIST\n{secret}\n{secret}\n{secret}\n",
    "ElementDataFile = LISTx.raw\n",
    "ElementDataFile = LIST 2\n{secret}\n{secret}\n{secret}\n",
    "ElementDataFile = list 2d\n{secret}\n{secret}\n{secret}\n",
    "ElementDataFile = %s%s 1 3 1\n",
    "ElementDataFile : /etc/%n%n%n%s%s 1 3 1\n",
    "ElementDataFile = secret%03d.raw 1 3 1\n",
    "ElementDataFile = /dev/zero\n",
    "ElementDataFile = file://{secret}\n",
    "ElementDataFile =\n",
]


def assert_no_secret(folder, order):
    """Whether refused or, as far as it is a scan, imported: nothing of the other file comes along."""
    try:
        outcome = import_path(folder, order)
        reasons = outcome.reasons()
    except DomainError as error:
        outcome, reasons = ImportOutcome(), [error.message, *error.details]
    assert b"CANARY" not in voxel_bytes(outcome)
    assert "secret" not in " ".join(reasons)


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_no_header_of_metaimage_reaches_another_file(folder, order, suffix):
    for number, pointer in enumerate(POINTERS):
        lines = pointer.format(secret=folder.parent / "secret.raw")
        (folder / f"case_{number}{suffix}").write_bytes(metaimage(lines))
    assert_no_secret(folder, order)


def test_no_header_of_nrrd_reaches_another_file(folder, order):
    keys = ("data file", "datafile", "DATA FILE", "Data File", "data  file", "dat\u00e1 file")
    targets = (folder.parent / "secret.raw", "../secret.raw", "LISTx.raw", "LIST", "link.raw", "s%03d.raw 1 3 1")
    for number, (key, target) in enumerate(itertools.product(keys, targets)):
        head = f"NRRD0004\ntype: int8\ndimension: 3\nsizes: 16 16 3\nencoding: raw\n{key}: {target}\n\n"
        (folder / f"case_{number}.nrrd").write_bytes(head.encode() + b"\x80\x00" * 4096)
    assert_no_secret(folder, order)


def test_a_pair_of_analyze_or_nifti_is_not_read(folder, order):
    header = bytearray(nifti_header((32, 24, 6)))
    header[344:348] = b"ni1\0"
    (folder / "case_1.nii").write_bytes(header)
    (folder / "case_1.img").symlink_to(folder.parent / "secret.raw")
    with pytest.raises(DomainError, match="one file"):
        import_path(folder, order)


CRASHERS = {
    "dimensions below zero.mha": metaimage(dims="NDims = -3"),
    "dimensions without end.mha": metaimage(dims="NDims = 99999999"),
    "a pattern that writes.mha": metaimage("ElementDataFile : /etc/%n%n%n%s%s 1 3 1\n"),
    "no sizes.mha": metaimage().replace(b"DimSize = 16 16 3\n", b""),
    "sizes without end.mha": metaimage().replace(b"16 16 3", b"16 " * 9000),
    "a number without end.mha": metaimage().replace(b"16 16 3", b"9" * 9000),
    "spacing of nothing.mha": metaimage().replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 0 nan inf"),
    "text as samples.mha": metaimage().replace(b"BinaryData = True", b"BinaryData = False"),
    "an order without end.nrrd": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 32 24 6\nendian: " + b"A" * 5000 + b"\n"
    b"encoding: raw\n\n" + CT.tobytes(),
    "no type.nrrd": b"NRRD0004\ndimension: 3\nsizes: 32 24 6\nencoding: raw\n\n" + CT.tobytes(),
    "hex.nrrd": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 32 24 6\nencoding: hex\n\n" + CT.tobytes(),
    "an origin of nothing.nii": nifti_header(
        (32, 24, 6), affine=[[1.25, 0, 0, float("nan")], [0, 1.25, 0, 0], [0, 0, 3, 0]]
    )
    + CT.tobytes(),
}


def test_what_crashed_a_library_is_refused(tmp_path, order):
    for name, content in CRASHERS.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DomainError) as caught:
        import_path(tmp_path, order)
    assert len(caught.value.details) == len(CRASHERS)
    assert "stopped the reader" not in " ".join(caught.value.details)


def test_voxels_that_begin_behind_everything(tmp_path, order):
    """The way there would be unpacked first, however far it is."""
    header = bytearray(nifti_header((32, 24, 6)))
    struct.pack_into("<f", header, 108, 1e30)
    with gzip.open(tmp_path / "case_1.nii.gz", "wb") as file:
        file.write(header)
        file.write(b"\0" * 50 * 1024**2)
    with pytest.raises(DomainError, match="do not begin behind"):
        import_path(tmp_path, order)


def test_a_plane_of_marks_that_would_take_hours(tmp_path, order, settings):
    """Slender shapes by the thousand are looked through in the confined process, which has minutes and not hours."""
    settings.CT_IMPORT_SECONDS = 150
    plane = np.full((512, 512), -1000, np.int16)
    for number in range(1800):
        row, column = divmod(number, 50)
        height = 6 + number % 3
        plane[4 + row * 12 : 4 + row * 12 + height, 4 + column * 10] = 200
        plane[3 + row * 12 + height, 4 + column * 10 : 8 + column * 10] = 200
    grid = small_grid((3, 512, 512))
    write_file(tmp_path / "case_1.nii.gz", np.stack([plane] * 3), grid)
    with pytest.raises(DomainError, match="drawn text"):
        import_path(tmp_path, order)


def test_lesions_that_run_through_the_whole_scan(tmp_path, order, monkeypatch):
    monkeypatch.setattr("ctplatform.datasets.scans.measuring.MAX_BOXED_VOXELS", 2_000)
    labels = np.zeros(GRID.size_zyx, np.uint8)
    for number in range(1, 200):  # each in two opposite corners
        labels[0, 0, number % 30] = labels[-1, -1, number % 30] = number
    write_file(tmp_path / "case_1.nii.gz", CT, GRID)
    write_file(tmp_path / "case_1_lesions.nii.gz", labels, GRID)
    with pytest.raises(DomainError, match="spread over"):
        import_path(tmp_path, order)


def test_a_grid_finer_than_any_scanner(tmp_path, order):
    """Eleven millimetres around a lesion would be boxes without end."""
    write_file(tmp_path / "case_1.nii.gz", CT, small_grid(spacing_zyx_mm=(0.01, 0.01, 0.01)))
    with pytest.raises(DomainError, match="finer than"):
        import_path(tmp_path, order)


def test_files_of_one_name_are_kept_apart():
    places = uploads._distinct(["a.nii", "a.nii", "2/a.nii", "a.nii", "2/a.nii"])
    assert len(set(places)) == 5
    assert places[0] == "a.nii"


@pytest.mark.parametrize("codec", [JPEGLSLossless, JPEG2000Lossless])
def test_a_size_that_hides_behind_fill_bytes_or_a_box(tmp_path, order, codec):
    grid = small_grid((4, 80, 96))
    write_series(tmp_path / "in", small_ct(grid), grid, syntax=codec)
    for file in (tmp_path / "in").iterdir():
        content = pydicom.dcmread(file)
        (frame,) = generate_frames(content.PixelData, number_of_frames=1)
        if codec == JPEGLSLossless:
            at = frame.index(b"\xff\xf7")
            frame = bytearray(frame[:at] + b"\xff\xff\xff" + frame[at:])
            struct.pack_into(">HH", frame, at + 8, 60000, 60000)
        else:
            box = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 0, b"jp2c")
            stream = bytearray(frame)
            struct.pack_into(">II", stream, 8, 60000, 60000)
            frame = box + bytes(stream)
        content.PixelData = encapsulate([bytes(frame)])
        content.save_as(file)
    with pytest.raises(DomainError, match="do not have the size"):
        import_path(tmp_path / "in", order)


def test_what_unpacks_to_gigabytes_costs_little(tmp_path, order):
    """600 million voxels in half a megabyte: read plane by plane, refused for what they are."""
    with gzip.open(tmp_path / "case_1.nii.gz", "wb") as file:
        file.write(nifti_header((512, 512, 2288), datatype=2))
        for _ in range(572):
            file.write(b"\0" * 1024**2)
    with pytest.raises(DomainError, match="not Hounsfield"):
        import_path(tmp_path, order)


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path / "in", CT, GRID)
    return tmp_path / "in"


def test_a_deflated_data_set_is_refused_before_it_is_inflated(series, order):
    file = next(series.iterdir())
    content = pydicom.dcmread(file)
    content.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content.save_as(file)
    raw = file.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(b"\0" * 1024**2) for _ in range(300)) + packer.flush()
    length = struct.unpack_from("<I", raw, 140)[0]
    file.write_bytes(raw[: 144 + length] + bomb)
    with pytest.raises(DomainError) as caught:
        import_path(file, order)
    assert "deflated" in caught.value.message


def test_a_sequence_of_two_million_empty_items(series, order):
    file = next(series.iterdir())
    raw = file.read_bytes()
    at = raw.rfind(struct.pack("<HH", 0x7FE0, 0x10))
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 2_000_000
    element = struct.pack("<HH2sHI", 0x40, 0xA730, b"SQ", 0, len(items)) + items
    file.write_bytes(raw[:at] + element + raw[at:])
    with pytest.raises(DomainError, match="sequence items"):
        import_path(file, order)


def segmentation(series, change):
    sources = [pydicom.dcmread(file) for file in sorted(series.iterdir())]
    mask = np.zeros((len(sources), *sources[0].pixel_array.shape), np.uint8)
    mask[:, 4:12, 4:12] = 1
    described = highdicom.seg.SegmentDescription(
        1, "Liver", codes.SCT.AnatomicalStructure, codes.SCT.Liver, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
    )
    made = highdicom.seg.Segmentation(
        sources, mask, "BINARY", [described], series_instance_uid="1.2.7", series_number=1, sop_instance_uid="1.2.7.1",
        instance_number=1, manufacturer="m", manufacturer_model_name="m", software_versions="1",
        device_serial_number="1", omit_empty_frames=False,
    )  # fmt: skip
    change(made)
    made.save_as(series / "z.dcm")


def test_a_segmentation_with_a_frame_three_kilometres_away(series, order):
    def far(made):
        frames = made.PerFrameFunctionalGroupsSequence
        x, y, _ = frames[-1].PlanePositionSequence[0].ImagePositionPatient
        frames[-1].PlanePositionSequence[0].ImagePositionPatient = [x, y, 3_000_000.0]
        measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        if "SpacingBetweenSlices" in measures:
            del measures.SpacingBetweenSlices

    segmentation(series, far)
    (stored,) = import_path(series, order).stored
    assert not stored.masks
    assert "was not used" in " ".join(stored.scan.import_report["notes"])


def test_a_segmentation_that_refers_to_text_spoils_no_series(series, order):
    write_series(series / "b", small_ct(GRID, 2), GRID)
    broken = pydicom.dcmread(next(file for file in series.iterdir() if file.is_file()))
    broken.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    broken.add_new(0x00081115, "LO", "abc")
    broken.save_as(series / "seg.dcm")
    assert len(import_path(series, order).stored) == 2


def test_zips_that_are_damaged_in_unusual_ways(tmp_path, order):
    def zipped(kind):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", kind) as archive:
            archive.writestr("case_é.nii", nifti_header((32, 24, 6)) + CT.tobytes())
        return (tmp_path / "a.zip").read_bytes()

    lzma = zipped(zipfile.ZIP_LZMA)
    for content in (
        lzma[:60] + b"\xff" * 20 + lzma[80:],
        zipped(zipfile.ZIP_DEFLATED).replace("é".encode(), b"\xff\xfe"),
    ):
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(DomainError, match="zip file is damaged"):
            import_path(tmp_path / "b.zip", order)
