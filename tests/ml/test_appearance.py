import numpy as np
import pytest
from scipy import ndimage

from ml.evaluation.realism.appearance import (
    core_of,
    level_around,
    rim_over_liver_hu,
    share_outside_parenchyma,
    vessel_share_kept,
    vessels_of,
    vessels_pushed_mm,
)

SPACING = (2.0, 1.0, 1.0)
SIZE = (20, 60, 60)
LEVEL_HU = 100.0


@pytest.fixture
def scene():
    """A noisy liver with one vessel along x and a ball about its middle; HU, liver, vessel, ball."""
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(SIZE), (0, 0.7, 0.7))
    z, y, x = ((np.arange(n) - n // 2) * s for n, s in zip(SIZE, SPACING, strict=True))
    vessel = np.broadcast_to(z[:, None, None] ** 2 + y[:, None] ** 2 < 3**2, SIZE)
    ball = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < 12**2
    hu = LEVEL_HU + 10 * noise / noise.std() + 50 * vessel
    return np.rint(hu).astype(np.int16), np.ones(SIZE, bool), vessel, ball


def test_vessels_are_found_and_noise_is_not(scene):
    hu, liver, vessel, _ = scene
    found = vessels_of(hu, liver, LEVEL_HU, SPACING)
    assert found[vessel].mean() > 0.8
    assert found[~ndimage.binary_dilation(vessel, iterations=3)].mean() < 0.005


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_the_share_of_a_vessel_that_stays_is_told(scene, kept):
    hu, _, vessel, ball = scene
    after = hu - np.rint(40 * ball + (1 - kept) * 50 * (vessel & ball)).astype(np.int16)
    assert vessel_share_kept(hu, after, core_of(ball, SPACING), vessel) == pytest.approx(kept, abs=0.1)


def test_without_vessels_nothing_is_told(scene):
    hu, _, vessel, ball = scene
    assert vessel_share_kept(hu, hu, core_of(ball, SPACING), np.zeros_like(vessel)) is None


def test_the_core_leaves_the_edge_out_and_the_level_is_the_liver_around(scene):
    hu, liver, _, ball = scene
    core = core_of(ball, SPACING)
    assert 0.4 * ball.sum() < core.sum() < 0.8 * ball.sum()
    assert level_around(hu, liver, ball, SPACING) == pytest.approx(LEVEL_HU, abs=3)
    assert np.isnan(level_around(hu, ~liver, ball, SPACING))


def test_fat_in_a_lesion_is_no_parenchyma(scene):
    hu, _, vessel, ball = scene
    hu = np.where(vessel, LEVEL_HU, hu).astype(np.int16)
    assert share_outside_parenchyma(hu, ball, LEVEL_HU, SPACING) < 0.01
    hu[:, :30] = -90
    assert 0.35 < share_outside_parenchyma(hu, ball, LEVEL_HU, SPACING) < 0.65


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_how_far_vessels_were_pushed_is_told(scene, shift):
    """A vessel beside a lesion that moves away from it by whole voxels, the noise staying where it is."""
    hu, _, vessel, _ = scene
    tube = np.roll(vessel, 10, axis=1)
    z, y, x = ((np.arange(n) - n // 2) * s for n, s in zip(SIZE, SPACING, strict=True))
    below = z[:, None, None] ** 2 + (y[:, None] + 3) ** 2 + x**2 < 8**2
    noise = hu - np.rint(50 * vessel).astype(np.int16)

    def scan(rows):
        soft = ndimage.gaussian_filter(50.0 * np.roll(tube, rows, axis=1), (0.3, 1, 1))
        return noise + np.rint(soft).astype(np.int16)

    found = vessels_pushed_mm(scan(0), scan(shift) - 40 * below.astype(np.int16), below, tube, SPACING)
    assert found == pytest.approx(shift, abs=0.45)
    assert vessels_pushed_mm(hu, hu, below, np.zeros_like(vessel), SPACING) is None


def test_the_rim_of_a_ring_is_told_by_its_brightest_shell(scene):
    hu, _, _, ball = scene
    core = ndimage.binary_erosion(ball, iterations=3)
    ring = hu - 50 * core + 30 * (ball & ~core)
    assert 18 < rim_over_liver_hu(ring.astype(np.int16), ball, LEVEL_HU, SPACING) < 40
    assert rim_over_liver_hu((hu - 50 * ball).astype(np.int16), ball, LEVEL_HU, SPACING) < 8
