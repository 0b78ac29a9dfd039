"""A trained generator in memory: patches to signatures, signatures to patch differences."""

from __future__ import annotations

import itertools
import platform
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ml.errors import ArtefactError
from ml.generator.card import NAMES_LEFT_OUT
from ml.generator.exact import ExactDecoder, ExactEncoder
from ml.generator.signatures import Codes, NormalNeighbours, SignatureBank, SignatureSpace
from ml.nets.autoencoder import Decoder, Encoder, FreshNoise, to_device
from ml.nets.config import NetConfig
from ml.patches.case import Volume
from ml.patches.frames import HU_SCALE

# Patches that go through a network at once; bounds the memory.
BATCH = 32


def processor_class(device: torch.device) -> str:
    """The instructions that a device computes with ("AVX512"; without special ones "x86_64"), or a graphics card."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    found = torch.backends.cpu.get_cpu_capability()
    return platform.machine() if found == "DEFAULT" else found


class Generator:
    """Encoder, decoder and the bank of signatures; ready on one device."""

    bank: SignatureBank
    space: SignatureSpace

    def __init__(self, net: NetConfig, *, card: dict[str, Any], device: torch.device) -> None:
        self.net, self.card, self.device = net, card, device
        self.encoder = to_device(Encoder(net), device)
        self.decoder = to_device(Decoder(net), device)
        self.encoder.eval()
        self.decoder.eval()

    @property
    def name(self) -> str:
        """The generator's name."""
        return str(self.card.get("name", "unnamed"))

    @property
    def digest(self) -> str:
        """SHA-256 of its weights."""
        return str(self.card.get("weights_sha256", ""))

    @property
    def case_names(self) -> frozenset[str]:
        """The cases that it was made from: nothing may be measured on them.

        Raises ArtefactError when the card was given away without some of their names.
        """
        data = self.card.get("data", {})
        if data.get(NAMES_LEFT_OUT):
            raise ArtefactError(
                f"The card of {self.name} leaves out names of scans that it was trained on, so none are known to be "
                "held out. Measure with the card of somebody who may see them."
            )
        return frozenset(data.get("case_names", []))

    def provenance(self) -> dict[str, str]:
        """Which weights compute, where and how exactly: what every edit keeps of its generator."""
        return {
            "generator": self.name,
            "generator_sha256": self.digest,
            "device": str(self.device),
            "precision": "float32",
            "processor": processor_class(self.device),
        }

    def move_to(self, device: str) -> None:
        """Move this generator, for everybody who has it, to another device ("auto" leaves it where it is)."""
        wanted = self.device if device == "auto" else torch.device(device)
        if wanted != self.device:
            self.device = wanted
            self.encoder.to(wanted)
            self.decoder.to(wanted)
            self.__dict__.pop("exact_encoder", None)
            self.__dict__.pop("exact_decoder", None)

    @cached_property
    def neighbours(self) -> NormalNeighbours:
        """Finds normal codes for a lesion's code."""
        return NormalNeighbours(self.bank.lesion_codes, self.bank.normal_codes)

    def encode(self, patches: Volume) -> Codes:
        """Signatures (n, code_size) of normalised patches (n, Z, Y, X)."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(patches), BATCH):
                # A copy, because a mirrored axis of one slice counts as contiguous and torch refuses its stride.
                batch = torch.from_numpy(patches[start : start + BATCH].copy())[:, None]
                parts.append(self.encoder(batch.to(self.device)).float().cpu().numpy())
        return np.concatenate(parts)

    def signatures(self, patches: Volume) -> Codes:
        """Codes averaged over the 16 mirrored and transposed views of each patch: what a patch is, not how it lies."""
        views = [patches, patches.transpose(0, 1, 3, 2)]
        flips = list(itertools.product((1, -1), repeat=3))
        mean = np.zeros((len(patches), self.net.code_size), np.float32)
        for view, (z, y, x) in itertools.product(views, flips):
            mean += self.encode(view[:, ::z, ::y, ::x])
        return mean / np.float32(len(views) * len(flips))

    def decode(self, codes: Codes, *, seed: int) -> Volume:
        """One noise draw of the patches of codes (n, code_size), normalised, shape (n, Z, Y, X)."""
        parts = []
        noise = FreshNoise(torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            for start in range(0, len(codes), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(codes[start : start + BATCH], dtype=np.float32))
                parts.append(self.decoder(batch.to(self.device), noise)[:, 0].float().cpu().numpy())
        return np.concatenate(parts)

    @cached_property
    def exact_encoder(self) -> ExactEncoder:
        """The encoder for edits."""
        return ExactEncoder(self.encoder)

    @cached_property
    def exact_decoder(self) -> ExactDecoder:
        """The decoder for edits, with all noise maps at zero."""
        return ExactDecoder(self.decoder)

    def encode_exactly(self, patch: Volume) -> Codes:
        """The signature (1, code_size) of one normalised patch (Z, Y, X), the same bits on every processor."""
        with torch.inference_mode():
            return self.exact_encoder(patch)[None]

    def decode_quietly_hu(self, code: Codes) -> Volume:
        """The patch (Z, Y, X) of one code (1, d) without noise, in HU against the liver; the same bits everywhere.

        One pass is nearer to the mean of many noise draws than the mean of two draws is.
        """
        with torch.inference_mode():
            return self.exact_decoder(code[0]) * np.float32(HU_SCALE)

    def decode_difference_hu(self, source: Codes, target: Codes, *, seed: int, draws: int) -> Volume:
        """Mean of G(target, n) - G(source, n) over ``draws`` shared noise draws n, in HU.

        Args:
            source, target: codes of shape (m, code_size).
            seed: draws the noise.
            draws: how many noise draws are averaged.

        Returns:
            Shape (m, Z, Y, X).
        """
        count = len(source)
        total = np.zeros((count, *self.net.patch_zyx), np.float32)
        batch = torch.from_numpy(np.concatenate([source, target]).astype(np.float32)).to(self.device)
        with torch.inference_mode():
            for draw in range(draws):
                noise = SharedNoise(seed + draw, pairs=2)
                decoded = self.decoder(batch, noise)[:, 0].float().cpu().numpy()
                total += decoded[count:] - decoded[:count]
        return total * np.float32(HU_SCALE / draws)


class SharedNoise:
    """Noise for a batch of ``pairs`` equal parts: every part gets the same maps."""

    def __init__(self, seed: int, *, pairs: int) -> None:
        self.generator, self.pairs = torch.Generator().manual_seed(seed), pairs

    def draw(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Unit noise of ``shape`` on the CPU, repeated over the parts."""
        part = torch.randn((shape[0] // self.pairs, *shape[1:]), generator=self.generator)
        return part.repeat(self.pairs, *([1] * (len(shape) - 1)))
