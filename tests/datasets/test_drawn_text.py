"""Text drawn into slices is found at every size, brightness and place; what a scanner sees is not taken for it."""

import lzma
import tarfile

import numpy as np
import pydicom
import pytest
from django.urls import reverse
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ctplatform.datasets.importing.drawn_text import (
    BODY_OPENING_PX,
    SMALLEST_BODY,
    TISSUE_HU,
    has_text,
    outside_body,
    planes_with_text,
)
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.importing.runs import shapes_of
from ctplatform.datasets.importing.screening import slice_axis
from ctplatform.datasets.models import Scan
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job
from ml.geometry import Grid
from ml.scans.volume_io import read_volume
from tests.datasets.files import write_file, write_series
from tests.factories import make_dataset

SIDE = 256
SIZES = (8, 10, 12, 16, 24, 32)
PENS_HU = (-400, 0, 100, 1000, 3071)
PLACES = ("top left", "top right", "bottom left", "bottom right")
NAME = "MUSTERMANN E"


def body(seed=0, noise_hu=15):
    """An ellipse of tissue in air, blurred and noisy as a scanner shows it."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = ((y - 128) / 75) ** 2 + ((x - 128) / 100) ** 2 < 1
    noise = np.random.default_rng(seed).normal(0, noise_hu, (SIDE, SIDE))
    return ndimage.gaussian_filter(np.where(inside, 60.0, -1000.0), 0.8) + ndimage.gaussian_filter(noise, 0.7)


def as_hu(plane):
    return np.clip(np.rint(plane), -1024, 3071).astype(np.int16)


def ink(text=NAME, size=12, place="top left", *, smooth=True, sideways=False):
    """How much of each pixel the pen covers, 0 to 1."""
    picture = Image.new("L" if smooth else "1", (SIDE, SIDE))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    x = 5 if "left" in place else SIDE - 5 - (right - left)
    y = 5 if "top" in place else SIDE - 5 - (bottom - top)
    pen.text((x - left, y - top), text, font=font, fill=255 if smooth else 1)
    cover = np.asarray(picture, dtype=float) / (255 if smooth else 1)
    return cover.T if sideways else cover


def drawn(plane, cover, pen_hu):
    return as_hu(plane * (1 - cover) + pen_hu * cover)


# the smallest size in the faintest pen is not promised
PROMISED = [(size, pen_hu) for size in SIZES for pen_hu in PENS_HU if (size, pen_hu) != (min(SIZES), min(PENS_HU))]


@pytest.mark.parametrize(("size", "pen_hu"), PROMISED)
@pytest.mark.parametrize("smooth", [True, False])
def test_a_name_is_found_in_every_corner(size, pen_hu, smooth):
    plane = body()
    assert all(has_text(drawn(plane, ink(NAME, size, place, smooth=smooth), pen_hu)) for place in PLACES)


def test_dates_numbers_and_sideways_text_are_found():
    plane = body()
    for text in ("12.03.1957", "ID 4711998", "Mustermann, Erika"):
        for sideways in (False, True):
            assert has_text(drawn(plane, ink(text, 12, sideways=sideways), 1000))


def test_text_is_found_in_noise_and_after_lossy_compression():
    smooth = drawn(body(), ink(size=16), 1000).astype(float)
    assert has_text(as_hu(smooth + np.random.default_rng(1).normal(0, 12, smooth.shape)))
    assert has_text(as_hu(ndimage.gaussian_filter(smooth, 0.5)))


def test_the_only_slice_with_text_is_named():
    volume = np.stack([as_hu(body(seed)) for seed in range(4)])
    volume[2] = drawn(volume[2], ink(), 1000)
    assert planes_with_text(volume) == [2]


def table(plane):
    y, x = np.mgrid[:SIDE, :SIDE]
    shell = np.abs(y - 225 - 0.0008 * (x - 128) ** 2) < 1.5
    ribs = (np.abs(y - 235) < 8) & (x % 24 < 2)
    return np.maximum(plane, ndimage.gaussian_filter(np.where(shell | ribs, 300.0, -1000.0), 0.8))


def cables(plane):
    picture = Image.new("L", (SIDE, SIDE))
    pen = ImageDraw.Draw(picture)
    for number in range(5):
        pen.line([(20 + 9 * number, 20), (60 + 20 * number, 45), (50 + 30 * number, 52)], fill=255, width=2)
        pen.ellipse([20 + 25 * number, 10, 24 + 25 * number, 14], fill=255)
    return np.maximum(plane, ndimage.gaussian_filter(np.asarray(picture) / 255 * 3000.0, 0.8) - 1000)


def metal(plane):
    y, x = np.mgrid[:SIDE, :SIDE]
    rods = np.zeros((SIDE, SIDE))
    for number in range(6):
        rods[(y - 30) ** 2 + (x - 30 - 20 * number) ** 2 < 36] = 1
    bright = np.maximum(plane, ndimage.gaussian_filter(rods * 12_000, 1.0) - 1000)
    angle = np.arctan2(y - 30, x - 80)
    return bright + 150 * np.cos(9 * angle) * np.exp(-np.hypot(y - 30, x - 80) / 60)


def field_of_view(plane):
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.where(np.hypot(y - 128, x - 128) > 127, -3024, plane)


def fingers(plane):
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(4):
        far = np.hypot((y - 20) / 1.3, x - 40 - 18 * number)
        finger = np.where(far < 8, 40 + (900 + 120 * number) * (np.abs(far - 3) < 1), -1000.0)
        plane = np.maximum(plane, ndimage.gaussian_filter(finger, 0.8))
    return plane


@pytest.mark.parametrize("thing", [table, cables, metal, field_of_view, fingers])
def test_what_a_scanner_sees_outside_the_body_is_no_text(thing):
    for seed in range(3):
        for noise_hu in (5, 40):
            assert not has_text(as_hu(thing(body(seed, noise_hu))))


@pytest.mark.parametrize("name", ["ircad01/ct.nii.gz", "hcc015/ct.nii.gz", "hcc048/ct.nii.gz"])
def test_real_scans_hold_no_text(shared_ct, name):
    volume, _ = read_volume(shared_ct(name))
    assert planes_with_text(np.maximum(volume, -1024)) == []


@pytest.mark.parametrize("name", ["ts_dicom20/dicom", "dcmqi_3slice/dicom"])
def test_real_scans_with_their_tables_hold_no_text(shared_ct, name):
    planes = [_hu(pydicom.dcmread(path)) for path in sorted(shared_ct(name).iterdir())]
    assert planes_with_text(np.stack(planes)) == []
    assert planes_with_text(np.stack([drawn(plane, _placed(plane.shape), 100) for plane in planes])) != []


def test_a_whole_real_series_holds_no_text(shared_ct):
    with lzma.open(shared_ct("hcc048/dicom_original.tar.xz")) as unpacked, tarfile.open(fileobj=unpacked) as archive:
        slices = [archive.extractfile(member) for member in archive if member.name.endswith(".dcm")]
        planes = [_hu(pydicom.dcmread(file)) for file in slices if file is not None]
    assert len(planes) == 89
    assert planes_with_text(np.stack(planes)) == []


def _hu(slice_):
    return as_hu(slice_.pixel_array * float(slice_.RescaleSlope) + float(slice_.RescaleIntercept))


def _placed(shape):
    cover = np.zeros(shape)
    cover[:SIDE, :SIDE] = ink()
    return cover


GRID = Grid((4, SIDE, SIDE), (3.0, 0.8, 0.8), (-100.0, -100.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def with_name():
    return np.stack([drawn(body(seed), ink(), 1000) for seed in range(4)])


def order(dataset, **options):
    return ImportOrder(dataset=dataset, created_by=dataset.owner, **options)


@pytest.mark.django_db
@pytest.mark.parametrize("says", ["NO", None])
def test_a_series_with_text_is_refused_whatever_its_tag_says_until_a_person_looked(tmp_path, says):
    changes = {"BurnedInAnnotation": says} if says else {}
    write_series(tmp_path / "in", with_name(), GRID, **changes)
    dataset = make_dataset()
    with pytest.raises(DomainError, match=r"drawn text lie outside the body in 4 of 4 slices \(1, 2, 3, 4, counted"):
        import_path(tmp_path / "in", order(dataset))
    assert not Scan.objects.exists()
    (scan,) = import_path(tmp_path / "in", order(dataset, text_looked_at=True)).save()
    (note,) = scan.import_report["notes"]
    assert f"{dataset.owner.username} confirmed" in note


@pytest.mark.django_db
def test_formats_without_tags_are_searched_too(tmp_path):
    path = write_file(tmp_path / "case_1.nii.gz", with_name(), GRID)
    with pytest.raises(DomainError, match="drawn text"):
        import_path(path, order(make_dataset()))


def test_slices_are_the_planes_with_square_pixels():
    def axis_of(*spacing_zyx_mm):
        return slice_axis(Grid((4, 4, 4), spacing_zyx_mm, GRID.origin_lps_mm, GRID.direction))

    assert [axis_of(3, 0.8, 0.8), axis_of(0.8, 3, 0.8), axis_of(0.8, 0.8, 3), axis_of(1, 1, 1)] == [0, 1, 2, 0]


@pytest.mark.django_db
@pytest.mark.parametrize("origin", [(731_000_000.0, 0.0, 0.0), (0.0, 0.0, 19_570_312.0)])
def test_a_place_that_no_scanner_has_is_refused_without_its_number(tmp_path, origin):
    grid = Grid(GRID.size_zyx, GRID.spacing_zyx_mm, origin, GRID.direction)
    path = write_file(tmp_path / "case_1.mha", np.stack([as_hu(body(seed)) for seed in range(4)]), grid)
    with pytest.raises(DomainError, match="larger than any scanner") as refused:
        import_path(path, order(make_dataset()))
    assert not {"731", "19570312"} & set(refused.value.message.split())


@pytest.mark.django_db
@pytest.mark.parametrize("by_api", [False, True])
def test_by_the_web_a_person_confirms_with_a_tick(client, tmp_path, by_api, django_capture_on_commit_callbacks):
    path = write_file(tmp_path / "case_1.nii.gz", with_name(), GRID)
    dataset = make_dataset()
    client.force_login(dataset.owner)
    address = reverse("datasets-api:dataset-imports" if by_api else "datasets:upload", args=[dataset.pk])
    for ticked in (False, True):
        fields = {"text_looked_at": "on" if not by_api else "true"} if ticked else {}
        with path.open("rb") as file, django_capture_on_commit_callbacks(execute=True):
            client.post(address, {"files": file, **fields})
        assert Scan.objects.count() == int(ticked)
    refused, done = Job.objects.order_by("created_at")
    assert (refused.status, done.status) == ("failed", "succeeded")
    assert "confirm that you looked" in refused.error


def slow_outside_body(plane):
    """The same by the general filters of scipy."""
    tissue, reach = plane[::2, ::2] > TISSUE_HU, BODY_OPENING_PX // 2
    labels, _ = ndimage.label(ndimage.minimum_filter(tissue, reach))
    large = np.bincount(labels.ravel()) >= SMALLEST_BODY * tissue.size
    large[0] = False
    body = ndimage.binary_fill_holes(ndimage.maximum_filter(large[labels], reach + 3))
    return ~np.repeat(np.repeat(body, 2, axis=0), 2, axis=1)[: plane.shape[0], : plane.shape[1]]


@pytest.mark.parametrize("shape", [(256, 256), (255, 301), (64, 513), (16, 16)])
def test_the_body_is_what_general_filters_find(shape):
    """Holes, several bodies, and bodies that end at the border of the picture."""
    random = np.random.default_rng(sum(shape))
    for smooth_px in (2, 5, 12):
        field = ndimage.gaussian_filter(random.normal(size=shape), smooth_px)
        for share in (30, 60, 90):
            plane = np.where(field > np.percentile(field, share), 40, -1000).astype(np.int16)
            assert np.array_equal(outside_body(plane), slow_outside_body(plane)), (smooth_px, share)


@pytest.mark.parametrize("diagonal", [False, True])
def test_shapes_are_what_a_general_labelling_finds(diagonal):
    random, structure = np.random.default_rng(0), np.ones((3, 3)) if diagonal else None
    masks = [random.random((37, 53)) < share for share in (0.0, 0.05, 0.4, 0.6, 0.95, 1.0)]
    masks += [np.indices((20, 21)).sum(axis=0) % 2 == 0, np.eye(30, dtype=bool) | np.eye(30, dtype=bool)[::-1]]
    for mask in masks:
        found, (labels, count) = shapes_of(mask, diagonal=diagonal), ndimage.label(mask, structure)
        assert found.count == count
        boxes = found.boxes()
        assert sorted(map(str, boxes)) == sorted(map(str, ndimage.find_objects(labels)))
        for shape, box in enumerate(boxes):
            here = np.unique(labels[box][found.mask(shape, box)])
            assert here.size == 1
            assert np.array_equal(found.drawn(np.arange(count) == shape), labels == here[0])
