import numpy as np
import pytest
from scipy import ndimage

from ml.editing.insides import STRONGER, texture, unevenness
from ml.editing.rings import NOISES, RIM_HU, ring_profile
from ml.generator.shapes import PROFILE_DEPTHS_MM

SPACING = (2.0, 1.5, 1.5)
SIZE = (32, 42, 42)
LIVER = np.ones(SIZE, bool)


def depth_of(radius_mm):
    z, y, x = ((np.arange(n) - n // 2) * s for n, s in zip(SIZE, SPACING, strict=True))
    return (radius_mm - np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)).astype(np.float32)


@pytest.fixture
def parenchyma():
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(SIZE), (0, 0.5, 0.5))
    return (12 * noise / noise.std()).astype(np.float32)


def test_cysts_are_even_and_solid_lesions_more_uneven_than_the_liver(parenchyma):
    depth = depth_of(14)
    assert not unevenness("cystic", parenchyma, LIVER, depth, SPACING).any()
    inside = depth > 3
    for kind in ("hypodense", "ring_enhancing"):
        after = parenchyma + unevenness(kind, parenchyma, LIVER, depth, SPACING)
        before, now = (texture(v, LIVER, SPACING)[inside].std() for v in (parenchyma, after))
        assert 1 + 0.5 * (STRONGER[kind] - 1) < now / before < STRONGER[kind]


def test_it_adds_no_level_no_noise_and_nothing_outside(parenchyma):
    depth = depth_of(14)
    added = unevenness("hypodense", parenchyma, LIVER, depth, SPACING)
    assert abs(added[depth > 0].mean()) < 0.3
    assert not added[depth < -0.5].any()
    rough = [(v - ndimage.gaussian_filter(v, (0, 0.8, 0.8)))[depth > 3].std() for v in (parenchyma, parenchyma + added)]
    assert rough[1] < 1.1 * rough[0]


@pytest.mark.parametrize("diameter_mm", [8, 10, 20, 30, 60])
def test_a_rim_stands_out_of_the_noise_and_leaves_a_core(diameter_mm):
    radius = diameter_mm / 2
    profile = ring_profile(radius, 15.0)
    assert profile.max() == pytest.approx(15 * NOISES, rel=0.05)
    within = PROFILE_DEPTHS_MM[profile < profile.min() / 2]
    # A third of the radius and more lies within the rim.
    assert radius - within.min() > 0.33 * radius
    assert profile[PROFILE_DEPTHS_MM < -1].max() == 0


def test_rims_stay_between_what_is_seen_and_what_is_believed():
    assert ring_profile(10, 2.0).max() == pytest.approx(RIM_HU[0], rel=0.05)
    assert ring_profile(10, 90.0).max() == pytest.approx(RIM_HU[1], rel=0.05)
