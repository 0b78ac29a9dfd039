import numpy as np
import pytest
from scipy import ndimage

from ml.evaluation.bands import SCALES, ZONES_PX, band_features, band_names, wavelet_details
from ml.evaluation.two_sample import TwoSampleData, feature_test

SIZE = (7, 40, 40)


def noise(count, seed, *, size=SIZE):
    white = np.random.default_rng(seed).standard_normal((count, *size))
    return (0.15 * ndimage.gaussian_filter(white, (0, 0, 0.7, 0.7))).astype(np.float32)


def columns(*parts):
    return [n for n, name in enumerate(band_names()) if all(part in name for part in parts)]


def test_every_column_has_a_name_and_a_finite_value_even_without_any_structure():
    table = band_features(np.concatenate([noise(2, 0), np.zeros((1, *SIZE), np.float32)]))
    assert table.shape == (3, len(band_names()))
    assert len(set(band_names())) == len(band_names())
    assert np.isfinite(table).all()


def test_a_patch_counts_as_all_of_its_mirrored_and_turned_views():
    patch = noise(1, 1)
    views = [patch[..., ::-1], patch[..., ::-1, :], patch.swapaxes(2, 3), patch[:, ::-1]]
    for view in views:
        assert band_features(view) == pytest.approx(band_features(patch), abs=1e-4)


def test_strength_moves_energies_and_powers_alone():
    patches = noise(3, 2)
    apart = band_features(10 * patches) - band_features(patches)
    strong = columns("energy") + columns("window")
    assert apart[:, strong] == pytest.approx(2 * np.log(10), abs=0.1)
    assert np.delete(apart, strong, axis=1) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("scale", range(SCALES))
def test_a_wave_is_found_at_the_scale_of_its_length(scale):
    wave = np.sin(2 * np.pi * np.arange(64) / (3 * 2**scale))
    details = wavelet_details(np.broadcast_to(wave, (1, 64, 64)))
    strength = [np.square(d[..., 16:48, 16:48]).sum((1, 2, 3)) for d in details]
    assert int(np.argmax([s.sum() for s in strength])) == scale
    # It changes along rows only.
    assert strength[scale][0] > 100 * strength[scale][1:].sum()


def test_noise_has_no_tails_and_few_edges_have():
    quiet = noise(20, 3)
    edges = quiet.copy()
    edges[:, :, 18:22, 19] += 2
    tails = columns("scale_1_edges_0_4", "tails")
    assert abs(band_features(quiet)[:, tails].mean()) < 0.2
    assert band_features(edges)[:, tails].mean() > 0.5


def test_it_tells_what_features_do_not_and_equal_laws_are_near_chance():
    """Fine noise about the middle goes on from slice to slice: of all features only the middle's slices are compared."""
    first, second, third = noise(60, 4), noise(60, 5), noise(60, 6)
    fine = third - ndimage.gaussian_filter(third, (0, 0, 1, 1))
    radius = np.hypot(*np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in SIZE[1:]], indexing="ij"))
    around = radius >= ZONES_PX[2]
    mixed = np.sqrt(0.5) * (fine[:, :-1] + fine[:, 1:])
    third[:, 1:] += (mixed - fine[:, 1:]) * around
    people = np.array([f"patient {n}" for n in range(60)])

    def area(other, table):
        data = TwoSampleData.of(first, other, people, np.char.add(people, "'"))
        return feature_test(data, table=table and table(data.patches)).auc

    assert area(third, band_features) > max(0.9, area(third, None) + 0.1)
    assert area(second, band_features) < 0.65
