"""The storage as a folder and back, whatever it lies in; with the digest of every file, in the form of sha256sum."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage

from ctplatform.errors import DomainError

SUMS = "SHA256SUMS"
STORAGE = "storage"
BLOCK = 1024 * 1024


def stored(prefix: str = "") -> Iterator[str]:
    """Keys of everything in the storage."""
    try:
        folders, files = default_storage.listdir(prefix)
    except FileNotFoundError:
        return
    yield from (f"{prefix}{name}" for name in sorted(files) if name)
    for name in sorted(filter(None, folders)):
        yield from stored(f"{prefix}{name}/")


def copy_storage(folder: Path) -> int:
    """Files that go meanwhile are left out: so does whatever names them."""
    count = 0
    for key in stored():
        target = folder / STORAGE / key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with default_storage.open(key, "rb") as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, BLOCK)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            continue
        count += 1
    return count


def refuse_unless_storage_is_empty() -> None:
    if next(stored(), None) is not None:
        raise DomainError("The storage holds files already. Restore into an empty one, before its first start.")


def put_back(folder: Path) -> int:
    top, count = folder / STORAGE, 0
    for path in sorted(path for path in top.rglob("*") if path.is_file()):
        with path.open("rb") as content:
            default_storage.save(path.relative_to(top).as_posix(), File(content))
        count += 1
    return count


def write_sums(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / SUMS).write_text("".join(lines))


def refuse_damaged(folder: Path) -> None:
    """Before anything is put back: every file that was written is there, as it was written."""
    sums = folder / SUMS
    if not sums.is_file():
        raise DomainError(f"{folder} is no finished backup: there is no {SUMS} in it.")
    for line in sums.read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            raise DomainError(f"{name} is missing from this backup or damaged, so nothing was restored.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
