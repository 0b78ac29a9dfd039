import json
import shutil

import numpy as np
import pytest

from ml.errors import ArtefactError, command_line
from ml.generator.card import CARD_NAME, DEMO_FOLDER, NAMES_LEFT_OUT, WEIGHTS_NAME, read_card
from ml.generator.files import load_generator
from ml.nets.config import NetConfig
from ml.scans.lesions import LESION_KINDS


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(DEMO_FOLDER, tmp_path / "generator")


def test_the_demo_generator_is_small_sealed_and_knows_every_kind(demo_generator):
    card = read_card(DEMO_FOLDER)
    assert card.weights_path.stat().st_size < 8e6
    assert card.values["command"].startswith("python -m ml.train")
    assert all(len(demo_generator.bank.of_kind(kind)) >= 10 for kind in LESION_KINDS)
    assert demo_generator.digest == card.digest


def test_tampered_weights_are_refused(copy):
    weights = copy / WEIGHTS_NAME
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ArtefactError, match="not those of its card"):
        load_generator(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not a generator"),
        ({"format_version": 99}, "not supported"),
        ({"net": NetConfig(width=8).to_dict()}, "not of the size"),
        ({"net": NetConfig(code_size=10**12).to_dict()}, "not of the size"),
        ({"net": NetConfig(patch_zyx=(64, 512, 512)).to_dict()}, "patches are larger"),
        # 100 GB of networks, if they were made
        ({"net": NetConfig(width=6000).to_dict()}, "not of the size"),
        ({"net": NetConfig(noise=False).to_dict()}, "not of the size"),
        ({"net": {}}, "do not fit"),
        ({"data": None}, "does not name its scans"),
        ({"data": {"case_names": None}}, "does not name its scans"),
        ({"data": {"case_names": [["x"]]}}, "does not name its scans"),
        ({"data": {"case_names_left_out": "2"}}, "does not name its scans"),
        ({"banks": None}, "does not name its scans"),
        ({"banks": ["x"]}, "does not name its scans"),
    ],
)
def test_incompatible_cards_are_refused(copy, change, message):
    card = json.loads((copy / CARD_NAME).read_text())
    (copy / CARD_NAME).write_text(json.dumps(card | change))
    with pytest.raises(ArtefactError, match=message):
        load_generator(copy)


def test_missing_and_damaged_files_are_refused(copy, tmp_path):
    with pytest.raises(ArtefactError, match=r"no card\.json"):
        read_card(tmp_path)
    (copy / WEIGHTS_NAME).rename(copy / "away")
    with pytest.raises(ArtefactError, match="missing"):
        read_card(copy)
    (copy / "away").rename(copy / WEIGHTS_NAME)
    for damaged in ("{", "[" * 100_000):
        (copy / CARD_NAME).write_text(damaged)
        with pytest.raises(ArtefactError, match="damaged"):
            read_card(copy)


def test_unknown_devices_are_refused():
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device that the test needs to be missing")
    with pytest.raises(ArtefactError, match="CUDA"):
        load_generator(device="cuda")


def test_the_same_noise_cancels_in_a_difference(demo_generator):
    codes = demo_generator.bank.normal_codes[:2]
    difference = demo_generator.decode_difference_hu(codes, codes, seed=1, draws=2)
    assert np.abs(difference).max() == 0


def test_the_decoder_is_stochastic_and_seeded(demo_generator):
    codes = demo_generator.bank.normal_codes[:1]
    first, again, other = (demo_generator.decode(codes, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other).std() > 0.01


def test_a_card_without_all_names_says_nothing_of_what_is_held_out(copy):
    card = json.loads((copy / CARD_NAME).read_text())
    names = card["data"]["case_names"]
    assert load_generator(copy).case_names == set(names)
    card["data"] |= {"case_names": names[:5], NAMES_LEFT_OUT: len(names) - 5}
    (copy / CARD_NAME).write_text(json.dumps(card))
    with pytest.raises(ArtefactError, match="leaves out names"):
        load_generator(copy).case_names  # noqa: B018


def test_a_failure_that_people_can_act_on_ends_a_command_with_its_sentence():
    def fails():
        raise ArtefactError("The generator has no card.json.")

    with pytest.raises(SystemExit, match=r"^error: The generator has no card\.json\.$"):
        command_line(fails)

    def is_broken():
        raise KeyError("bug")

    with pytest.raises(KeyError):
        command_line(is_broken)
