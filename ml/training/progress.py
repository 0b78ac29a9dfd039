"""What a training run shows while it runs: losses over steps, and patches beside their reconstructions."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from ml.train import Trainer

CURVE_NAME, CURVES_PICTURE, SAMPLES_PICTURE = "curve.jsonl", "curves.png", "samples.png"
SAMPLES = 8
# Far beyond the numbers that training draws, so that looking never takes a patch away from it.
FIRST_SAMPLE = 2**40
PICTURE_SCALE = 3
# Patches are shown in this window around the liver, in units of the networks (80 HU).
SHOWN_RANGE = (-1.2, 1.2)


def sample_picture(trainer: Trainer) -> bytes:
    """A PNG: middle slices of eight training patches above their reconstructions. Does not move the training."""
    from PIL import Image

    numbers = range(FIRST_SAMPLE, FIRST_SAMPLE + SAMPLES)
    patches = torch.from_numpy(np.stack([trainer.sampler.patch(n) for n in numbers])[:, None]).to(trainer.device)
    decoded = trainer.reconstructions(patches)
    middle = patches.shape[2] // 2
    rows = [np.hstack(list(batch[:, 0, middle].float().cpu().numpy())) for batch in (patches, decoded)]
    low, high = SHOWN_RANGE
    grey = np.clip((np.vstack(rows) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    picture = Image.fromarray(grey).resize((grey.shape[1] * PICTURE_SCALE, grey.shape[0] * PICTURE_SCALE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def curves_picture(curve: list[dict[str, float]]) -> bytes:
    """A PNG: every logged quantity over the steps, one panel each."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = sorted({key for line in curve for key in line} - {"step", "seconds"})
    figure, axes = plt.subplots(len(names), 1, figsize=(7, 1.6 * len(names)), sharex=True, squeeze=False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        points = [(line["step"], line[name]) for line in curve if name in line]
        axis.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else "")
        axis.set_ylabel(name.replace("_", " "), fontsize=8)
    axes[-1, 0].set_xlabel("step")
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    plt.close(figure)
    return buffer.getvalue()


def read_curve(folder: Path, *, until: int) -> list[dict[str, float]]:
    """The lines written so far, up to a step (a killed run may have written beyond its checkpoint)."""
    path = folder / CURVE_NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return [line for line in lines if line["step"] <= until]


def write(trainer: Trainer, curve: list[dict[str, float]], folder: Path) -> None:
    """Lines and pictures into a folder; what cannot be written is said on stderr and does not stop a training."""
    try:
        _replace(folder / CURVE_NAME, "".join(json.dumps(line) + "\n" for line in curve).encode())
        _replace(folder / SAMPLES_PICTURE, sample_picture(trainer))
        if curve:
            _replace(folder / CURVES_PICTURE, curves_picture(curve))
    except Exception as error:  # noqa: BLE001 - hours of training are worth more than a picture
        print(f"curve and pictures are not up to date: {error!r}", file=sys.stderr, flush=True)


def _replace(path: Path, content: bytes) -> None:
    """Write beside and move: a kill must not leave half of a line that the resumed run cannot read."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
