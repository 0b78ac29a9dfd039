"""An edit is no sharper than its scan, and rounds numbers that were rounded already only once."""

import numpy as np
import pytest
from scipy import ndimage

from ml.editing import LesionSpec, insert_lesion, remove_lesion
from ml.editing.scanner import (
    ROUNDING_VARIANCE_HU2,
    ScannerResponse,
    noise_power,
    overlapped,
    plain_tiles,
    slice_overlap,
    transmission,
)
from ml.geometry import Grid
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
    lacking = ScannerResponse.of(kept, whole, 100.0).taken_by_rounding(kept)
    assert np.abs(lacking).max() < 0.5
    assert np.array_equal(np.rint(kept + lacking), kept)
    before, after = ((exact - kept) ** 2).mean(), ((exact - kept - lacking) ** 2).mean()
    assert after < 0.5 * before


def test_a_sharp_scan_is_left_alone(whole):
    sharp = np.rint(100 + 12 * np.random.default_rng(1).standard_normal(whole.shape)).astype(np.int16)
    scanner = ScannerResponse.of(sharp, whole, 100.0)
    assert np.abs(scanner.taken_by_rounding(sharp)).max() < 0.1
    change = np.random.default_rng(2).standard_normal(whole.shape).astype(np.float32)
    kept = scanner.transmitted(change)[:, 6:-6, 6:-6].std() / change[:, 6:-6, 6:-6].std()
    assert kept > 0.75


def test_smooth_changes_pass_and_what_the_scan_never_shows_does_not(soft, whole):
    scanner = ScannerResponse.of(soft[1], whole, 100.0)
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
    scanner = ScannerResponse.of(scan, np.zeros(scan.shape, bool), 100.0)
    assert np.array_equal(scanner.taken_by_rounding(scan), np.zeros(scan.shape))
    assert np.allclose(scanner.transmitted(np.ones(scan.shape, np.float32)), 1, atol=1e-3)


@pytest.mark.parametrize("overlap", [0.0, 0.05, 0.1, 0.2])
def test_the_overlap_of_slices_is_told_from_their_noise(overlap):
    noise = band_limited(np.random.default_rng(4), (24, 80, 80), sigma_px=0.8, sd_hu=12).astype(np.float32)
    scan = np.rint(overlapped(noise, overlap)).astype(np.int16)
    assert slice_overlap(scan, np.ones(scan.shape, bool), 100.0) == pytest.approx(overlap, abs=0.02)


def test_anatomy_that_goes_through_slices_is_no_overlap():
    rng = np.random.default_rng(5)
    anatomy = 15 * ndimage.gaussian_filter(rng.standard_normal((24, 80, 80)), (4, 4, 4)) / 0.01
    scan = np.rint(band_limited(rng, anatomy.shape, sigma_px=0.8, sd_hu=12) + np.clip(anatomy, -20, 20))
    assert slice_overlap(scan.astype(np.int16), np.ones(scan.shape, bool), 100.0) < 0.03


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_overlap_shares_and_adds_nothing(slices):
    flat = np.full((slices, 4, 4), 7, np.float32)
    np.testing.assert_allclose(overlapped(flat, 0.2), flat, rtol=1e-6)
    values = np.random.default_rng(6).standard_normal((slices, 4, 4)).astype(np.float32)
    assert overlapped(values, 0.2).sum() == pytest.approx(values.sum(), abs=1e-4)
    np.testing.assert_array_equal(overlapped(values, 0.0), values)


def test_a_single_slice_or_too_little_liver_has_no_overlap():
    noise = np.rint(band_limited(np.random.default_rng(7), (4, 80, 80), sigma_px=0.8, sd_hu=12)).astype(np.int16)
    assert slice_overlap(noise[:1], np.ones((1, 80, 80), bool), 100.0) == 0
    assert slice_overlap(noise, np.zeros(noise.shape, bool), 100.0) == 0


def test_a_removal_takes_out_what_neighbouring_slices_show_of_a_lesion(demo_generator):
    grid = Grid((24, 96, 96), (3.0, 0.9, 0.9), (0.0, 0.0, 0.0))
    axes = [(np.arange(n) - n // 2) * s for n, s in zip(grid.size_zyx, grid.spacing_zyx_mm, strict=True)]
    # Cut off flat, so that its first and last slice show as much of it as the others.
    z, y, x = np.meshgrid(*axes, indexing="ij")
    lesion = (np.hypot(y, x) < 14) & (np.abs(z) < 11)
    free = band_limited(np.random.default_rng(8), grid.size_zyx, sigma_px=0.8, sd_hu=8).astype(np.float32)
    edge = ndimage.gaussian_filter(lesion.astype(np.float32), (0, 1, 1))
    twin, scan = (np.rint(overlapped(v, 0.2)).astype(np.int16) for v in (free, free - 60 * edge))
    result = remove_lesion(
        scan, grid, liver_mask=np.ones(scan.shape, bool), lesion_mask=lesion, generator=demo_generator, seed=1
    )
    left = result.apply(scan).astype(np.float32) - twin
    middle = np.hypot(y, x)[0] < 10
    slices = np.flatnonzero(lesion.any((1, 2)))
    by_slice = left[slices[0] - 1 : slices[-1] + 2, middle].mean(1)
    assert np.abs(by_slice).max() < 4, by_slice


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
    box = tuple(slice(max(0, b.start - m), b.stop + m) for b, m in zip(result.box, (0, 4, 4), strict=True))
    free, edited = phantom.lesion_free_hu[box], result.apply(phantom.hu)[box]
    before, after = (plain_tiles(volume, phantom.liver[box], level) for volume in (free, edited))
    assert len(before) >= 20
    assert noise_power(after)[6:9].mean() < 1.3 * noise_power(before)[6:9].mean()
