import numpy as np
import pytest

from ml.editing.frame import LesionFrame
from ml.editing.vessels import LiverAround, vessels_from_elsewhere
from ml.geometry import Grid

SPACING = (2.5, 1.25, 1.25)
SIZE = (24, 96, 96)
VESSEL_HU, LIVER_HU = 60, 100


def ball(centre, radius_mm):
    axes = [(np.arange(n) - c) * s for n, c, s in zip(SIZE, centre, SPACING, strict=True)]
    return sum(a**2 for a in np.meshgrid(*axes, indexing="ij")) < radius_mm**2


@pytest.fixture
def site():
    """Noisy liver with vessels along x every 10 rows, a lesion in its middle, nothing beyond column 90."""
    lesion = ball((12, 48, 48), 9.0)
    liver = np.ones(SIZE, bool)
    liver[:, :, 90:] = False
    hu = LIVER_HU + np.random.default_rng(3).normal(0, 8, SIZE)
    hu[:, ::10] += VESSEL_HU
    hu[lesion] = LIVER_HU - 40
    hu[~liver] = -900
    return np.rint(hu).astype(np.int16), liver, lesion


def look(site):
    hu, liver, lesion = site
    crop = (slice(2, 22), slice(20, 76), slice(20, 76))
    frame = LesionFrame.of(lesion[crop], SPACING)
    grid = Grid(SIZE, SPACING, (0.0, 0.0, 0.0))
    around = LiverAround.of(hu, grid, frame, crop, liver_mask=liver, reference=float(LIVER_HU))
    return frame, around, crop


def test_the_frame_lies_where_it_lies_in_the_scan(site):
    frame, around, crop = look(site)
    z, y, x = (slice(f, f + n) for f, n in zip(around.first, frame.depth.shape, strict=True))
    here = tuple(slice(b.start + c.start, b.stop + c.start) for b, c in zip(frame.box, crop, strict=True))
    far = frame.depth < -3
    np.testing.assert_array_equal(around.plain[z, y, x][far], site[1][here][far])


def test_a_lesion_is_no_liver_to_take_vessels_from(site):
    frame, around, _ = look(site)
    z, y, x = (slice(f, f + n) for f, n in zip(around.first, frame.depth.shape, strict=True))
    assert not around.plain[z, y, x][frame.depth > 0].any()
    assert not around.vessels[~around.plain].any()


def test_vessels_come_as_often_as_the_liver_has_them(site):
    frame, around, _ = look(site)
    inside = frame.depth > 0
    found = [vessels_from_elsewhere(frame, around, seed=seed) for seed in range(60)]
    assert all(f is not None and f.min() >= 0 and f[~(frame.depth > -1)].max() == 0 for f in found)
    mean = np.mean([f[inside].mean() for f in found])
    assert mean == pytest.approx(around.vessels[around.plain].mean(), rel=0.2)
    assert mean > 2


def test_the_same_seed_takes_the_same_vessels(site):
    frame, around, _ = look(site)
    first, again, other = (vessels_from_elsewhere(frame, around, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_without_room_there_is_nothing_to_take(site):
    hu, liver, lesion = site
    frame, around, _ = look((hu, liver & ball((12, 48, 48), 12.0), lesion))
    assert vessels_from_elsewhere(frame, around, seed=1) is None


def test_a_large_trunk_is_hardly_ever_taken_where_most_of_the_liver_has_none(site):
    hu, liver, lesion = site
    hu = np.where(liver & ~lesion, LIVER_HU, hu).astype(np.int16)
    hu[:, 30:34, :60] += VESSEL_HU
    frame, around, _ = look((hu, liver, lesion))
    found = [vessels_from_elsewhere(frame, around, seed=seed) for seed in range(40)]
    with_trunk = sum(f.max() > VESSEL_HU / 2 for f in found)
    assert with_trunk <= 2
