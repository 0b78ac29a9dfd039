"""Uploaded files wait in the storage until a worker, perhaps on another machine, has imported them."""

import itertools
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from ctplatform.datasets.importing.confined.process import Offered, Opened
from ctplatform.datasets.importing.offering import opener
from ctplatform.datasets.scans.on_disk import place_of
from ctplatform.datasets.scans.voxels import load_bytes, save_bytes
from ctplatform.errors import DomainError

DRIVE = re.compile(r"[A-Za-z]:")
SCANS, MASKS = "scans", "masks"
GIB = 1024**3


def check_total(size_bytes: int) -> None:
    limit = settings.CT_UPLOAD_MAX_BYTES
    if size_bytes > limit:
        raise DomainError(
            f"The upload has {size_bytes / GIB:.2f} GiB; {limit / GIB:.2f} GiB are allowed. "
            "Upload in parts, or ask an administrator to run manage.py import_scans on the server.",
            code="too_large",
        )


def stage(
    *,
    files: Sequence["UploadedFile[bytes]"],
    paths: Sequence[str],
    masks: Sequence["UploadedFile[bytes]"] = (),
    manifest: bytes | None = None,
) -> str:
    """Keep the files under a new id; their names, which may name people, go when the files go."""
    if not files:
        raise DomainError("No file was chosen. Choose a zip, volume files or the files of a DICOM series.")
    check_total(sum(file.size or 0 for file in [*files, *masks]))
    upload_id = str(uuid.uuid4())
    wanted = paths if len(paths) == len(files) else [file.name or "" for file in files]
    places = [f"{SCANS}/{place}" for place in _distinct([safe_path(path) for path in wanted])]
    places += [f"{MASKS}/{place}" for place in _distinct([safe_path(file.name or "") for file in masks])]
    save_bytes(_index_key(upload_id), json.dumps(places).encode())
    try:
        if manifest is not None:
            save_bytes(_manifest_key(upload_id), manifest)
        for number, file in enumerate([*files, *masks]):
            default_storage.save(_file_key(upload_id, number), file)
    except BaseException:
        remove(upload_id)
        raise
    return upload_id


def safe_path(path: str) -> str:
    """The browser's path without anything that leads elsewhere."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    kept = [
        part.replace(":", "_")
        for part in parts
        if part not in {"/", "..", "."} and not DRIVE.fullmatch(part) and "\0" not in part
    ]
    return "/".join(kept[-8:]) or "file"


def _distinct(places: list[str]) -> list[str]:
    """A place that is taken already goes into the first numbered folder where it is free."""
    taken: set[str] = set()
    result = []
    for place in places:
        free = next(p for n in itertools.count(1) if (p := place if n == 1 else f"{n}/{place}") not in taken)
        taken.add(free)
        result.append(free)
    return result


@contextmanager
def offered(upload_id: str) -> Iterator[list[Offered]]:
    """The uploaded files for the confined reader, for as long as the block runs.

    What a bucket holds is fetched into one file without a name: a killed worker leaves nothing of it behind.
    """
    if not default_storage.exists(_index_key(upload_id)):
        raise DomainError("The uploaded files are no longer on the server. Upload them again.")
    places: list[str] = json.loads(load_bytes(_index_key(upload_id)))
    with TemporaryFile() as fetched:
        yield [_offered(place, _file_key(upload_id, number), fetched) for number, place in enumerate(places)]


def _offered(place: str, key: str, fetched: IO[bytes]) -> Offered:
    as_mask = place.startswith(f"{MASKS}/")
    size = default_storage.size(key)
    if (local := place_of(key)) is not None:
        return Offered(place, size, opener(local.parent, local), given_as_mask=as_mask)
    start = fetched.seek(0, os.SEEK_END)
    with default_storage.open(key, "rb") as source:
        shutil.copyfileobj(source, fetched, 1024 * 1024)
    fetched.flush()
    return Offered(place, size, lambda: reopened(fetched, start), given_as_mask=as_mask)


def reopened(fetched: IO[bytes], start: int) -> Opened:
    """For reading only: what one reader could write the next one would read."""
    return Opened(os.open(f"/proc/self/fd/{fetched.fileno()}", os.O_RDONLY | os.O_CLOEXEC), start)


def manifest_of(upload_id: str) -> bytes | None:
    return load_bytes(_manifest_key(upload_id)) if default_storage.exists(_manifest_key(upload_id)) else None


def remove(upload_id: str) -> None:
    if not default_storage.exists(_index_key(upload_id)):
        return
    for number in range(len(json.loads(load_bytes(_index_key(upload_id))))):
        default_storage.delete(_file_key(upload_id, number))
    default_storage.delete(_manifest_key(upload_id))
    default_storage.delete(_index_key(upload_id))
    default_storage.delete(f"uploads/scans/{upload_id}")


def _index_key(upload_id: str) -> str:
    return f"uploads/scans/{upload_id}/places.json"


def _manifest_key(upload_id: str) -> str:
    return f"uploads/scans/{upload_id}/manifest.csv"


def _file_key(upload_id: str, number: int) -> str:
    return f"uploads/scans/{upload_id}/{number:05d}"
