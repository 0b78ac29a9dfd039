"""Unpack a zip from a stranger."""

import stat
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO

from ctplatform.datasets.importing.found import GivenFile, Room, write_all
from ctplatform.datasets.importing.refusal import (
    FREE_UNPACKED_BYTES,
    GIB,
    MAX_FILES,
    MAX_UNPACKED_BYTES,
    MAX_ZIP_RATIO,
    ImportRefusedError,
    refused_when_damaged,
)
from ctplatform.datasets.importing.wire import Window, WindowReader

BLOCK = 1024 * 1024
# apart from files that were given beside the zip
FOLDER = PurePosixPath("zip")
ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
DAMAGED = "The zip file is damaged or incomplete. Make it again and upload it again."


def is_zip(file: GivenFile) -> bool:
    return file.start(4) in ZIP_MARKS


def unpack(archive: GivenFile, room: Room) -> list[GivenFile]:
    """Judge the whole table of contents first, then unpack under a limit that does not trust it.

    The entries lie one after another in one file without a name, so no name of theirs leads anywhere.
    """
    with refused_when_damaged(DAMAGED), archive.open() as packed, zipfile.ZipFile(packed) as opened:
        entries = [entry for entry in opened.infolist() if not entry.is_dir()]
        limit = _judge(entries, archive.size)
        descriptor = room.file()
        files, end = [], 0
        for entry in entries:
            size = _extract(opened, entry, descriptor, limit - end)
            files.append(_unpacked(descriptor, FOLDER / _plain(entry.filename), end, size))
            end += size
        return files


def _plain(name: str) -> str:
    return name.replace("\\", "/")


def _judge(entries: list[zipfile.ZipInfo], archive_bytes: int) -> int:
    """The most bytes that may come out."""
    if len(entries) > MAX_FILES:
        raise ImportRefusedError(f"The zip holds {len(entries)} files; {MAX_FILES} are the limit. Split it.")
    for entry in entries:
        path = PurePosixPath(_plain(entry.filename))
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


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, descriptor: int, limit: int) -> int:
    written = 0
    with opened.open(entry) as source:
        while block := source.read(BLOCK):
            written += len(block)
            if written > limit:
                raise ImportRefusedError("The zip unpacks to more than its table of contents says.")
            write_all(descriptor, block)
    return written


def _unpacked(descriptor: int, path: PurePosixPath, start: int, size: int) -> GivenFile:
    def open_() -> BinaryIO:
        return WindowReader(Window(descriptor, start, size, owns=False))

    return GivenFile(path, size, open_)
