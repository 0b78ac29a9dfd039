"""A training that begins from a generator's weights: it has learned what they know, and nothing else fits."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from ml.bank import main as make_bank
from ml.errors import ArtefactError, TrainingError
from ml.generator.files import beginning_of, load_generator, save_generator
from ml.generator.model import Generator
from ml.nets.config import NetConfig
from ml.patches.case import build_case
from ml.phantom import PhantomConfig, make_phantom
from ml.train import main, parser
from ml.training import losses
from ml.training.beginning import Beginning
from ml.training.config import FINE_TUNING, TrainConfig
from ml.training.folder import FolderSink
from ml.training.run import run
from ml.training.trainer import Trainer

TINY = NetConfig(patch_zyx=(8, 16, 16), spacing_zyx_mm=(4.0, 3.0, 3.0), width=8, code_size=8)
SHORT = TrainConfig(steps=2, batch=2, warm_steps=1)


@pytest.fixture(scope="module")
def cases():
    p = make_phantom(1, PhantomConfig(size_zyx=(12, 96, 96), phase="portal", lesion_count=6))
    return [build_case("own", p.hu, p.grid, liver=p.liver, labels=p.labels)]


@pytest.fixture(scope="module")
def given():
    """A generator that is nobody's first draw of random weights."""
    torch.manual_seed(77)
    card = {"name": "given", "weights_sha256": "ab" * 32, "data": {"case_names": ["p1", "p2"]}}
    return Generator(TINY, card=card, device=torch.device("cpu"))


def begun(cases, given, **values):
    return Trainer(cases, TINY, replace(SHORT, **values), beginning=beginning_of(given))


def same(module, other):
    pairs = zip(module.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_before_its_first_step_a_training_has_learned_bit_for_bit_what_it_began_from(cases, given):
    learned = begun(cases, given).learned()
    assert same(learned.encoder, given.encoder)
    assert same(learned.decoder, given.decoder)
    assert not same(Trainer(cases, TINY, SHORT).learned().encoder, given.encoder)


def test_the_first_loss_is_that_of_the_given_weights(cases, given):
    config = replace(SHORT, objective="ae", adversarial_weight=0.0)
    net = NetConfig(**{**TINY.to_dict(), "noise": False})
    plain = Generator(net, card={"name": "plain"}, device=torch.device("cpu"))
    with torch.no_grad():
        for weights in plain.decoder.parameters():
            weights.add_(0.2)
    trainer = Trainer(cases, net, config, beginning=beginning_of(plain))
    with torch.inference_mode():
        patches = torch.from_numpy(trainer.sampler.batch(config.batch))
        expected = float(losses.content_loss(plain.decoder(plain.encoder(patches)), patches))
    trainer.sampler.drawn = 0
    # Some processors take the step in half precision.
    assert trainer.step()["content"] == pytest.approx(expected, rel=0.02)
    assert Trainer(cases, net, config).step()["content"] != pytest.approx(expected, rel=0.1)


def test_its_steps_leave_the_given_generator_as_it_is(cases, given):
    before = {name: value.clone() for name, value in given.encoder.state_dict().items()}
    trainer = begun(cases, given)
    trainer.step()
    assert not same(trainer.encoder, given.encoder)
    assert all(torch.equal(value, before[name]) for name, value in given.encoder.state_dict().items())


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"code_size": 16}, "signatures of 8 numbers, and asked for is signatures of 16 numbers"),
        ({"width": 16}, "it has a width of 8, and asked for is a width of 16"),
        ({"patch_zyx": (8, 24, 24)}, r"patches \(z, y, x\) of 8 × 16 × 16 samples, and asked for"),
        ({"spacing_zyx_mm": (4.0, 2.5, 2.5)}, "4 × 3 × 3 mm, and asked for is a spacing .* of 4 × 2.5 × 2.5 mm"),
        ({"noise": False}, r"a decoder with noise \(IAE\), and asked for is a decoder without noise"),
    ],
)
def test_weights_of_other_networks_are_refused_with_what_differs(cases, given, sizes, said):
    with pytest.raises(TrainingError, match=said):
        Trainer(cases, NetConfig(**{**TINY.to_dict(), **sizes}), SHORT, beginning=beginning_of(given))


def test_a_checkpoint_of_other_first_weights_is_refused(cases, given, tmp_path):
    run(begun(cases, given), FolderSink(tmp_path))
    for other in (None, replace(beginning_of(given), digest="cd" * 32)):
        with pytest.raises(TrainingError, match="another configuration"):
            run(Trainer(cases, TINY, SHORT, beginning=other), FolderSink(tmp_path))
    run(begun(cases, given), FolderSink(tmp_path))


@pytest.fixture
def easy_bank(monkeypatch):
    """Two steps decode to no lesion; here whatever they decode to is taken for one."""
    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 24)
    monkeypatch.setattr("ml.generator.bank.DECODED_RANGE_MM", (0.0, 1e3))
    monkeypatch.setattr("ml.generator.shapes.WEAKEST_CORE_HU", 1e3)


def test_the_card_names_the_first_weights_and_all_scans_that_the_network_knows(cases, given, easy_bank, tmp_path):
    trainer = begun(cases, given)
    trainer.step()
    made = save_generator(trainer.learned(), cases, tmp_path, name="n", command="c", data_note="d")
    assert made.card["began_from"] == {"name": "given", "weights_sha256": "ab" * 32}
    assert made.card["data"]["case_names"] == ["own", "p1", "p2"]
    assert made.card["data"]["cases"] == 1
    assert made.case_names == {"own", "p1", "p2"}
    plain = Trainer(cases, TINY, SHORT)
    assert (
        "began_from"
        not in save_generator(plain.learned(), cases, tmp_path / "plain", name="n", command="c", data_note="d").card
    )


def test_names_that_the_given_card_left_out_stay_left_out(cases, given, easy_bank, tmp_path):
    beginning = replace(beginning_of(given), case_names=(), case_names_left_out=2)
    trainer = Trainer(cases, TINY, SHORT, beginning=beginning)
    made = save_generator(trainer.learned(), cases, tmp_path, name="n", command="c", data_note="d")
    with pytest.raises(ArtefactError, match="leaves out names"):
        _ = made.case_names


@pytest.fixture
def demo_copy(demo_generator, tmp_path):
    from ml.generator.card import DEMO_FOLDER

    shutil.copytree(DEMO_FOLDER, tmp_path / "demo")
    return tmp_path / "demo"


def damaged_weights(folder):
    with (folder / "weights.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\xff")


def other_sizes(folder):
    card = json.loads((folder / "card.json").read_text())
    card["net"]["code_size"] = 32
    (folder / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damaged_weights, "not those of its card"),
        (other_sizes, "not of the size that its card says"),
        (lambda folder: (folder / "card.json").unlink(), "no card.json"),
        (lambda folder: (folder / "card.json").write_text("{}"), "not a generator's card"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights are missing"),
    ],
)
def test_the_command_refuses_what_is_no_whole_generator(demo_copy, tmp_path, damage, said):
    damage(demo_copy)
    with pytest.raises(ArtefactError, match=rf"A training can't begin from .*demo: .*{said}"):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--init", str(demo_copy)])


@pytest.mark.recipe
def test_the_command_trains_further_with_the_weights_own_sizes_and_the_recipe_of_a_fine_tuning(tmp_path, easy_bank):
    from ml.phantom.__main__ import main as make_phantoms

    make_phantoms(["--count", "1", "--seed", "1", "--out", str(tmp_path / "d"), "--slices", "12", "--pixels", "96"])
    first = ["--data", str(tmp_path / "d"), "--batch", "2", "--steps", "2"]
    main([*first, "--out", str(tmp_path / "a"), "--width", "8", "--code-size", "8"])
    init = ["--init", str(tmp_path / "a" / "weights.safetensors")]
    main([*first, "--out", str(tmp_path / "b"), *init])
    card, before = (json.loads((tmp_path / n / "card.json").read_text()) for n in ("b", "a"))
    assert card["began_from"]["weights_sha256"] == before["weights_sha256"]
    assert card["net"] == before["net"]
    assert card["train"]["learning_rate"] == FINE_TUNING.learning_rate < before["train"]["learning_rate"]
    assert load_generator(tmp_path / "b", device="cpu").digest != before["weights_sha256"]
    with pytest.raises(TrainingError, match="asked for is a width of 16"):
        main([*first, "--out", str(tmp_path / "c"), *init, "--width", "16"])


def test_the_generator_to_begin_from_is_not_written_over(demo_copy, tmp_path):
    for command in (main, make_bank):
        option = "--init" if command is main else "--generator"
        with pytest.raises(ArtefactError, match="name another folder to write to"):
            command(["--data", str(tmp_path), "--out", str(demo_copy), option, str(demo_copy)])


def test_options_that_nobody_gives_leave_the_recipe_its_own_values():
    options = parser().parse_args(["--data", "d", "--out", "o", "--batch", "4"])
    assert not hasattr(options, "learning_rate")
    assert options.batch == 4
    assert FINE_TUNING.steps < TrainConfig().steps


def test_a_beginning_tells_its_name_and_digest(given):
    assert isinstance(beginning_of(given), Beginning)
    assert beginning_of(given).to_card() == {"name": "given", "weights_sha256": "ab" * 32}
