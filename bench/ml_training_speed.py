"""Training steps per second of each configuration, and peak memory, each in a fresh process.

The reference, timed in the same run, is the recipe's default configuration (3-D, bfloat16 where the machine has it,
patches from a pool); ratios above 1 are faster than it. On a graphics card when there is one, else on one core.
Run: python bench/ml_training_speed.py
"""

import json
import subprocess
import sys

STEPS, WARM = 12, 6
DEFAULT = {"net": {}, "train": {"pool": 64}, "half": True}
CONFIGURATIONS = {
    "reference: 3-D 16x40x40, pool, bf16": {},
    "the same in float32": {"half": False},
    "fresh patches instead of a pool": {"train": {"pool": 0}},
    "pure IAE": {"train": {"objective": "iae"}},
    "AAE": {"train": {"objective": "aae"}},
    "AE": {"train": {"objective": "ae"}},
    "slab of 5 slices": {"net": {"patch_zyx": (5, 40, 40)}},
    "2-D 48x48 at 1.25 mm": {"net": {"patch_zyx": (1, 48, 48), "spacing_zyx_mm": (2.5, 1.25, 1.25)}},
    "3-D 24x64x64": {"net": {"patch_zyx": (24, 64, 64)}, "train": {"batch": 4}},
    "twice as wide": {"net": {"width": 32}},
}


def measure(name):
    """Seconds per step and peak memory of one configuration; runs in its own process."""
    import resource
    import time

    import torch

    from ml.nets.config import NetConfig
    from ml.patches.case import build_case
    from ml.phantom import PhantomConfig, make_phantom
    from ml.training.config import TrainConfig
    from ml.training.trainer import Trainer

    chosen = CONFIGURATIONS[name]
    torch.set_num_threads(1)
    phantom = make_phantom(1, PhantomConfig(size_zyx=(16, 128, 128), phase="portal"))
    case = build_case("p", phantom.hu, phantom.grid, liver=phantom.liver, labels=phantom.labels)
    config = TrainConfig(steps=WARM + STEPS, warm_steps=1, **(DEFAULT["train"] | chosen.get("train", {})))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer([case], NetConfig(noise=config.adversarial, **chosen.get("net", {})), config, device=device)
    trainer.half = trainer.half and chosen.get("half", True)
    for _ in range(WARM):
        trainer.step()
    times = []
    for _ in range(STEPS):
        began = time.perf_counter()
        trainer.step()
        times.append(time.perf_counter() - began)
    if device == "cuda":
        memory = torch.cuda.max_memory_allocated() // 2**20
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    seconds = sorted(times)[len(times) // 2]
    return {"configuration": name, "device": device, "step_s": round(seconds, 4), "peak_mb": memory}


def main():
    reference = None
    for name in CONFIGURATIONS:
        # A step synchronises with the device when it reads its losses, so a wall clock is right for both.
        done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        reference = reference or row["step_s"]
        ratio = round(reference / row["step_s"], 2)
        print(json.dumps(row | {"steps_per_s": round(1 / row["step_s"], 2), "ratio": ratio}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
