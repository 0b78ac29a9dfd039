"""Generators on disk: weights and signature bank as safetensors, a JSON card beside them."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ml.errors import ArtefactError
from ml.generator import card as cards
from ml.generator.bank import build_bank
from ml.generator.model import Generator
from ml.generator.own_lesions import OwnBank
from ml.generator.signatures import SignatureBank, SignatureSpace
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase
from ml.scans.lesions import LESION_KINDS
from ml.training.beginning import Beginning
from ml.training.learned import Learned

__all__ = ["Generator", "beginning_of", "load_generator", "save_generator", "save_with_bank"]


State = dict[str, torch.Tensor]

# Sixteen times those of the demo generator: memory grows with a patch whatever the weights are.
MAX_PATCH_VOXELS = 400_000

# What every generator's edits have in common.
LIMITS = (
    "Knows hypodense, cystic and ring-enhancing lesions darker than the liver. "
    "Vessels bend round them, the capsule does not bulge."
)


def load_generator(folder: Path | str = cards.DEMO_FOLDER, *, device: str = "auto") -> Generator:
    """Load a verified generator; without a folder the demo generator.

    Raises ArtefactError when the digest does not match, tensors are missing or of another shape, or the
    device is not there.
    """
    card = cards.read_card(folder)
    try:
        net = NetConfig.from_dict(card.values["net"])
        _check_shapes(card.weights_path, card.values, net)
        tensors = load_file(card.weights_path)
        encoder, decoder = _part(tensors, "encoder."), _part(tensors, "decoder.")
        generator = _of_networks(net, encoder, decoder, device=resolve_device(device))
        generator.card = card.values
        generator.bank = SignatureBank(**{k: v.numpy() for k, v in _part(tensors, "bank.").items()})
        generator.space = SignatureSpace(**{k: v.numpy() for k, v in _part(tensors, "space.").items()})
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError("The generator's weights do not fit its card.") from error
    return generator


def _of_networks(net: NetConfig, encoder: State, decoder: State, *, device: torch.device) -> Generator:
    """A generator that has copies of these weights, and as yet neither bank nor card."""
    generator = Generator(net, card={}, device=device)
    generator.encoder.load_state_dict(encoder)
    generator.decoder.load_state_dict(decoder)
    return generator


def _check_shapes(weights: Path, values: dict[str, Any], net: NetConfig) -> None:
    """Compare the file's table of tensors with networks that take no memory, whatever size a card claims."""
    with safe_open(weights, framework="pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
    if math.prod(net.patch_zyx) > MAX_PATCH_VOXELS:
        raise ArtefactError(
            f"The generator's patches are larger than the {MAX_PATCH_VOXELS:,} voxels that are computed."
        )
    with torch.device("meta"):
        empty = Generator(net, card=values, device=torch.device("meta"))
    for prefix, module in (("encoder.", empty.encoder), ("decoder.", empty.decoder)):
        expected = {prefix + name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        if expected != {name: shape for name, shape in found.items() if name.startswith(prefix)}:
            raise ArtefactError("The generator's networks are not of the size that its card says.")


def resolve_device(device: str) -> torch.device:
    """ "auto" is the first CUDA device, else the CPU; raises ArtefactError for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    wanted = torch.device(device)
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise ArtefactError("No CUDA device is available here.")
    return wanted


def _part(tensors: State, prefix: str) -> State:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def save_generator(
    learned: Learned, cases: list[LiverCase], folder: Path, *, name: str, command: str, data_note: str
) -> Generator:
    """Build the signature bank from the training cases and write weights and card; returns the generator."""
    encoder, decoder = learned.encoder.state_dict(), learned.decoder.state_dict()
    generator = _of_networks(learned.net, encoder, decoder, device=learned.device)
    generator.bank, generator.space = build_bank(generator, cases, seed=learned.seed)
    generator.card = describe(learned, cases, generator, name=name, command=command, data_note=data_note)
    _write(generator, folder)
    return generator


def save_with_bank(generator: Generator, own: OwnBank, folder: Path, *, name: str, command: str, dataset: str) -> None:
    """Write the generator's networks with another bank as a new generator, whose card says whose lesions it holds."""
    encoder, decoder = generator.encoder.state_dict(), generator.decoder.state_dict()
    made = _of_networks(generator.net, encoder, decoder, device=generator.device)
    made.bank, made.space = own.bank, own.space
    before = generator.card
    # Nothing may be measured on scans whose lesions it inserts, as on those it was trained on.
    names = dict.fromkeys([*before.get("data", {}).get("case_names", []), *own.case_names])
    made.card = before | {
        "name": name,
        "data": before.get("data", {}) | {"case_names": list(names)} | _counted(made),
        "banks": [
            *(before.get("banks", []) if own.beside else []),
            {"of": {"name": generator.name, "weights_sha256": generator.digest}, "dataset": dataset, **own.to_card()},
        ],
        "metrics": {},
        "command": command,
        **_made(made),
    }
    _write(made, folder)


def check_elsewhere(folder: Path, source: Path) -> None:
    """Raises ArtefactError where a new generator would be written over the one that it is made of."""
    if folder.resolve() == source.resolve():
        raise ArtefactError(f"{folder} holds the generator to begin from; name another folder to write to.")


def _write(generator: Generator, folder: Path) -> None:
    """Weights and card; the card gets the weights' digest."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_tensors(generator), folder / cards.WEIGHTS_NAME)
    (folder / cards.WEIGHTS_NAME).chmod(0o644)
    generator.card["weights_sha256"] = cards.file_digest(folder / cards.WEIGHTS_NAME)
    (folder / cards.CARD_NAME).write_text(json.dumps(generator.card, indent=2) + "\n")


def beginning_of(generator: Generator) -> Beginning:
    """A generator's networks for a training to begin from."""
    data = generator.card.get("data", {})
    return Beginning(
        name=generator.name,
        digest=generator.digest,
        net=generator.net,
        encoder=generator.encoder.state_dict(),
        decoder=generator.decoder.state_dict(),
        case_names=tuple(data.get("case_names", [])),
        case_names_left_out=int(data.get(cards.NAMES_LEFT_OUT, 0)),
    )


def _tensors(generator: Generator) -> State:
    tensors: State = {}
    for prefix, module in (("encoder.", generator.encoder), ("decoder.", generator.decoder)):
        tensors |= {prefix + key: value.cpu().contiguous().clone() for key, value in module.state_dict().items()}
    arrays = {f"bank.{key}": value for key, value in generator.bank.arrays().items()}
    arrays |= {f"space.{key}": value for key, value in asdict(generator.space).items()}
    return tensors | {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}


def describe(
    learned: Learned, cases: list[LiverCase], generator: Generator, *, name: str, command: str, data_note: str
) -> dict[str, Any]:
    """The card: what a person must know before using the generator."""
    lesions = [record for case in cases for record in case.lesions]
    beginning, undrawn = learned.beginning, sum(not case.all_drawn for case in cases)
    names = dict.fromkeys(case.name for case in cases)
    left_out = 0
    if beginning is not None:
        # What the first weights have learned from is known to the network as well.
        names |= dict.fromkeys(beginning.case_names)
        left_out = beginning.case_names_left_out
    return {
        "format": cards.FORMAT,
        "format_version": cards.FORMAT_VERSION,
        "name": name,
        "method": "implicit autoencoder on liver patches; edits by residual transfer",
        "intended_use": "synthetic lesions for reader studies and teaching; not for diagnosis",
        "limits": LIMITS,
        "net": learned.net.to_dict(),
        "train": learned.settings,
        "steps_done": learned.steps_done,
        **({} if beginning is None else {"began_from": beginning.to_card()}),
        "data": {
            "note": data_note,
            "cases": len(cases),
            "case_names": list(names),
            **({cards.NAMES_LEFT_OUT: left_out} if left_out else {}),
            **({"cases_with_undrawn_lesions": undrawn} if undrawn else {}),
            "lesions": len(lesions),
            **_counted(generator),
        },
        "metrics": {},
        "command": command,
        **_made(generator),
    }


def _counted(generator: Generator) -> dict[str, Any]:
    """What a card's data say of the bank."""
    bank = generator.bank
    return {
        "bank_lesions": {kind: len(bank.of_kind(kind)) for kind in LESION_KINDS},
        "bank_normals": len(bank.normal_codes),
    }


def _made(generator: Generator) -> dict[str, Any]:
    shares = generator.space.explained_variance_ratio[:10]
    return {
        "explained_variance_ratio": [round(float(v), 4) for v in shares],
        "made_with": {"torch": torch.__version__, "python": platform.python_version()},
    }
