"""A small supervised network on three middle slices: the reference that sees the truth while it trains."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

# Passes over the training patches, and patches per step. Set by hand.
EPOCHS, BATCH = 14, 32
# Input channels, output channels and stride of each layer. Set by hand.
WIDTHS = ((3, 16, 1), (16, 24, 2), (24, 32, 2), (32, 48, 2))

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def held_out_scores(
    patches: NDArray[np.float32], truth: NDArray[np.int64], folds: Iterable[Fold], *, seed: int
) -> NDArray[np.float64]:
    """Scores of every patch from the network that did not see its fold; above 0 is class 1.

    Args:
        patches: shape (n, Z, Y, X) with at least three slices, HU / 80.
        truth: 0 or 1, shape (n,).
        folds: rows to train on and rows to score; patients must not be in both.
        seed: draws weights, order and mirrorings.
    """
    middle = patches.shape[1] // 2
    pixels = torch.from_numpy(patches[:, middle - 1 : middle + 2].copy())
    wanted = torch.from_numpy(truth).float()
    scores = np.zeros(len(truth))
    for train, test in folds:
        network = train_network(pixels, wanted, train, seed=seed)
        with torch.inference_mode():
            scores[test] = network(pixels[test])[:, 0].numpy()
    return scores


def train_network(pixels: torch.Tensor, truth: torch.Tensor, rows: NDArray[np.int64], *, seed: int) -> nn.Module:
    """A network fitted to ``rows`` of (n, 3, Y, X); mirrored at random."""
    torch.manual_seed(seed)
    order = np.random.default_rng([seed, 9])
    layers: list[nn.Module] = []
    for inputs, outputs, stride in WIDTHS:
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(48, 1))
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
    for _ in range(EPOCHS):
        for part in np.array_split(order.permutation(rows), max(1, len(rows) // BATCH)):
            batch = pixels[part]
            for axis in (-1, -2):
                if order.random() < 0.5:
                    batch = batch.flip(axis)
            loss = nn.functional.binary_cross_entropy_with_logits(network(batch)[:, 0], truth[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
    return network.eval()
