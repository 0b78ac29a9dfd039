"""The estimated liver: laws on phantoms, and how well it does on real scans, whose data never enter the repository."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.errors import VolumeError
from ml.geometry import Grid
from ml.phantom import PhantomConfig, make_phantom
from ml.scans.liver import estimate_liver
from ml.scans.morphology import closed, depth_mm
from ml.scans.random_walk import chance_inside
from ml.scans.volume_io import read_mask, read_volume

REAL_CT = Path(os.environ.get("SHARED_CT_DIR", Path(__file__).resolve().parents[2].parent / "shared" / "ct"))


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module", params=[("portal", 1), ("arterial", 2), ("plain", 3)], ids=lambda p: p[0])
def phantom(request):
    phase, seed = request.param
    return make_phantom(seed, PhantomConfig(size_zyx=(24, 128, 128), slice_mm=5.0, phase=phase, lesion_count=3))


def test_the_liver_of_a_phantom_is_found_in_every_phase(phantom):
    estimate = estimate_liver(phantom.hu, phantom.grid)
    assert dice(estimate.mask, phantom.liver) > 0.88
    assert "estimated" in estimate.note
    assert 0.5 < estimate.confidence <= 1
    # The dome lies in the lungs: no margin may be taken from it.
    top = np.flatnonzero(phantom.liver.sum((1, 2)) > 100)[-3:]
    assert (estimate.mask & phantom.liver)[top].sum() > 0.85 * phantom.liver[top].sum()


@pytest.mark.parametrize("phantom", [("portal", 1)], indirect=True, ids=["portal"])
def test_turning_the_scan_turns_the_liver(phantom):
    """Rows and columns may run in any direction: right and back are the patient's."""
    grid = phantom.grid
    far = grid.to_world((0, grid.size_zyx[1] - 1, grid.size_zyx[2] - 1))
    turned = replace(grid, origin_lps_mm=tuple(far.tolist()), direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
    straight = estimate_liver(phantom.hu, grid).mask
    again = estimate_liver(phantom.hu[:, ::-1, ::-1], turned).mask[:, ::-1, ::-1]
    assert dice(straight, again) > 0.98


def test_air_and_water_have_no_liver():
    grid = Grid((10, 40, 40), (3.0, 3.0, 3.0))
    for hu in (-1000, 0):
        with pytest.raises(VolumeError):
            estimate_liver(np.full(grid.size_zyx, hu, np.int16), grid)


def test_closing_bridges_gaps_and_leaves_the_rest():
    mask = np.zeros((12, 30, 30), bool)
    mask[:, 5:12, 5:25] = mask[:, 14:21, 5:25] = True
    bridged = closed(mask, 3.0, (2.0, 1.0, 1.0))
    assert bridged[:, 12:14, 8:22].all()
    assert not bridged[:, :4].any()
    # The scan's edge is no surface.
    assert depth_mm(np.ones((4, 9, 9), bool), (2.0, 1.0, 1.0)).min() > 4


def test_a_random_walk_stops_at_the_edge_and_not_half_way():
    values = np.zeros((1, 4, 40), np.float32)
    values[..., 28:] = 80
    inside, unknown = np.zeros(values.shape, bool), np.zeros(values.shape, bool)
    inside[..., :4], unknown[..., 4:36] = True, True
    chance = chance_inside(values, unknown=unknown, inside=inside, spacing_zyx_mm=(1.0, 1.0, 1.0))
    assert (chance[..., :28] > 0.5).all()
    assert (chance[..., 28:] < 0.5).all()


@pytest.mark.parametrize(
    ("scan", "mask", "least"),
    [("ircad01/ct.nii.gz", "ircad01/labels.nii.gz", 0.95), ("hcc048/ct.nii.gz", "hcc048/liver_draft.nii.gz", 0.93)],
)
def test_the_liver_of_a_real_scan(scan, mask, least):
    if not (REAL_CT / scan).exists():
        pytest.skip(f"no real scan at {REAL_CT / scan}; its licence keeps it out of the repository")
    volume, grid = read_volume(REAL_CT / scan)
    truth = read_mask(REAL_CT / mask, expected=grid)[0] > 0
    estimate = estimate_liver(volume, grid)
    assert dice(estimate.mask, truth) > least
    outside = (estimate.mask & ~truth).sum() / estimate.mask.sum()
    assert outside < 0.06, f"{outside:.1%} of the estimate is no liver"
