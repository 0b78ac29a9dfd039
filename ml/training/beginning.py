"""Given weights that a training begins from, instead of random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ml.errors import TrainingError
from ml.nets.autoencoder import Decoder, Encoder
from ml.nets.config import NetConfig

# What people call the sizes of networks.
WORDS = {
    "patch_zyx": "patches (z, y, x) of {} samples",
    "spacing_zyx_mm": "a spacing (z, y, x) of {} mm",
    "width": "a width of {}",
    "code_size": "signatures of {} numbers",
}


@dataclass(frozen=True)
class Beginning:
    """Networks of a generator: what they are called, their digest, and which scans they have learned from.

    ``case_names_left_out`` counts scans whose names the generator's card was given away without.
    """

    name: str
    digest: str
    net: NetConfig
    encoder: dict[str, Tensor]
    decoder: dict[str, Tensor]
    case_names: tuple[str, ...] = ()
    case_names_left_out: int = 0

    def check(self, net: NetConfig) -> None:
        """Raises TrainingError with what differs when a training of these networks can't begin here."""
        here, asked = self.net.to_dict(), net.to_dict()
        differing = [name for name in here if here[name] != asked[name]]
        if not differing:
            return
        raise TrainingError(
            f"A training can't begin from {self.name}: it has {_said(here, differing)}, and asked for is "
            f"{_said(asked, differing)}. Ask for the same, or begin from another generator."
        )

    def put_into(self, encoder: Encoder, decoder: Decoder) -> None:
        """Give networks of the same sizes these weights."""
        encoder.load_state_dict(self.encoder)
        decoder.load_state_dict(self.decoder)

    def to_card(self) -> dict[str, str]:
        """What a card tells of it."""
        return {"name": self.name, "weights_sha256": self.digest}


def _said(values: dict[str, Any], names: list[str]) -> str:
    return " and ".join(_words(name, values[name]) for name in names)


def _words(name: str, value: Any) -> str:
    if name == "noise":
        return "a decoder with noise (IAE)" if value else "a decoder without noise (AAE, AE)"
    return WORDS[name].format(" × ".join(f"{n:g}" for n in value) if isinstance(value, tuple) else value)
