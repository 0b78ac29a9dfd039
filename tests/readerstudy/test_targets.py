"""What marks are judged by, of pictures without a study: what counts as edited, and how likely a mark hits it by luck."""

import uuid
from types import SimpleNamespace

import numpy as np
import pytest

from ml.geometry import Grid
from readerstudy.blinding.cutting import cut_for, study_frame, where_places_stand
from readerstudy.blinding.lattice import Lattice
from readerstudy.locking.targets import Picture, target_of
from readerstudy.tasks.task import MarkAsked

pytestmark = pytest.mark.django_db
GRID = Grid((61, 200, 200), (2.0, 1.0, 1.0))
ASKED = MarkAsked(required_with=(), radius_mm=5.0)


def target_in(mode, wander, *, grid=GRID, place=(30.0, 100.0, 100.0), diameter_mm=12.0):
    """Of an edit that nobody told the voxels of, in a picture of soft tissue all over; and the size of the picture."""
    frame = study_frame([grid], mode=mode, field_of_view_mm=50.0, stack_slices=21)
    cut = cut_for(grid, frame, mode=mode, place_lps_mm=grid.to_world(place), wander_zyx=wander)
    truth = SimpleNamespace(
        synthetic=True,
        scan_id=uuid.uuid4(),
        scan=SimpleNamespace(geometry=grid),
        place_lps_mm=grid.to_world(place),
        diameter_mm=diameter_mm,
    )
    picture = Picture(
        pixels=np.zeros(frame.size_zyx, dtype=np.int16),
        spacing_zyx_mm=frame.spacing_zyx_mm,
        lattice=Lattice.of(grid, frame, cut),
        window=where_places_stand(frame.size_zyx, mode=mode),
    )
    return target_of(truth, picture, asked=ASKED), picture


def is_hit(target, picture, mark, radius_mm):
    runs = np.array(target["runs"])
    beside = np.maximum(np.maximum(runs[:, 2] - mark[2], mark[2] - runs[:, 3] + 1), 0)
    away = np.stack([runs[:, 0] - mark[0], runs[:, 1] - mark[1], beside], axis=1) * picture.spacing_zyx_mm
    return np.linalg.norm(away, axis=1).min() <= radius_mm


def test_who_marks_the_middle_of_a_patch_without_looking_hits_as_often_as_the_chance_says():
    """Offsets evenly over what may be drawn, so that no test of chance tells the share of hits."""
    steps = (np.arange(28) + 0.5) / 14 - 1
    chances, middle, random = (np.zeros((len(steps) ** 2, len(ASKED.radii_mm))) for _ in range(3))
    somewhere = np.random.default_rng(1)
    for number, (y, x) in enumerate((y, x) for y in steps for x in steps):
        target, picture = target_in("patch", (0.0, y, x))
        size = picture.pixels.shape
        anywhere = [int(somewhere.integers(n)) for n in size]
        chances[number] = target["chances"]
        middle[number] = [is_hit(target, picture, [n // 2 for n in size], radius) for radius in ASKED.radii_mm]
        random[number] = [is_hit(target, picture, anywhere, radius) for radius in ASKED.radii_mm]
    expected = chances.mean(axis=0)
    assert (middle.mean(axis=0) <= expected).all()
    assert middle.mean(axis=0) == pytest.approx(expected, rel=0.15)
    assert (random.mean(axis=0) < expected).all()


def test_the_middle_slice_of_a_stack_is_no_better_place_to_mark_than_the_chance_says():
    """Across the whole slices of a stack the place is known: only its slice is not."""
    where, middle, chances = np.random.default_rng(2), [], []
    for z in np.repeat((np.arange(20) + 0.5) / 10 - 1, 2):
        target, picture = target_in(
            "stack", (z, 0.0, 0.0), grid=Grid((61, 60, 60), (2.0, 1.0, 1.0)), place=(30, 30, 30)
        )
        slices, rows, columns = picture.pixels.shape
        for _ in range(50):
            mark = (slices // 2, int(where.integers(rows)), int(where.integers(columns)))
            middle.append(is_hit(target, picture, mark, ASKED.radii_mm[2]))
        chances.append(target["chances"][2])
    assert np.mean(middle) <= np.mean(chances) + 2 * np.sqrt(np.mean(chances) / len(middle))


def test_an_edit_between_two_slices_is_seen_on_the_nearest():
    grid = Grid((30, 100, 100), (8.0, 1.0, 1.0))
    target, _ = target_in("stack", (0.0, 0.0, 0.0), grid=grid, place=(14.4, 50.0, 50.0), diameter_mm=4.0)
    assert target["runs"]
    assert min(target["chances"]) > 0
