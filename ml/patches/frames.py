"""Liver patches as the networks see them: resampled, liver-normalised and liver-masked.

The view decides more than the network: HU are taken relative to the patient's own liver, and everything
outside the liver is replaced by liver-like noise, so that codes are not spent on organ borders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ml.geometry import Box, Int3
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase, Mask, Volume

# One unit of the networks in HU.
HU_SCALE = 80.0
# Farther from the liver's level (units) all tissue looks alike: 200 HU.
CLIP = 2.5
# Noise (units; about 10 HU) where a patch shows too little liver to measure it. Set by hand.
FALLBACK_NOISE = 0.12
# Width of the low-pass before coarser sampling, as a part of root(target^2 - spacing^2). Set by hand.
ANTIALIAS = 0.42


def antialias_sigma(spacing_zyx_mm: ArrayLike, target_zyx_mm: ArrayLike) -> tuple[float, float, float]:
    """Gaussian widths (voxels) before sampling a grid at a coarser one."""
    spacing, target = np.asarray(spacing_zyx_mm), np.asarray(target_zyx_mm)
    z, y, x = ANTIALIAS * np.sqrt(np.maximum(0, target**2 - spacing**2)) / spacing
    return float(z), float(y), float(x)


@dataclass(frozen=True)
class PatchFrame:
    """Where a patch lies: its centre in voxels of a grid and its zoom (2.0 sees twice as far)."""

    config: NetConfig
    spacing_zyx_mm: tuple[float, float, float]
    centre_zyx: tuple[float, float, float]
    zoom: float = 1.0

    @property
    def step_zyx(self) -> NDArray[np.float64]:
        """Voxels of the grid per patch sample."""
        step: NDArray[np.float64] = np.asarray(self.config.spacing_zyx_mm) * self.zoom / np.asarray(self.spacing_zyx_mm)
        return step

    @property
    def middle_zyx(self) -> NDArray[np.float64]:
        """The patch's centre in its own samples."""
        return (np.asarray(self.config.patch_zyx) - 1) / 2

    def source_box(self, size_zyx: Int3) -> Box:
        """The voxels that the patch reads, clipped to the volume."""
        reach = self.middle_zyx * self.step_zyx + 3
        centre = np.asarray(self.centre_zyx)
        low = np.clip(np.floor(centre - reach).astype(int), 0, np.asarray(size_zyx) - 1)
        high = np.clip(np.ceil(centre + reach).astype(int) + 1, low + 1, size_zyx)
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2]))

    def sample(self, volume: NDArray[np.generic], box: Box, *, smooth: bool, outside: float | None) -> Volume:
        """The patch of a volume's ``box``; ``outside`` None repeats the border."""
        part = np.asarray(volume, dtype=np.float32)
        if smooth:
            sigma = antialias_sigma(self.spacing_zyx_mm, np.asarray(self.config.spacing_zyx_mm) * self.zoom)
            part = ndimage.gaussian_filter(part, sigma, truncate=2.5)
        start = np.asarray([s.start for s in box])
        offset = np.asarray(self.centre_zyx) - start - self.middle_zyx * self.step_zyx
        sampled: Volume = ndimage.affine_transform(
            part,
            self.step_zyx,
            offset=offset,
            output_shape=self.config.patch_zyx,
            order=1,
            mode="nearest" if outside is None else "constant",
            cval=0.0 if outside is None else outside,
            output=np.float32,
        )
        return sampled


def unit_noise(rng: np.random.Generator, shape: Int3) -> Volume:
    """CT-like noise of unit standard deviation at the patch's resolution."""
    white = rng.standard_normal(shape).astype(np.float32)
    noise: Volume = ndimage.gaussian_filter(white, (0.3, 0.7, 0.7), truncate=2.5)
    noise /= noise.std()
    return noise


def _high_pass_sd(patch: Volume, inside: Mask | None) -> float:
    rough = patch - ndimage.gaussian_filter(patch, (0, 2, 2), truncate=2.0)
    values = rough if inside is None else rough[inside]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def normalise(patch_hu: Volume, weight: Volume, level_hu: float, rng: np.random.Generator) -> Volume:
    """What the encoder sees: (HU - liver) / 80 in the liver, noise of the same strength elsewhere."""
    tissue: Volume = np.clip((patch_hu - level_hu) / HU_SCALE, -CLIP, CLIP)
    if weight.min() > 0.99:
        return tissue
    # Nothing of the outside may show, not even in the strength of the noise that replaces it.
    inside = weight > 0.95
    strength = _high_pass_sd(tissue * inside, inside) if inside.sum() > 300 else FALLBACK_NOISE
    noise = unit_noise(rng, (patch_hu.shape[0], patch_hu.shape[1], patch_hu.shape[2]))
    filled: Volume = weight * tissue + (1 - weight) * noise * (strength / _high_pass_sd(noise, None))
    return filled


def extract(case: LiverCase, frame: PatchFrame, rng: np.random.Generator) -> Volume:
    """One normalised patch of a case."""
    box = frame.source_box(case.grid.size_zyx)
    tissue = frame.sample(case.hu[box], box, smooth=True, outside=None)
    weight = frame.sample(case.weight[box], box, smooth=False, outside=0.0)
    return normalise(tissue, weight, case.level_hu, rng)
