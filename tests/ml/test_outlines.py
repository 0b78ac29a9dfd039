import numpy as np
import pytest
from scipy import ndimage

from ml.editing.outlines import outlined
from ml.evaluation.shape_measures import surface_mm2
from ml.generator.shapes import shape_of_difference

SPACING = (2.5, 1.4, 1.4)
SIZE = (16, 40, 40)


def decoded(kind):
    """A decoded difference of 20 mm, as a ball or as a block with edges and corners."""
    z, y, x = ((np.arange(n) - n / 2) * s for n, s in zip(SIZE, SPACING, strict=True))
    if kind == "ball":
        inside = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < 10**2
    else:
        inside = np.maximum(np.maximum(np.abs(z)[:, None, None], np.abs(y)[:, None]), np.abs(x)) < 8
    shape = shape_of_difference(np.where(inside, np.float32(-40), np.float32(0)), SPACING)
    assert shape is not None
    return shape


def blob(outline):
    """The outline cut to the volume of its diameter, and its roundness: 1 for a ball."""
    count = round(np.pi / 6 * outline.diameter_mm**3 / np.prod(outline.spacing_zyx_mm))
    inside = outline.depth_mm > np.partition(outline.depth_mm, -count, axis=None)[-count]
    surface = surface_mm2(np.pad(inside, 3), np.array(outline.spacing_zyx_mm))
    return inside, np.pi * outline.diameter_mm**2 / surface


@pytest.mark.parametrize("kind", ["ball", "block"])
def test_edges_and_corners_of_the_decoded_samples_are_gone(kind):
    outline = outlined(decoded(kind), SPACING, 20, 0.0, np.random.default_rng(0))
    inside, roundness = blob(outline)
    # A cube has 0.81.
    assert roundness > 0.9
    assert np.abs(np.argwhere(inside).mean(0) - outline.centre_zyx).max() < 1
    assert outline.diameter_mm == pytest.approx(20, rel=0.12)


def test_the_surface_is_as_rough_as_asked_and_its_own_for_every_seed():
    shape = decoded("ball")
    rounds = {
        r: [blob(outlined(shape, SPACING, 10, r, np.random.default_rng(s)))[1] for s in range(6)] for r in (0.3, 1.0)
    }
    assert np.mean(rounds[1.0]) < np.mean(rounds[0.3]) - 0.02
    first, again, other = (outlined(shape, SPACING, 20, 1.0, np.random.default_rng(s)).depth_mm for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_a_lesion_stays_one_piece_for_the_most_part():
    for seed in range(8):
        inside, _ = blob(outlined(decoded("ball"), SPACING, 6, 1.0, np.random.default_rng(seed)))
        parts, count = ndimage.label(inside)
        assert np.bincount(parts.ravel())[1:].max() > 0.94 * inside.sum(), (seed, count)


def test_small_lesions_are_rougher_for_their_size_than_large_ones():
    small, large = (
        np.mean([blob(outlined(decoded("ball"), SPACING, mm, 1.0, np.random.default_rng(s)))[1] for s in range(6)])
        for mm in (6, 40)
    )
    assert small < large - 0.03


def test_outlines_are_smoother_within_the_slice_than_through_the_slices():
    """Steps of the depth along an axis, in the middle of the lattice, against the blob's own."""
    own = outlined(decoded("ball"), SPACING, 6, 0.0, np.random.default_rng(0)).depth_mm
    within, through = [], []
    for seed in range(6):
        added = outlined(decoded("ball"), SPACING, 6, 1.0, np.random.default_rng(seed)).depth_mm - own
        middle = added[10:30, 10:30, 10:30]
        through.append(np.square(np.diff(middle, n=2, axis=0)).mean())
        within.append(np.square(np.diff(middle, n=2, axis=2)).mean())
    assert np.mean(through) > 2 * np.mean(within)
