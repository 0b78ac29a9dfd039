"""A small U-Net (Ronneberger et al., 2015) that finds lesions within a given liver, slice by slice with neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ml.editing.resampling import one_thread
from ml.evaluation.usefulness.pictures import Picture

# Channels of each level, slices that are seen, patches of a step, their side (pixels of 1.5 mm). Set by hand.
WIDTHS, SEEN, BATCH, SIDE = (16, 24, 32), 3, 8, 64
STEPS = 600
RATE = 3e-3
# The share of patches that lie about a lesion, and how far from its middle (pixels).
NEAR_SHARE, JITTER_PX = 0.6, 12
# Sides must be divisible by this, for every level but the first halves them.
FACTOR = 2 ** (len(WIDTHS) - 1)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Segmenter(nn.Module):
    """(n, 3, Y, X) slices to (n, 1, Y, X) logits of the middle one."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (SEEN, *WIDTHS[:-1])
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(inputs, WIDTHS, strict=True))
        self.up = nn.ModuleList(
            _block(below + here, here) for here, below in zip(WIDTHS[-2::-1], WIDTHS[:0:-1], strict=True)
        )
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        """Logits."""
        levels = []
        for number, block in enumerate(self.down):
            slices = block(slices if number == 0 else functional.max_pool2d(slices, 2))
            levels.append(slices)
        for block, beside in zip(self.up, levels[-2::-1], strict=True):
            slices = block(torch.cat([functional.interpolate(slices, scale_factor=2.0), beside], 1))
        logits: torch.Tensor = self.last(slices)
        return logits


@dataclass(frozen=True)
class Places:
    """Where patches of some pictures may lie: voxels of the liver and of the lesions of each."""

    pictures: Sequence[Picture]
    liver: list[NDArray[np.int64]]
    lesions: list[NDArray[np.int64]]

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Places:
        """All voxels of some pictures."""
        return cls(pictures, [np.flatnonzero(p.liver) for p in pictures], [np.flatnonzero(p.lesions) for p in pictures])

    def patch(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Three slices, the lesions and the liver of the middle one; mirrored and turned at random."""
        number = int(rng.integers(len(self.pictures)))
        picture, near = self.pictures[number], rng.random() < NEAR_SHARE and len(self.lesions[number]) > 0
        voxels = (self.lesions if near else self.liver)[number]
        z, y, x = (int(v) for v in np.unravel_index(int(rng.choice(voxels)), picture.pixels.shape))
        shape = picture.pixels.shape
        top, left = (
            int(np.clip(at + rng.integers(-JITTER_PX, JITTER_PX + 1) - SIDE // 2, 0, max(0, size - SIDE)))
            for at, size in ((y, shape[1]), (x, shape[2]))
        )
        rows, columns = slice(top, top + SIDE), slice(left, left + SIDE)
        layers = [picture.pixels[z - 1 : z + 2, rows, columns], picture.lesions[z, rows, columns][None],
                  picture.liver[z, rows, columns][None]]  # fmt: skip
        whole = np.concatenate([layer.astype(np.float32) for layer in layers])
        short = [(0, 0), *((0, SIDE - n) for n in whole.shape[1:])]
        whole = np.rot90(np.pad(whole, short), int(rng.integers(4)), (1, 2))
        if rng.random() < 0.5:
            whole = whole[:, ::-1]
        return whole[:SEEN], whole[SEEN : SEEN + 1], whole[SEEN + 1 :] > 0


@one_thread()
def train_segmenter(sources: Sequence[Sequence[Picture]], *, seed: int) -> Segmenter:
    """A network after 600 steps whose patches come from all sources alike, however many pictures each has."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 43])
    places = [Places.of(pictures) for pictures in sources]
    network = Segmenter()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        drawn = [places[n % len(places)].patch(rng) for n in range(BATCH)]
        slices, wanted, liver = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        loss = _loss(network(slices), wanted, liver)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


def _loss(logits: torch.Tensor, wanted: torch.Tensor, liver: torch.Tensor) -> torch.Tensor:
    """Cross-entropy within the liver and the batch's soft Dice (Milletari et al., 2016)."""
    cross = functional.binary_cross_entropy_with_logits(logits[liver], wanted[liver])
    found = torch.sigmoid(logits) * liver
    dice = (2 * (found * wanted).sum() + 1) / (found.sum() + wanted.sum() + 1)
    return cross + 1 - dice


@one_thread()
def found_by(network: Segmenter, picture: Picture) -> NDArray[np.bool_]:
    """Voxels (Z, Y, X) that the network takes for a lesion; none outside the liver."""
    depth, height, width = picture.pixels.shape
    short = ((0, 0), (0, -height % FACTOR), (0, -width % FACTOR))
    padded = np.pad(picture.pixels, short)
    found = np.zeros(picture.pixels.shape, np.bool_)
    with torch.inference_mode():
        for z in range(1, depth - 1):
            logits = network(torch.from_numpy(padded[None, z - 1 : z + 2]))[0, 0]
            found[z] = (logits > 0).numpy()[:height, :width]
    return found & picture.liver
