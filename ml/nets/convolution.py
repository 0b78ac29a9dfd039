"""Convolution in three dimensions that is as fast for one patch as for many and whose gradients are right."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# The depth at which oneDNN's bfloat16 weight gradients are made of memory that nobody wrote.
BROKEN_SLICES = 2


class Convolution(nn.Conv3d):
    """As ``torch.nn.Conv3d``; one patch in float32 on a processor goes through oneDNN too.

    For a single example torch 2.13 prefers its own loops to oneDNN unless the input is large (the choice counts
    ``N C Z Y`` and forgets X). At 16x40x40 and 32 channels those take 13 times as long on AVX2.

    Processors with AVX512-BF16 but without AMX: the weight gradient of two slices padded by one on either side is
    sums of unwritten memory (torch 2.13, oneDNN's ``jit_bf16``). Slices of zeros that are there are read correctly.
    The way round costs nothing elsewhere and is taken on every processor; whether a newer torch still needs it tells
    the test of weight gradients with a plain ``Conv3d`` on such a processor.
    """

    def forward(self, patches: Tensor) -> Tensor:
        """Features (B, C, Z, Y, X)."""
        if self._gradient_would_be_wrong(patches):
            _, rows, columns = (int(n) for n in self.padding)
            padded = functional.pad(patches, (0, 0, 0, 0, 1, 1))
            return functional.conv3d(padded, self.weight, self.bias, self.stride, (0, rows, columns))
        if self.training or len(patches) > 1 or patches.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(patches)
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch leaves it untyped
            return super().forward(patches)
        strides, padding = list(self.stride), [int(n) for n in self.padding]
        return torch.mkldnn_convolution(
            patches, self.weight, self.bias, padding, strides, list(self.dilation), self.groups
        )

    def _gradient_would_be_wrong(self, patches: Tensor) -> bool:
        thin = patches.shape[2] == BROKEN_SLICES and self.padding[0] == 1 and self.stride[0] == 1
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        return thin and learns and patches.device.type == "cpu" and torch.is_autocast_enabled("cpu")
