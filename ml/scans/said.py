"""What a person says of lesions, because masks can't: ``lesions.csv`` in a folder of scans.

Two columns, ``scan`` and ``lesions``. Scans that are not named stay as their files are: with a mask of lesions all are
drawn, without one nobody knows.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from ml.errors import TrainingError

Said: TypeAlias = Literal["all drawn", "not all drawn", "none"]
SAID_NAME = "lesions.csv"
COLUMNS = ["scan", "lesions"]


def read_said(folder: Path, *, names: set[str]) -> dict[str, Said]:
    """What is said of the folder's scans, by their names; empty without the file.

    Raises TrainingError for other columns, unknown scans and unknown words: a slip must not make normal liver.
    """
    path = folder / SAID_NAME
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames != COLUMNS:
                raise TrainingError(f"{SAID_NAME} must begin with the line {','.join(COLUMNS)}.")
            said: dict[str, Said] = {}
            for row in rows:
                name, word = (row["scan"] or "").strip(), (row["lesions"] or "").strip()
                said[_known(name, names)] = _word(word, name)
            return said
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{SAID_NAME} is not readable as a table of text: {error}.") from error


def check_said(said: Said | None, *, any_drawn: bool) -> None:
    """Raises TrainingError where lesions are drawn of a scan that is said to have none."""
    if said == "none" and any_drawn:
        raise TrainingError(f"{SAID_NAME} says that it has no lesions, but some are drawn. Mend one of them.")


def _known(name: str, names: set[str]) -> str:
    if name not in names:
        raise TrainingError(f"{SAID_NAME} names {name or 'nothing'}, which is none of the scans beside it.")
    return name


def _word(word: str, name: str) -> Said:
    words = get_args(Said)
    if word not in words:
        raise TrainingError(f"{SAID_NAME} says “{word}” of {name}; say one of {', '.join(words)}.")
    return cast("Said", word)
