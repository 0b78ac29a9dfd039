"""A bank of one's own lesions: as many exemplars as fit lesions, edits with these alone, and everything counted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ml.bank import main
from ml.editing import LesionSpec, insert_lesion
from ml.errors import SpecError, TrainingError
from ml.generator import own_lesions
from ml.generator.files import load_generator, save_with_bank
from ml.generator.own_lesions import assemble, gather, why_unfit
from ml.patches.case import LesionRecord, build_case
from ml.phantom.__main__ import write_phantom


@pytest.fixture(scope="module")
def case(phantom):
    kinds = {lesion.label: lesion.kind for lesion in phantom.lesions}
    return build_case("p1", phantom.hu, phantom.grid, liver=phantom.liver, labels=phantom.labels, kinds=kinds)


@pytest.fixture(scope="module")
def gathered(case, demo_generator):
    return gather(case, demo_generator, normals=24, seed=0)


@pytest.fixture(scope="module")
def own(gathered, demo_generator):
    return assemble([gathered], demo_generator, beside=False, seed=0)


def counted(own):
    return own.lesions + sum(own.left_out.values())


def test_every_lesion_is_an_exemplar_or_counted_by_its_reason(own, case):
    bank = own.bank
    assert own.lesions == len(bank.lesion_codes) == len(bank.directions) == len(bank.profiles_hu) >= 1
    assert counted(own) == len(case.lesions)
    diameters = {round(record.diameter_mm, 3) for record in case.lesions}
    assert {round(float(d), 3) for d in bank.diameters_mm} <= diameters
    assert (own.patients, own.scans, own.case_names) == (1, 1, ("p1",))


def only(case, count):
    """The same scan with the first fit lesions alone as its lesions."""
    fit = [record for record in case.lesions if not why_unfit(case, record)]
    return replace(case, lesions=fit[:count])


@pytest.mark.parametrize("count", [1, 3])
def test_a_bank_of_so_many_lesions_has_so_many_exemplars(case, demo_generator, monkeypatch, count):
    monkeypatch.setattr("ml.generator.bank.DECODED_RANGE_MM", (0.0, 1e3))
    monkeypatch.setattr("ml.generator.shapes.WEAKEST_CORE_HU", 1e3)
    made = assemble(
        [gather(only(case, count), demo_generator, normals=24, seed=0)], demo_generator, beside=False, seed=0
    )
    assert (made.lesions, len(made.bank.lesion_codes), made.left_out) == (count, count, {})


def test_beside_those_of_before_all_are_there_and_the_first_are_the_generator_s(gathered, own, demo_generator):
    both = assemble([gathered], demo_generator, beside=True, seed=0).bank
    before = demo_generator.bank
    count = len(before.lesion_codes)
    assert len(both.lesion_codes) == count + own.lesions
    assert np.array_equal(both.profiles_hu[:count], before.profiles_hu)
    assert np.array_equal(both.profiles_hu[count:], own.bank.profiles_hu)
    assert len(both.normal_codes) == len(before.normal_codes) + 24


def test_where_no_normal_liver_is_known_the_generator_s_own_is_taken_once(case, demo_generator):
    part = gather(replace(case, all_drawn=False), demo_generator, normals=24, seed=0)
    assert len(part.normals) == 0
    for beside in (False, True):
        made = assemble([part], demo_generator, beside=beside, seed=0)
        assert np.array_equal(made.bank.normal_codes, demo_generator.bank.normal_codes)


def test_edits_use_own_exemplars_only_and_kinds_without_one_are_refused(
    own, demo_generator, phantom, deep_voxel, tmp_path
):
    save_with_bank(demo_generator, own, tmp_path, name="own", command="c", dataset="ward 7")
    made = load_generator(tmp_path, device="cpu")
    assert made.digest != demo_generator.digest
    codes = demo_generator.bank.normal_codes[:2]
    assert np.array_equal(made.decode(codes, seed=1), demo_generator.decode(codes, seed=1))
    kinds = {kind: made.bank.of_kind(kind) for kind in ("hypodense", "cystic", "ring_enhancing")}
    assert sum(map(len, kinds.values())) == own.lesions
    centre = phantom.grid.to_world(deep_voxel)
    for kind, exemplars in kinds.items():
        asked = {
            "liver_mask": phantom.liver,
            "centre_lps_mm": centre,
            "spec": LesionSpec(kind, 14.0, -40.0 if kind != "cystic" else -90.0, 3),
            "generator": made,
            "device": "cpu",
        }
        if len(exemplars):
            assert insert_lesion(phantom.hu, phantom.grid, **asked).provenance["exemplar"] in exemplars
        else:
            with pytest.raises(SpecError, match="has not learned"):
                insert_lesion(phantom.hu, phantom.grid, **asked)


def test_the_card_says_whose_lesions_they_are_and_keeps_all_names_out_of_measurements(own, demo_generator, tmp_path):
    save_with_bank(demo_generator, own, tmp_path, name="own", command="c", dataset="ward 7")
    made = load_generator(tmp_path, device="cpu")
    (bank,) = made.card["banks"]
    assert bank["of"] == {"name": "demo", "weights_sha256": demo_generator.digest}
    assert (bank["dataset"], bank["lesions"], bank["patients"]) == ("ward 7", own.lesions, 1)
    assert bank["left_out"] == own.left_out
    assert made.case_names == demo_generator.case_names | {"p1"}
    assert sum(made.card["data"]["bank_lesions"].values()) == own.lesions
    assert made.card["train"] == demo_generator.card["train"]
    again = replace(own, beside=True)
    save_with_bank(made, again, tmp_path / "more", name="more", command="c", dataset="ward 8")
    banks = load_generator(tmp_path / "more", device="cpu").card["banks"]
    assert [part["dataset"] for part in banks] == ["ward 7", "ward 8"]
    save_with_bank(made, own, tmp_path / "other", name="other", command="c", dataset="ward 9")
    assert [part["dataset"] for part in load_generator(tmp_path / "other", device="cpu").card["banks"]] == ["ward 9"]


def lesion(case, *, middle=(10, 200, 150), radius=6, hu=None, **changed):
    """The case with one ball drawn instead of its lesions, and that ball's record."""
    spacing = np.array(case.grid.spacing_zyx_mm)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in case.hu.shape), indexing="ij"), -1)
    ball = (((grid - middle) * spacing) ** 2).sum(-1) <= radius**2
    volume = case.hu.copy()
    if hu is not None:
        volume[ball] = hu
    record = LesionRecord(1, tuple(map(float, middle)), **{"diameter_mm": 2.0 * radius, "kind": None, **changed})
    return replace(case, hu=volume, labels=ball.astype(np.uint8), lesions=[record], liver=case.liver | ball), record


def test_what_is_unfit_is_said_with_its_reason(case):
    middle = tuple(n // 2 for n in case.hu.shape)
    assert why_unfit(*lesion(case, middle=middle, hu=40)) == ""
    assert why_unfit(*lesion(case, middle=(0, middle[1], middle[2]), hu=40)) == own_lesions.CUT
    assert why_unfit(*lesion(case, middle=(middle[0], middle[1], case.hu.shape[2] - 2), hu=40)) == own_lesions.CUT
    assert why_unfit(*lesion(case, middle=middle, hu=40, radius=3.9)) == own_lesions.SMALL
    assert why_unfit(*lesion(case, middle=middle, hu=40, kind="haemangioma")) == own_lesions.UNKNOWN_KIND
    assert why_unfit(*lesion(case, middle=middle, hu=-80)) == own_lesions.FAT_OR_GAS
    assert why_unfit(*lesion(case, middle=middle, hu=-70)) == ""


def test_lesions_brighter_than_the_liver_are_left_out(case, demo_generator):
    middle = tuple(int(n) for n in np.argwhere(case.liver & (case.labels == 0)).mean(0))
    part = gather(lesion(case, middle=middle, hu=180)[0], demo_generator, normals=8, seed=0)
    assert part.lesions is None
    assert part.left_out == {own_lesions.BRIGHT: 1}
    with pytest.raises(TrainingError, match=r"No lesion of these scans is fit.*1 not darker than the liver"):
        assemble([part], demo_generator, beside=False, seed=0)


@pytest.mark.recipe
def test_the_command_makes_a_generator_of_a_folder(phantom, tmp_path, capsys):
    write_phantom(phantom, tmp_path / "scans" / "one")
    main(["--data", str(tmp_path / "scans"), "--out", str(tmp_path / "out"), "--name", "Ward 7"])
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["name"] == "Ward 7"
    assert (card["banks"][0]["dataset"], card["banks"][0]["scans"]) == ("scans", 1)
    assert "python -m ml.bank --data" in card["command"]
    printed = capsys.readouterr().out
    assert "1 of 1: one:" in printed
    assert f"{card['banks'][0]['lesions']} exemplars of 1 patient." in printed
