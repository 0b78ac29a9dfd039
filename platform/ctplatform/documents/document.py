"""A document as plain blocks: the same ones become page, HTML file and PDF, so that none says more than another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from django.utils.safestring import SafeString, mark_safe

from ctplatform.figures.drawing import Drawing

Tone = Literal["plain", "verdict", "warning", "note"]
CSS_CLASSES: dict[Tone, str] = {"plain": "plain", "verdict": "verdict", "warning": "message warning", "note": "muted"}


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    text: str
    tone: Tone = "plain"
    block: Literal["paragraph"] = "paragraph"

    @property
    def css_class(self) -> str:
        return CSS_CLASSES[self.tone]


@dataclass(frozen=True, kw_only=True)
class Bullets:
    items: Sequence[str]
    block: Literal["bullets"] = "bullets"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names with what is to be said of them; digests are set in letters of one width."""

    rows: Sequence[tuple[str, str]]
    digests: bool = False
    block: Literal["facts"] = "facts"


@dataclass(frozen=True, kw_only=True)
class Table:
    """`numbers`: all columns but the first are numbers, set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numbers: bool = False
    block: Literal["table"] = "table"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """`name` is unique within the document; what the drawing shows is said by its own title and description."""

    drawing: Drawing
    name: str
    block: Literal["picture"] = "picture"

    @property
    def svg(self) -> SafeString:
        """For pages: a drawing escapes every text that it is given."""
        return mark_safe(self.drawing.svg(name=self.name))  # noqa: S308 - a drawing escapes its own texts


Block = Paragraph | Bullets | Facts | Table | Picture


@dataclass(frozen=True, kw_only=True)
class Section:
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Document:
    """`moment` (ISO 8601) is when what it tells was settled: the same content makes the same file at any later time."""

    title: str
    subtitle: str
    moment: str
    opening: Sequence[Block]
    sections: Sequence[Section]


def moment_words(at: datetime) -> str:
    """In UTC: a document is read in other zones than the one that it was made in."""
    universal = at.astimezone(UTC)
    return f"{universal.day} {universal:%b %Y, %H:%M} UTC"
