"""Judges of line-ups may tell a lesion's place instead of the edit: an edit at the lesion's own place says which."""

import numpy as np
import pytest
from scipy import ndimage

from ml.evaluation.realism import lineups, scans
from ml.evaluation.realism.matched import OWN, Seen
from ml.evaluation.realism.scans import Pictured, judged

SETS, OTHERS = 6, 6
# What gives a place away, or an edit: blurred columns of a patch far from its middle, or in it.
FAR, MIDDLE = (slice(None), slice(None), slice(4, 9)), (slice(None), slice(16, 24), slice(16, 24))


def seen(random, *blurred):
    patch = random.standard_normal((7, 40, 40)).astype(np.float32)
    for part in blurred:
        patch[part] = ndimage.gaussian_filter(patch[part], (0, 1, 1))
    return Seen(patch)


def pictured(*, of_lesions=(), of_edits=(), of_the_place=(), with_edits=SETS):
    random = np.random.default_rng(4)
    members, own = [], []
    for number in range(SETS):
        lesion = seen(random, *of_lesions, *of_the_place)
        members.append([lesion, *(seen(random, *of_edits) for _ in range(OTHERS))])
        count = OWN if number < with_edits else 0
        own.append([seen(random, *of_edits, *of_the_place) for _ in range(count)])
    return Pictured(members, ["somebody"] * SETS, np.ones(SETS, bool), own)


@pytest.fixture(autouse=True)
def few_floors_and_trees(monkeypatch):
    monkeypatch.setattr(scans, "FLOORS", 1)
    monkeypatch.setattr(lineups, "TREES", 20)


def test_where_the_place_alone_tells_an_edit_there_stands_out_as_the_lesion_does():
    found = judged(pictured(of_the_place=[FAR, MIDDLE]), "bands", seed=0)["lesions"]
    assert found["all"]["value"] > 0.85
    assert found["place"]["value"] > 0.85
    assert found["beyond_place"]["low"] < 0.05


def test_where_the_edit_tells_its_place_does_not():
    found = judged(pictured(of_edits=[MIDDLE]), "bands", seed=0)["lesions"]
    assert found["all"]["value"] > 0.85
    assert found["place"]["value"] < 0.7
    assert found["beyond_place"]["low"] > 0.1


def test_only_sets_with_an_edit_at_the_lesions_place_are_compared_with_it():
    found = judged(pictured(of_edits=[MIDDLE], with_edits=SETS - 1), "bands", seed=0)["lesions"]
    assert found["all"]["n"] == SETS
    assert found["place"]["n"] == found["beyond_place"]["n"] == SETS - 1


def test_without_enough_edits_at_lesions_places_nothing_is_said_of_them():
    found = judged(pictured(with_edits=2), "bands", seed=0)["lesions"]
    assert "all" in found
    assert "place" not in found
    assert "beyond_place" not in found
