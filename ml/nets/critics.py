"""The two critics of the implicit autoencoder: patch with code, and code alone."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ml.nets.autoencoder import SLOPE
from ml.nets.config import NetConfig
from ml.nets.convolution import Convolution


class JointCritic(nn.Module):
    """Tells (x, z) of data and encoder from (decoded x, z); a local and a global score, both see the code."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        c, hidden = config.channels, 4 * config.width
        kernel, padding = config.kernel_zyx, config.padding_zyx
        self.first = spectral_norm(Convolution(1, c[0], kernel, padding=padding))
        self.down = nn.ModuleList(
            spectral_norm(Convolution(c[i], c[i + 1], kernel, stride=(stride, 2, 2), padding=padding))
            for i, stride in enumerate(config.slice_strides)
        )
        self.local_score = spectral_norm(nn.Conv3d(c[2], 1, 1))
        self.local_code = spectral_norm(nn.Linear(config.code_size, c[2]))
        self.summary = spectral_norm(nn.Linear(config.coarse_features, hidden))
        self.summary_code = spectral_norm(nn.Linear(config.code_size, hidden))
        self.projection_code = spectral_norm(nn.Linear(config.code_size, hidden))
        self.global_score = spectral_norm(nn.Linear(hidden, 1))

    def forward(self, patches: Tensor, codes: Tensor) -> Tensor:
        """Scores (B, 2): local at quarter resolution, global."""
        h = functional.leaky_relu(self.first(patches), SLOPE)
        h = functional.leaky_relu(self.down[0](h), SLOPE)
        quarter = functional.leaky_relu(self.down[1](h), SLOPE)
        eighth = functional.leaky_relu(self.down[2](quarter), SLOPE)
        pooled = quarter.mean((2, 3, 4))
        local = self.local_score(quarter).mean((1, 2, 3, 4))
        local = local + (pooled * self.local_code(codes)).sum(1) / pooled.shape[1] ** 0.5
        summary = self.summary(eighth.flatten(1))
        joined = functional.leaky_relu(summary + self.summary_code(codes), SLOPE)
        overall = self.global_score(joined)[:, 0]
        overall = overall + (summary * self.projection_code(codes)).sum(1) / summary.shape[1] ** 0.5
        return torch.stack([local, overall], 1).float()


class CodeCritic(nn.Module):
    """Tells draws of the prior N(0, 1) from the encoder's codes."""

    def __init__(self, config: NetConfig, hidden: int = 128) -> None:
        super().__init__()
        sizes = (config.code_size, hidden, hidden)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [spectral_norm(nn.Linear(inputs, outputs)), nn.LeakyReLU(SLOPE)]
        self.body = nn.Sequential(*layers, spectral_norm(nn.Linear(hidden, 1)))

    def forward(self, codes: Tensor) -> Tensor:
        """Scores (B, 1)."""
        score: Tensor = self.body(codes)
        return score
