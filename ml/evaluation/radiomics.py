"""Hand-made features of patches: the baseline for signatures and the judge for realism (numpy and scipy only)."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

Patches = NDArray[np.float32]

# Radii (pixels) of the shells in which means and spreads are taken; the last one is near the patch's border.
SHELLS_PX = (0, 4, 7, 10, 14, 18)
# Edges of the frequency bands, cycles per pixel.
BANDS = np.arange(0, 0.50, 0.07)
# Levels of the co-occurrence matrix and the width of one, in units of the networks (80 HU): 12 HU.
GREY_LEVELS, GREY_STEP = 16, 0.15


def feature_names() -> list[str]:
    """Names of the columns of ``features``."""
    shells = [f"{what}_{a}_{b}" for a, b in itertools.pairwise(SHELLS_PX) for what in ("mean", "sd")]
    names = [*shells, "gradient_mean", "gradient_sd", "gradient_p95", "skewness", "kurtosis"]
    names += [f"rough_sd_{a}_{b}" for a, b in itertools.pairwise(SHELLS_PX)]
    names += [f"power_{band:.2f}" for band in BANDS]
    names += [f"{what}_{step}" for step in (1, 3) for what in ("contrast", "homogeneity", "energy", "correlation")]
    return [*names, "slice_difference", "slice_correlation", "slice_mean_step", "sagittal_gradient"]


def features(patches: Patches) -> NDArray[np.float64]:
    """First-order, shell, gradient, spectrum, grey-level and through-plane features.

    Args:
        patches: shape (n, Z, Y, X), any linear unit (HU / 80 suits the grey levels).

    Returns:
        Shape (n, number of features), finite.
    """
    return np.nan_to_num(np.stack([_one(patch) for patch in patches]).astype(np.float64))


def _one(patch: NDArray[np.float32]) -> NDArray[np.float64]:
    middle = patch[patch.shape[0] // 2]
    size = middle.shape[0]
    radius = np.hypot(*np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in middle.shape], indexing="ij"))
    rough = middle - ndimage.gaussian_filter(middle, 1.5, truncate=2.5)
    shells = [(radius >= a) & (radius < b) for a, b in itertools.pairwise(SHELLS_PX)]
    half = min(14, size // 2)
    core = middle[size // 2 - half : size // 2 + half, size // 2 - half : size // 2 + half]
    gradient = np.hypot(*np.gradient(core))
    values = [stat for shell in shells for stat in (middle[shell].mean(), middle[shell].std())]
    values += [gradient.mean(), gradient.std(), float(np.percentile(gradient, 95))]
    values += [float(stats.skew(core, axis=None)), float(stats.kurtosis(core, axis=None))]
    values += [rough[shell].std() for shell in shells]
    return np.array([*values, *_spectrum(core), *_grey_levels(core), *_through_plane(patch, radius)])


def _spectrum(core: NDArray[np.float32]) -> list[float]:
    """Logarithm of the radial power spectrum in bands of cycles per pixel."""
    window = np.outer(np.hanning(core.shape[0]), np.hanning(core.shape[1]))
    power = np.abs(np.fft.fft2((core - core.mean()) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n) for n in core.shape], indexing="ij"))
    return [float(np.log(power[(frequency >= a) & (frequency < a + 0.07)].mean() + 1e-9)) for a in BANDS]


def _grey_levels(core: NDArray[np.float32]) -> list[float]:
    """Haralick features of the co-occurrence of grey levels along both axes at two distances."""
    level = np.clip((core / GREY_STEP + GREY_LEVELS * 0.6).astype(int), 0, GREY_LEVELS - 1)
    i, j = np.meshgrid(np.arange(GREY_LEVELS), np.arange(GREY_LEVELS), indexing="ij")
    values: list[float] = []
    for step in (1, 3):
        pairs = [(level[step:], level[:-step]), (level[:, step:], level[:, :-step])]
        counts = [np.bincount((a * GREY_LEVELS + b).ravel(), minlength=GREY_LEVELS**2) for a, b in pairs]
        joint = np.sum(counts, axis=0).reshape(GREY_LEVELS, GREY_LEVELS)
        joint = (joint + joint.T) / (2 * joint.sum())
        mean, spread = (i * joint).sum(), np.sqrt((((i - (i * joint).sum()) ** 2) * joint).sum())
        values += [
            float((joint * (i - j) ** 2).sum()),
            float((joint / (1 + (i - j) ** 2)).sum()),
            float((joint**2).sum()),
            float((joint * (i - mean) * (j - mean)).sum() / max(spread**2, 1e-9)),
        ]
    return values


def _through_plane(patch: NDArray[np.float32], radius: NDArray[np.float64]) -> list[float]:
    inner = radius < 8
    columns = patch[:, inner]
    steps = np.diff(columns, axis=0)
    middle = patch.shape[0] // 2
    correlation = float(np.corrcoef(columns[middle], columns[middle + 1])[0, 1])
    sagittal = np.hypot(*np.gradient(patch[:, :, patch.shape[2] // 2]))
    return [
        float(steps.std()),
        correlation,
        float(np.abs(columns.mean(1)[1:] - columns.mean(1)[:-1]).mean()),
        float(sagittal.mean()),
    ]
