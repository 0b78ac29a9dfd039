"""Liver whose lesions nobody drew is not normal liver: no patch of it is taken for one, unless somebody says so."""

import numpy as np
import pytest

from ml.errors import TrainingError
from ml.generator.bank import lesions_to_learn
from ml.geometry import Grid
from ml.nets.config import NetConfig
from ml.patches.case import build_case
from ml.patches.sampling import PatchSampler, normal_centres
from ml.phantom import PhantomConfig, make_phantom
from ml.phantom.__main__ import write_phantom
from ml.scans.cases import find_cases, load_cases
from ml.scans.volume_io import write_volume
from ml.training.config import TrainConfig
from ml.training.trainer import Trainer

TINY = NetConfig(patch_zyx=(8, 16, 16), spacing_zyx_mm=(4.0, 3.0, 3.0), width=8, code_size=8)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(3, PhantomConfig(size_zyx=(12, 96, 96), phase="portal", lesion_count=4))


@pytest.fixture
def folder(phantom, tmp_path):
    """``whole`` has all masks, ``undrawn`` a liver alone."""
    for name in ("whole", "undrawn"):
        write_phantom(phantom, tmp_path / name)
    (tmp_path / "undrawn" / "lesions.nii.gz").unlink()
    (tmp_path / "undrawn" / "phantom.json").unlink()
    return tmp_path


def say(folder, *rows):
    (folder / "lesions.csv").write_text("\n".join(["scan,lesions", *rows]) + "\n")


def all_drawn(folder):
    return {case.name: case.all_drawn for case in load_cases(folder)}


def test_a_scan_without_a_mask_of_lesions_is_not_known_to_be_free_of_them(folder):
    assert all_drawn(folder) == {"whole": True, "undrawn": False}
    sampler = PatchSampler(load_cases(folder), TINY, population="normal", seed=0)
    rng = np.random.default_rng(0)
    assert {sampler.anywhere(rng)[0].name for _ in range(40)} == {"whole"}
    everything = PatchSampler(load_cases(folder), TINY, population="all", seed=0)
    assert {everything.anywhere(rng)[0].name for _ in range(40)} == {"whole", "undrawn"}


def test_whoever_knows_says_it_beside_the_scans(folder):
    say(folder, "undrawn,none")
    assert all_drawn(folder) == {"whole": True, "undrawn": True}
    say(folder, "undrawn,not all drawn", "whole,not all drawn")
    assert all_drawn(folder) == {"whole": False, "undrawn": False}


def test_a_label_file_of_the_liver_alone_says_that_there_is_no_lesion(phantom, tmp_path):
    """As in LiTS, whose label files are of livers and their lesions."""
    write_volume(tmp_path / "volume-1.nii", phantom.hu, phantom.grid)
    write_volume(tmp_path / "segmentation-1.nii", phantom.liver.astype(np.uint8), phantom.grid)
    assert all_drawn(tmp_path) == {"volume-1": True}
    say(tmp_path, "volume-1,not all drawn")
    assert all_drawn(tmp_path) == {"volume-1": False}


def test_a_scan_without_any_label_may_lie_among_labelled_ones_when_it_is_said_what_is_drawn(folder):
    (folder / "undrawn" / "liver.nii.gz").unlink()
    with pytest.raises(TrainingError, match=r"say in lesions\.csv"):
        find_cases(folder)
    say(folder, "undrawn,not all drawn")
    assert [files.all_drawn for files in find_cases(folder)] == [False, True]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["undrwan,none"], "names undrwan, which is none of the scans"),
        (["undrawn,no"], "says “no” of undrawn; say one of all drawn, not all drawn, none"),
        (["undrawn"], "says “” of undrawn"),
        (["whole,none"], "whole: lesions.csv says that it has no lesions, but some are drawn"),
    ],
)
def test_a_slip_makes_no_normal_liver(folder, rows, message):
    say(folder, *rows)
    with pytest.raises(TrainingError, match=message):
        load_cases(folder)


@pytest.mark.parametrize("content", [b"name,lesions\nwhole,none\n", b"", b"scan,lesions\n\xff\xfe,none\n"])
def test_another_table_is_refused(folder, content):
    (folder / "lesions.csv").write_bytes(content)
    with pytest.raises(TrainingError, match=r"lesions\.csv"):
        load_cases(folder)


def ball(name, *, all_drawn):
    hu = 100 + np.random.default_rng(4).integers(-20, 21, (16, 96, 96)).astype(np.int16)
    z, y, x = np.ogrid[:16, :96, :96]
    labels = ((4 * (z - 8)) ** 2 + (3 * (y - 24)) ** 2 + (3 * (x - 20)) ** 2 <= 15**2).astype(np.uint8)
    liver = np.ones(hu.shape, bool)
    grid = Grid(hu.shape, (4.0, 3.0, 3.0))
    return build_case(name, hu, grid, liver=liver, labels=labels, all_drawn=all_drawn)


def test_comparisons_take_no_normal_place_of_it_either():
    rng = np.random.default_rng(0)
    assert len(normal_centres(ball("a", all_drawn=True), count=5, rng=rng)) == 5
    assert normal_centres(ball("a", all_drawn=False), count=5, rng=rng) == []


def test_a_training_that_could_not_end_in_a_bank_is_refused_before_it_begins():
    known, unknown = ball("a", all_drawn=True), ball("b", all_drawn=False)
    assert [case.name for case, _ in lesions_to_learn([known, unknown])] == ["a", "b"]
    with pytest.raises(TrainingError, match="Of none of these scans is it known that all lesions are drawn"):
        lesions_to_learn([unknown])


def test_patients_with_undrawn_lesions_neither_teach_nor_watch_a_training_on_normal_patches():
    cases = [ball(name, all_drawn=name != "b") for name in "abc"]
    trainer = Trainer(cases, TINY, TrainConfig(population="normal", batch=2, validation_share=0.5))
    assert len({case.name for case, _ in trainer.sampler.places} | {"b"}) == 2
    assert trainer.describe()["undrawn"] == ["b"]
    assert "undrawn" not in Trainer(cases[:1], TINY, TrainConfig(batch=2)).describe()
