"""What a segmentation network makes of few scans with and without added lesions."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ml.errors import TrainingError
from ml.evaluation.usefulness import pictures, segmenter, study
from ml.evaluation.usefulness.pictures import Added, Picture, add_ball, copies_of, picture_of, with_edits
from ml.evaluation.usefulness.segmenter import found_by, train_segmenter
from ml.evaluation.usefulness.study import (
    BALLS,
    EDITS,
    WITHOUT,
    FoundLesion,
    Reading,
    reading_of,
    report_of,
    usefulness,
)
from ml.geometry import Grid
from ml.patches.case import build_case

LIVER_HU = 110


@pytest.fixture
def case():
    """A block of liver with one dark lesion, in slices of 3 mm."""
    grid = Grid((14, 64, 64), (3.0, 1.5, 1.5))
    z, y, x = np.ogrid[:14, :64, :64]
    liver = (z > 0) & (z < 13) & (np.hypot(y - 32, x - 32) < 30)
    lesion = (3 * np.abs(z - 6) < 7) & (np.hypot(y - 32, x - 20) < 6)
    noise = np.random.default_rng(3).normal(0, 8, grid.size_zyx)
    hu = np.rint(np.where(liver, LIVER_HU, -50) - 50 * lesion + noise).astype(np.int16)
    return build_case("one", hu, grid, liver=liver, labels=lesion.astype(np.uint8))


def test_all_ways_ask_for_the_same_lesions_at_the_same_places(case):
    def asked_of(add):
        asked = []

        def remembering(given, hu, place):
            asked.append((place.centre.tolist(), place.spec))
            return add(given, hu, place)

        return copies_of(case, remembering, seed=5), asked

    balls, by_balls = asked_of(add_ball)
    refused, by_refusal = asked_of(lambda *_: None)
    assert by_balls == by_refusal
    assert len(by_balls) > pictures.COPIES
    assert len({str(one) for one in by_balls}) == len(by_balls)
    own = picture_of(case, case.hu, case.labels > 0)
    for ball, none in zip(balls, refused, strict=True):
        assert np.array_equal(none.pixels, own.pixels)
        assert np.array_equal(none.lesions, own.lesions)
        assert ball.lesions.sum() > own.lesions.sum()
        assert (ball.lesions >= own.lesions).all()
        assert ball.pixels[ball.lesions & ~own.lesions].mean() < -0.2


def test_a_generator_s_edits_are_added_with_the_masks_they_tell(phantom, demo_generator, monkeypatch):
    monkeypatch.setattr(pictures, "COPIES", 1)
    given = build_case(
        "phantom", phantom.lesion_free_hu, phantom.grid, liver=phantom.liver, labels=np.zeros_like(phantom.labels)
    )
    edits, steps = with_edits(demo_generator), []

    def watched(of, hu, place):
        added = edits(of, hu, place)
        steps.append((hu, added))
        return added

    (copy,) = copies_of(given, watched, seed=1)
    made = [(before, added) for before, added in steps if isinstance(added, Added)]
    assert made
    for before, added in made:
        assert (before[added.mask] != added.hu[added.mask]).mean() > 0.9
        assert before[~given.liver].tobytes() == added.hu[~given.liver].tobytes()
    # Each is made in what the one before left.
    assert all(later is added.hu for (_, added), (later, _) in pairwise(made))
    assert copy.lesions.any()


def picture(lesions, liver=None):
    lesions = np.asarray(lesions, bool)
    liver = np.ones_like(lesions) if liver is None else liver
    return Picture("one", np.where(lesions, -1, 0).astype(np.float32), liver, lesions, voxel_mm3=300.0)


def test_a_lesion_is_found_by_what_touches_it_and_the_rest_is_false():
    lesions = np.zeros((3, 12, 12), bool)
    lesions[1, 1:3, 1:3] = lesions[1, 8:10, 8:10] = True
    found = np.zeros_like(lesions)
    found[1, 1:3, 1:5] = True
    found[1, 5, 5] = True
    reading = reading_of(picture(lesions), found, seed=1, way=EDITS)
    assert [round(row.dice, 4) for row in reading.lesions] == [round(2 * 4 / (4 + 8), 4), 0]
    assert [row.found for row in reading.lesions] == [True, False]
    assert reading.false_parts == 1
    assert reading.dice == pytest.approx(2 * 4 / (8 + 9))


def test_one_part_over_two_lesions_does_not_count_against_either():
    lesions = np.zeros((3, 12, 12), bool)
    lesions[1, 4:6, 2:4] = lesions[1, 4:6, 5:7] = True
    found = np.zeros_like(lesions)
    found[1, 4:6, 2:7] = True
    reading = reading_of(picture(lesions), found, seed=1, way=EDITS)
    assert [round(row.dice, 4) for row in reading.lesions] == [round(2 * 4 / (4 + 6), 4)] * 2
    assert reading.false_parts == 0


def test_a_network_finds_what_it_was_shown_and_nothing_outside_the_liver(monkeypatch, case):
    monkeypatch.setattr(segmenter, "STEPS", 60)
    shown = [picture_of(case, case.hu, case.labels > 0)]
    found = found_by(train_segmenter([shown], seed=2), shown[0])
    assert reading_of(shown[0], found, seed=2, way=WITHOUT).dice > 0.6
    assert not found[~shown[0].liver].any()


def test_gains_are_of_the_same_lesions():
    rows = []
    for seed in (1, 2):
        for number in range(12):
            for way, dice in ((WITHOUT, 0.1 * (number % 5)), (EDITS, 0.1 * (number % 5) + 0.2), (BALLS, 0.3)):
                lesion = FoundLesion(f"p{number}", 1, 12.0, dice)
                rows.append(Reading(seed, way, f"p{number}", dice, 1, [lesion]))
    report = report_of(rows, seed=0)
    assert report["seeds"] == 2
    line = report["lines"][0]
    # The same in every scan: an interval without width.
    assert line["gain"][EDITS]["value"] == pytest.approx(0.2)
    assert line["gain"][EDITS]["low"] == pytest.approx(0.2)
    assert line["gain"][BALLS]["high"] - line["gain"][BALLS]["low"] > 0.05
    large = next(row for row in report["lines"] if "or more" in row["measure"])
    assert large["gain"][EDITS]["value"] is None


def test_the_whole_study_of_some_scans(case, monkeypatch):
    for module, name, value in (
        (segmenter, "STEPS", 2),
        (study, "SEEDS", 2),
        (study, "FEW", 1),
        (study, "LEAST_TESTED", 2),
        (pictures, "COPIES", 1),
    ):
        monkeypatch.setattr(module, name, value)
    # The editor refuses liver as plain as this.
    monkeypatch.setattr(study, "with_edits", lambda _: add_ball)
    cases = [replace(case, name=name) for name in "abcd"]
    with pytest.raises(TrainingError, match="2 scans have all lesions drawn"):
        usefulness([*cases[:2], replace(case, name="e", all_drawn=False)], None)
    report = usefulness(cases, None, seed=3)
    assert [row["seed"] for row in report["by_seed"]] == [3, 4]
    assert {(r["seed"], r["way"]) for r in report["readings"]} == {(s, w) for s in (3, 4) for w in study.WAYS}
    of_seed = [r["patient"] for r in report["readings"] if (r["seed"], r["way"]) == (3, EDITS)]
    assert len(of_seed) == 3
    assert report["lines"][0]["means"][WITHOUT]["n"] == 6
    # The same seed gives the same table; edits and balls are one here, as are their networks.
    assert report == usefulness(cases, None, seed=3)
    assert report["lines"][0]["means"][EDITS] == report["lines"][0]["means"][BALLS]
