"""What a person says at an import because the files don't: labels, a lost spacing, what other programs made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ctplatform.datasets.importing.manifest import Row, read_manifest
from ctplatform.datasets.importing.structures import Says, meaning_of
from ctplatform.datasets.kinds import MaskKind
from ctplatform.errors import DomainError

LARGEST_LABEL = 65_535
FINEST_MM, WIDEST_MM = 0.1, 100.0
SpacingZyxMm = tuple[float, float, float]


@dataclass(frozen=True)
class Said:
    labels: Mapping[int, MaskKind] = field(default_factory=dict)
    spacing_zyx_mm: SpacingZyxMm | None = None
    manifest: tuple[Row, ...] = ()
    # What every mask is drawn of, whatever the files are called
    kind: MaskKind | None = None

    @classmethod
    def of(cls, *, labels: str = "", spacing: str = "", manifest: bytes | None = None, kind: str = "") -> Self:
        rows = () if manifest is None else read_manifest(manifest)
        return cls(labels_of(labels), spacing_of(spacing), rows, MaskKind(kind) if kind else None)

    def as_dict(self) -> dict[str, Any]:
        labels = {str(number): kind.value for number, kind in self.labels.items()}
        manifest = [row.as_dict() for row in self.manifest]
        kind = None if self.kind is None else self.kind.value
        return {"labels": labels, "spacing_zyx_mm": self.spacing_zyx_mm, "manifest": manifest, "kind": kind}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        labels = {int(number): MaskKind(kind) for number, kind in told["labels"].items()}
        spacing = told["spacing_zyx_mm"]
        manifest = tuple(Row.from_dict(row) for row in told["manifest"])
        kind = None if told["kind"] is None else MaskKind(told["kind"])
        return cls(labels, None if spacing is None else (spacing[0], spacing[1], spacing[2]), manifest, kind)


@dataclass(frozen=True)
class Spacing:
    """``known_lost``: the file belongs to a set whose 1 x 1 x 1 mm are known to be no spacing."""

    said: SpacingZyxMm | None = None
    known_lost: bool = False


def labels_of(text: str) -> dict[int, MaskKind]:
    """“1=liver, 2=lesion”: labels that are not named are left out of the masks."""
    labels: dict[int, MaskKind] = {}
    for part in re.split(r"[,;\n]", text):
        if not part.strip():
            continue
        match = re.fullmatch(r"\s*(\d{1,5})\s*[=:]\s*(.*?)\s*", part)
        meaning = meaning_of(match.group(2)) if match else None
        if match is None or meaning is None or meaning.says is not Says.KIND or meaning.kind is None:
            raise DomainError(
                f"“{part.strip()[:60]}” does not say what a label stands for. Write for example “1=liver, 2=lesion”; "
                "what may be named is liver, lesion and vessel. Leave out the other labels."
            )
        number = int(match.group(1))
        if not 0 < number <= LARGEST_LABEL or number in labels:
            raise DomainError(f"The label {number} is named twice or is no label: 0 is the background.")
        labels[number] = meaning.kind
    return labels


def spacing_of(text: str) -> SpacingZyxMm | None:
    """In either order: the two that are equal are those of the pixels, the third is that of the slices."""
    if not text.strip():
        return None
    try:
        numbers = [float(part) for part in re.split(r"[\s,;xX×*]+", text.strip())]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(FINEST_MM <= number <= WIDEST_MM for number in numbers):
        raise DomainError("Give the spacing as three numbers in mm, such as “0.57 0.57 1.6”.")
    first, second, third = numbers
    if first == second:
        return third, second, first
    if second == third:
        return first, second, third
    raise DomainError("Two of the three spacings must be equal, those of the pixels: such as “0.57 0.57 1.6”.")
