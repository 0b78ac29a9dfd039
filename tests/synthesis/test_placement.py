import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from ml.geometry import Grid
from synthesis.edits.placement import PlacementRules, allowed_places, draw_places

GRID = Grid(size_zyx=(12, 40, 40), spacing_zyx_mm=(3.0, 1.5, 1.5))


def block(margin):
    mask = np.zeros(GRID.size_zyx, dtype=bool)
    mask[margin:-margin, margin:-margin, margin:-margin] = True
    return mask


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    depth=st.floats(0, 8),
    vessel=st.floats(0, 8),
    lesion=st.floats(0, 8),
    mutual=st.floats(0, 20),
    count=st.integers(1, 6),
)
def test_every_drawn_place_obeys_every_rule(seed, depth, vessel, lesion, mutual, count):
    rng = np.random.default_rng(seed)
    liver, vessels, lesions = np.ones(GRID.size_zyx, bool), np.zeros(GRID.size_zyx, bool), np.zeros(GRID.size_zyx, bool)
    vessels[:, 20, 20] = True
    lesions[6, 30:33, 30:33] = True
    rules = PlacementRules(
        min_depth_mm=depth, min_vessel_distance_mm=vessel, min_lesion_distance_mm=lesion, min_mutual_distance_mm=mutual
    )
    allowed = allowed_places(grid=GRID, liver=liver, vessels=vessels, lesions=lesions, rules=rules, radius_mm=4.0)
    places = draw_places(grid=GRID, allowed=allowed, count=count, rules=rules, rng=rng)
    assert len(places) <= count
    voxels = [tuple(np.rint(GRID.to_voxel(p)).astype(int)) for p in places]
    spacing = GRID.spacing_zyx_mm
    for voxel in voxels:
        padded = tuple(n + 1 for n in voxel)
        assert distance_transform_edt(np.pad(liver, 1), sampling=spacing)[padded] >= max(depth, 0.6 * 4.0)
        assert distance_transform_edt(~vessels, sampling=spacing)[voxel] >= vessel
        assert distance_transform_edt(~lesions, sampling=spacing)[voxel] >= lesion + 4.0
    for i, one in enumerate(places):
        for other in places[:i]:
            assert np.linalg.norm(one - other) >= mutual - 1e-9


def test_the_same_seed_draws_the_same_places():
    rules = PlacementRules(min_depth_mm=3)
    allowed = allowed_places(grid=GRID, liver=block(1), vessels=None, lesions=None, rules=rules, radius_mm=4)
    draws = [
        draw_places(grid=GRID, allowed=allowed, count=3, rules=rules, rng=np.random.default_rng(5)) for _ in range(2)
    ]
    assert np.array_equal(draws[0], draws[1])


@pytest.mark.parametrize("depth", [100.0])
def test_no_place_is_found_where_none_is_allowed(depth):
    rules = PlacementRules(min_depth_mm=depth)
    allowed = allowed_places(grid=GRID, liver=block(1), vessels=None, lesions=None, rules=rules, radius_mm=4)
    assert not allowed.any()
    assert draw_places(grid=GRID, allowed=allowed, count=3, rules=rules, rng=np.random.default_rng(1)).shape == (0, 3)
