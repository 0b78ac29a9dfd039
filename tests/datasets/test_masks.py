"""What masks hold, by their names and their numbers; what is not understood is asked, never guessed."""

import numpy as np
import pytest
import SimpleITK
from pydicom.sr.codedict import codes

from ctplatform.datasets.importing.said import labels_of, spacing_of
from ctplatform.datasets.importing.structures import Says, meaning_of
from ctplatform.datasets.kinds import MaskKind
from ctplatform.errors import DomainError
from tests.datasets.files import to_sitk, write_dicom_seg, write_file, write_series
from tests.datasets.layouts import GRID, KIDNEY, LESION, LIVER, SECOND_LESION, SPLEEN, VESSEL, ct, labelled
from tests.datasets.reading import Read, masks_of, notes_of
from tests.phantoms import small_ct

KINDS = {
    MaskKind.LIVER: "liver Leber case7_liver liver_GT_000 p12-liver mask_liver_reader2 healthy_liver",
    MaskKind.LESION: """lesion_1 lesions tumor livertumor1 liver_tumor livertumors metastases HCC Läsion lesion_pv_final
        segmentation_Tumour01 LiverTumor""",
    MaskKind.VESSEL: "vessels portalvein portal_vein_and_splenic_vein venoussystem liver_vessels hepaticvessel HepaticVein",
}
OTHERS = """spleen liver_cyst livercyst liverkyst vertebrae_L1 leftkidney kidney_tumor lung_lesion liver_segment_4
    liver_lobe_left Liver_Remnant inferior_vena_cava venacava artery gallbladder leftsurretumor tumor_thrombus
    hepatic_artery bile_duct Leberzyste Nierentumor"""


@pytest.mark.parametrize(("kind", "names"), KINDS.items())
def test_names_of_what_is_wanted(kind, names):
    assert {name: meaning_of(name).kind for name in names.split()} == dict.fromkeys(names.split(), kind)


def test_names_of_something_else():
    assert {name: meaning_of(name).says for name in OTHERS.split()} == dict.fromkeys(OTHERS.split(), Says.OTHER)


@pytest.mark.parametrize(
    "name", ["liver_mueller", "prostata", "liver_and_tumor", "tumor_without_liver", "hepatic", "body"]
)
def test_names_that_are_unclear(name):
    assert meaning_of(name).says is Says.UNCLEAR
    assert "mueller" not in meaning_of(name).name


def scan_with(tmp_path, masks, **words):
    """A ct.nii.gz and masks by their names; returns the scan as read from one folder."""
    ct(tmp_path / "in", "ct.nii.gz")
    for name, mask in masks.items():
        write_file(tmp_path / f"in/{name}.nii.gz", mask, GRID)
    return Read(tmp_path / "in", **words).only


FIELD = [
    ({"liver": LIVER, "tumor": LESION}, {"liver": LIVER, "lesion": LESION}),
    ({"lesions": LESION}, {"lesion": LESION}),
    ({"liver": LIVER, "lesions": LESION}, {"liver": LIVER, "lesion": LESION}),
    ({"liver": LIVER, "livertumor1": LESION}, {"liver": LIVER, "lesion": LESION}),
    ({"liver": LIVER, "spleen": SPLEEN, "vertebrae_L1": KIDNEY}, {"liver": LIVER}),
    ({"liver_cyst": LESION}, {}),
]


@pytest.mark.parametrize("place", ["masks", "segmentations", "labels", ""])
@pytest.mark.parametrize(("masks", "expected"), FIELD)
def test_a_name_counts_in_every_folder_and_in_the_field_masks(tmp_path, masks, expected, place):
    """The field “Masks” of the upload page is such a folder; the tumour became the liver there."""
    path = ct(tmp_path / "in", "ct.nii.gz")
    apart = tmp_path / "apart" if place == "" else tmp_path / "in" / place
    for name, mask in masks.items():
        write_file(apart / f"{name}.nii.gz", mask, GRID)
    scan = Read(path, masks=apart).only if place == "" else Read(tmp_path / "in").only
    found = masks_of(scan)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[kind], mask) for kind, mask in expected.items())


def test_lesions_of_several_files_are_numbered(tmp_path):
    scan = scan_with(tmp_path, {"liver": LIVER, "lesion_1": LESION, "lesion_2": SECOND_LESION})
    assert np.array_equal(scan.masks["lesion"], np.where(LESION, 1, np.where(SECOND_LESION, 2, 0)))
    assert np.array_equal(scan.masks["liver"] > 0, LIVER)


def test_masks_of_vessels_are_united(tmp_path):
    other = np.roll(VESSEL, 4, axis=1)
    scan = scan_with(tmp_path, {"portalvein": VESSEL, "hepatic_vein": other})
    assert np.array_equal(scan.masks["vessel"], (VESSEL | other).astype(np.uint8))


def test_a_mask_that_repeats_another_is_told(tmp_path):
    scan = scan_with(tmp_path, {"lesions": LESION, "tumor": LESION})
    assert np.array_equal(scan.masks["lesion"] > 0, LESION)
    assert "belong to another mask" in notes_of(scan)


def test_numbered_lesions_keep_their_numbers(tmp_path):
    scan = scan_with(tmp_path, {"lesions": np.where(LESION, 3, np.where(SECOND_LESION, 7, 0)).astype(np.uint8)})
    assert sorted(np.unique(scan.masks["lesion"])) == [0, 3, 7]


def test_lesions_numbered_above_255(tmp_path):
    numbers = np.where(LESION, 300, np.where(SECOND_LESION, 1200, 0)).astype(np.int16)
    scan = scan_with(tmp_path, {"lesions": numbers})
    assert np.array_equal(scan.masks["lesion"], np.where(LESION, 1, np.where(SECOND_LESION, 2, 0)))


@pytest.mark.parametrize("name", ["labels", "segmentation", "ct_seg"])
def test_label_2_alone_is_a_lesion_and_no_liver(tmp_path, name):
    scan = scan_with(tmp_path, {name: labelled(l2=LESION)})
    assert np.array_equal(masks_of(scan)["lesion"], LESION)
    assert "liver" not in scan.masks
    assert "no voxel of it is labelled as liver" in notes_of(scan)


ASKED = [
    ("labels", {"l1": LIVER, "l2": LESION, "l3": SPLEEN}, "1, 2, 3"),
    ("segmentation", {"l1": LIVER, "l255": LESION}, "1, 255"),
    ("liver", {"l1": LIVER, "l2": LESION}, "1, 2"),
    ("livertumor", {"l1": LIVER, "l2": LESION}, "1, 2"),
    ("vessels", {"l1": VESSEL, "l2": LESION}, "1, 2"),
    ("mask", {"l5": LIVER}, "5"),
]


@pytest.mark.parametrize(("name", "drawn", "listed"), ASKED)
def test_labels_that_nothing_explains_are_asked(tmp_path, name, drawn, listed):
    scan = scan_with(tmp_path, {name: labelled(**drawn)})
    assert scan.masks == {}
    assert f"abels {listed}" in notes_of(scan).replace("labels are", "labels")
    assert "--labels" in notes_of(scan)


def test_an_answer_explains_them(tmp_path):
    labels = labelled(l6=LIVER, l9=LESION, l3=SPLEEN)
    scan = scan_with(tmp_path, {"labels": labels}, labels="6=liver, 9=tumour")
    assert np.array_equal(masks_of(scan)["liver"], LIVER | LESION)
    assert np.array_equal(masks_of(scan)["lesion"], LESION)
    assert "label 3 in it was not used" in notes_of(scan)


def test_an_unclear_name_is_asked_and_not_shown(tmp_path):
    path = ct(tmp_path / "in", "ct.nii.gz")
    mask = write_file(tmp_path / "apart/Prostata_Mueller.nii.gz", LIVER, GRID)
    scan = Read(path, masks=mask).only
    assert scan.masks == {}
    assert "words that aren't understood" in notes_of(scan)
    assert "ueller" not in str(scan.report)
    assert np.array_equal(masks_of(Read(path, masks=mask, labels="1=liver").only)["liver"], LIVER)


@pytest.mark.parametrize("text", ["1", "1=spleen", "1=", "0=liver", "1=liver,1=lesion", "liver=1", "70000=liver"])
def test_answers_that_are_none(text):
    with pytest.raises(DomainError, match=r"label|stands for"):
        labels_of(text)


@pytest.mark.parametrize("text", ["1", "1 2 3", "0 0 1", "a b c", "0.5 0.5 nan", "1e9 1e9 1"])
def test_spacings_that_are_none(text):
    with pytest.raises(DomainError, match="spacing"):
        spacing_of(text)


def written(tmp_path, name, array):
    ct(tmp_path / "in", "ct.nii.gz")
    SimpleITK.WriteImage(to_sitk(array, GRID), str(tmp_path / f"in/{name}.nii.gz"))
    return Read(tmp_path / "in").only


def test_labels_stored_as_floats(tmp_path):
    scan = written(tmp_path, "labels", labelled(l1=LIVER, l2=LESION).astype(np.float64))
    assert np.array_equal(masks_of(scan)["lesion"], LESION)


def test_probabilities_are_cut_at_a_half_and_told(tmp_path):
    scan = written(tmp_path, "liver_prob", np.where(LIVER, 0.8, np.where(VESSEL | SPLEEN, 0.3, 0.0)).astype(np.float32))
    assert np.array_equal(masks_of(scan)["liver"], LIVER)
    assert "cut at one half" in notes_of(scan)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(1.4, "fractions between"), (-1.0, "negative labels"), (np.nan, "no numbers"), (1e6, "no label map")],
)
def test_numbers_that_are_no_labels(tmp_path, value, reason):
    scan = written(tmp_path, "liver", np.where(LESION, value, LIVER).astype(np.float32))
    assert scan.masks == {}
    assert reason in notes_of(scan)


def test_an_empty_mask_is_told(tmp_path):
    scan = scan_with(tmp_path, {"liver": LIVER, "lesions": np.zeros_like(LIVER)})
    assert masks_of(scan).keys() == {"liver"}
    assert "no voxel carries a label" in notes_of(scan)


def test_a_mask_that_lies_partly_outside_is_told(tmp_path):
    part = GRID.crop((slice(0, 6), slice(8, 32), slice(0, 40)))
    ct_part = small_ct(GRID)[:, 8:]
    write_file(tmp_path / "in/ct.nii.gz", ct_part, part)
    write_file(tmp_path / "in/liver.nii.gz", LIVER, GRID)
    scan = Read(tmp_path / "in").only
    assert np.array_equal(masks_of(scan)["liver"], LIVER[:, 8:])
    assert "lies outside the scan" in notes_of(scan)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_fractional_segmentation_is_cut_at_a_half(tmp_path, share):
    """A liver was 4.9 times too large where every share above nothing counted."""
    headers = write_series(tmp_path / "in", small_ct(GRID), GRID)
    drawn = {"Liver": np.where(LIVER, 1.0, np.where(SPLEEN, share, 0.0))}
    write_dicom_seg(tmp_path / "in/seg.dcm", headers, drawn, fractional=True)
    scan = Read(tmp_path / "in").only
    assert np.array_equal(masks_of(scan)["liver"], LIVER | SPLEEN if share > 0.5 else LIVER)
    assert "cut at one half" in notes_of(scan)


def test_segments_of_something_else(tmp_path):
    headers = write_series(tmp_path / "in", small_ct(GRID), GRID)
    drawn = {
        "Liver": LIVER,
        "Liver cyst": LESION,
        "Tumour 1": LESION,
        "Tumour 2": SECOND_LESION,
        "Kidney tumor": KIDNEY,
    }
    types = {"Liver": codes.SCT.Liver, "Liver cyst": codes.SCT.Liver}
    write_dicom_seg(tmp_path / "in/seg.dcm", headers, drawn, types=types)
    scan = Read(tmp_path / "in").only
    assert np.array_equal(masks_of(scan)["liver"], LIVER)
    assert np.array_equal(scan.masks["lesion"], np.where(LESION, 1, np.where(SECOND_LESION, 2, 0)))
    assert "liver cyst, kidney tumor" in notes_of(scan)


def test_masks_without_a_scan_are_refused_once(tmp_path):
    for number in range(5):
        write_file(tmp_path / f"in/segmentation-{number}.nii.gz", LIVER, GRID)
    assert Read(tmp_path / "in").refusals == [("mask file (5 files)", "It is a mask; its scan is not here.")]


def slicer(path, array, names):
    """A segmentation of 3D Slicer: the names of its segments stand in the header."""
    image = to_sitk(array, GRID)
    for number, name in enumerate(names):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", str(number + 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["Kidney"], set()),
        (["Segment_1"], {"liver"}),
        (["tumour", "liver"], {"lesion", "liver"}),
        (["Erika", "liver"], {"liver"}),
    ],
)
def test_segments_that_a_file_names_itself(tmp_path, names, kinds):
    ct(tmp_path / "in", "ct.nii.gz")
    array = labelled(l1=LESION) if len(names) == 1 else labelled(l2=LIVER, l1=LESION)
    slicer(tmp_path / "in/Segmentation.seg.nrrd", array, names)
    scan = Read(tmp_path / "in").only
    assert masks_of(scan).keys() == kinds
    assert "Erika" not in str(scan.report)


def test_organs_beside_a_dicom_series_are_masks(tmp_path):
    """TotalSegmentator's output in a folder of any name."""
    write_series(tmp_path / "in/dicom", small_ct(GRID), GRID)
    for name, mask in {"liver": LIVER, "spleen": SPLEEN, "vertebrae_L1": KIDNEY}.items():
        write_file(tmp_path / f"in/out/{name}.nii.gz", mask, GRID)
    scan = Read(tmp_path / "in").only
    assert masks_of(scan).keys() == {"liver"}
    assert "2 masks of other structures were not used: spleen, vertebrae" in notes_of(scan)
