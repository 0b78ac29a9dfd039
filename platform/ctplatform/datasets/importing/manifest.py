"""A table that tells what each file of an import is, for images that other programs made: one row a file.

Columns are those of `COLUMNS`, of which only `file` must be there; the upload page and the README say what they hold.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from ctplatform.errors import DomainError

COLUMNS = (
    "file",
    "real_or_synthetic",
    "generator",
    "version",
    "operation",
    "kind",
    "host",
    "twin_of",
    "mask",
    "centre_mm",
    "diameter_mm",
    "subject",
    "stratum",
    "arm",
    "source_set",
    "excluded_because",
)
MOST_ROWS = 5000
MOST_BYTES = 4 * 1024**2
# What a column of the database takes
LONGEST = {"kind": 30, "generator": 120, "version": 120, "subject": 120, "excluded_because": 300}
LONGEST_TEXT = 300
REAL, SYNTHETIC = "real", "synthetic"
INSERT, REMOVE, WHOLE = "insert", "remove", "whole"
OPERATIONS = frozenset({INSERT, REMOVE, WHOLE})
EXCLUDED = "excluded_because"
SEPARATORS = ",;\t"
FARTHEST_MM = 1e5
LARGEST_MM = 500.0


class ManifestError(DomainError):
    """Names the row as a spreadsheet counts it: the header is row 1."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(f"Row {row} of the manifest: {message}")


@dataclass(frozen=True)
class Row:
    """What is told of one file. ``number`` is that of the spreadsheet; ``centre_lps_mm`` is in patient coordinates."""

    number: int
    file: str
    synthetic: bool
    operation: str = WHOLE
    generator: str = ""
    version: str = ""
    kind: str = ""
    host: str = ""
    mask: str = ""
    centre_lps_mm: tuple[float, float, float] | None = None
    diameter_mm: float | None = None
    subject: str = ""
    excluded_because: str = ""
    # for the draw of a study: stratum, arm, twin_of and source_set, as far as they are given
    details: Mapping[str, str] | None = None

    @property
    def exclusion(self) -> dict[str, str]:
        """Why it was left out before any study, kept beside the scan: whoever counts must find it."""
        return {EXCLUDED: self.excluded_because} if self.excluded_because else {}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        centre = told["centre_lps_mm"]
        return cls(**{**told, "centre_lps_mm": None if centre is None else (centre[0], centre[1], centre[2])})


def read_manifest(content: bytes) -> tuple[Row, ...]:
    """Raises with the number of the row that makes no sense; nothing of it is imported then."""
    if len(content) > MOST_BYTES:
        raise DomainError(f"The manifest has more than {MOST_BYTES // 1024**2} MiB. It is a table with one row a file.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DomainError("The manifest is no text in UTF-8. Save it as CSV (UTF-8).") from None
    table = _table(text)
    rows = tuple(_row(number, given) for number, given in table)
    seen: dict[str, int] = {}
    for row in rows:
        if row.file in seen:
            raise ManifestError(row.number, f"the same file as in row {seen[row.file]}.")
        seen[row.file] = row.number
    if not rows:
        raise DomainError("The manifest holds no row but its header.")
    return rows


def _table(text: str) -> list[tuple[int, dict[str, str]]]:
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [[cell.strip() for cell in line] for line in reader]
    except csv.Error as error:
        raise DomainError(f"The manifest can't be read as a table ({error}).") from None
    header = [name.lower() for name in lines[0]] if lines else []
    _check_header(header)
    table: list[tuple[int, dict[str, str]]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(line):
            continue
        if len(line) > len(header):
            raise ManifestError(number, f"{len(line)} cells under {len(header)} columns.")
        if len(table) == MOST_ROWS:
            raise DomainError(f"The manifest has more than {MOST_ROWS} rows. Import the files in parts.")
        table.append((number, dict(zip(header, line, strict=False))))
    return table


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if "file" not in header or unknown or len(set(header)) < len(header):
        what = f"“{unknown[0][:40]}” is none of its columns" if unknown else "a column is missing or there twice"
        raise DomainError(f"The manifest's first row names its columns, and {what}. They are: {', '.join(COLUMNS)}.")


def _row(number: int, given: dict[str, str]) -> Row:
    for name, value in given.items():
        if len(value) > LONGEST.get(name, LONGEST_TEXT) or not value.isprintable():
            raise ManifestError(number, f"{name} is too long or holds characters that are no text.")
    row = Row(
        number=number,
        file=_place(number, given.get("file", "")),
        synthetic=_is_synthetic(number, given),
        operation=given.get("operation", "").lower() or _likely(given),
        generator=given.get("generator", ""),
        version=given.get("version", ""),
        kind=given.get("kind", "").replace("-", "_"),
        host=given.get("host", ""),
        mask=_place(number, given["mask"]) if given.get("mask") else "",
        centre_lps_mm=_centre(number, given.get("centre_mm", "")),
        diameter_mm=_diameter(number, given.get("diameter_mm", "")),
        subject=given.get("subject", ""),
        excluded_because=given.get("excluded_because", ""),
        details={name: given[name] for name in ("arm", "stratum", "twin_of", "source_set") if given.get(name)},
    )
    _check(row)
    return row


def _place(number: int, text: str) -> str:
    """A path inside the import, without anything that leads elsewhere."""
    place = place_of(text)
    if not place or any(part in {"/", ".."} for part in PurePosixPath(place).parts):
        raise ManifestError(number, "file and mask are paths inside the import, such as gan/case1.nii.gz.")
    return place


def place_of(text: str) -> str:
    """One way to write a path, whichever system it was written on."""
    path = PurePosixPath(text.replace("\\", "/"))
    return str(path) if path.parts else ""


def _is_synthetic(number: int, given: dict[str, str]) -> bool:
    said = given.get("real_or_synthetic", "").lower()
    if said not in {"", REAL, SYNTHETIC}:
        raise ManifestError(number, f"real_or_synthetic is “{REAL}” or “{SYNTHETIC}”, not “{said[:40]}”.")
    return said == SYNTHETIC or (not said and bool(given.get("generator")))


def _likely(given: dict[str, str]) -> str:
    """A file with a host and a place is an edit of it; without them the whole image was made."""
    return INSERT if given.get("host") and (given.get("centre_mm") or given.get("mask")) else WHOLE


def _numbers(text: str) -> list[float]:
    """Set apart by spaces, with a decimal point or comma; or by commas."""
    apart = text.replace(";", " ").split()
    parts = [part.rstrip(",").replace(",", ".") for part in apart] if len(apart) > 1 else text.split(",")
    try:
        return [float(part) for part in parts]
    except ValueError:
        return [math.nan]


def _centre(number: int, text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    found = _numbers(text)
    if len(found) != 3 or not all(abs(value) < FARTHEST_MM for value in found):
        raise ManifestError(number, "centre_mm has three numbers, x y z in LPS mm, such as “-62.5 14 1033”.")
    return found[0], found[1], found[2]


def _diameter(number: int, text: str) -> float | None:
    if not text:
        return None
    found = _numbers(text)
    if len(found) != 1 or not 0 < found[0] < LARGEST_MM:
        raise ManifestError(number, f"diameter_mm is a number between 0 and {LARGEST_MM:g}.")
    return found[0]


def _check(row: Row) -> None:
    if row.operation not in OPERATIONS:
        raise ManifestError(row.number, f"operation is one of {', '.join(sorted(OPERATIONS))}.")
    if row.synthetic and not row.generator:
        raise ManifestError(row.number, "a synthetic image names the generator that made it.")
    if not row.synthetic and (row.generator or row.mask or row.operation != WHOLE):
        raise ManifestError(row.number, "a real image has no generator, operation or mask of changed voxels.")
    if row.operation != WHOLE and not row.host:
        raise ManifestError(row.number, f"{row.operation} names its host, the scan that was changed.")
