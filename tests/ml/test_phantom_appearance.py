"""What a radiologist would object to first."""

import numpy as np
import pytest
from scipy import ndimage

from ml.phantom import PhantomConfig, left_abdomen, make_phantom

SMALL = PhantomConfig(size_zyx=(16, 128, 128), slice_mm=4.0)
SEEDS = range(5)


@pytest.fixture(scope="module")
def abdomens():
    return [make_phantom(seed, SMALL) for seed in SEEDS]


def positions_mm(phantom):
    _, rows, columns = phantom.grid.size_zyx
    _, row_mm, column_mm = phantom.grid.spacing_zyx_mm
    return (np.arange(rows) - (rows - 1) / 2) * row_mm, (np.arange(columns) - (columns - 1) / 2) * column_mm


def depth_in_body_mm(phantom):
    """Distance to the air (or table) around the patient, slice by slice."""
    depth = []
    for plane in phantom.clean_hu:
        parts, _ = ndimage.label(plane < -300)
        depth.append(ndimage.distance_transform_edt(parts != parts[0, 0], sampling=phantom.grid.spacing_zyx_mm[1]))
    return np.stack(depth)


def test_no_bone_comes_out_of_the_skin(abdomens):
    for phantom in abdomens:
        assert depth_in_body_mm(phantom)[phantom.clean_hu > 250].min() >= 5


def test_the_spine_has_muscles_behind_it(abdomens):
    for phantom in abdomens:
        y_mm, x_mm = positions_mm(phantom)
        beside = np.flatnonzero((np.abs(x_mm) > 14) & (np.abs(x_mm) < 26))
        behind = phantom.clean_hu[:, y_mm > 80][:, :, beside]
        muscle_mm = ((behind > 30) & (behind < 110)).sum(1).mean() * phantom.grid.spacing_zyx_mm[1]
        assert muscle_mm > 7.5


def test_the_left_abdomen_is_not_mostly_fat(abdomens):
    shares = []
    for phantom in abdomens:
        y_mm, x_mm = positions_mm(phantom)
        left = phantom.clean_free_hu[:, (y_mm > -45) & (y_mm < 30)][:, :, (x_mm > 25) & (x_mm < 85)]
        shares.append((left < -60).mean())
    assert max(shares) < 0.33


def test_what_lies_beside_the_liver_moves_neither_it_nor_its_lesions(abdomens, monkeypatch):
    monkeypatch.setattr(left_abdomen, "JEJUNUM_LOOPS", 3)
    monkeypatch.setattr(left_abdomen, "MESENTERIC_VESSELS", 1)
    for phantom in abdomens[:2]:
        other = make_phantom(phantom.seed, SMALL)
        assert not np.array_equal(phantom.clean_hu, other.clean_hu)
        for name in ("liver", "labels", "vessels"):
            assert np.array_equal(getattr(phantom, name), getattr(other, name))
        assert phantom.lesions == other.lesions
        inner = ndimage.binary_erosion(phantom.liver, iterations=2)
        assert phantom.clean_hu[inner] == pytest.approx(other.clean_hu[inner], abs=1e-3)
