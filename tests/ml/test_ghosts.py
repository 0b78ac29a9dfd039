"""What a removal leaves is seen by its measure, what it takes away is not; lesions end where they end."""

import numpy as np
import pytest
from scipy import ndimage

from ml.editing import remove_lesion
from ml.editing.cells import Cells
from ml.editing.extent import beyond_mask_mm, refuse_dense
from ml.editing.ghosts import ghost_of
from ml.editing.neighbourhood import read_neighbourhood
from ml.errors import EditError
from ml.geometry import Grid

GRID = Grid((36, 100, 100), (2.0, 1.0, 1.0))
LEVEL_HU, NOISE_HU, RADIUS_MM = 105, 12, 14


def away_mm():
    z, y, x = ((np.arange(n) - n // 2) * s for n, s in zip(GRID.size_zyx, GRID.spacing_zyx_mm, strict=True))
    return np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)


def liver(seed=0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(GRID.size_zyx), (0, 0.8, 0.8))
    return LEVEL_HU + NOISE_HU * noise / noise.std()


def scanned(change):
    """A change with edges as wide as a scanner's."""
    return ndimage.gaussian_filter(change.astype(float), (0.5, 1.2, 1.2))


def cells_of(hu, inside):
    around = read_neighbourhood(
        np.rint(hu).astype(np.int16),
        GRID,
        liver_mask=np.ones(GRID.size_zyx, bool),
        centre_zyx=np.array(GRID.size_zyx) / 2.0,
        half_extent_mm=RADIUS_MM + 14,
        level_hu=float(LEVEL_HU),
    )
    return around, Cells.of(around, inside[around.box])


def ghost(hu):
    around, cells = cells_of(hu, away_mm() < RADIUS_MM)
    return ghost_of(cells, cells.hu, around.noise_hu)


def test_plain_liver_has_no_ghost():
    assert max(ghost(liver(seed)).worst for seed in range(4)) < 0.35


def test_a_disc_a_rim_and_speckle_are_each_told():
    away, plain = away_mm(), liver()
    darker = ghost(plain - 10 * (away < RADIUS_MM))
    assert -1.2 < darker.disc < -0.6
    rim = ghost(plain + 14 * (np.abs(away - RADIUS_MM) < 1))
    assert rim.rim > 0.4
    assert abs(rim.disc) < 0.25
    clumps = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal(GRID.size_zyx), (1, 2, 2))
    speckled = ghost(plain + 15 * clumps / clumps.std() * (away < RADIUS_MM))
    assert speckled.speckle > 0.5
    assert abs(speckled.disc) < 0.3


def test_a_mean_of_zero_hides_no_ghost():
    """Too dark in the middle, too bright at the edge: the mean contrast is none."""
    away = away_mm()
    left = np.where(away < 0.8 * RADIUS_MM, -12.0, 0.0) * (away < RADIUS_MM)
    left[(away >= 0.8 * RADIUS_MM) & (away < RADIUS_MM)] = 12 * 0.8**3 / (1 - 0.8**3)
    assert abs(left[away < RADIUS_MM].mean()) < 1
    assert ghost(liver() + left).worst > 0.45


def test_a_removal_tells_what_it_left(demo_generator):
    away = away_mm()
    scan = np.rint(liver() + scanned(-45 * (away < RADIUS_MM))).astype(np.int16)
    shared = {"liver_mask": np.ones(scan.shape, bool), "generator": demo_generator, "seed": 1}
    edit = remove_lesion(scan, GRID, lesion_mask=away < RADIUS_MM, **shared)
    assert edit.measured["ghost_noise"] < 0.5
    assert edit.measured["ghost_noise"] == pytest.approx(
        max(
            abs(edit.measured["ghost_disc_noise"]),
            abs(edit.measured["ghost_rim_noise"]),
            edit.measured["ghost_speckle_noise"],
        )
    )


@pytest.mark.parametrize(("drawn_mm", "expected"), [(14, 0), (11, 3), (12, 2)])
def test_a_tight_mask_is_noticed(drawn_mm, expected):
    scan = liver() + scanned(-45 * (away_mm() < RADIUS_MM))
    found = beyond_mask_mm(cells_of(scan, away_mm() < drawn_mm)[1])
    assert found == pytest.approx(expected, abs=1)
    assert (found > 0) == (expected > 0)


def test_a_rim_outside_of_the_mask_belongs_to_the_lesion(demo_generator):
    """A mask of the dark core alone once left the rim as a ring."""
    away = away_mm()
    rim = (away >= 11) & (away < 14)
    scan = np.rint(liver() + scanned(-45 * (away < 11) + 35 * rim)).astype(np.int16)
    edit = remove_lesion(
        scan,
        GRID,
        liver_mask=np.ones(scan.shape, bool),
        lesion_mask=away < 11,
        generator=demo_generator,
        seed=1,
    )
    assert edit.provenance["beyond_mask_mm"] >= 2
    edited = edit.apply(scan)
    assert abs(edited[rim].mean() - LEVEL_HU) < 6
    assert (edit.paste_mask(scan.shape, what="lesion") == (away < 11)).all()


def test_plain_liver_and_a_vessel_beside_are_no_part_of_a_lesion():
    away = away_mm()
    scan = liver() + scanned(-45 * (away < RADIUS_MM))
    y, x = np.ogrid[: GRID.size_zyx[1], : GRID.size_zyx[2]]
    scan += 60 * (np.square(y - 50) + np.square(x - 68) < 3**2)
    assert beyond_mask_mm(cells_of(scan, away < RADIUS_MM)[1]) == 0


def test_calcification_is_refused_and_a_vessel_is_not():
    away = away_mm()
    scan = liver() + scanned(-45 * (away < RADIUS_MM))
    y, x = np.ogrid[: GRID.size_zyx[1], : GRID.size_zyx[2]]
    refuse_dense(*cells_of(scan + 110 * (np.square(y - 50) + np.square(x - 50) < 2.5**2), away < RADIUS_MM))
    with pytest.raises(EditError, match="calcification"):
        refuse_dense(*cells_of(scan + 350 * (away < 3), away < RADIUS_MM))
