"""Where training batches come from: patches drawn once and kept, picked and mirrored anew for every batch."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ml.patches.sampling import PatchSampler


class PatchPool:
    """``count`` patches of a sampler on a device, in half precision (51 kB for 16x40x40).

    Cutting a patch out of a scan costs more than a training step of a small network on a graphics card and a
    third of one on a processor; a pool pays it once. Which patches a batch takes depends on ``seed`` and the
    number of the batch alone.
    """

    def __init__(self, sampler: PatchSampler, count: int, *, device: torch.device, seed: int) -> None:
        self.seed = seed
        # Threads suffice: cutting out is scipy's C code, which lets go of the interpreter.
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            patches = np.stack(list(threads.map(sampler.patch, range(count))))
        self.patches = torch.from_numpy(patches.astype(np.float16))[:, None].to(device)

    def batch(self, number: int, count: int) -> Tensor:
        """Batch ``number``: (count, 1, Z, Y, X) in float32, mirrored and turned as one."""
        rng = np.random.default_rng([self.seed, 871, number])
        rows = torch.from_numpy(rng.choice(len(self.patches), count, replace=count > len(self.patches)))
        picked = self.patches[rows.to(self.patches.device)].float()
        axes = [axis for axis in (2, 3, 4) if rng.random() < 0.5]
        if axes:
            picked = picked.flip(axes)
        return picked.transpose(3, 4) if rng.random() < 0.5 else picked
