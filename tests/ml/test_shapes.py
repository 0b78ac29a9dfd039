import numpy as np
import pytest
from scipy import ndimage

from ml.generator.shapes import signed_depth_mm


def blob(rng):
    return ndimage.gaussian_filter(rng.standard_normal((7, 20, 22)), (1, 3, 3)) > 0.02


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
def test_depth_is_the_distance_in_a_mask_interpolated_between_its_slices(factor):
    mask, pixel_mm = blob(np.random.default_rng(factor)), 0.8
    fine_shape = ((len(mask) - 1) * factor + 1, *mask.shape[1:])
    soft = ndimage.affine_transform(
        mask.astype(np.float64), (1 / factor, 1, 1), output_shape=fine_shape, order=1, mode="nearest"
    )
    fine, half = soft >= 0.5 - 1e-9, 0.5 * pixel_mm
    inside, outside = (ndimage.distance_transform_edt(part, sampling=pixel_mm) for part in (fine, ~fine))
    wanted = np.where(fine, inside - half, half - outside)[::factor]
    assert signed_depth_mm(mask, (factor * pixel_mm, pixel_mm, pixel_mm)) == pytest.approx(wanted, abs=1e-4)


def test_an_empty_mask_has_no_inside():
    assert (signed_depth_mm(np.zeros((3, 8, 8), bool), (2.0, 1.0, 1.0)) <= 0.5).all()
