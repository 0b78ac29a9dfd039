"""Where a package lies, how it gets there, and how it travels."""

import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404

from ctplatform.datasets.models import Export
from ctplatform.datasets.scans.on_disk import place_of


def export_file(export: Export) -> FileResponse:
    """A package of which the row has outlived the file is gone: its days were over."""
    if not default_storage.exists(export.key):
        raise Http404
    name = f"scans-{export.created_at:%Y-%m-%d}-{str(export.pk)[:8]}.zip"
    response = FileResponse(default_storage.open(export.key, "rb"), as_attachment=True, filename=name)
    response["Content-Type"] = "application/zip"
    return response


# A bucket is sent parts of some MiB, and small writes cost it much.
BUFFER_BYTES = 2**20


class Written(io.RawIOBase):
    """Passes bytes on as they come, and knows how many there were and their digest."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target, self._sha256 = target, hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._target.write(content)
        self._sha256.update(content)
        self.size_bytes += len(content)
        return len(content)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


@contextmanager
def stored_as(key: str) -> Iterator[tuple[IO[bytes], Written]]:
    """A file to write into, straight in the storage: nothing of it is held here or lies elsewhere before."""
    if (place := place_of(key)) is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
    with default_storage.open(key, "wb") as target:
        written = Written(target)
        with io.BufferedWriter(written, BUFFER_BYTES) as buffered:
            yield buffered, written


def free_bytes() -> int | None:
    """What the storage has room for, as far as that is known."""
    place = place_of("")
    while place is not None and not place.exists():
        place = place.parent
    return None if place is None else shutil.disk_usage(place).free


def delete_files(key: str) -> None:
    default_storage.delete(key)
    # A disk keeps the empty folder; a bucket has none and ignores this.
    default_storage.delete(key.rpartition("/")[0])
