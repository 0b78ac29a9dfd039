"""Unpack a zip from a stranger."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ctplatform.datasets.importing.refusal import (
    FREE_UNPACKED_BYTES,
    GIB,
    MAX_FILES,
    MAX_UNPACKED_BYTES,
    MAX_ZIP_RATIO,
    ImportRefusedError,
)

BLOCK = 1024 * 1024


def unpack(archive: Path, target: Path) -> None:
    """Judge the whole table of contents first, then unpack under a limit that does not trust it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            limit = _judge(entries, archive.stat().st_size)
            for entry in entries:
                limit -= _extract(opened, entry, target, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise ImportRefusedError("The zip file is damaged or incomplete. Make it again and upload it again.") from error


def _judge(entries: list[zipfile.ZipInfo], archive_bytes: int) -> int:
    """The most bytes that may come out."""
    if len(entries) > MAX_FILES:
        raise ImportRefusedError(f"The zip holds {len(entries)} files; {MAX_FILES} are the limit. Split it.")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename or "\0" in entry.filename:
            raise ImportRefusedError("The zip holds a path that leads out of its folder, so it was not unpacked.")
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise ImportRefusedError(
                "The zip holds a link or device, so it was not unpacked. Zip the files themselves."
            )
        if entry.flag_bits & 1:
            raise ImportRefusedError("The zip is encrypted. Zip the files without a password.")
    limit = min(MAX_UNPACKED_BYTES, archive_bytes * MAX_ZIP_RATIO + FREE_UNPACKED_BYTES)
    if sum(entry.file_size for entry in entries) > limit:
        raise ImportRefusedError(
            f"The zip would unpack to more than {limit / GIB:.1f} GiB, far more than scans of its size hold."
        )
    return limit


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    place = target / PurePosixPath(entry.filename.replace("\\", "/"))
    if not place.resolve().is_relative_to(target.resolve()):
        raise ImportRefusedError("The zip holds a path that leads out of its folder, so it was not unpacked.")
    place.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(entry) as source, place.open("xb") as file:
        while block := source.read(BLOCK):
            written += len(block)
            if written > limit:
                raise ImportRefusedError("The zip unpacks to more than its table of contents says.")
            file.write(block)
    return written


def copy_into(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
