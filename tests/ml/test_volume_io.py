import numpy as np
import pytest

from ml.errors import VolumeError
from ml.geometry import Grid, same_grid
from ml.scans.volume_io import nifti_header, read_mask, read_volume, write_volume


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_geometry_in_is_geometry_out(tmp_path, oblique_grid, suffix):
    array = np.arange(np.prod(oblique_grid.size_zyx), dtype=np.int16).reshape(oblique_grid.size_zyx) - 300
    write_volume(tmp_path / f"v{suffix}", array, oblique_grid)
    read, grid = read_volume(tmp_path / f"v{suffix}")
    assert np.array_equal(read, array)
    assert same_grid(grid, oblique_grid)


def test_floats_are_rounded_and_missing_values_become_air(tmp_path):
    grid = Grid((1, 1, 4), (1.0, 1.0, 1.0))
    write_volume(tmp_path / "v.mha", np.array([[[1.6, np.nan, 1e9, -2.4]]], np.float32), grid)
    assert read_volume(tmp_path / "v.mha")[0].ravel().tolist() == [2, -1024, 32767, -2]


def test_a_mask_on_another_grid_is_refused(tmp_path):
    grid = Grid((2, 3, 4), (1.0, 1.0, 1.0))
    write_volume(tmp_path / "m.nrrd", np.ones((2, 3, 4), bool), grid)
    assert read_mask(tmp_path / "m.nrrd", expected=grid)[0].dtype == np.uint8
    with pytest.raises(VolumeError, match="same grid"):
        read_mask(tmp_path / "m.nrrd", expected=Grid((2, 3, 4), (1.0, 1.0, 1.1)))


@pytest.mark.parametrize("content", [b"", b"no volume at all" * 40])
def test_what_is_no_volume_is_refused(tmp_path, content):
    (tmp_path / "v.nii").write_bytes(content)
    with pytest.raises(VolumeError, match=r"v\.nii"):
        read_volume(tmp_path / "v.nii")


def test_missing_files_and_wrong_shapes_are_refused(tmp_path):
    with pytest.raises(VolumeError, match="does not exist"):
        read_volume(tmp_path / "none.nii")
    with pytest.raises(VolumeError, match="size"):
        write_volume(tmp_path / "v.nii", np.zeros((1, 2, 3), np.int16), Grid((1, 2, 4), (1.0, 1.0, 1.0)))
    with pytest.raises(VolumeError, match="written as"):
        write_volume(tmp_path / "v.txt", np.zeros((1, 2, 3), np.int16), Grid((1, 2, 3), (1.0, 1.0, 1.0)))


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_a_nifti_header_alone_is_that_of_the_whole_file(tmp_path, oblique_grid, dtype):
    array = np.arange(np.prod(oblique_grid.size_zyx)).astype(dtype).reshape(oblique_grid.size_zyx)
    write_volume(tmp_path / "v.nii", array, oblique_grid, note="SYNTHETIC DATA: a lesion")
    header = nifti_header(oblique_grid, np.dtype(dtype), note="SYNTHETIC DATA: a lesion")
    assert header + array.tobytes() == (tmp_path / "v.nii").read_bytes()
