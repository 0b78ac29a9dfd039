"""An edit is no sharper than its scan, and rounds numbers that were rounded already only once."""

import numpy as np
import pytest
from scipy import ndimage

from ml.editing import LesionSpec, insert_lesion, remove_lesion
from ml.editing.scanner import ROUNDING_VARIANCE_HU2, Scanner, noise_power, plain_tiles, transmission
from ml.phantom import PhantomConfig, make_phantom


def band_limited(rng, shape, *, sigma_px, sd_hu):
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), (0, sigma_px, sigma_px))
    return (100 + sd_hu * noise / noise.std()).astype(np.float64)


@pytest.fixture(scope="module")
def soft():
    """A soft scan as it was before rounding, and the whole HU that are kept of it."""
    exact = band_limited(np.random.default_rng(0), (12, 80, 80), sigma_px=1.6, sd_hu=6)
    return exact, np.rint(exact).astype(np.int16)


@pytest.fixture(scope="module")
def whole(soft):
    return np.ones(soft[1].shape, bool)


def test_the_noise_of_rounding_is_found_at_the_highest_frequencies(soft, whole):
    power = noise_power(plain_tiles(soft[1], whole, 100.0))
    assert power[-3:] == pytest.approx([ROUNDING_VARIANCE_HU2] * 3, rel=0.35)
    assert power[1] > 100 * ROUNDING_VARIANCE_HU2


def test_what_rounding_took_is_given_back_within_half_a_unit(soft, whole):
    exact, kept = soft
    lacking = Scanner.of(kept, whole, 100.0).taken_by_rounding(kept)
    assert np.abs(lacking).max() < 0.5
    assert np.array_equal(np.rint(kept + lacking), kept)
    before, after = ((exact - kept) ** 2).mean(), ((exact - kept - lacking) ** 2).mean()
    assert after < 0.5 * before


def test_a_sharp_scan_is_left_alone(whole):
    sharp = np.rint(100 + 12 * np.random.default_rng(1).standard_normal(whole.shape)).astype(np.int16)
    scanner = Scanner.of(sharp, whole, 100.0)
    assert np.abs(scanner.taken_by_rounding(sharp)).max() < 0.1
    change = np.random.default_rng(2).standard_normal(whole.shape).astype(np.float32)
    kept = scanner.transmitted(change)[:, 6:-6, 6:-6].std() / change[:, 6:-6, 6:-6].std()
    assert kept > 0.75


def test_smooth_changes_pass_and_what_the_scan_never_shows_does_not(soft, whole):
    scanner = Scanner.of(soft[1], whole, 100.0)
    _, y, x = np.meshgrid(*[np.arange(n) for n in whole.shape], indexing="ij")
    smooth = (-40 * np.exp(-((y - 40) ** 2 + (x - 40) ** 2) / (2 * 8.0**2))).astype(np.float32)
    assert np.abs(scanner.transmitted(smooth) - smooth).max() < 1.0
    flat = np.full(whole.shape, -30, np.float32)
    assert np.allclose(scanner.transmitted(flat), flat, atol=1e-3)
    board = np.where((y + x) % 2, 10, -10).astype(np.float32)
    assert np.abs(scanner.transmitted(board)[:, 6:-6, 6:-6]).max() < 1.0


def test_transmission_starts_at_one_and_only_falls(soft, whole):
    passed = transmission(noise_power(plain_tiles(soft[1], whole, 100.0)))
    assert passed[0] == 1
    assert (np.diff(passed) <= 0).all()
    assert passed[-1] < 0.05


def test_too_little_liver_falls_back_and_takes_nothing_from_the_scan():
    scan = np.full((4, 20, 20), 100, np.int16)
    scanner = Scanner.of(scan, np.zeros(scan.shape, bool), 100.0)
    assert np.array_equal(scanner.taken_by_rounding(scan), np.zeros(scan.shape))
    assert np.allclose(scanner.transmitted(np.ones(scan.shape, np.float32)), 1, atol=1e-3)


@pytest.mark.parametrize("operation", ["insert", "remove"])
def test_an_edit_adds_no_power_where_a_soft_scan_has_none(operation, demo_generator):
    """Edits once had three times the scan's power there: a classifier needed nothing else."""
    phantom = make_phantom(77, PhantomConfig(kernel="soft", phase="portal", photons=3e5, lesion_count=4))
    depth = ndimage.distance_transform_edt(phantom.liver & (phantom.labels == 0), sampling=phantom.grid.spacing_zyx_mm)
    depth[:7] = depth[-7:] = 0
    shared = {"liver_mask": phantom.liver, "generator": demo_generator}
    if operation == "insert":
        centre = phantom.grid.to_world(np.unravel_index(depth.argmax(), depth.shape))
        spec = LesionSpec("hypodense", 24, -40, 1)
        result = insert_lesion(phantom.hu, phantom.grid, centre_lps_mm=centre, spec=spec, **shared)
    else:
        largest = np.bincount(phantom.labels[phantom.labels > 0]).argmax()
        mask = phantom.labels == largest
        result = remove_lesion(phantom.hu, phantom.grid, lesion_mask=mask, seed=1, **shared)
    level = float(np.median(phantom.hu[phantom.liver]))
    inside = np.asarray(ndimage.binary_dilation(result.lesion_mask, iterations=4) & phantom.liver[result.box])
    powers = [
        noise_power(plain_tiles(volume[result.box], inside, level)) for volume in (phantom.hu, result.apply(phantom.hu))
    ]
    assert powers[1][6:9].mean() < 1.3 * powers[0][6:9].mean()
