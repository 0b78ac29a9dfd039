import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from ctplatform.datasets.scans.liver_map import LiverMap, LiverPlace
from ml.geometry import Grid
from synthesis.edits.placement import LikeLesions, PlacementRules, allowed_places, draw_places

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


def wide_liver(grid, *, shift):
    liver = np.zeros(grid.size_zyx, bool)
    liver[1:-1, 4:-4, 4 + shift : -4] = True
    return liver


@pytest.mark.parametrize("shift", [0, 8])
def test_places_are_drawn_where_lesions_lie_in_their_own_livers(shift):
    """Lesions stand in the right front quarter and near the surface; places do so in a liver of another size."""
    liver = wide_liver(GRID, shift=shift)
    here = LiverMap.from_masks(GRID, liver=liver, lesions=np.zeros_like(liver))
    random = np.random.default_rng(3)
    lesions = [
        LiverPlace(shares_lps=(float(x), float(y), 0.5), depth_mm=5.0) for x, y in random.uniform(0.1, 0.4, (30, 2))
    ]
    rules = PlacementRules(min_depth_mm=2, min_mutual_distance_mm=3)
    allowed = allowed_places(grid=GRID, liver=liver, vessels=None, lesions=None, rules=rules, radius_mm=3)

    def shares(like):
        drawn = [
            draw_places(grid=GRID, allowed=allowed, count=2, rules=rules, rng=np.random.default_rng(seed), like=like)
            for seed in range(20)
        ]
        return here.shares_lps(np.concatenate(drawn))

    like = shares(LikeLesions(liver=here, lesions=lesions))
    evenly = shares(None)
    assert (like[:, :2] < 0.5).all()
    assert np.median(np.abs(like[:, 2] - 0.5)) < 0.2
    assert not (evenly[:, :2] < 0.5).all(axis=1).mean() > 0.5
    assert np.array_equal(shares(LikeLesions(liver=here, lesions=lesions)), like)
