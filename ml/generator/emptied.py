"""A generator without its exemplars: the networks stay, and nothing that was encoded of a single scan (no torch)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ml.generator.card import CARD_NAME, WEIGHTS_NAME, file_digest, read_card
from ml.scans.lesions import LESION_KINDS

# Their rows are exemplars, patches of normal liver and components of both.
BANK, SPACE, MEAN = "bank.", "space.", "space.mean"


def write_without_exemplars(source: Path, folder: Path) -> str:
    """Write the networks of a generator as one that has no exemplars; returns the digest of the weights.

    Raises ArtefactError when the source is damaged.
    """
    card = read_card(source)
    tensors = load_file(card.weights_path)
    for name, tensor in tensors.items():
        if name == MEAN:
            tensors[name] = np.zeros_like(tensor)
        elif name.startswith((BANK, SPACE)):
            tensors[name] = tensor[:0]
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS_NAME)
    digest = file_digest(folder / WEIGHTS_NAME)
    counted = {"bank_lesions": dict.fromkeys(LESION_KINDS, 0), "bank_normals": 0}
    values = card.values | {
        "weights_sha256": digest,
        "data": card.values.get("data", {}) | counted,
        "explained_variance_ratio": [],
    }
    (folder / CARD_NAME).write_text(json.dumps(values, indent=2) + "\n")
    return digest
