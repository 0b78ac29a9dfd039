import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.geometry import Grid

coordinate = st.floats(-500, 500)
spacing = st.floats(0.2, 8)


@st.composite
def grids(draw):
    matrix = np.array(draw(st.lists(st.floats(-1, 1), min_size=9, max_size=9))).reshape(3, 3) + 2 * np.eye(3)
    turn = np.linalg.qr(matrix)[0]
    sizes = tuple(draw(st.integers(1, 40)) for _ in range(3))
    return Grid(
        sizes, tuple(draw(spacing) for _ in range(3)), tuple(draw(coordinate) for _ in range(3)), tuple(turn.ravel())
    )


@given(grids(), st.tuples(coordinate, coordinate, coordinate))
def test_world_and_back_is_the_same_place(grid, index):
    assert np.allclose(grid.to_voxel(grid.to_world(index)), index, atol=1e-6)


@given(grids(), st.tuples(coordinate, coordinate, coordinate), st.tuples(coordinate, coordinate, coordinate))
def test_distances_are_millimetres(grid, first, second):
    steps = (np.array(first) - second) * grid.spacing_zyx_mm
    world = grid.to_world(first) - grid.to_world(second)
    assert np.linalg.norm(world) == pytest.approx(np.linalg.norm(steps), rel=1e-3, abs=1e-6)


@given(grids())
def test_json_keeps_a_grid(grid):
    assert Grid.from_dict(json.loads(json.dumps(grid.to_dict()))) == grid


@given(grids(), st.data())
def test_a_crop_keeps_every_voxel_in_its_place(grid, data):
    starts = [data.draw(st.integers(0, n - 1)) for n in grid.size_zyx]
    stops = [data.draw(st.integers(a + 1, n)) for a, n in zip(starts, grid.size_zyx, strict=True)]
    crop = grid.crop(tuple(slice(a, b) for a, b in zip(starts, stops, strict=True)))
    assert crop.size_zyx == tuple(b - a for a, b in zip(starts, stops, strict=True))
    assert np.allclose(crop.to_world((0, 0, 0)), grid.to_world(starts))


def test_the_x_axis_of_an_unturned_grid_points_to_the_left():
    grid = Grid((10, 10, 10), (3.0, 2.0, 1.0), (5.0, 6.0, 7.0))
    assert grid.to_world((1, 2, 3)).tolist() == [8.0, 10.0, 10.0]


def test_oblique_axes_agree_with_simpleitk(oblique_grid):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.Image(oblique_grid.size_zyx[::-1], sitk.sitkInt16)
    image.SetSpacing(oblique_grid.spacing_zyx_mm[::-1])
    image.SetOrigin(oblique_grid.origin_lps_mm)
    image.SetDirection(oblique_grid.direction)
    expected = image.TransformContinuousIndexToPhysicalPoint((3.5, 2.0, 1.25))
    assert np.allclose(oblique_grid.to_world((1.25, 2.0, 3.5)), expected)


@pytest.mark.parametrize(
    "broken",
    [
        {"size_zyx": (0, 4, 4)},
        {"spacing_zyx_mm": (1.0, -1.0, 1.0)},
        {"spacing_zyx_mm": (1.0, float("nan"), 1.0)},
        {"direction": (1.0, 0.2, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
    ],
)
def test_impossible_grids_are_refused(broken):
    with pytest.raises(ValueError):
        Grid(**{"size_zyx": (4, 4, 4), "spacing_zyx_mm": (1.0, 1.0, 1.0), **broken})


def test_a_box_around_a_corner_is_clipped_and_not_empty():
    grid = Grid((4, 5, 6), (3.0, 1.0, 1.0))
    box = grid.box_around((-20, 2, 99), half_extent_zyx_mm=(3, 1, 1))
    assert all(0 <= s.start < s.stop <= n for s, n in zip(box, grid.size_zyx, strict=True))


def test_light_imports_load_neither_torch_nor_simpleitk():
    code = (
        "import sys, ml, ml.geometry, ml.errors, ml.generator.card, ml.scans.lesions, ml.editing, ml.editing.spec;"
        "print([m for m in ('torch', 'SimpleITK', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
