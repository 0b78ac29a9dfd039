import numpy as np
import pytest
from scipy import ndimage

from ml.evaluation.radiomics import feature_names, features
from ml.evaluation.realism.report import noise_power_difference, planted, split_by_patient, two_sample
from ml.evaluation.two_sample import TwoSampleData, feature_test, kernel_test, network_test, network_tests
from ml.generator.signatures import NormalNeighbours, SignatureSpace


def liver_like(rng, count, *, contrast=-0.4, noise=0.18, patients=12):
    """Noisy patches with a soft dark ball in the middle; shape (count, 8, 40, 40)."""
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in (8, 40, 40)], indexing="ij")
    radius = np.sqrt((2.4 * z) ** 2 + y**2 + x**2)
    sizes = rng.uniform(5, 9, count)
    balls = np.stack([1 / (1 + np.exp((radius - s) / 1.2)) for s in sizes])
    rough = ndimage.gaussian_filter(rng.standard_normal((count, 8, 40, 40)), (0, 0.4, 0.8, 0.8))
    patches = contrast * balls + noise / rough.std() * rough
    return patches.astype(np.float32), np.array([f"p{n}" for n in rng.integers(patients, size=count)])


@pytest.fixture(scope="module")
def same():
    rng = np.random.default_rng(0)
    first, a = liver_like(rng, 60)
    second, b = liver_like(rng, 60)
    return TwoSampleData.of(first, second, np.char.add("a", a), np.char.add("b", b))


@pytest.mark.parametrize("test", [feature_test, network_test])
def test_equal_laws_are_near_chance_and_a_planted_difference_is_found(same, test):
    floor, power = test(same), test(planted(same))
    assert floor.low < 0.55
    assert floor.auc < 0.65
    assert power.auc > 0.8
    assert power.low <= power.auc <= power.high


@pytest.mark.parametrize("key", ["p", "kid_p"])
def test_the_kernel_tests_have_size_and_power(same, key):
    assert kernel_test(same)[key] > 0.02
    assert kernel_test(planted(same))[key] < 0.02


def test_every_plane_has_its_network_and_the_best_one_counts(same):
    planes = network_tests(same)
    assert [p.classifier for p in planes] == ["network, axial", "network, coronal", "network, sagittal"]
    assert network_test(same).auc == max(p.auc for p in planes)


def test_folds_never_share_a_patient(same):
    for train, test in same.folds(0):
        assert not set(same.patients[train]) & set(same.patients[test])


def test_a_class_of_one_patient_is_tested_by_patches_and_said_to_be():
    """A fold that held the only real patient once left nothing real to learn from."""
    rng = np.random.default_rng(4)
    first, second = liver_like(rng, 6)[0], liver_like(rng, 24)[0]
    people = np.array([f"b{n // 2}" for n in range(24)])
    found = two_sample(TwoSampleData.of(first, second, np.array(["a"] * 6), people))
    assert found["note"] == "patches, not patients, are resampled"
    assert 0 <= found["features"]["low"] <= found["features"]["high"] <= 1


def test_a_set_is_split_by_patients():
    patches, people = liver_like(np.random.default_rng(1), 40)
    halves = split_by_patient(list(patches), list(people), seed=0)
    assert not set(halves.patients[halves.truth == 0]) & set(halves.patients[halves.truth == 1])
    assert len(halves.truth) == 40


def test_features_are_named_finite_and_see_contrast_and_noise():
    rng = np.random.default_rng(0)
    weak, strong = (features(liver_like(rng, 8, contrast=c)[0]) for c in (-0.2, -0.6))
    names = feature_names()
    assert weak.shape == (8, len(names))
    assert np.isfinite(weak).all()
    assert strong[:, names.index("mean_0_4")].mean() < weak[:, names.index("mean_0_4")].mean() - 0.2
    quiet, loud = (features(liver_like(rng, 8, noise=n)[0]) for n in (0.1, 0.3))
    assert loud[:, names.index("rough_sd_14_18")].mean() > 2 * quiet[:, names.index("rough_sd_14_18")].mean()


def test_noise_power_difference_is_zero_for_equal_and_the_log_of_the_ratio_else():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 300, 4, 40, 40)).astype(np.float32)
    assert np.abs(noise_power_difference(first, second)[1:]).max() < 0.1
    assert np.array(noise_power_difference(first, 2 * second)[1:]) == pytest.approx(np.log(4), abs=0.1)


def test_principal_components_are_orthonormal_ordered_and_complete():
    codes = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32) * [5, 3, 2, 1, 0.5, 0.1]
    space = SignatureSpace.fit(codes.astype(np.float32))
    assert np.allclose(space.components @ space.components.T, np.eye(6), atol=1e-4)
    assert (np.diff(space.explained_variance_ratio) <= 0).all()
    assert space.explained_variance_ratio.sum() == pytest.approx(1, abs=1e-4)
    assert np.allclose(space.codes(space.coordinates(codes)), codes, atol=1e-3)


def test_the_nearest_normal_codes_share_all_but_the_lesion():
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((300, 8)).astype(np.float32)
    lesion_axis = np.zeros(8, np.float32)
    lesion_axis[0] = 9
    lesions = rng.standard_normal((80, 8)).astype(np.float32) + lesion_axis
    own = normals[7] + lesion_axis
    nearest = NormalNeighbours(lesions, normals).nearest(own, count=8)
    assert abs(nearest[0]) < 2
    assert own[0] - nearest[0] > 6
