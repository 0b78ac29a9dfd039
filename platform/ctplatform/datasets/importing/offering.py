"""Which files of a folder, or of an upload, the confined reader may have.

The one place where a path becomes an open file, whatever its format: regular files only, no links, no devices and
nothing that could keep a reader waiting.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ctplatform.datasets.importing.confined.process import Offered, Opened
from ctplatform.datasets.importing.refusal import MAX_FILES, ImportRefusedError

FOLDER_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def files_of(path: Path, *, as_mask: bool = False) -> list[Offered]:
    """A file, or everything below a folder; each under its folder's name, which may say what a nameless file is."""
    role = "masks" if as_mask else "scans"
    top = path.resolve()
    folder = top.parent if top.is_file() else top
    offered: list[Offered] = []
    for file in _regular(top):
        if len(offered) == MAX_FILES:
            raise ImportRefusedError(f"There are more than {MAX_FILES} files. Import them in parts.")
        told = f"{role}/{folder.name.lstrip('.') or 'folder'}/{file.relative_to(folder)}"
        offered.append(Offered(told, file.stat().st_size, opener(folder, file), given_as_mask=as_mask, place=file))
    return offered


def _regular(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
        return
    for folder, inner, names in os.walk(top, followlinks=False):
        inner.sort()
        for name in sorted(names):
            if stat.S_ISREG((Path(folder) / name).lstat().st_mode):
                yield Path(folder) / name


def opener(top: Path, file: Path) -> Callable[[], Opened]:
    """Opens the file from its top folder down, one name at a time: no link is followed on the way.

    What was a file or a folder when it was looked at may be a link or a pipe by now.
    """
    *folders, name = file.relative_to(top).parts
    seen = _identity(file.lstat())

    def open_() -> Opened:
        folder = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for inner in folders:
                outer, folder = folder, os.open(inner, FOLDER_FLAGS, dir_fd=folder)
                os.close(outer)
            descriptor = os.open(name, FILE_FLAGS, dir_fd=folder)
        finally:
            os.close(folder)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or _identity(found) != seen:
            os.close(descriptor)
            raise FileNotFoundError(2, "not the plain file that was there")
        return Opened(descriptor)

    return open_


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
