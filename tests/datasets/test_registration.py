import gzip

import numpy as np
import pytest
from django.core.files.storage import default_storage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, MadeBy, Mask, Origin, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.corrected import correct_mask
from ctplatform.datasets.scans.edited import Edit, register_edited_scan, store_edited_scan
from ctplatform.datasets.scans.registration import DuplicateScanError, register_scan, store_scan
from tests.factories import edited_here, make_dataset, make_scan
from tests.phantoms import ball, liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def with_lesions():
    """A scan with a liver and lesions number 1 and 2, 3 being free."""
    grid = small_grid((12, 40, 40))
    volume = small_ct(grid, seed=5)
    liver = liver_box(grid, margin=4)
    lesions = np.zeros(grid.size_zyx, np.uint8)
    for number, centre in enumerate([(3, 12, 12), (8, 27, 27)], start=1):
        lesions[ball(grid, centre, 10)] = number
    volume[lesions > 0] -= 50
    return make_scan(
        grid=grid,
        volume=volume,
        masks={MaskKind.LIVER: liver, MaskKind.LESION: lesions},
        lesion_kinds={1: "cystic"},
        masks_made_by=MadeBy.PHANTOM,
    )


@st.composite
def boxes(draw, size_zyx):
    sides = []
    for size in size_zyx:
        start = draw(st.integers(0, size - 1))
        sides.append(slice(start, draw(st.integers(start + 1, size))))
    return tuple(sides)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_box_reads_back_what_was_written(data):
    grid = small_grid((4, 9, 7), oblique=True)
    seed = data.draw(st.integers(0, 2**32 - 1))
    volume = np.random.default_rng(seed).integers(-1024, 3072, grid.size_zyx).astype(np.int16)
    box = data.draw(boxes(grid.size_zyx))
    scan = make_scan(grid=grid, volume=volume, masks={MaskKind.LIVER: volume > 0})
    assert np.array_equal(voxels.read_box(scan.pk, grid, box), volume[box])
    assert np.array_equal(voxels.read_labels_box(scan.masks.get().pk, grid, box), volume[box] > 0)


def test_geometry_survives_the_database():
    grid = small_grid(oblique=True)
    scan = Scan.objects.get(pk=make_scan(grid=grid).pk)
    assert scan.geometry == grid
    assert (scan.slices, scan.slice_spacing_mm, scan.pixel_spacing_mm) == (6, 3.0, 1.25)


def test_lesions_are_measured_against_the_liver_around_them(with_lesions):
    first, second = with_lesions.lesions.all()
    assert (first.kind, second.kind) == ("cystic", "")
    assert first.contrast_hu == pytest.approx(-50, abs=4)
    assert first.diameter_mm == pytest.approx(10, abs=1)
    assert with_lesions.geometry.to_voxel(second.centroid_lps_mm) == pytest.approx([8, 27, 27], abs=0.1)
    assert first.volume_ml == pytest.approx(np.pi / 6 * first.diameter_mm**3 / 1000)


def test_lesions_of_an_unnumbered_mask_are_numbered_from_the_largest():
    grid = small_grid((12, 40, 40))
    mask = ball(grid, (3, 10, 10), 6) | ball(grid, (8, 28, 28), 12)
    scan = make_scan(grid=grid, masks={MaskKind.LESION: mask})
    assert [lesion.number for lesion in scan.lesions.all()] == [1, 2]
    assert scan.lesions.get(number=1).diameter_mm > scan.lesions.get(number=2).diameter_mm
    assert scan.lesions.get(number=1).contrast_hu is None


def test_equal_voxels_are_refused_once_per_dataset():
    grid = small_grid()
    first = make_scan(grid=grid, volume=small_ct(grid), name="the first")
    with pytest.raises(DuplicateScanError, match="the first"):
        make_scan(first.dataset, grid=grid, volume=small_ct(grid), name="the second")
    assert make_scan(grid=grid, volume=small_ct(grid)).content_digest == first.content_digest


def test_of_two_stored_at_once_one_is_saved(stored_files, django_capture_on_commit_callbacks):
    grid, dataset = small_grid(), make_dataset()
    arguments = {"dataset": dataset, "subject": "s", "origin": Origin.PHANTOM, "created_by": dataset.owner}
    both = [store_scan(name=name, volume=small_ct(grid), grid=grid, **arguments) for name in "ab"]
    both[0].save()
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(DuplicateScanError):
        both[1].save()
    assert {name.split("/")[2] for name in stored_files() if "/scans/" in name} == {str(both[0].scan.pk)}


def test_a_taken_name_gets_a_number():
    first = make_scan(name="liver")
    assert make_scan(first.dataset, name="liver").name == "liver (2)"
    assert make_scan(first.dataset, name="liver").name == "liver (3)"


@pytest.mark.parametrize("after", [0, 3, 7, 14])
def test_nothing_is_half_stored_when_the_storage_fails(monkeypatch, stored_files, after):
    dataset, save, calls = make_dataset(), voxels.save_bytes, []

    def failing(key, content):
        calls.append(key)
        if len(calls) > after:
            raise OSError("disk full")
        save(key, content)

    monkeypatch.setattr(voxels, "save_bytes", failing)
    grid = small_grid()
    with pytest.raises(OSError, match="disk full"):
        make_scan(dataset, grid=grid, masks={MaskKind.LIVER: liver_box(grid), MaskKind.LESION: liver_box(grid, 9)})
    assert stored_files() == set()
    assert [model.objects.count() for model in (Scan, Mask, Lesion)] == [0, 0, 0]


def test_nothing_is_half_stored_when_the_database_refuses(
    monkeypatch, stored_files, django_capture_on_commit_callbacks
):
    def refuse(*args, **kwargs):
        raise RuntimeError("connection lost")

    monkeypatch.setattr(Lesion.objects, "bulk_create", refuse)
    dataset = make_dataset()
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
        make_scan(dataset)
    assert stored_files() == set()
    assert not Scan.objects.exists()


@pytest.mark.parametrize(("dtype", "shape"), [(np.float32, (6, 24, 32)), (np.int16, (6, 24, 31))])
def test_other_arrays_are_refused(dtype, shape):
    dataset = make_dataset()
    with pytest.raises(ValueError, match="int16"):
        make_scan(dataset, volume=np.zeros(shape, dtype))


def small_edit(scan, *, start=(2, 10, 10), shape=(3, 8, 8), **parts):
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    content = voxels.read_box(scan.pk, scan.geometry, box) - 40
    changed = np.ones(shape, bool)
    return Edit(box_start_zyx=start, content=content.astype(np.int16), changed=changed, **parts)


def test_outside_the_box_an_edited_scan_equals_its_source_byte_for_byte(with_lesions):
    edit = small_edit(with_lesions)
    result = register_edited_scan(
        source=with_lesions, edit=edit, provenance=edited_here(), name="edited", created_by=with_lesions.created_by
    )
    before = voxels.read_volume(with_lesions.pk, with_lesions.geometry)
    after = voxels.read_volume(result.pk, result.geometry)
    assert np.array_equal(after[edit.box], edit.content)
    after[edit.box] = before[edit.box]
    assert np.array_equal(after, before)
    for index in set(range(12)) - {2, 3, 4}:
        source = voxels.load_bytes(voxels.scan_slice_key(with_lesions.pk, index))
        assert voxels.load_bytes(voxels.scan_slice_key(result.pk, index)) == source
    assert result.geometry == with_lesions.geometry
    assert (result.origin, result.subject, result.source_scan) == (
        Origin.SYNTHETIC,
        with_lesions.subject,
        with_lesions,
    )


def test_the_digest_of_an_edited_scan_is_that_of_its_voxels(with_lesions):
    result = register_edited_scan(
        source=with_lesions,
        edit=small_edit(with_lesions),
        provenance=edited_here(),
        name="e",
        created_by=with_lesions.created_by,
    )
    volume = voxels.read_volume(result.pk, result.geometry)
    assert result.content_digest == voxels.content_digest(volume, result.geometry)


def test_an_inserted_lesion_takes_the_next_number(with_lesions):
    inserted = np.zeros((3, 8, 8), bool)
    inserted[1, 5:8, 5:8] = True
    edit = small_edit(with_lesions, start=(8, 8, 8), inserted=inserted, inserted_kind="cystic")
    result = register_edited_scan(
        source=with_lesions, edit=edit, provenance=edited_here(), name="e", created_by=with_lesions.created_by
    )
    rows = {lesion.number: lesion for lesion in result.lesions.all()}
    assert sorted(rows) == [1, 2, 3]
    assert (rows[3].inserted, rows[3].kind, rows[1].inserted) == (True, "cystic", False)
    assert rows[1].measurements == with_lesions.lesions.get(number=1).measurements
    masks = {mask.kind: mask for mask in result.masks.all()}
    assert sorted(masks) == ["changed", "lesion", "liver"]
    changed = voxels.read_labels(masks["changed"].pk, result.geometry)
    assert changed.sum() == 3 * 8 * 8
    assert changed[edit.box].all()
    labels = voxels.read_labels(masks["lesion"].pk, result.geometry)
    assert np.array_equal(labels[edit.box] == 3, inserted)


def test_a_removed_lesion_is_gone_and_the_others_keep_their_numbers(with_lesions):
    mask = voxels.read_labels(with_lesions.masks.get(kind="lesion").pk, with_lesions.geometry)
    start, shape = (0, 5, 5), (7, 15, 15)
    removed = (mask == 1)[0:7, 5:20, 5:20]
    edit = small_edit(with_lesions, start=start, shape=shape, removed=removed)
    result = register_edited_scan(
        source=with_lesions, edit=edit, provenance=edited_here(), name="e", created_by=with_lesions.created_by
    )
    assert [lesion.number for lesion in result.lesions.all()] == [2]
    labels = voxels.read_labels(result.masks.get(kind="lesion").pk, result.geometry)
    assert np.array_equal(labels, np.where(mask == 1, 0, mask))


def test_an_insertion_works_where_no_lesion_was_known():
    source = make_scan()
    inserted = np.ones((3, 8, 8), bool)
    edit = small_edit(source, inserted=inserted)
    result = register_edited_scan(
        source=source, edit=edit, provenance=edited_here(), name="e", created_by=source.created_by
    )
    lesion = result.lesions.get()
    assert (lesion.number, lesion.inserted) == (1, True)
    assert result.masks.get(kind="lesion").made_by == MadeBy.SYNTHESIS


def test_an_edit_of_a_scan_whose_liver_was_corrected_says_so(with_lesions):
    owner, liver = with_lesions.dataset.owner, with_lesions.masks.get(kind="liver")
    correct_mask(scan=with_lesions, user=owner, kind=MaskKind.LIVER, base=liver.pk, lengths=[0, 4])
    result = register_edited_scan(
        source=with_lesions, edit=small_edit(with_lesions), provenance=edited_here(), name="e", created_by=owner
    )
    assert result.masks.get(kind="liver").note == f"corrected by {owner.username}"


def test_the_same_edit_twice_is_one_scan(with_lesions, stored_files):
    arguments = {"source": with_lesions, "edit": small_edit(with_lesions), "created_by": with_lesions.created_by}
    register_edited_scan(name="one", provenance=edited_here(), **arguments)
    files = stored_files()
    with pytest.raises(DuplicateScanError, match="one"):
        store_edited_scan(name="two", provenance=edited_here(), **arguments)
    assert stored_files() == files


def test_the_thumbnail_is_a_picture_in_true_proportions():
    from PIL import Image

    scan = make_scan(grid=small_grid((6, 24, 48)))
    with default_storage.open(voxels.thumbnail_key(scan.pk)) as file:
        picture = Image.open(file)
        assert picture.size == (256, 128)
        low, high = picture.getextrema()
    assert low < 20
    assert high > 100


def test_slices_are_stored_in_the_form_in_which_they_travel():
    grid = small_grid()
    volume = small_ct(grid)
    scan = make_scan(grid=grid, volume=volume)
    content = gzip.decompress(voxels.load_bytes(voxels.scan_slice_key(scan.pk, 4)))
    assert content == volume[4].astype("<i2").tobytes()


def test_register_scan_takes_the_arguments_of_store_scan():
    with pytest.raises(TypeError, match="volume"):
        register_scan(dataset=None)
