"""Files as one archive whose bytes depend on them only."""

import hashlib
import io
import zipfile

# The oldest date that a zip can hold: entries must not differ by the minute they are made in.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.external_attr = READABLE << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def checksums(files: dict[str, bytes]) -> bytes:
    """As `sha256sum -c` reads them."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in sorted(files.items())]
    return ("\n".join(lines) + "\n").encode()
