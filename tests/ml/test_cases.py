import numpy as np
import pytest

from ml.cases import find_cases, load_case, load_cases
from ml.errors import TrainingError
from ml.phantom import PhantomConfig, make_phantom
from ml.phantom.__main__ import write_phantom
from ml.volume_io import write_volume


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
