"""What a training run shows while it runs: losses over steps, and patches beside their reconstructions."""

from __future__ import annotations

import io

import numpy as np
from torch import Tensor

from ml.training.run import Line

# Screen pixels per sample.
PICTURE_SCALE = 3
# Patches are shown in this window around the liver, in units of the networks (80 HU).
SHOWN_RANGE = (-1.2, 1.2)


def sample_picture(patches: Tensor, decoded: Tensor) -> bytes:
    """A PNG: middle slices of patches (n, 1, Z, Y, X) above those of their reconstructions."""
    from PIL import Image

    middle = patches.shape[2] // 2
    rows = [np.hstack(list(batch[:, 0, middle].float().cpu().numpy())) for batch in (patches, decoded)]
    low, high = SHOWN_RANGE
    grey = np.clip((np.vstack(rows) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    picture = Image.fromarray(grey).resize((grey.shape[1] * PICTURE_SCALE, grey.shape[0] * PICTURE_SCALE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def curves_picture(curve: list[Line]) -> bytes:
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
