"""Files without a row: what a worker that was killed between writing files and writing rows leaves behind."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime

from django.core.files.storage import default_storage
from django.utils import timezone

from ctplatform.datasets.models import Export, Mask, Scan
from ctplatform.jobs.models import Job


def sweep(*, before: datetime) -> int:
    """Remove folders without an owner that has pixels, whose files were all written before the given time."""
    owned: dict[str, Callable[[uuid.UUID], bool]] = {
        "scans": lambda key: Scan.objects.with_pixels().filter(pk=key).exists(),
        "masks": lambda key: Mask.objects.filter(pk=key).exists(),
        "exports": lambda key: Export.objects.filter(pk=key, kept_until__gt=timezone.now()).exists(),
        "uploads/scans": lambda key: Job.objects.filter(payload__upload=str(key), finished_at=None).exists(),
        # Identifiers of studies: a retrieval that failed may be tried again until they go.
        "uploads/retrievals": lambda key: Job.objects.filter(payload__wanted=str(key), finished_at=None).exists(),
        "uploads/generators": lambda key: Job.objects.filter(
            payload__staged=f"uploads/generators/{key}", finished_at=None
        ).exists(),
    }
    Export.objects.filter(kept_until__lte=timezone.now()).delete()
    removed = 0
    for parent, is_owned in owned.items():
        for name in _folders(parent):
            key = _as_uuid(name)
            if key is not None and not is_owned(key) and _remove_if_old(f"{parent}/{name}", before):
                removed += 1
    return removed


def _folders(parent: str) -> list[str]:
    try:
        return list(default_storage.listdir(parent)[0])
    except FileNotFoundError:
        # Nothing of this kind was ever stored.
        return []


def _as_uuid(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(name)
    except ValueError:
        # Not made by the product, so not the sweep's to remove.
        return None


def _remove_if_old(folder: str, before: datetime) -> bool:
    files = list(_walk(folder))
    if any(default_storage.get_modified_time(file) >= before for file in files):
        return False
    for file in files:
        default_storage.delete(file)
    for inner in default_storage.listdir(folder)[0]:
        default_storage.delete(f"{folder}/{inner}")
    default_storage.delete(folder)
    return True


def _walk(folder: str) -> Iterator[str]:
    folders, files = default_storage.listdir(folder)
    yield from (f"{folder}/{name}" for name in files)
    for inner in folders:
        yield from _walk(f"{folder}/{inner}")
