"""A document as PDF/A on A4, set by Typst: no system library, no font of the machine, the same bytes everywhere."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from ctplatform.documents.document import Block, Document, Picture
from ctplatform.figures.fonts import font_files

TEMPLATE = Path(__file__).parent / "document.typ"
# For archives that must be readable in thirty years; with tags, so that they can be read aloud.
STANDARD: Final = "a-2a"


def pdf(document: Document) -> bytes:
    import typst

    settled = datetime.fromisoformat(document.moment).astimezone(UTC).replace(microsecond=0)
    return typst.compile(
        TEMPLATE,
        format="pdf",
        sys_inputs={"document": json.dumps(_data(document))},
        font_paths=[_font_folder()],
        ignore_system_fonts=True,
        pdf_standards=STANDARD,
        timestamp=settled,
    )


@cache
def _font_folder() -> Path:
    return font_files()[0].parent


def _data(document: Document) -> dict[str, Any]:
    return {
        "title": document.title,
        "subtitle": document.subtitle,
        "opening": [_block(block) for block in document.opening],
        "sections": [
            {"title": section.title, "blocks": [_block(block) for block in section.blocks]}
            for section in document.sections
        ],
    }


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Picture):
        drawing = block.drawing
        return {
            "block": block.block,
            "title": drawing.title,
            "alt": f"{drawing.title}. {drawing.description}",
            "svg": drawing.svg(name=block.name),
            "width": drawing.width,
        }
    return asdict(block)
