import numpy as np
import pytest

from ml.evaluation.shape_measures import NAMES, shape_measures, shape_test

SPACING = (2.0, 0.8, 0.8)


def ellipsoid(radii_mm, spacing=SPACING):
    half = [int(np.ceil(1.2 * r / s)) for r, s in zip(radii_mm, spacing, strict=True)]
    z, y, x = (np.arange(-h, h + 1) * s / r for h, s, r in zip(half, spacing, radii_mm, strict=True))
    return z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < 1


def test_a_ball_is_round_in_every_measure():
    found = shape_measures(ellipsoid((14, 14, 14)), SPACING)
    assert set(found) == set(NAMES)
    assert found["sphericity"] == pytest.approx(1, abs=0.05)
    assert found["slice_convexity"] > 0.93
    assert found["elongation"] > 0.97
    assert found["flatness"] > 0.97
    assert found["depth_to_width"] == pytest.approx(1, abs=0.12)
    assert max(found[f"outline_{name}"] for name in ("oval", "lobes", "bumps", "jags")) < 0.02


def test_size_does_not_count():
    small, large = (shape_measures(ellipsoid((r, r, 1.6 * r)), SPACING) for r in (14, 28))
    for name in ("sphericity", "elongation", "flatness", "outline_oval", "rough_coarse"):
        assert small[name] == pytest.approx(large[name], abs=0.06), name


def test_long_flat_and_jagged_lesions_are_told():
    ball = ellipsoid((14, 14, 14))
    assert shape_measures(ellipsoid((14, 14, 28)), SPACING)["elongation"] == pytest.approx(0.5, abs=0.05)
    assert shape_measures(ellipsoid((7, 14, 14)), SPACING)["depth_to_width"] == pytest.approx(0.5, abs=0.1)
    jagged = ball.copy()
    jagged[:, ::4] &= np.random.default_rng(0).random(jagged[:, ::4].shape) < 0.3
    found, plain = shape_measures(jagged, SPACING), shape_measures(ball, SPACING)
    assert found["rough_fine"] > plain["rough_fine"] + 0.03
    assert found["sphericity"] < plain["sphericity"] - 0.2


def test_an_empty_mask_has_no_shape():
    with pytest.raises(ValueError, match="no shape"):
        shape_measures(np.zeros((4, 5, 6), bool), SPACING)


def test_equal_laws_of_shape_are_not_told_apart_and_longer_lesions_are():
    rng = np.random.default_rng(4)

    def drawn(longer):
        radii = 10 * np.exp(rng.normal((0, 0, longer), 0.12))
        return shape_measures(ellipsoid(radii), SPACING)

    people = [f"patient {n // 2}" for n in range(40)]
    first, second, long = ([drawn(longer) for _ in people] for longer in (0, 0, 0.5))
    assert shape_test(first, second, people).auc < 0.7
    assert shape_test(first, long, people).auc > 0.9
