"""The public sets that people have: the right masks, untouched, and a word about everything that isn't used."""

import numpy as np
import pytest

from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.models import Lesion
from tests.datasets import layouts
from tests.datasets.files import write_dicom_seg, write_series
from tests.datasets.layouts import GRID, LESION, LIVER, SECOND_LESION, VESSEL
from tests.datasets.reading import Read, masks_of, notes_of
from tests.factories import make_dataset
from tests.phantoms import small_ct


def assert_masks(scan, **expected):
    found = masks_of(scan)
    assert found.keys() == expected.keys()
    for kind, mask in expected.items():
        assert np.array_equal(found[kind], mask), kind


def test_lits(tmp_path):
    layouts.lits(tmp_path)
    assert_masks(Read(tmp_path).only, liver=LIVER | LESION, lesion=LESION)


@pytest.mark.parametrize("decathlon", [False, True])
def test_the_lits_cases_whose_affine_is_lost(tmp_path, decathlon):
    """A lesion of 84 ml would become one of 162 ml."""
    layouts.lits_without_affine(tmp_path, decathlon=decathlon)
    asked = Read(tmp_path)
    assert asked.scans == []
    assert "gives no spacing of its own" in asked.reasons
    assert "28 to 47" in asked.reasons
    for spacing in ("0.57 0.57 1.6", "1.6, 0.57, 0.57"):
        scan = Read(tmp_path, spacing=spacing).only
        assert scan.grid.spacing_zyx_mm == (1.6, 0.57, 0.57)
        assert "were given at the import" in notes_of(scan)
        assert int((scan.masks["lesion"] > 0).sum()) == LESION.sum()
        assert int((scan.masks["liver"] > 0).sum()) == (LIVER | LESION).sum()


def test_a_spacing_that_is_there_is_not_replaced(tmp_path):
    layouts.lits(tmp_path)
    assert Read(tmp_path, spacing="1 1 5").only.grid.spacing_zyx_mm == GRID.spacing_zyx_mm


@pytest.mark.parametrize("described", [True, False])
def test_decathlon_liver(tmp_path, described):
    layouts.decathlon(tmp_path, "Task03_Liver", described=described)
    assert_masks(Read(tmp_path).only, liver=LIVER | LESION, lesion=LESION)


@pytest.mark.parametrize("described", [True, False])
def test_decathlon_vessels_are_no_liver(tmp_path, described):
    layouts.decathlon(tmp_path, "Task08_HepaticVessel", described=described)
    assert_masks(Read(tmp_path).only, vessel=VESSEL & ~LESION, lesion=LESION)


@pytest.mark.parametrize(
    ("task", "described"), [("Task07_Pancreas", True), ("Task07_Pancreas", False), ("Task06_Lung", True)]
)
def test_a_tumour_of_another_organ_is_no_lesion_of_the_liver(tmp_path, task, described):
    layouts.decathlon(tmp_path, task, described=described)
    scan = Read(tmp_path).only
    assert_masks(scan)
    assert "nothing of the liver" in notes_of(scan)


def test_totalsegmentator(tmp_path):
    layouts.totalsegmentator(tmp_path, "s0001")
    layouts.totalsegmentator(tmp_path, "s0002")
    read = Read(tmp_path)
    assert read.refusals == []
    assert len(read.scans) == 2
    for scan in read.scans:
        assert_masks(scan, liver=LIVER, vessel=VESSEL)
        assert f"{len(layouts.TOTALSEGMENTATOR) - 2} masks of other structures were not used" in notes_of(scan)
        assert "adrenal gland left, aorta" in notes_of(scan)


def test_totalsegmentator_with_the_masks_given_apart(tmp_path):
    layouts.totalsegmentator(tmp_path)
    scan = Read(tmp_path / "s0001/ct.nii.gz", masks=tmp_path / "s0001/segmentations").only
    assert_masks(scan, liver=LIVER, vessel=VESSEL)


@pytest.mark.parametrize("described", [True, False])
def test_amos(tmp_path, described):
    layouts.amos(tmp_path, described=described)
    read = Read(tmp_path)
    (scan,) = read.scans
    assert_masks(scan, liver=LIVER & ~VESSEL)
    assert "MRI" in read.reasons
    assert "spleen" in notes_of(scan)


def test_btcv(tmp_path):
    layouts.btcv(tmp_path)
    scan = Read(tmp_path).only
    assert_masks(scan, liver=LIVER & ~VESSEL, vessel=VESSEL)
    assert "read by BTCV" in notes_of(scan)


def test_flare22(tmp_path):
    layouts.flare22(tmp_path)
    scan = Read(tmp_path).only
    assert_masks(scan, liver=LIVER)
    assert "left kidney" in notes_of(scan)


def test_kits_has_no_liver(tmp_path):
    layouts.kits(tmp_path)
    scan = Read(tmp_path).only
    assert_masks(scan)
    assert "kidney" in notes_of(scan)


def test_chaos_ct(tmp_path):
    layouts.chaos_ct(tmp_path)
    assert_masks(Read(tmp_path).only, liver=LIVER)


@pytest.mark.parametrize("placed", [True, False])
def test_ircadb(tmp_path, placed):
    layouts.ircadb(tmp_path, placed=placed)
    read = Read(tmp_path)
    (scan,) = read.scans
    assert_masks(scan, liver=LIVER, lesion=LESION | SECOND_LESION, vessel=VESSEL)
    assert sorted(np.unique(scan.masks["lesion"])) == [0, 1, 2]
    assert "7 masks of other structures were not used" in notes_of(scan)
    assert "liver cyst" in notes_of(scan)
    ((label, reason),) = read.refusals
    assert label == "LABELLED_DICOM (6 files)"
    assert "MASKS_DICOM" in reason


def test_sliver07(tmp_path):
    layouts.sliver07(tmp_path)
    assert_masks(Read(tmp_path).only, liver=LIVER)


def test_hcc_tace_seg(tmp_path):
    """TCIA, doi 10.7937/TCIA.5FNA-0924: one segmentation with the segments liver, mass, portal vein, aorta."""
    headers = write_series(tmp_path / "in", small_ct(GRID), GRID)
    segments = {"Liver": LIVER & ~LESION, "Mass": LESION, "Portal vein": VESSEL, "Abdominal aorta": layouts.KIDNEY}
    write_dicom_seg(tmp_path / "in/seg.dcm", headers, segments)
    scan = Read(tmp_path / "in").only
    assert_masks(scan, liver=LIVER & ~LESION, lesion=LESION, vessel=VESSEL)
    assert "aorta" in notes_of(scan)


@pytest.mark.django_db
def test_layouts_through_the_confined_reader(tmp_path):
    """Pictures, numbered slices and descriptions are read by a process that can load nothing late."""
    layouts.chaos_ct(tmp_path / "chaos")
    layouts.ircadb(tmp_path / "ircadb")
    layouts.decathlon(tmp_path / "msd", "Task08_HepaticVessel")
    expected = {"chaos": {"liver"}, "ircadb": {"liver", "lesion", "vessel"}, "msd": {"lesion", "vessel"}}
    for name, kinds in expected.items():
        dataset = make_dataset()
        outcome = import_path(tmp_path / name, ImportOrder(dataset=dataset, created_by=dataset.owner))
        (scan,) = outcome.save()
        assert {mask.kind for mask in scan.masks.all()} == kinds, outcome.reasons()
    assert Lesion.objects.count() == 3  # two numbered ones of 3D-IRCADb, one of the Decathlon
