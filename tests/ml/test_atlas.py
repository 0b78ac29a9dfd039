import numpy as np
import pytest
import torch

from ml.errors import TrainingError
from ml.generator.atlas import COMPONENTS, TILE_PX, AtlasPlace, Sampled, assemble, contact_sheet, sample
from ml.generator.model import Generator
from ml.geometry import Grid
from ml.nets.config import NetConfig
from ml.patches.case import build_case


@pytest.fixture(scope="module")
def case():
    """A ball of 20 mm in the middle of a large liver."""
    grid = Grid((40, 120, 120), (2.5, 1.4, 1.4))
    z, y, x = np.ogrid[:40, :120, :120]
    ball = (2.5 * (z - 20)) ** 2 + (1.4 * (y - 60)) ** 2 + (1.4 * (x - 60)) ** 2 < 10**2
    hu = np.where(ball, 40, 105).astype(np.int16)
    return build_case("c", hu, grid, liver=np.ones(hu.shape, bool), labels=ball.astype(np.uint8))


@pytest.mark.parametrize("patch_zyx", [(8, 24, 24), (16, 40, 40), (8, 64, 64)])
def test_a_picture_shows_the_lesion_in_its_middle_whatever_the_generator_looks_at(case, patch_zyx):
    generator = Generator(NetConfig(patch_zyx, width=8, code_size=8), card={}, device=torch.device("cpu"))
    found = sample(case, generator, lesions=1, seed=0)
    assert found.pictures.shape[1:] == (TILE_PX, TILE_PX)
    assert found.patches.shape[1:] == patch_zyx
    dark = np.argwhere(found.pictures[0] < 0.5 * np.median(found.pictures[0]))
    assert dark.mean(0) == pytest.approx((TILE_PX - 1) / 2, abs=1)
    assert len(dark) == pytest.approx(np.pi * (10 / 1.4) ** 2, rel=0.2)


def test_a_sheet_holds_the_pictures_row_by_row():
    pictures = np.arange(1, 35, dtype=np.uint8)[:, None, None] * np.ones((1, TILE_PX, TILE_PX), np.uint8)
    sheet = contact_sheet(pictures)
    assert sheet.shape == (2 * TILE_PX, 32 * TILE_PX)
    assert (sheet[0, TILE_PX], sheet[TILE_PX, TILE_PX], sheet[TILE_PX, 2 * TILE_PX]) == (2, 34, 0)


class Encoder:
    """Stands in for a generator whose signatures are known."""

    def __init__(self, codes):
        self.codes = codes

    def signatures(self, patches):
        return np.resize(self.codes, (len(patches), 8)).astype(np.float32)


def sampled(count):
    place = AtlasPlace("c", (0.0, 0.0, 0.0), 0, "normal", None)
    return Sampled(
        [place] * count, np.zeros((count, 2, 4, 4), np.float32), np.zeros((count, TILE_PX, TILE_PX), np.uint8)
    )


@pytest.mark.parametrize("codes", [0.0, 3.5, np.nan, np.inf, [0, 1, np.inf], np.linspace(-3e38, 3e38, 99)])
def test_signatures_without_components_are_refused_in_words(codes):
    with pytest.raises(TrainingError, match="not numbers or are all the same"):
        assemble([sampled(6), sampled(6)], Encoder(codes))


def test_signatures_that_differ_at_all_are_drawn():
    atlas = assemble([sampled(6), sampled(6)], Encoder([1, 1, 1, 1, 1, 1, 1, 1.01] * 11 + [2] * 8))
    assert atlas.coordinates.shape == (12, COMPONENTS)
    assert np.isfinite(atlas.coordinates).all()
    assert atlas.explained_variance_ratio[0] == pytest.approx(1, abs=1e-4)


def test_too_few_patches_are_refused():
    with pytest.raises(TrainingError, match="too few"):
        assemble([sampled(COMPONENTS)], Encoder(np.arange(99)))
