"""Places of lesions: the scan itself says where a liver mask holds parenchyma."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ml.geometry import Grid
from ml.phantom import PhantomConfig, make_phantom
from ml.scans.parenchyma import Parenchyma
from ml.scans.volume_io import read_mask, read_volume

REAL_CT = Path(os.environ.get("SHARED_CT_DIR", Path(__file__).resolve().parents[2].parent / "shared" / "ct"))
GRID = Grid((24, 80, 80), (3.0, 1.5, 1.5), (10.0, 20.0, 30.0))
MIDDLE = (12, 40, 40)


def ball(centre_zyx, radius_mm):
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.size_zyx], indexing="ij"), -1)
    return np.linalg.norm(GRID.to_world(index) - GRID.to_world(centre_zyx), axis=-1) < radius_mm


def scene(*parts):
    """A liver of 110 HU in fat, with noise; ``parts`` are (mask, HU) that the liver mask holds too."""
    liver = ball(MIDDLE, 34)
    hu = np.where(liver, 110.0, -100.0)
    for mask, value in parts:
        hu[mask] = value
        liver = liver | mask
    hu += np.random.default_rng(1).normal(0, 12, hu.shape)
    return np.rint(hu).astype(np.int16), liver


def of(scene, radius_mm=6.0):
    return Parenchyma.of(scene[0], GRID, scene[1], radius_mm=radius_mm)


def test_plain_liver_is_allowed_up_to_the_capsule():
    found = of(scene())
    deep, near_capsule = GRID.to_world(MIDDLE), GRID.to_world((12, 40, 58))
    assert found.allowed(deep)
    assert found.allowed(near_capsule)
    assert not found.allowed(GRID.to_world((0, 0, 0)))
    assert not found.allowed(deep + 1000)


@pytest.mark.parametrize(
    ("hu", "words"),
    [(5, "fluid"), (-90, "fat"), (190, "vessel"), (65, "darker")],
    ids=["bile", "fissure", "vein", "wall"],
)
def test_what_is_no_parenchyma_is_refused_named_and_a_place_beside_it_suggested(hu, words):
    found = of(scene((ball(MIDDLE, 8), hu)))
    place = GRID.to_world(MIDDLE)
    assert not found.allowed(place)
    assert words in found.looks_like(place)
    nearest = found.nearest(place)
    assert found.allowed(nearest)
    assert 8 < np.linalg.norm(np.subtract(nearest, place)) < 20


def test_a_larger_lesion_needs_more_parenchyma_around_it():
    vein = ball(MIDDLE, 34)
    vein[:, :, 30:] = False
    beside = scene((vein, 190))
    place = GRID.to_world((12, 40, 35))
    assert of(beside, radius_mm=3).allowed(place)
    assert not of(beside, radius_mm=30).allowed(place)


def test_a_leak_of_the_same_attenuation_behind_a_neck_is_refused():
    spleen = ball((12, 40, 75), 7)
    neck = np.zeros(GRID.size_zyx, bool)
    neck[12, 39:41, 60:75] = True
    found = of(scene((spleen | neck, 110)))
    assert not found.allowed(GRID.to_world((12, 40, 75)))
    assert found.allowed(GRID.to_world((12, 40, 50)))


def test_the_level_may_change_through_the_liver():
    hu, liver = scene()
    slope = np.linspace(-15, 15, GRID.size_zyx[1])[:, None]
    hu[liver] += np.broadcast_to(slope, hu.shape)[liver].astype(np.int16)
    found = of((hu, liver))
    assert found.allowed(GRID.to_world((12, 24, 40)))
    assert found.allowed(GRID.to_world((12, 56, 40)))


def test_the_whole_grid_says_what_the_places_say():
    hu, liver = scene((ball(MIDDLE, 8), 5))
    found = of((hu, liver))
    index = np.argwhere(liver)[::97]
    assert (found.whole()[tuple(index.T)] == found.allowed(GRID.to_world(index))).all()


def test_too_little_liver_tells_nothing():
    assert of((scene()[0], ball(MIDDLE, 4))) is None


def test_places_in_a_phantom_lie_in_its_parenchyma_even_when_the_mask_leaks():
    phantom = make_phantom(4, PhantomConfig(size_zyx=(20, 128, 128), slice_mm=5.0, phase="portal", lesion_count=2))
    leaking = ndimage.binary_dilation(phantom.liver, iterations=5)
    found = Parenchyma.of(phantom.hu, phantom.grid, leaking, radius_mm=6)
    allowed = found.whole()
    assert (allowed & phantom.liver).sum() > 0.45 * phantom.liver.sum()
    assert (allowed & ~phantom.liver).sum() < 0.02 * allowed.sum()


def test_of_500_random_places_of_a_real_scan_none_lies_outside_parenchyma_though_the_mask_leaks():
    if not (REAL_CT / "ircad01").exists():
        pytest.skip(f"no real scan at {REAL_CT / 'ircad01'}; its licence keeps it out of the repository")
    # Hilum, vena cava, stomach and six of the seven tumours.
    part = slice(30, 70), slice(None), slice(None)
    volume, grid = read_volume(REAL_CT / "ircad01" / "ct.nii.gz")
    labels = read_mask(REAL_CT / "ircad01" / "labels.nii.gz", expected=grid)[0][part]
    volume, grid = volume[part], replace(grid, size_zyx=(40, *grid.size_zyx[1:]))
    leaking = ndimage.binary_dilation(labels > 0, iterations=6)
    allowed = Parenchyma.of(volume, grid, leaking, radius_mm=8).whole()
    places = np.random.default_rng(0).permutation(np.argwhere(allowed))[:500]
    # Label 1 is the liver without its tumours and its largest vessels; outlines are drawn to a voxel or two.
    near = ndimage.binary_dilation(labels == 1, iterations=3)
    assert (labels == 1)[tuple(places.T)].mean() > 0.99
    assert near[tuple(places.T)].all()
