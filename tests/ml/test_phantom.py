import json

import numpy as np
import pytest
from scipy import ndimage

from ml.phantom import PhantomConfig, make_phantom
from ml.phantom.__main__ import main
from ml.phantom.acquisition import Scanner, acquire_pair, back_project, project
from ml.phantom.lesions import SIZE_DIAMETERS_MM, SIZE_QUANTILES, draw_diameter_mm
from ml.scans.volume_io import read_mask, read_volume

SMALL = PhantomConfig(size_zyx=(8, 128, 128), lesion_count=4)


def disc(pixels=128, *, hu=50.0):
    axis = np.arange(pixels) - (pixels - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    image = np.full((2, pixels, pixels), -1000.0, np.float32)
    image[:, (x / 45) ** 2 + (y / 35) ** 2 < 1] = hu
    return image, (x / 30) ** 2 + (y / 24) ** 2 < 1


def test_every_view_sees_the_same_mass():
    image, _ = disc()
    mass = project(image + 1000, views=96).sum(axis=1)
    assert np.allclose(mass, (image + 1000).sum(axis=(1, 2)), rtol=2e-3)


def test_projection_and_back_projection_agree_in_orientation():
    point = np.zeros((1, 64, 64), np.float32)
    point[0, 20, 41] = 1
    image = back_project(project(point, views=64), views=64)
    assert np.unravel_index(image[0].argmax(), (64, 64)) == (20, 41)


@pytest.mark.parametrize("kernel", ["soft", "standard", "sharp"])
def test_reconstruction_keeps_hounsfield_units(kernel):
    image, inside = disc()
    scan, _ = acquire_pair(image, image, rng=np.random.default_rng(0), pixel_mm=2.5, scanner=Scanner(1e9, kernel))
    assert abs(scan[0][inside].mean() - 50) < 2.5


def test_a_slice_shows_as_much_of_the_one_above_as_of_the_one_below():
    image, inside = disc()
    image = np.concatenate([image, image, image[:1]])
    other = image.copy()
    other[2, inside] += 200
    both = acquire_pair(other, image, rng=np.random.default_rng(0), pixel_mm=2.5, scanner=Scanner(1e9, "standard"))
    shown = (both[0] - both[1])[:, inside].mean(1)
    assert shown[1] == pytest.approx(shown[3], rel=0.01)
    assert shown[[0, 4]] == pytest.approx([0, 0], abs=0.01)
    assert shown.sum() == pytest.approx(200, rel=0.05)
    assert 0.05 < shown[1] / shown.sum() < 0.15


def test_more_photons_give_less_noise_and_sharper_kernels_more():
    image, inside = disc()

    def noise(photons, kernel):
        scanner = Scanner(photons, kernel)
        return acquire_pair(image, image, rng=np.random.default_rng(1), pixel_mm=2.5, scanner=scanner)[0][0][
            inside
        ].std()

    assert noise(2e4, "standard") / noise(8e4, "standard") == pytest.approx(2, rel=0.15)
    assert noise(4e4, "soft") < noise(4e4, "standard") < noise(4e4, "sharp")


def test_the_same_seed_gives_the_same_voxels_and_another_seed_does_not():
    first, again, other = make_phantom(3, SMALL), make_phantom(3, SMALL), make_phantom(4, SMALL)
    assert np.array_equal(first.hu, again.hu)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.hu, other.hu)


def test_the_twin_differs_only_about_the_lesions(phantom):
    lesions = phantom.labels > 0
    change = phantom.hu.astype(int) - phantom.lesion_free_hu
    far = ndimage.distance_transform_edt(~lesions, sampling=phantom.grid.spacing_zyx_mm) > 15
    assert np.abs(change[lesions]).mean() > 20
    assert np.abs(change[far & phantom.liver]).mean() < 1
    truth = phantom.clean_hu - phantom.clean_free_hu
    solid = phantom.labels == np.argmax(np.bincount(phantom.labels[lesions]))
    assert change[solid].mean() == pytest.approx(truth[solid].mean(), abs=3)


def test_the_liver_is_where_and_what_it_should_be(phantom):
    centre = phantom.grid.to_world(np.argwhere(phantom.liver).mean(0))
    assert centre[0] < -20
    plain = ndimage.binary_erosion(phantom.liver & (phantom.labels == 0) & ~phantom.vessels, iterations=2)
    assert phantom.hu[plain].mean() == pytest.approx(phantom.config["liver_hu"], abs=8)
    assert phantom.hu[phantom.vessels].mean() > phantom.hu[plain].mean() + 20


def test_lesions_are_numbered_inside_the_liver_with_their_kinds(phantom):
    assert sorted(lesion.label for lesion in phantom.lesions) == sorted(set(np.unique(phantom.labels)) - {0})
    assert not (phantom.labels > 0)[~phantom.liver].any()
    for lesion in phantom.lesions:
        inside = phantom.labels == lesion.label
        change = (phantom.clean_hu - phantom.clean_free_hu)[inside]
        if lesion.kind == "cystic" and inside.sum() > 30:
            assert np.median(phantom.clean_hu[inside]) < 35
        assert change.min() < -8


def test_sizes_follow_those_of_real_lesions():
    rng = np.random.default_rng(0)
    drawn = np.array([draw_diameter_mm(rng) for _ in range(4000)])
    middle = slice(1, -1)
    assert np.quantile(drawn, SIZE_QUANTILES[middle]) == pytest.approx(SIZE_DIAMETERS_MM[middle], rel=0.08)


def test_phases_change_the_vessels_and_not_only_the_liver():
    def contrast(phase):
        phantom = make_phantom(5, PhantomConfig(size_zyx=(8, 128, 128), phase=phase, lesion_count=0))
        plain = ndimage.binary_erosion(phantom.liver & ~phantom.vessels)
        return phantom.clean_hu[phantom.vessels].mean() - phantom.clean_hu[plain].mean()

    assert contrast("portal") > contrast("arterial") > 0 > contrast("plain")


def test_the_command_writes_what_it_says(tmp_path):
    main(["--count", "1", "--seed", "3", "--out", str(tmp_path), "--slices", "8", "--pixels", "128"])
    folder = tmp_path / "phantom_00003"
    expected = make_phantom(3, PhantomConfig(size_zyx=(8, 128, 128)))
    hu, grid = read_volume(folder / "ct.nii.gz")
    assert np.array_equal(hu, expected.hu)
    labels, _ = read_mask(folder / "lesions.nii.gz", expected=grid)
    described = json.loads((folder / "phantom.json").read_text())
    assert len(described["lesions"]) == len(expected.lesions) == len(np.unique(labels)) - 1
    for name in ("liver", "vessels", "lesion_free"):
        assert (folder / f"{name}.nii.gz").is_file()
