import json
import shutil

import pytest

from ml.editing import LesionSpec, insert_lesion
from ml.errors import EditError, TrainingError
from ml.evaluation.realism.report import NO_TRAINING, evaluate_generator
from ml.evaluation.variants import Variant, paper_variants, trained
from ml.generator.card import DEMO_FOLDER
from ml.generator.files import load_generator
from ml.phantom.__main__ import main as make_phantoms
from ml.reproduce import classification, given_generators, main
from ml.scans.cases import find_cases, load_cases
from ml.train import main as train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms")
    make_phantoms(["--count", "5", "--seed", "41", "--out", str(out), "--slices", "12", "--pixels", "96"])
    return out


@pytest.fixture(autouse=True)
def briefly_trained_judges(monkeypatch):
    """What they find is asked in test_realism.py and test_classify.py."""
    monkeypatch.setattr("ml.evaluation.supervised.EPOCHS", 1)


@pytest.mark.recipe
def test_given_generators_are_measured_and_everything_is_written(folder, tmp_path):
    main(["--data", str(folder), "--generator", str(DEMO_FOLDER), "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "classification.json").read_text())
    features = {row["features"] for row in rows}
    assert {"mean HU", "raw-pixel PCA", "radiomics", "supervised network", "signature demo"} <= features
    assert {"signature untrained encoder"} <= features
    assert {row["view"] for row in rows} == {"wide", "close"}
    assert len({(row["lesions"], row["normals"]) for row in rows}) == 1
    digest = json.loads((DEMO_FOLDER / "card.json").read_text())["weights_sha256"]
    assert {(r["features"], r["generator_sha256"]) for r in rows if "generator_sha256" in r} == {
        ("signature demo", digest)
    }
    realism = json.loads((tmp_path / "realism_demo.json").read_text())
    assert realism["held_out_cases"] == 5
    # Five patients are few, so each gives several cycles.
    (cycle,) = [line for line in realism["gate"] if line["name"].startswith("cycle remove")]
    assert cycle["n"] > 10
    assert (tmp_path / "atlas_demo.svg").is_file()
    assert list((tmp_path / "gallery_demo").glob("*.png"))
    assert list((tmp_path / "figures_demo").glob("*.svg"))
    assert not (tmp_path / "generators").exists()


@pytest.mark.recipe
def test_a_variant_is_trained_once_on_its_own_scans_and_then_taken_from_its_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("ml.evaluation.variants.POOL", 4)
    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 24)
    monkeypatch.setattr("ml.generator.bank.DECODED_RANGE_MM", (0.0, 1e3))
    monkeypatch.setattr("ml.generator.shapes.WEAKEST_CORE_HU", -1e-6)
    cases, variant = load_cases(folder), Variant("ae", "normal", scans=3)
    first = trained(variant, cases, tmp_path, steps=1, seed=0, device="cpu")
    assert first.card["data"]["case_names"] == [case.name for case in cases[:3]]
    assert first.card["train"]["population"] == "normal"
    assert first.card["train"]["objective"] == "ae"
    written = (tmp_path / variant.name / "weights.safetensors").stat().st_mtime_ns
    again = trained(variant, cases, tmp_path, steps=1, seed=0, device="cpu")
    assert again.digest == first.digest
    assert (tmp_path / variant.name / "weights.safetensors").stat().st_mtime_ns == written
    with pytest.raises(TrainingError, match="other settings or scans"):
        trained(variant, cases, tmp_path, steps=2, seed=0, device="cpu")
    with pytest.raises(TrainingError, match="other settings or scans"):
        trained(variant, cases[1:], tmp_path, steps=1, seed=0, device="cpu")


@pytest.mark.recipe
def test_half_of_the_patients_train_and_only_the_others_are_measured_and_shown(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("ml.reproduce.paper_variants", lambda _: [Variant("ae")])
    monkeypatch.setattr("ml.evaluation.variants.POOL", 4)
    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 24)
    monkeypatch.setattr("ml.reproduce.write_classification", lambda *_: None)
    command = ["--data", str(folder), "--steps", "1", "--out", str(tmp_path)]
    monkeypatch.setattr("ml.generator.bank.DECODED_RANGE_MM", (1e6, 1e7))
    with pytest.raises(TrainingError, match="decodes a lesion"):
        main(command)
    monkeypatch.setattr("ml.generator.bank.DECODED_RANGE_MM", (0.0, 1e3))
    monkeypatch.setattr("ml.generator.shapes.WEAKEST_CORE_HU", -1e-6)
    shown = []
    monkeypatch.setattr("ml.reproduce.write_galleries", lambda scans, *_, **__: shown.extend(f.name for f in scans))
    main(command)
    card = json.loads((tmp_path / "generators" / "ae_all" / "card.json").read_text())
    report = json.loads((tmp_path / "realism_ae_all.json").read_text())
    assert report["held_out_cases"] == len(shown) == 2
    assert not set(shown) & set(card["data"]["case_names"])
    assert report["memorisation"].get("note") != NO_TRAINING


def test_a_generator_is_not_measured_on_what_it_learnt_from(folder, demo_generator):
    names = [path.name for path in folder.glob("phantom_*")]
    knows_all = type(demo_generator)(
        demo_generator.net, card={"data": {"case_names": names}}, device=demo_generator.device
    )
    with pytest.raises(TrainingError, match="learnt from every one"):
        evaluate_generator(find_cases(folder), knows_all)


def test_given_generators_of_one_name_are_all_kept_under_names_for_files(tmp_path):
    for folder in ("first", "second", "third"):
        shutil.copytree(DEMO_FOLDER, tmp_path / folder)
    card = tmp_path / "third" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"name": "../my generator/2"}))
    found = given_generators([tmp_path / name for name in ("first", "second", "third")], "cpu")
    assert list(found) == ["demo", "demo_2", ".._my_generator_2"]


@pytest.mark.recipe
def test_a_flat_generator_is_compared_on_the_same_places_and_does_not_edit(folder, tmp_path, monkeypatch, phantom):
    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 24)
    data = ["--data", str(folder)]
    sizes = ["--patch-zyx", "1", "32", "32", "--spacing-zyx-mm", "3", "1.5", "1.5", "--width", "8"]
    train([*data, "--out", str(tmp_path / "flat"), "--steps", "2", "--batch", "2", "--name", "flat", *sizes])
    flat = load_generator(tmp_path / "flat", device="cpu")
    comparison = classification(load_cases(folder), {"flat": flat, "demo": load_generator(device="cpu")}, seed=0)
    rows = comparison.rows("close")
    assert rows["signature flat"].lesions == rows["signature demo"].lesions
    # The first generator is compared with everything else, in both views.
    against = {(d["view"], d["against"]) for d in comparison.differences(seed=0)}
    assert against == {(view, name) for view in ("close", "wide") for name in rows if name != "signature flat"}
    with pytest.raises(EditError, match="needs more depth"):
        insert_lesion(
            phantom.hu,
            phantom.grid,
            liver_mask=phantom.liver,
            centre_lps_mm=(0, 0, 0),
            spec=LesionSpec("hypodense", 12, -40, 1),
            generator=flat,
        )


def test_the_paper_s_rows_are_all_there_and_have_names_of_their_own():
    rows = paper_variants(57)
    assert {row.objective for row in rows} == {"iae", "iae_content", "aae", "ae"}
    assert {row.population for row in rows if row.objective == "iae"} == {"all", "normal"}
    assert {row.scans for row in rows} == {None, 5, 10, 25}
    assert len({row.name for row in rows}) == len(rows)
    assert {row.scans for row in paper_variants(10)} == {None, 5}
