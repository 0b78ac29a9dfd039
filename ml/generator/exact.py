"""Encoder and quiet decoder whose results are the same bits on every processor, for the patch that an edit looks at.

A sum of fractions depends on its order, and every instruction set has an order of its own. Whole numbers do not, as
long as float32 holds every partial sum. So features are rounded to whole steps of their largest value and weights to
whole steps of their channel's sum; convolutions, which stay as fast as they were, are then exact. What lies between
them is one product and one sum for each feature, statistics are sums of whole numbers, and the rest is so small that
it is computed in float64 from whole numbers. Errors are a little larger than those of bfloat16.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.generator.signatures import Codes
from ml.geometry import Int3
from ml.nets.autoencoder import SLOPE, Decoder, DecoderBlock, Encoder
from ml.nets.convolution import Convolution

Array: TypeAlias = NDArray[np.float64]

# float32 holds whole numbers up to here.
EXACT_SINGLE = 2**24
# Features are whole numbers up to this; what is left is for the sum of a channel's weights. Half and twice as much
# leave larger errors (0.23 and 0.19 HU of a decoded patch against 0.15).
LARGEST_FEATURE = 511
# Dense layers in float64: a sum of 4096 products of two such numbers stays below 2**53.
LARGEST_DENSE = 2**20
# How features lie in memory.
CHANNELS_LAST = (0, 2, 3, 4, 1)


class ExactConvolution:
    """A convolution of whole numbers, exact in every order; ``grow`` repeats the features before it.

    Growing and convolving is one transposed convolution with the sums of the weights that meet the same feature,
    at less than a third of the products.
    """

    def __init__(self, layer: Convolution, *, noise_channels: int = 0, grow: Int3 = (1, 1, 1)) -> None:
        weight = _array(layer.weight)[:, : layer.in_channels - noise_channels]
        self.bias: Array = np.zeros(len(weight)) if layer.bias is None else _array(layer.bias)
        axes = (1, 2, 3, 4)
        budget = EXACT_SINGLE // LARGEST_FEATURE - weight[0].size // 2
        self.step: Array = np.maximum(np.abs(weight).sum(axes), 1e-12) / budget
        whole = np.rint(weight / self.step[:, None, None, None, None])
        self.stride, self.padding, self.grow = list(layer.stride), [int(n) for n in layer.padding], list(grow)
        if grow != (1, 1, 1):
            whole = _repeated(whole, grow).transpose(1, 0, 2, 3, 4)
        self.weight = _laid_out(torch.from_numpy(whole.astype(np.float32)))

    def to(self, device: torch.device) -> None:
        """Move the weights."""
        self.weight = _laid_out(self.weight.to(device))

    def __call__(self, features: Tensor) -> tuple[Tensor, Array]:
        """Whole numbers (1, C, Z, Y, X) and what one of them is worth in each channel, without the bias.

        ``features`` are overwritten: new memory would cost more than the product does.
        """
        lowest, highest = (float(v) for v in features.permute(CHANNELS_LAST).aminmax())
        unit = max(-lowest, highest, 1e-12) / LARGEST_FEATURE
        whole = features.mul_(1 / unit).round_()
        if self.grow != [1, 1, 1]:
            # 2 where features are repeated: the kernel's size less the padding on both sides is the step.
            done = functional.conv_transpose3d(whole, self.weight, None, self.grow, self.padding)
        elif whole.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch leaves it untyped
            done = torch.mkldnn_convolution(whole, self.weight, None, self.padding, self.stride, [1, 1, 1], 1)
        else:
            done = functional.conv3d(whole, self.weight, None, self.stride, self.padding)
        return done, self.step * unit


def _array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _laid_out(weight: Tensor) -> Tensor:
    return weight.contiguous(memory_format=torch.channels_last_3d)


def _repeated(weight: Array, grow: Int3) -> Array:
    """The weights of one transposed convolution that stands for repeating features and convolving them."""
    for axis, factor in enumerate(grow, start=2):
        weight = np.flip(weight, axis)
        size = list(weight.shape)
        size[axis] += factor - 1
        total = np.zeros(size)
        for n in range(factor):
            total[(slice(None),) * axis + (slice(n, n + weight.shape[axis]),)] += weight
        weight = total
    return weight


class ExactDense:
    """A dense layer of whole numbers in float64."""

    def __init__(self, layer: nn.Linear) -> None:
        weight = _array(layer.weight)
        self.bias = _array(layer.bias)
        self.whole, self.unit = _whole(weight)

    def __call__(self, values: Array) -> Array:
        """Values (n,) to outputs (m,)."""
        whole, unit = _whole(values)
        return self.whole @ whole * (self.unit * unit) + self.bias


def _whole(values: Array) -> tuple[Array, float]:
    """Values as whole steps of their largest, and the step."""
    unit = max(float(np.abs(values).max()), 1e-12) / LARGEST_DENSE
    return np.rint(values / unit), unit


class ExactNorm:
    """Group normalisation as a factor and a summand for each channel, from sums of whole numbers."""

    def __init__(self, layer: nn.GroupNorm) -> None:
        self.groups, self.eps = layer.num_groups, layer.eps
        self.weight, self.bias = _array(layer.weight), _array(layer.bias)

    def __call__(self, whole: Tensor, step: Array, bias: Array) -> tuple[Array, Array]:
        """For features ``whole * step + bias``: what ``whole`` is to be multiplied by, and what is to be added."""
        exact = whole.permute(CHANNELS_LAST).flatten(0, 3).to(torch.int64)
        total = exact.sum(0).cpu().numpy() / len(exact)
        power = exact.mul_(exact).sum(0).cpu().numpy() / len(exact)
        mean = step * total + bias
        square = step**2 * power + 2 * step * bias * total + bias**2
        of_group, square_of_group = (_by_group(v, self.groups) for v in (mean, square))
        spread = np.sqrt(np.maximum(square_of_group - of_group**2, 0) + self.eps)
        return self.weight * step / spread, self.weight * (bias - of_group) / spread + self.bias


def _by_group(values: Array, groups: int) -> Array:
    """The mean over each group's channels, for every channel."""
    parts = values.reshape(groups, -1)
    total = parts[:, 0].copy()
    for column in parts.T[1:]:
        total += column
    mean: Array = np.repeat(total / parts.shape[1], parts.shape[1])
    return mean


def _activated(whole: Tensor, factor: Array, summand: Array) -> Tensor:
    """Leaky rectified ``whole * factor + summand``, one rounding after the other."""
    scale, shift = (_per_channel(v, whole.device) for v in (factor, summand))
    return functional.leaky_relu_(whole.mul_(scale).add_(shift), SLOPE)


def _per_channel(values: Array, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)[:, None, None, None]


class ExactEncoder:
    """An encoder's code of one patch."""

    def __init__(self, encoder: Encoder) -> None:
        self.device = encoder.code.weight.device
        self.first, self.mix = ExactConvolution(encoder.first), ExactConvolution(encoder.mix)
        self.down = [ExactConvolution(layer) for layer in encoder.down]  # type: ignore[arg-type]
        self.norms = [ExactNorm(layer) for layer in encoder.norms]  # type: ignore[arg-type]
        self.code = ExactDense(encoder.code)

    def __call__(self, patch: NDArray[np.float32]) -> Codes:
        """The code (d,) of a normalised patch (Z, Y, X)."""
        h = torch.tensor(patch, device=self.device)[None, None]
        whole, step = self.first(h)
        h = _activated(whole, step, self.first.bias)
        for convolution, norm in zip(self.down, self.norms, strict=True):
            whole, step = convolution(h)
            h = _activated(whole, *norm(whole, step, convolution.bias))
        whole, step = self.mix(h)
        h = _activated(whole, step, self.mix.bias)
        return self.code(_array(h).ravel()).astype(np.float32)


class ExactDecoder:
    """A decoder's patch of one code with all noise maps at zero, and so without their weights."""

    def __init__(self, decoder: Decoder) -> None:
        self.device, self.coarse_zyx = decoder.start.weight.device, decoder.coarse_zyx
        self.start = ExactDense(decoder.start)
        blocks = [block for block in decoder.blocks if isinstance(block, DecoderBlock)]
        growth = [(1, 1, 1), *decoder.growth]
        self.convolutions = [
            ExactConvolution(block.convolution, noise_channels=block.noise_channels, grow=grow)
            for block, grow in zip(blocks, growth, strict=True)
        ]
        self.norms = [ExactNorm(block.norm) for block in blocks]
        self.films = [ExactDense(block.film) for block in blocks]
        self.last = ExactConvolution(decoder.last, noise_channels=decoder.last_noise)
        self.out = ExactConvolution(decoder.out)

    def __call__(self, code: Codes) -> NDArray[np.float32]:
        """The normalised patch (Z, Y, X) of a code (d,)."""
        values = code.astype(np.float64)
        h = torch.from_numpy(self.start(values).astype(np.float32)).to(self.device)
        h = _laid_out(h.reshape(1, -1, *self.coarse_zyx))
        for convolution, norm, film in zip(self.convolutions, self.norms, self.films, strict=True):
            whole, step = convolution(h)
            factor, summand = norm(whole, step, convolution.bias)
            scale, shift = np.split(film(values), 2)
            h = _activated(whole, factor * (1 + scale), summand * (1 + scale) + shift)
        whole, step = self.last(h)
        whole, step = self.out(_activated(whole, step, self.last.bias))
        patch: NDArray[np.float32] = whole[0, 0].cpu().numpy() * np.float32(step[0]) + np.float32(self.out.bias[0])
        return patch
