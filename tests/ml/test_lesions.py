import json

import numpy as np
import pytest

from ml.geometry import Grid
from ml.scans.lesions import label_lesions, lesion_table


def ball_scene(*, radius_mm=8.0, contrast=-40, spacing=(1.5, 0.8, 0.8)):
    grid = Grid((40, 80, 80), spacing, (-30.0, 10.0, 5.0))
    middle = grid.to_world((20, 40, 36))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.size_zyx], indexing="ij"), -1)
    inside = np.linalg.norm(grid.to_world(index) - middle, axis=-1) < radius_mm
    hu = np.full(grid.size_zyx, 100, np.int16)
    hu[inside] += contrast
    return hu, grid, inside, middle


@pytest.mark.parametrize("radius_mm", [4.0, 8.0, 14.0])
def test_a_ball_is_measured_as_a_ball(radius_mm):
    hu, grid, inside, middle = ball_scene(radius_mm=radius_mm)
    (lesion,) = lesion_table(hu, grid, lesion_mask=inside, liver_mask=np.ones_like(inside))
    assert lesion.diameter_mm == pytest.approx(2 * radius_mm, rel=0.03)
    assert lesion.axial_diameter_mm == pytest.approx(2 * radius_mm, abs=1.0)
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * radius_mm**3 / 1000, rel=0.08)
    assert np.allclose(lesion.centroid_lps_mm, middle, atol=0.2)
    assert lesion.contrast_to_liver_hu == -40
    assert lesion.touches_surface is False


def test_lesions_are_numbered_from_the_largest_and_diagonal_contact_connects():
    mask = np.zeros((4, 8, 8), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    mask[3, 4:8, 4:8] = True
    numbered = label_lesions(mask)
    assert numbered[3, 5, 5] == 1
    assert numbered[0, 0, 0] == numbered[1, 1, 1] == 2


def test_touching_lesions_with_their_own_labels_stay_apart():
    labels = np.zeros((1, 4, 8), np.uint8)
    labels[:, :, :4], labels[:, :, 4:] = 1, 2
    assert len(np.unique(label_lesions(labels))) == 2
    assert len(lesion_table(labels.astype(np.int16), Grid((1, 4, 8), (1.0, 1.0, 1.0)), lesion_mask=labels)) == 2


def test_without_a_liver_there_is_no_contrast_and_rows_are_json():
    hu, grid, inside, _ = ball_scene()
    (lesion,) = lesion_table(hu, grid, lesion_mask=inside)
    assert lesion.contrast_to_liver_hu is None
    assert json.loads(json.dumps(lesion.to_dict()))["voxels"] == int(inside.sum())


def test_an_empty_mask_is_an_empty_table():
    hu, grid, inside, _ = ball_scene()
    assert lesion_table(hu, grid, lesion_mask=np.zeros_like(inside)) == []
