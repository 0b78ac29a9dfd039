"""A generator's card: what it is, how it was made, and the digest that seals its weights (no torch here)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.errors import ArtefactError

FORMAT = "turing-ward-generator"
# Raised by a change that older readers could not read.
FORMAT_VERSION = 1
CARD_NAME, WEIGHTS_NAME = "card.json", "weights.safetensors"
# What people call the objectives and populations of ``ml.train``, the recommended ones first.
OBJECTIVE_WORDS = {"iae_content": "IAE with content term", "iae": "pure IAE", "aae": "AAE", "ae": "AE"}
POPULATION_WORDS = {"all": "all patches", "normal": "normal patches only"}
# In a card's data: how many names of cases were left out for a reader who may not see them.
NAMES_LEFT_OUT = "case_names_left_out"
DEMO_FOLDER = Path(__file__).parents[1] / "weights" / "demo"


@dataclass(frozen=True)
class GeneratorCard:
    """The parsed card of a generator folder; ``values`` is the whole JSON."""

    folder: Path
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """The generator's name."""
        return str(self.values["name"])

    @property
    def digest(self) -> str:
        """SHA-256 of the weights file."""
        return str(self.values["weights_sha256"])

    @property
    def weights_path(self) -> Path:
        """Where the weights lie."""
        return self.folder / WEIGHTS_NAME


def file_digest(path: Path) -> str:
    """SHA-256 of a file as lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_card(folder: Path | str) -> GeneratorCard:
    """Read and verify a generator folder without loading torch.

    Raises ArtefactError when a file is missing, the format is another one, or the weights are not those
    that the card seals.
    """
    folder = Path(folder)
    try:
        values = json.loads((folder / CARD_NAME).read_text())
    except FileNotFoundError as error:
        raise ArtefactError("The generator has no card.json.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtefactError("The generator's card.json is damaged.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ArtefactError("This is not a generator's card.")
    if values.get("format_version") != FORMAT_VERSION:
        raise ArtefactError(f"The generator's format {values.get('format_version')} is not supported.")
    _check_origin(values)
    card = GeneratorCard(folder, values)
    if not card.weights_path.is_file():
        raise ArtefactError("The generator's weights are missing.")
    if file_digest(card.weights_path) != values.get("weights_sha256"):
        raise ArtefactError("The generator's weights are not those of its card; it is refused.")
    return card


def _check_origin(values: dict[str, Any]) -> None:
    """What a generator that is made of this one goes on to tell: scans, how many were left out, banks.

    Raises ArtefactError where it is not what a card says.
    """
    data, banks = values.get("data", {}), values.get("banks", [])
    known = isinstance(data, dict) and isinstance(data.get(NAMES_LEFT_OUT, 0), int)
    names = data.get("case_names", []) if known else None
    strings = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not (strings and isinstance(banks, list) and all(isinstance(bank, dict) for bank in banks)):
        raise ArtefactError("The generator's card does not name its scans and exemplars as cards do.")
