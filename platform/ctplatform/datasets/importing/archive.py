"""Unpack a zip from a stranger."""

import re
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import BinaryIO

from ctplatform.datasets.importing.found import GivenFile, Refusal, Room, numbers_of, write_all
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
ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
DAMAGED = "The zip file is damaged or incomplete. Make it again and upload it again."
DEFLATE64 = 9
DRIVE = re.compile(r"[A-Za-z]:")
# 3D-IRCADb and others lay zips into zips
DEEPEST_ZIP, MAX_ZIPS = 2, 200


def is_zip(file: GivenFile) -> bool:
    return file.start(4) in ZIP_MARKS


@dataclass
class Unpacked:
    """What all zips of an import may still come to, what came out, and what was refused."""

    files: list[GivenFile] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    bytes_left: int = 0
    zips: int = 0


def unpack(files: Sequence[GivenFile], room: Room) -> Unpacked:
    """Files as they are, and instead of every zip what lies in it, under the folder that it is called after."""
    result = Unpacked(bytes_left=MAX_UNPACKED_BYTES)
    for file in files:
        _add(file, result, room, depth=0, certain=len(files) == 1)
    return result


def _add(file: GivenFile, result: Unpacked, room: Room, *, depth: int, certain: bool = False) -> None:
    named = file.path.suffix.lower() == ".zip" or certain
    if depth == DEEPEST_ZIP or not named or not is_zip(file):
        result.files.append(file)
        if len(result.files) > MAX_FILES:
            raise ImportRefusedError(f"There are more than {MAX_FILES} files. Import them in parts.")
        return
    result.zips += 1
    if result.zips > MAX_ZIPS:
        raise ImportRefusedError(f"There are more than {MAX_ZIPS} zips. Import them in parts.")
    try:
        inside = _unpack(file, result.bytes_left, room)
    except ImportRefusedError as error:
        result.refusals.append(Refusal(f"zip {result.zips}", error.message, numbers_of([file])))
        return
    result.bytes_left -= sum(one.size for one in inside)
    for one in inside:
        _add(one, result, room, depth=depth + 1)


def _unpack(archive: GivenFile, most_bytes: int, room: Room) -> list[GivenFile]:
    """Judge the whole table of contents first, then unpack under a limit that does not trust it.

    The entries lie one after another in one file without a name, so no name of theirs leads anywhere.
    """
    folder = archive.path.with_suffix("")
    with refused_when_damaged(DAMAGED), archive.open() as packed, zipfile.ZipFile(packed) as opened:
        entries = [entry for entry in opened.infolist() if not entry.is_dir()]
        limit = min(_judge(entries, archive.size), most_bytes)
        if sum(entry.file_size for entry in entries) > most_bytes:
            raise ImportRefusedError("The zips of this import together would unpack to too much. Import them in parts.")
        descriptor = room.file()
        files, end = [], 0
        for entry in entries:
            size = _extract(opened, entry, descriptor, limit - end)
            path, reopen = folder / _plain(entry.filename), _window(descriptor, end, size)
            files.append(replace(archive, path=path, size=size, open=reopen))
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
        if path.is_absolute() or ".." in path.parts or DRIVE.match(entry.filename) or "\0" in entry.filename:
            raise ImportRefusedError("The zip holds a path that leads out of its folder, so it was not unpacked.")
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise ImportRefusedError(
                "The zip holds a link or device, so it was not unpacked. Zip the files themselves."
            )
        if entry.compress_type == DEFLATE64:
            raise ImportRefusedError(
                "The zip is packed by Deflate64, as Windows does with large files. Zip the files with another program."
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


def _window(descriptor: int, start: int, size: int) -> Callable[[], BinaryIO]:
    return lambda: WindowReader(Window(descriptor, start, size, owns=False))
