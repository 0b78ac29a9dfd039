"""The terms of the objective.

Makhzani (2018, "Implicit Autoencoders") bounds the data likelihood by a reconstruction and a regularisation
Kullback-Leibler term; each is estimated by a critic. The reconstruction critic compares (x, z) with
(x_hat, z), the code critic z ~ p(z) with z = f(x). No pixel loss appears in the pure form; a decoder with
noise may then ignore z, so content can be pinned by comparing low-passed patches.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# How much of the critic's loss is pairs of a patch and another patch's code. Set by hand.
MISMATCHED_SHARE = 0.2
# What this low-pass (samples, within the slice) keeps is content, the rest is texture.
BLUR_SIGMA_PX = 1.3


def gaussian_taps(sigma_px: float, radius: int) -> Tensor:
    """Normalised Gaussian weights, length 2 * radius + 1."""
    position = torch.arange(-radius, radius + 1, dtype=torch.float32)
    taps = torch.exp(-(position**2) / (2 * sigma_px**2))
    return taps / taps.sum()


def blur(patches: Tensor, *, sigma_zyx_px: tuple[float, float, float]) -> Tensor:
    """Separable Gaussian low-pass of (B, 1, Z, Y, X) with replicated borders."""
    for axis, sigma in enumerate(sigma_zyx_px):
        if sigma <= 0:
            continue
        radius = max(1, round(2.5 * sigma))
        shape, pad = [1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]
        shape[2 + axis] = 2 * radius + 1
        pad[4 - 2 * axis] = pad[5 - 2 * axis] = radius
        taps = gaussian_taps(sigma, radius).to(patches.device).view(shape)
        patches = functional.conv3d(functional.pad(patches, pad, mode="replicate"), taps)
    return patches


def content_loss(decoded: Tensor, real: Tensor) -> Tensor:
    """L1 between low-passed patches: pins anatomy and lesion, leaves texture to the critic."""
    sigma = (0.7, BLUR_SIGMA_PX, BLUR_SIGMA_PX)
    return functional.l1_loss(blur(decoded, sigma_zyx_px=sigma), blur(real, sigma_zyx_px=sigma))


def joint_critic_loss(real: Tensor, fake: Tensor, mismatched: Tensor) -> Tensor:
    """Hinge loss of the (x, z) critic; scores are (B, 2), ``mismatched`` pairs x with another patch's code."""
    loss = functional.relu(1 - real).mean() + (1 - MISMATCHED_SHARE) * functional.relu(1 + fake).mean()
    return loss + MISMATCHED_SHARE * functional.relu(1 + mismatched[:, 1]).mean()


def code_critic_loss(prior: Tensor, encoded: Tensor) -> Tensor:
    """Logistic loss of the code critic."""
    return functional.softplus(-prior).mean() + functional.softplus(encoded).mean()


def code_prior_loss(encoded: Tensor) -> Tensor:
    """What the encoder minimises to look like the prior to the code critic."""
    return functional.softplus(-encoded).mean()
