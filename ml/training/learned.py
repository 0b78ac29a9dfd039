"""What is left of a training when it ends: the networks that a generator is made of, and what its card tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ml.nets.autoencoder import Decoder, Encoder
from ml.nets.config import NetConfig
from ml.training.beginning import Beginning


@dataclass(frozen=True)
class Learned:
    """Averaged networks after ``steps_done`` steps; ``settings`` are the training's, JSON-ready.

    ``beginning`` are the weights that it began from; None for random ones.
    """

    net: NetConfig
    encoder: Encoder
    decoder: Decoder
    device: torch.device
    settings: dict[str, Any]
    seed: int
    steps_done: int
    beginning: Beginning | None = None
