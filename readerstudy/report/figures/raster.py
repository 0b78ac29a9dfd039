"""The SVG of a drawing as PNG: it is rasterised, nothing is drawn a second time."""

import io

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ctplatform.figures.drawing import CARD, Drawing
from ctplatform.figures.fonts import FAMILY, font_files

# One unit of a drawing is a CSS pixel, 1/96 inch; 300 dots an inch is what journals ask of figures.
UNITS_PER_INCH = 96
DPI = 300


def png(drawing: Drawing) -> bytes:
    return png_of(drawing.svg(name="figure"), title=drawing.title, description=drawing.description)


def png_of(svg: str, *, title: str, description: str) -> bytes:
    """The same bytes on every machine: only the fonts that the installed packages bring are used."""
    from resvg_py import svg_to_bytes

    pixels = svg_to_bytes(
        svg_string=svg,
        background=CARD,
        zoom=DPI / UNITS_PER_INCH,
        skip_system_fonts=True,
        font_files=[str(file) for file in font_files()],
        sans_serif_family=FAMILY,
    )
    return _described(pixels, title, description)


def _described(pixels: bytes, title: str, description: str) -> bytes:
    """Resolution and words travel in the file, for whoever places or can't see it."""
    words = PngInfo()
    words.add_itxt("Title", title)
    words.add_itxt("Description", description)
    out = io.BytesIO()
    with Image.open(io.BytesIO(pixels)) as image:
        image.convert("RGB").save(out, format="PNG", dpi=(DPI, DPI), pnginfo=words)
    return out.getvalue()
