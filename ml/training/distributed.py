"""Several devices: every process draws its own batches, gradients are averaged (``torchrun -m ml.train``).

The two critics and the coder have three optimisers and share forward passes, which is more than
DistributedDataParallel's hooks allow for; averaging the gradients before each optimiser's step is the same
arithmetic in ten lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Team:
    """This process among its peers."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the team."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        parts = flat.split([g.numel() for g in gradients])  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: float, device: torch.device) -> float:
        """Mean of a number over the team, so that all decide alike."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total) / self.size

    def gather(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        """What every process of the team has, in the order of their ranks; all must ask together."""
        if self.size == 1:
            return [value]
        values: list[dict[str, Any]] = [{} for _ in range(self.size)]
        distributed.all_gather_object(values, value)
        return values

    def leave(self) -> None:
        """Close the connections; nothing can be averaged afterwards."""
        if distributed.is_initialized():
            distributed.destroy_process_group()


def join(device: str) -> tuple[Team, torch.device]:
    """The team that torchrun started, or a team of one; "cuda" becomes this process's own device."""
    if "WORLD_SIZE" not in os.environ:
        return Team(), torch.device(device)
    local = int(os.environ["LOCAL_RANK"])
    chosen = torch.device("cuda", local) if device.startswith("cuda") else torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Team(distributed.get_rank(), distributed.get_world_size()), chosen
