"""Encoder (patch to signature) and decoder (signature and noise to patch)."""

from __future__ import annotations

from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.nets.config import NetConfig
from ml.nets.convolution import Convolution

# Of leaky ReLU below zero.
SLOPE = 0.2
# Of group normalisation; divides every number of channels.
GROUPS = 8
# The deterministic part of the first noise levels shapes structure, the later ones texture.
NOISE_CHANNELS = (1, 2, 2, 2)


ModuleT = TypeVar("ModuleT", bound=nn.Module)


def to_device(module: ModuleT, device: torch.device) -> ModuleT:
    """Move a network and lay its weights out channels-last, which convolutions on CPUs want."""
    return module.to(device).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def half_pays(device: torch.device) -> bool:
    """Whether a device computes bfloat16 natively; elsewhere autocast is slower than float32."""
    return device.type == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - there is no public question


class NoiseSource(Protocol):
    """Where a decoder takes its noise maps from."""

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """Unit noise of a shape (float32)."""
        ...


class DeviceNoise:
    """Independent noise made where the network lies: fast, but every kind of device draws its own numbers."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """Unit noise on the device, from its global state."""
        return torch.randn(shape, device=self.device)


class FreshNoise:
    """Independent noise for every map, from a seeded generator or the global state."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = generator

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """Unit noise on the CPU, so that every device sees the same numbers."""
        return torch.randn(shape, generator=self.generator)


class Encoder(nn.Module):
    """Patches (B, 1, Z, Y, X), liver-normalised, to codes (B, code_size)."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        c = config.channels
        kernel, padding = config.kernel_zyx, config.padding_zyx
        self.first = Convolution(1, c[0], kernel, padding=padding)
        self.down = nn.ModuleList(
            Convolution(c[i], c[i + 1], kernel, stride=(stride, 2, 2), padding=padding)
            for i, stride in enumerate(config.slice_strides)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, c[i + 1]) for i in range(3))
        self.mix = Convolution(c[3], c[3], kernel, padding=padding)
        self.code = nn.Linear(config.coarse_features, config.code_size)

    def forward(self, patches: Tensor) -> Tensor:
        """Codes in float32."""
        h = functional.leaky_relu(self.first(patches), SLOPE)
        for convolution, norm in zip(self.down, self.norms, strict=True):
            h = functional.leaky_relu(norm(convolution(h)), SLOPE)
        h = functional.leaky_relu(self.mix(h), SLOPE)
        code: Tensor = self.code(h.flatten(1))
        return code.float()


class DecoderBlock(nn.Module):
    """Convolution with fresh noise maps, then scale and shift by the code (FiLM)."""

    def __init__(self, inputs: int, outputs: int, config: NetConfig, *, noise_channels: int) -> None:
        super().__init__()
        self.noise_channels = noise_channels
        self.convolution = Convolution(inputs + noise_channels, outputs, config.kernel_zyx, padding=config.padding_zyx)
        self.norm = nn.GroupNorm(GROUPS, outputs)
        self.film = nn.Linear(config.code_size, 2 * outputs)

    def forward(self, h: Tensor, code: Tensor, noise: NoiseSource) -> Tensor:
        """Features of the same size with ``outputs`` channels."""
        h = self.norm(self.convolution(with_noise(h, self.noise_channels, noise)))
        scale, shift = self.film(code).to(h.dtype)[:, :, None, None, None].chunk(2, 1)
        return functional.leaky_relu(h * (1 + scale) + shift, SLOPE)


class Decoder(nn.Module):
    """Codes (B, code_size) to patches (B, 1, Z, Y, X) in float32; draws its noise from ``noise``."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        c = config.channels
        noise = NOISE_CHANNELS if config.noise else (0, 0, 0, 0)
        self.coarse_zyx, self.last_noise = config.coarse_zyx, noise[3]
        self.start = nn.Linear(config.code_size, config.coarse_features)
        widths = [(c[3], c[3]), (c[3], c[2]), (c[2], c[1]), (c[1], c[0])]
        self.blocks = nn.ModuleList(
            DecoderBlock(a, b, config, noise_channels=n) for (a, b), n in zip(widths, noise, strict=True)
        )
        # The decoder grows back by what the encoder's levels shrank, in reverse.
        self.growth = [(stride, 2, 2) for stride in reversed(config.slice_strides)]
        kernel, padding = config.kernel_zyx, config.padding_zyx
        self.last = Convolution(c[0] + self.last_noise, c[0], kernel, padding=padding)
        self.out = Convolution(c[0], 1, kernel, padding=padding)

    def forward(self, code: Tensor, noise: NoiseSource | None = None) -> Tensor:
        """One draw of p(x | code, noise)."""
        noise = noise or FreshNoise()
        h = self.start(code).unflatten(1, (-1, *self.coarse_zyx))
        for number, block in enumerate(self.blocks):
            if number:
                h = functional.interpolate(h, scale_factor=self.growth[number - 1], mode="nearest")
            h = block(h, code, noise)
        h = functional.leaky_relu(self.last(with_noise(h, self.last_noise, noise)), SLOPE)
        patch: Tensor = self.out(h)
        return patch.float()


def with_noise(h: Tensor, channels: int, noise: NoiseSource) -> Tensor:
    """Append noise maps; drawn in float32 so that every precision sees the same numbers."""
    if not channels:
        return h
    maps = noise.draw((h.shape[0], channels, *h.shape[2:]))
    return torch.cat([h, maps.to(device=h.device, dtype=h.dtype)], 1)
