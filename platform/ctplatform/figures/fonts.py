"""The letters of figures and documents: a server or container without any font writes the same texts as a desk."""

from importlib.util import find_spec
from pathlib import Path

FAMILY = "DejaVu Sans"
FACES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


def font_files() -> list[Path]:
    """DejaVu lies in matplotlib's wheel."""
    package = find_spec("matplotlib")
    if package is None or package.origin is None:
        raise FileNotFoundError("No matplotlib, so no DejaVu fonts for figures. Install what pyproject.toml names.")
    files = [Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / face for face in FACES]
    for file in files:
        if not file.is_file():
            # Without a font the texts would be left out, and nobody would be told.
            raise FileNotFoundError(f"{file} is missing, and figures need its letters. Install matplotlib again.")
    return files
