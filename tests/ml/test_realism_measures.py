import numpy as np
import pytest
from scipy import ndimage

from ml.editing import LesionSpec, insert_lesion
from ml.evaluation.bootstrap import difference, estimate, line, permuted
from ml.evaluation.realism.comparisons import band_difference, distributions, mean_difference, noise_power
from ml.evaluation.realism.local_measures import (
    PROFILE_MM,
    differing_outside,
    edge_width_mm,
    log_power,
    mean_over_depth,
    residual,
    slice_correlation,
    textures_around,
    zone_sigma,
    zones_of,
)
from ml.evaluation.realism.memorisation import memorisation, nearest_distances
from ml.geometry import Grid

GRID = Grid((24, 64, 64), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
LIVER = np.ones(GRID.size_zyx, bool)


def ball(radius_mm=9.0):
    z, y, x = np.meshgrid(2.0 * (np.arange(24) - 12), np.arange(64) - 32.0, np.arange(64) - 32.0, indexing="ij")
    return radius_mm - np.sqrt(z**2 + y**2 + x**2)


def scan(rng, *, contrast=-40.0, noise=12.0, softness_mm=1.0, rim_noise=None):
    """A noisy liver of 100 HU with one soft ball; int16."""
    depth = ball()
    sigma = np.full(depth.shape, noise)
    if rim_noise is not None:
        sigma[(depth < 0) & (depth > -5)] = rim_noise
    values = 100 + contrast / (1 + np.exp(-depth / softness_mm)) + sigma * rng.standard_normal(depth.shape)
    return np.rint(values).astype(np.int16)


AROUND = zones_of(ball() > 0, LIVER, GRID)


def locals_of(seed, count=24, **options):
    rng = np.random.default_rng(seed)
    return [textures_around(scan(rng, **options), AROUND, f"{seed} p{n // 2}") for n in range(count)]


def test_zones_do_not_overlap_and_depth_is_signed():
    inside, rim, outside = (AROUND.zone(name) for name in ("inside", "rim", "outside"))
    assert not (inside & rim).any()
    assert not (rim & outside).any()
    assert np.abs(AROUND.depth - ball()[AROUND.box])[inside | rim].max() < 2.1


def test_white_noise_has_a_flat_spectrum_of_its_variance_and_no_correlation_of_slices():
    rng = np.random.default_rng(0)
    rough = np.stack([12 * rng.standard_normal(AROUND.depth.shape) for _ in range(1)])[0]
    assert np.exp(log_power(rough, AROUND.zone("inside"))[2:]) == pytest.approx(144, rel=0.25)
    assert abs(slice_correlation(rough, AROUND.zone("inside"))) < 0.1
    smooth = ndimage.gaussian_filter1d(rough, 1, axis=0)
    assert slice_correlation(smooth, AROUND.zone("inside")) > 0.5


def test_the_residual_has_neither_the_lesions_level_nor_its_edge():
    depth = ball()[AROUND.box]
    step = 100 - 60.0 * (depth > 0)
    assert np.abs(residual(step, AROUND)).max() < 12
    assert np.abs(residual(np.full(depth.shape, 100.0), AROUND)).max() < 1e-6


@pytest.mark.parametrize("softness_mm", [0.8, 1.6])
def test_edge_width_is_that_of_the_sigmoid(softness_mm):
    clean = scan(np.random.default_rng(0), noise=0.0, softness_mm=softness_mm)
    # From 10 to 90 per cent a logistic curve takes 2 ln 9 of its scale; bins of 1 mm and slices of 2 mm widen it.
    width = edge_width_mm(mean_over_depth(clean[AROUND.box], AROUND))
    assert width == pytest.approx(4.39 * softness_mm, abs=1.5)
    assert np.isnan(edge_width_mm(np.full(len(PROFILE_MM), 100.0)))


def test_a_weak_rim_is_seen_in_its_sigma():
    rng = np.random.default_rng(0)
    even, dipped = scan(rng), scan(rng, rim_noise=9.0)
    ratio = zone_sigma(dipped[AROUND.box], AROUND, "rim") / zone_sigma(even[AROUND.box], AROUND, "rim")
    assert ratio == pytest.approx(0.75, abs=0.05)


def test_noise_power_of_equal_laws_is_within_the_null_and_a_louder_one_is_found():
    first, second, loud = locals_of(1), locals_of(2), locals_of(3, noise=15.0)
    for zone, entry in noise_power(first, second)["zones"].items():
        assert entry["p"] > 0.01, zone
        assert entry["floor"]["mean_absolute"] > 0
    for entry in noise_power(first, loud)["zones"].values():
        assert entry["p"] < 0.01
        assert np.mean([band["value"] for band in entry["bands"][2:]]) == pytest.approx(2 * np.log(15 / 12), abs=0.12)


def test_distributions_see_a_bias_in_hu_and_nothing_else():
    same, darker = distributions(locals_of(1), locals_of(2)), distributions(locals_of(1), locals_of(3, contrast=-52.0))
    assert abs(same["contrast_hu"]["difference"]["value"]) < 1.5
    assert same["contrast_hu"]["ks_p"] > 0.01
    found = darker["contrast_hu"]["difference"]
    assert found["low"] < found["value"] < found["high"] < -5
    assert darker["contrast_hu"]["ks"] == pytest.approx(1)


def test_intervals_hold_the_estimate_and_missing_values_are_left_out():
    values = list(np.random.default_rng(0).normal(5, 1, 60))
    found = estimate([*values, float("nan")], [f"p{n // 3}" for n in range(61)])
    assert found.n == 60
    assert found.low < 5.2
    assert found.low < found.value < found.high
    assert estimate([1.0], ["p"]).value is None


def test_a_patients_lesions_are_resampled_together():
    values = list(np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10))
    together, apart = (
        estimate(values, [f"p{n // 10}" for n in range(200)]),
        estimate(values, [str(n) for n in range(200)]),
    )
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_differences_of_two_groups_and_their_null():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 60), rng.normal(2, 1, 60)
    people = [f"p{n // 2}" for n in range(60)]
    found = difference(first, people, second, people, statistic=mean_difference)
    assert found.low < 2 < found.high
    assert np.abs(permuted(first, people, second, people, statistic=mean_difference)).max() < found.low
    table = rng.normal(0, 1, (60, 8))
    assert band_difference(table, table) == 0


@pytest.mark.parametrize(
    ("value", "target", "comparison", "passed"),
    [(0.5, 0.6, "<=", True), (0.7, 0.6, "<=", False), (-3.0, 2.0, "absolute <=", False), (0.0, 0.0, "==", True)],
)
def test_a_gate_line_compares_with_its_target(value, target, comparison, passed):
    found = estimate([value, value], ["a", "b"])
    assert line("x", found, target, comparison)["passed"] is passed


def test_what_is_not_measured_neither_passes_nor_fails():
    assert line("x", estimate([], []), 1.0, "<=", note="not measured")["passed"] is None


def test_nothing_outside_a_real_edits_box_differs_and_one_voxel_is_counted(phantom, demo_generator, deep_voxel):
    result = insert_lesion(
        phantom.hu,
        phantom.grid,
        liver_mask=phantom.liver,
        centre_lps_mm=phantom.grid.to_world(deep_voxel).tolist(),
        spec=LesionSpec("hypodense", 12.0, -40.0, 3),
        generator=demo_generator,
    )
    edited = result.apply(phantom.hu)
    assert (edited != phantom.hu).any()
    assert differing_outside(phantom.hu, edited, result.box) == (0, phantom.hu.size - result.edited.size)
    edited[0, 0, 0] += 1
    assert differing_outside(phantom.hu, edited, result.box)[0] == 1


def shapes(rng, count):
    """Dark balls with individual places and sizes; (count, 16, 40, 40)."""
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in (16, 40, 40)], indexing="ij")
    patches = []
    for _ in range(count):
        dy, dx, size, stretch = rng.uniform([-4, -4, 4, 0.6], [4, 4, 10, 1.6])
        patches.append(-0.6 * (np.sqrt((2 * z) ** 2 + stretch * (y - dy) ** 2 + (x - dx) ** 2) < size))
    return np.stack(patches).astype(np.float32)


def noisy(rng, patches):
    return list((patches + 0.12 * rng.standard_normal(patches.shape)).astype(np.float32))


def test_memorisation_flags_copies_under_new_noise_and_not_new_lesions():
    rng = np.random.default_rng(0)
    known = shapes(rng, 60)
    training, real, new = noisy(rng, known), noisy(rng, shapes(rng, 40)), noisy(rng, shapes(rng, 40))
    copies = noisy(rng, known[:40])
    people = [f"p{n // 2}" for n in range(40)]
    honest = memorisation(new, people, real, people, training)
    copied = memorisation(copies, people, real, people, training)
    assert honest["p"] > 0.05
    assert honest["ratio"]["value"] == pytest.approx(1, abs=0.1)
    assert copied["p"] < 0.01
    assert copied["ratio"]["high"] < 0.9


def test_a_mirrored_copy_has_no_distance():
    known = shapes(np.random.default_rng(0), 5)
    assert nearest_distances(known[:, :, ::-1, ::-1], known) == pytest.approx(0, abs=1e-3)
