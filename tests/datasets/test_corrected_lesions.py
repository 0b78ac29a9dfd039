"""Masks of lesions that a person corrects by brush: numbers, rows, and what keeps them as they are."""

from contextlib import nullcontext

import numpy as np
import pytest

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, Origin
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.corrected import correct_mask, take_back_correction
from ctplatform.datasets.scans.flips import Flips
from ctplatform.datasets.scans.measuring import lesion_measures
from ctplatform.datasets.scans.numbering import renumbered
from ctplatform.errors import ConflictError, DomainError
from readerstudy.models import Case, CaseTruth, Study, Template
from synthesis.edits.services import order_removal
from tests.factories import edited_here, make_dataset, make_generator, make_scan
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def scan():
    """Two lesions, in a liver."""
    grid = small_grid()
    labels = ball(grid, (3, 8, 10), 7).astype(np.uint8)
    labels[ball(grid, (3, 16, 24), 6) > 0] = 2
    made = make_scan(
        make_dataset(),
        grid=grid,
        origin=Origin.ACQUIRED,
        masks={MaskKind.LIVER: liver_box(grid, margin=2), MaskKind.LESION: labels},
    )
    made.lesions.filter(number=1).update(kind="cystic")
    return made


def mask_of(scan):
    return scan.masks.get(kind=MaskKind.LESION)


def labels_of(scan):
    return voxels.read_labels(mask_of(scan).pk, scan.geometry)


def correct(scan, turned):
    lengths = Flips.of_voxels(turned, scan.geometry).lengths.tolist()
    told = {"scan": scan, "user": scan.dataset.owner, "kind": MaskKind.LESION}
    return correct_mask(**told, base=mask_of(scan).pk, lengths=lengths)


def at(scan, *places):
    turned = np.zeros(scan.geometry.size_zyx, dtype=bool)
    for place in places:
        turned[place] = True
    return turned


def check_rows(scan):
    """Every lesion of the mask has its row, and none else, with what is measured of these very voxels."""
    volume, liver = voxels.read_volume(scan.pk, scan.geometry), scan.masks.get(kind=MaskKind.LIVER)
    parenchyma = voxels.read_labels(liver.pk, scan.geometry) > 0
    expected = lesion_measures(volume, scan.geometry, labels_of(scan), parenchyma)
    rows = scan.lesions.order_by("number")
    names = ("number", "diameter_mm", "volume_ml", "mean_hu", "contrast_hu")
    assert list(rows.values_list(*names)) == [tuple(getattr(one, name) for name in names) for one in expected]
    assert [row.centroid_lps_mm for row in rows] == [list(one.centroid_lps_mm) for one in expected]


def test_what_is_painted_at_a_lesion_belongs_to_it_and_its_row_follows(scan):
    before, rows = labels_of(scan), {row.number: row for row in scan.lesions.all()}
    grown = ball(scan.geometry, (3, 8, 10), 10).astype(bool) & (before == 0)
    correct(scan, grown)
    after = labels_of(scan)
    assert (after[grown] == 1).all()
    assert np.array_equal(after[~grown], before[~grown])
    check_rows(scan)
    first, second = scan.lesions.order_by("number")
    assert (first.pk, first.kind) == (rows[1].pk, "cystic")
    assert first.diameter_mm > rows[1].diameter_mm
    assert (second.pk, second.volume_ml) == (rows[2].pk, rows[2].volume_ml)


def test_a_lesion_is_drawn_erased_and_cut_in_two(scan):
    drawn = ball(scan.geometry, (2, 18, 8), 5).astype(bool)
    correct(scan, drawn)
    assert (labels_of(scan)[drawn] == 3).all()
    check_rows(scan)
    correct(scan, labels_of(scan) == 2)
    assert set(np.unique(labels_of(scan))) == {0, 1, 3}
    check_rows(scan)
    cut = labels_of(scan) == 1
    cut[:, :, :9], cut[:, :, 10:] = False, False
    correct(scan, cut)
    labels = labels_of(scan)
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert np.count_nonzero(labels == 1) > np.count_nonzero(labels == 2)
    check_rows(scan)
    assert scan.lesions.get(number=2).kind == ""


def test_a_lesion_in_two_pieces_stays_one_when_a_piece_is_trimmed():
    before = np.zeros((1, 5, 12), dtype=np.uint8)
    before[0, 1:4, :4] = before[0, 1:4, 8:] = 1
    trimmed = before > 0
    trimmed[0, 1, 0] = False
    assert set(np.unique(renumbered(before, trimmed))) == {0, 1}
    cut = before > 0
    cut[0, :, 2] = False
    after = renumbered(before, cut)
    assert [after[0, 2, x] for x in (0, 3, 8)] == [1, 2, 1]


def test_parts_that_were_joined_outside_of_what_is_left_come_apart():
    before = np.zeros((1, 6, 9), dtype=np.uint8)
    before[0, :4, 1:3] = before[0, :3, 6:8] = before[0, 4, 1:8] = before[0, 3, 6:8] = 1
    base = before > 0
    base[0, 3:] = False
    after = renumbered(before, base)
    assert {after[0, 0, 1], after[0, 0, 6]} == {1, 2}


def test_a_lesion_that_comes_back_is_of_its_kind_again(scan):
    correct(scan, labels_of(scan) == 1)
    assert not scan.lesions.filter(number=1).exists()
    take_back_correction(scan=scan, user=scan.dataset.owner, correction=mask_of(scan).corrections.first().pk)
    assert scan.lesions.get(number=1).kind == "cystic"
    take_back_correction(scan=scan, user=scan.dataset.owner, correction=mask_of(scan).corrections.first().pk)
    take_back_correction(scan=scan, user=scan.dataset.owner, correction=mask_of(scan).corrections.first().pk)
    assert scan.lesions.get(number=1).kind == "cystic"
    check_rows(scan)


def test_a_number_is_not_given_to_another_lesion_in_the_step_that_erases_its_own(scan):
    moved = (labels_of(scan) == 2) | ball(scan.geometry, (2, 18, 8), 5).astype(bool)
    correct(scan, moved)
    assert set(np.unique(labels_of(scan))) == {0, 1, 3}


def test_what_lies_between_two_goes_to_the_one_that_it_touches_more():
    before = np.zeros((1, 5, 12), dtype=np.uint8)
    before[0, 2, :4], before[0, 1:4, 8:] = 1, 2
    after = renumbered(before, (before > 0) | at_row(before, slice(4, 8)))
    assert (after[0, 2, 4:8] == 2).all()
    assert (after[before > 0] == before[before > 0]).all()
    many = np.arange(1, 511, dtype=np.int32).reshape(1, 1, 510)
    full = np.where(many % 2, (many + 1) // 2, 0).astype(np.uint8)
    full = np.concatenate([full, np.zeros((1, 4, 510), np.uint8)], axis=1)
    marked = full > 0
    marked[0, 4, 7] = True
    with pytest.raises(DomainError, match="255 lesions at most"):
        renumbered(full, marked)


def test_dust_is_refused(monkeypatch):
    before = np.zeros((1, 9, 9), dtype=np.uint8)
    before[0, 4, 4] = 1
    dust = np.zeros(before.shape, dtype=bool)
    dust[0, ::2, ::2] = True
    monkeypatch.setattr("ctplatform.datasets.scans.numbering.MOST_PARTS", 23)
    with pytest.raises(DomainError, match="24 separate pieces"):
        renumbered(before, dust)


def at_row(like, columns):
    marked = np.zeros(like.shape, dtype=bool)
    marked[0, 2, columns] = True
    return marked


def test_numbers_come_back_bit_for_bit(scan):
    states = [labels_of(scan)]
    cut = states[0] == 1
    cut[:, :, :9], cut[:, :, 10:] = False, False
    for turned in (cut, states[0] == 2):
        correct(scan, turned)
        states.append(labels_of(scan))
    last = mask_of(scan).corrections.first()
    take_back_correction(scan=scan, user=scan.dataset.owner, correction=last.pk)
    assert np.array_equal(labels_of(scan), states[1])
    again = mask_of(scan).corrections.first()
    assert (again.voxels_added, again.voxels_removed) == (last.voxels_removed, last.voxels_added)
    take_back_correction(scan=scan, user=scan.dataset.owner, correction=again.pk)
    assert np.array_equal(labels_of(scan), states[2])
    check_rows(scan)


def test_an_edited_scan_and_one_without_such_a_mask_are_refused(scan):
    masks = {kind: voxels.read_labels(scan.masks.get(kind=kind).pk, scan.geometry) for kind in ("liver", "lesion")}
    edit = make_scan(
        scan.dataset,
        origin=Origin.SYNTHETIC,
        provenance=edited_here(),
        source_scan=scan,
        grid=scan.geometry,
        masks={MaskKind(kind): labels for kind, labels in masks.items()},
    )
    with pytest.raises(ConflictError, match="belong to its edit"):
        correct(edit, at(edit, (3, 8, 10)))
    mask_of(scan).delete()
    told = {"scan": scan, "user": scan.dataset.owner, "kind": MaskKind.LESION}
    with pytest.raises(DomainError, match="no mask of lesions to correct"):
        correct_mask(**told, base=None, lengths=[0, 4])


def test_lesions_that_a_removal_names_stay_and_the_page_says_why(scan, client, stored_files):
    client.force_login(scan.dataset.owner)
    assert "data-lesions-stand" not in shown(client.get(scan.get_absolute_url()))
    generator = make_generator()
    order_removal(ordered_by=scan.dataset.owner, lesion=scan.lesions.first(), generator=generator, seed=1)
    before, files, rows = labels_of(scan), stored_files(), list(scan.lesions.values())
    with pytest.raises(ConflictError, match="removal of a lesion of this scan was ordered"):
        correct(scan, at(scan, (3, 8, 10)))
    assert np.array_equal(labels_of(scan), before)
    assert (stored_files(), list(scan.lesions.values())) == (files, rows)
    page = shown(client.get(scan.get_absolute_url()))
    assert "data-lesions-stand" in page
    assert "removal of a lesion of this scan was ordered" in page


def test_lesions_that_are_cases_stay(scan):
    study = Study.objects.create(
        owner=scan.dataset.owner, title="Trial", template=Template.INSERTED_LESIONS, question="?"
    )
    lesion = scan.lesions.get(number=2)
    case = Case.objects.create(study=study)
    place = {"place_lps_mm": lesion.centroid_lps_mm, "diameter_mm": 6}
    correct(scan, at(scan, (3, 8, 10)))
    CaseTruth.objects.create(case=case, synthetic=False, scan=scan, lesion=lesion, **place)
    with pytest.raises(ConflictError, match="after the lock it stays for good"):
        correct(scan, at(scan, (3, 8, 10)))
    last = mask_of(scan).corrections.first()
    with pytest.raises(ConflictError, match="is a case of a reader study"):
        take_back_correction(scan=scan, user=scan.dataset.owner, correction=last.pk)
    told = {"scan": scan, "user": scan.dataset.owner, "kind": MaskKind.LIVER}
    correct_mask(**told, base=scan.masks.get(kind=MaskKind.LIVER).pk, lengths=[0, 3])


def test_what_becomes_a_case_while_it_is_painted_stays(scan, monkeypatch, stored_files):
    """The guard is asked again where the rows are written."""
    from ctplatform.datasets.scans import added_masks

    files, asked = stored_files(), []

    def named_meanwhile(_scan):
        asked.append(_scan)
        if len(asked) > 1:
            raise ConflictError("A lesion of this scan is a case of a reader study.", code="lesions_stand")

    monkeypatch.setattr(added_masks, "_lesion_guards", [named_meanwhile])
    rows = list(scan.lesions.values())
    with pytest.raises(ConflictError, match="is a case"):
        correct(scan, at(scan, (3, 8, 10)))
    assert (stored_files(), list(scan.lesions.values())) == (files, rows)


def test_another_liver_meanwhile_is_a_conflict(scan, monkeypatch):
    measure = lesion_measures

    def slowly(*args):
        liver = scan.masks.get(kind=MaskKind.LIVER)
        told = {"scan": scan, "user": scan.dataset.owner, "kind": MaskKind.LIVER}
        monkeypatch.setattr("ctplatform.datasets.scans.corrected.lesion_measures", measure)
        correct_mask(**told, base=liver.pk, lengths=[0, 3])
        return measure(*args)

    # In another process.
    monkeypatch.setattr("ctplatform.datasets.scans.corrected._whole_volumes", nullcontext())
    monkeypatch.setattr("ctplatform.datasets.scans.corrected.lesion_measures", slowly)
    with pytest.raises(ConflictError, match="changed a mask of this scan meanwhile"):
        correct(scan, at(scan, (3, 8, 10)))
    assert Lesion.objects.filter(scan=scan).count() == 2
