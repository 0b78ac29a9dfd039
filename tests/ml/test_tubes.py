import numpy as np
import pytest
from scipy import ndimage

from ml.editing.tubes import tubes

SPACING = (2.0, 1.4, 1.4)
SIZE = (24, 48, 48)
LEVEL_HU, NOISE_HU = 110.0, 12.0
LIVER = np.ones(SIZE, bool)


def liver(seed=0, *, tube_hu=0.0, radius_mm=2.0):
    """A noisy liver with one oblique vessel through its middle; HU and the vessel."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SIZE), (0, 0.6, 0.6))
    z, y, x = ((np.arange(n) - n // 2) * s for n, s in zip(SIZE, SPACING, strict=True))
    vessel = (z[:, None, None] - 0.3 * x) ** 2 + (y[:, None] - 0.4 * x) ** 2 < radius_mm**2
    soft = ndimage.gaussian_filter(vessel.astype(float), (0.3, 0.5, 0.5))
    return (LEVEL_HU + NOISE_HU * noise / noise.std() + tube_hu * soft).astype(np.float32), vessel


@pytest.mark.parametrize("tube_hu", [40, 60])
def test_a_vessel_is_found_along_its_whole_length_with_its_brightness(tube_hu):
    """Noise makes single cells darker than the threshold of any of them."""
    kept = []
    for seed in range(4):
        hu, vessel = liver(seed, tube_hu=tube_hu)
        without = hu - tubes(hu, LIVER, LEVEL_HU, SPACING)
        around = ndimage.binary_dilation(vessel, iterations=4) & ~ndimage.binary_dilation(vessel, iterations=2)
        before, after = (v[vessel].mean() - v[around].mean() for v in (hu, without))
        kept.append(after / before)
    assert abs(np.mean(kept)) < 0.2


def test_plain_liver_has_next_to_none():
    found = [tubes(liver(seed)[0], LIVER, LEVEL_HU, SPACING) for seed in range(4)]
    assert np.mean(found) < 0.05 * NOISE_HU
    assert all(f.min() >= 0 for f in found)


def test_most_of_the_noise_stays_in_a_vessel():
    """Its low-pass goes with the vessel: in cells, which are coarser than the scan's noise, a fifth of it."""
    hu, vessel = liver(2, tube_hu=50, radius_mm=5.0)
    without = hu - tubes(hu, LIVER, LEVEL_HU, SPACING)
    inner = ndimage.binary_erosion(vessel, iterations=1)

    def rough(values):
        return (values - ndimage.gaussian_filter(values, (0, 1.0, 1.0)))[inner].std()

    assert rough(without) > 0.65 * rough(hu)


def test_the_level_is_that_of_the_parenchyma_around():
    """A liver that grows brighter from side to side, by more than the noise, holds no vessel."""
    ramp = np.linspace(-20, 20, SIZE[2], dtype=np.float32)
    found = tubes(liver(1)[0] + ramp, LIVER, LEVEL_HU, SPACING)
    assert found[:, :, 8:-8].mean() < 0.5


def test_what_is_no_liver_has_none():
    hu, vessel = liver(3, tube_hu=60)
    inside = LIVER.copy()
    inside[:, :, 30:] = False
    found = tubes(hu, inside, LEVEL_HU, SPACING)
    assert not found[:, :, 30:].any()
    assert found[vessel & inside].mean() > 20
    assert not tubes(hu, ~LIVER, LEVEL_HU, SPACING).any()
