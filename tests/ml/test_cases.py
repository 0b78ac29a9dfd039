import numpy as np
import pytest

from ml.errors import TrainingError, VolumeError
from ml.phantom import PhantomConfig, make_phantom
from ml.phantom.__main__ import write_phantom
from ml.scans.cases import case_files, find_cases, load_case, load_cases, load_twin
from ml.scans.volume_io import write_volume


@pytest.fixture(scope="module")
def small():
    return make_phantom(3, PhantomConfig(size_zyx=(12, 96, 96), phase="portal", lesion_count=4))


def tissue(phantom):
    return phantom.liver.astype(np.uint8) + (phantom.labels > 0) * (1 + (phantom.liver == 0)).astype(np.uint8)


def lits(folder, phantom, number):
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / f"volume-{number}.nii", phantom.hu, phantom.grid)
    write_volume(folder / f"segmentation-{number}.nii", tissue(phantom), phantom.grid)


def decathlon(folder, phantom, number):
    for part, array in (("imagesTr", phantom.hu), ("labelsTr", tissue(phantom))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        write_volume(folder / part / f"liver_{number}.nii.gz", array, phantom.grid)


def pair(folder, phantom, number):
    own = folder / f"scan{number}"
    own.mkdir(parents=True)
    write_volume(own / "ct.nii.gz", phantom.hu, phantom.grid)
    write_volume(own / "labels.nii.gz", tissue(phantom), phantom.grid)


@pytest.mark.parametrize("layout", [lits, decathlon, pair])
def test_every_layout_gives_the_same_scan(layout, small, tmp_path):
    layout(tmp_path, small, 7)
    (case,) = load_cases(tmp_path)
    assert case.liver_note == ""
    voxel = np.argwhere(case.labels > 0)[0]
    whole = tuple(np.rint(small.grid.to_voxel(case.grid.to_world(voxel))).astype(int))
    assert small.labels[whole] > 0
    assert case.hu[tuple(voxel)] == small.hu[whole]
    assert (case.labels > 0).sum() == (small.labels > 0).sum()
    assert case.liver.sum() == (small.liver | (small.labels > 0)).sum()


def test_a_large_scan_is_cut_to_the_liver_and_keeps_its_place_in_the_patient(small, tmp_path):
    grown = np.pad(small.hu, ((0, 0), (0, 60), (0, 60)), constant_values=-1000)
    labels = np.pad(tissue(small), ((0, 0), (0, 60), (0, 60)))
    size = grown.shape
    grid = type(small.grid)(size, small.grid.spacing_zyx_mm, small.grid.origin_lps_mm)
    write_volume(tmp_path / "volume-1.nii", grown, grid)
    write_volume(tmp_path / "segmentation-1.nii", labels, grid)
    (case,) = load_cases(tmp_path)
    assert np.prod(case.grid.size_zyx) < 0.7 * np.prod(size)
    centre = case.grid.to_world(np.argwhere(case.liver).mean(0))
    wanted = grid.to_world(np.argwhere(labels > 0).mean(0))
    assert centre == pytest.approx(wanted, abs=1e-3)


def test_a_phantom_with_a_twin_stays_whole(small, tmp_path):
    write_phantom(small, tmp_path / "phantom_00003")
    case = load_case(tmp_path / "phantom_00003")
    assert case.grid.size_zyx == small.grid.size_zyx
    assert [record.kind for record in case.lesions] == [lesion.kind for lesion in small.lesions]


def test_a_missing_liver_is_estimated_and_marked(tmp_path):
    phantom = make_phantom(5, PhantomConfig(size_zyx=(20, 128, 128), phase="portal", lesion_count=2))
    write_phantom(phantom, tmp_path / "a")
    (tmp_path / "a" / "liver.nii.gz").unlink()
    (case,) = load_cases(tmp_path)
    assert "estimated" in case.liver_note
    overlap = (case.liver & phantom.liver).sum() / phantom.liver.sum()
    assert overlap > 0.6


def test_files_come_in_the_order_of_their_names(small, tmp_path):
    for number in (12, 3, 7):
        lits(tmp_path / "batch", small, number)
    assert [f.name for f in find_cases(tmp_path)] == ["volume-12", "volume-3", "volume-7"]


def test_an_empty_folder_says_what_is_accepted(tmp_path):
    with pytest.raises(TrainingError, match="LiTS"):
        find_cases(tmp_path)
    with pytest.raises(TrainingError, match="not a folder"):
        find_cases(tmp_path / "nowhere")


def test_labels_in_a_folder_of_their_own_are_found(small, tmp_path):
    lits(tmp_path / "all", small, 4)
    for part in ("volume", "segmentation"):
        (tmp_path / "set" / f"{part}s").mkdir(parents=True)
        (tmp_path / "all" / f"{part}-4.nii").rename(tmp_path / "set" / f"{part}s" / f"{part}-4.nii")
    (case,) = load_cases(tmp_path / "set")
    assert case.lesions


def test_one_patient_under_two_files_is_refused(small, tmp_path):
    lits(tmp_path / "batch 1", small, 4)
    lits(tmp_path / "batch 2", small, 4)
    with pytest.raises(TrainingError, match="volume-4 twice"):
        find_cases(tmp_path)


@pytest.mark.parametrize("layout", [lits, decathlon, pair])
def test_a_scan_without_labels_among_labelled_ones_is_refused(layout, small, tmp_path):
    layout(tmp_path, small, 4)
    layout(tmp_path, small, 5)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.nii*"))
    first, second = (tmp_path / path for path in files if "segmentation" in path.name or "labels" in str(path))
    second.unlink()
    with pytest.raises(TrainingError, match=r"1 of 2 scans have no labels \(\w+\W?5\)"):
        find_cases(tmp_path)
    # Where nothing is labelled there is nothing to mistake it for: livers are estimated and said to be so.
    first.unlink()
    assert len(find_cases(tmp_path)) == 2


def test_a_scan_whose_liver_alone_is_drawn_is_a_case_without_lesions_to_learn(small, tmp_path):
    write_phantom(small, tmp_path / "a")
    write_phantom(small, tmp_path / "b")
    (tmp_path / "b" / "lesions.nii.gz").unlink()
    assert [len(case.lesions) > 0 for case in load_cases(tmp_path)] == [True, False]


def test_files_that_only_look_like_scans_are_passed_over(small, tmp_path):
    lits(tmp_path, small, 4)
    for name in ("._volume-4.nii", "volume-4.nii.bak", "volume-.nii", "volume-5;rm.nii", "notes-1.txt"):
        (tmp_path / name).write_bytes(b"no scan")
    assert [f.name for f in find_cases(tmp_path)] == ["volume-4"]


def test_what_is_wrong_with_a_case_is_said_with_its_name(small, tmp_path):
    pair(tmp_path, small, 1)
    labels = tmp_path / "scan1" / "labels.nii.gz"
    size = small.grid.size_zyx
    moved = type(small.grid)(size, small.grid.spacing_zyx_mm, (9.0, 9.0, 9.0))
    write_volume(labels, tissue(small), moved)
    with pytest.raises(VolumeError, match="scan1: The mask does not lie on the same grid"):
        load_cases(tmp_path)
    speckle = np.zeros(size, np.uint8)
    speckle[::2, ::4, ::4] = 2
    write_volume(labels, speckle, small.grid)
    with pytest.raises(TrainingError, match="scan1: There are more than 255 lesions"):
        load_cases(tmp_path)
    labels.write_bytes(b"no labels")
    with pytest.raises(VolumeError, match=r"scan1: labels\.nii\.gz is not a volume"):
        load_cases(tmp_path)


def test_a_liver_without_lesions_is_a_case_and_parts_that_meet_at_a_corner_are_one_lesion(small, tmp_path):
    pair(tmp_path, small, 1)
    labels = tmp_path / "scan1" / "labels.nii.gz"
    write_volume(labels, small.liver.astype(np.uint8), small.grid)
    (case,) = load_cases(tmp_path)
    assert case.lesions == []
    touching = small.liver.astype(np.uint8)
    touching[5, 40:44, 40:44] = touching[6, 44:48, 44:48] = 2
    write_volume(labels, touching, small.grid)
    (case,) = load_cases(tmp_path)
    assert len(case.lesions) == 1


def test_a_twin_of_another_scan_is_refused(small, tmp_path):
    write_phantom(small, tmp_path / "a")
    files = case_files(tmp_path / "a")
    assert np.array_equal(load_twin(files, small.grid), small.lesion_free_hu)
    write_volume(files.twin, small.lesion_free_hu[1:], small.grid.crop((slice(1, 12), slice(0, 96), slice(0, 96))))
    with pytest.raises(VolumeError, match="a: the lesion-free twin"):
        load_twin(files, small.grid)


def test_a_damaged_description_is_refused(small, tmp_path):
    write_phantom(small, tmp_path / "a")
    (tmp_path / "a" / "phantom.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"a: phantom\.json"):
        load_case(tmp_path / "a")
