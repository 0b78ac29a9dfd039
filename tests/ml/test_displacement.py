"""Vessels bend round an inserted lesion; the noise and everything farther away stay where they are."""

import numpy as np
import pytest
from scipy import ndimage

from ml.editing import LESION_KINDS, LesionSpec, insert_lesion
from ml.editing.displacement import MOST_PRESSED, MassEffect
from ml.editing.frame import LesionFrame
from ml.evaluation.realism.appearance import noise_ratio
from ml.geometry import Grid

SPACING = (1.5, 1.5, 1.5)
SIZE = (40, 40, 40)
MIDDLE = 20


def ball(radius_mm):
    away = sum(np.square((np.arange(n) - MIDDLE) * s).reshape(shape) for n, s, shape in zip(
        SIZE, SPACING, [(-1, 1, 1), (1, -1, 1), (1, 1, -1)], strict=True))  # fmt: skip
    return np.sqrt(away)


@pytest.fixture
def frame():
    return LesionFrame.of(ball(0) < 12, SPACING, reach_mm=MassEffect.of("cystic", 24).reach_mm)


@pytest.mark.parametrize("kind", LESION_KINDS)
@pytest.mark.parametrize("diameter_mm", [4, 10, 22, 44, 60])
def test_tissue_keeps_most_of_its_volume_and_nothing_folds(kind, diameter_mm):
    """How much room a thin shell has now, over what it had: from none lost to a third, and never turned round."""
    mass = MassEffect.of(kind, diameter_mm)
    depth = np.linspace(0, -mass.reach_mm, 400, dtype=np.float32)
    now = diameter_mm / 2 - depth.astype(float)
    then = now - mass.moved_mm(depth)
    room = np.diff(now**3) / np.diff(then**3)
    assert (np.diff(then) > 0).all()
    assert room.min() > 1 - MOST_PRESSED - 0.02
    assert room.max() < 1.02


def test_nothing_moves_in_the_middle_nor_beyond_the_reach_and_cysts_push_most():
    moved = {kind: MassEffect.of(kind, 22).moved_mm(np.float32([11, 0, -2])) for kind in LESION_KINDS}
    assert moved["cystic"][1] > moved["ring_enhancing"][1] > moved["hypodense"][1] > 1
    for kind in LESION_KINDS:
        mass = MassEffect.of(kind, 22)
        assert mass.moved_mm(np.float32([11, -mass.reach_mm, -20])) == pytest.approx(0, abs=1e-5)
        assert moved[kind][2] < moved[kind][1]


def test_a_vessel_beside_the_middle_is_found_farther_out(frame):
    """A tube across the lesion 9 mm from its middle lies at its edge of 12 mm afterwards."""
    mass = MassEffect.of("cystic", 24)
    z, y = ((np.arange(n) - MIDDLE) * s for n, s in zip(SIZE[:2], SPACING[:2], strict=True))
    tube = np.exp(-((z[:, None, None] ** 2 + (y[:, None] - 9) ** 2) / 4)) * np.ones(SIZE[2])
    cells = tube[frame.box][frame.near].astype(np.float32)
    aside = mass.displaced(cells, frame.depth, frame.near, frame.spacing_zyx_mm)
    column = aside.shape[2] // 2
    rows = np.arange(aside.shape[1])
    before, after = (float((v[:, :, column].sum(0) * rows).sum() / v[:, :, column].sum()) for v in (cells, aside))
    assert 1.5 < (after - before) * SPACING[1] < 4


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_noise_is_neither_blurred_nor_moved(kind, demo_generator):
    grid, rng = Grid((40, 110, 110), (1.5, 0.8, 0.8)), np.random.default_rng(3)
    noise = ndimage.gaussian_filter(rng.standard_normal(grid.size_zyx), (0, 0.8, 0.8))
    source = 105 + 14 * noise / noise.std()
    z, y = (np.arange(n) - n // 2 for n in grid.size_zyx[:2])
    tube = (1.5 * z[:, None, None] - 3) ** 2 + (0.8 * y[:, None] - 7) ** 2 < 2.5**2
    source = (source + 50 * np.broadcast_to(tube, grid.size_zyx)).astype(np.int16)
    liver = np.ones(grid.size_zyx, bool)
    contrast = -95 if kind == "cystic" else -45
    edit = insert_lesion(
        source,
        grid,
        liver_mask=liver,
        centre_lps_mm=grid.to_world([n // 2 for n in grid.size_zyx]),
        spec=LesionSpec(kind, 22, contrast, 5),
        generator=demo_generator,
    )
    edited, lesion = edit.apply(source), edit.paste_mask(source.shape, what="lesion")
    away = ndimage.distance_transform_edt(~lesion, sampling=grid.spacing_zyx_mm)
    depth = ndimage.distance_transform_edt(lesion, sampling=grid.spacing_zyx_mm)
    plain = ~ndimage.binary_dilation(np.broadcast_to(tube, grid.size_zyx), iterations=2)
    # Where the lesion's own edge and rim are not.
    for zone in (depth > 6, (away > 2) & (away < 7)):
        assert noise_ratio(source, edited, zone & plain) == pytest.approx(1, abs=0.03)
    reach = MassEffect.of(kind, 22).reach_mm
    assert not (edited != source)[away > reach + 6].any()
