"""The job that makes a package; the row that lets its owner fetch it appears when all of it is stored."""

import hashlib
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.exporting.described import DescribedScan, described
from ctplatform.datasets.exporting.files import delete_files
from ctplatform.datasets.exporting.package import write_package
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models import Export, Scan
from ctplatform.datasets.permissions import hold_pixels
from ctplatform.errors import DomainError
from ctplatform.jobs.registry import JobContext, WriteResult

# Of the time of a package; the rest is copying it to the storage.
SHARE_OF_WRITING = 0.95


def run_export(payload: dict[str, Any], context: JobContext) -> WriteResult:
    owner = User.objects.get(pk=payload["owner"])
    scans = still_usable(owner, [uuid.UUID(pk) for pk in payload["scans"]])
    export = Export(owner=owner, form=payload["form"], scan_count=len(scans))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scans.zip"
        try:
            write_package(
                path,
                scans,
                form=ExportFormat(payload["form"]),
                masks=payload["masks"],
                on_progress=lambda fraction, message: context.progress(SHARE_OF_WRITING * fraction, message),
            )
        except FileNotFoundError as error:
            # A scan that is deleted takes its files along.
            raise DomainError(
                "A scan of this package was changed while it was being written. Order it again."
            ) from error
        export.size_bytes, export.sha256 = path.stat().st_size, _digest(path)
        context.progress(SHARE_OF_WRITING, "storing the package")
        context.unless_written(lambda: delete_files(export.key))
        with path.open("rb") as file:
            default_storage.save(export.key, File(file))
    return lambda: _write(export, scans)


def still_usable(owner: User, scan_ids: list[uuid.UUID]) -> list[DescribedScan]:
    """Between order and work a dataset may have been closed to its member, or a scan deleted."""
    scans = Scan.objects.visible_to(owner).filter(pk__in=scan_ids).select_related("dataset", "provenance")
    found = {scan.pk: scan for scan in scans}
    if missing := len(scan_ids) - len(found):
        raise DomainError(
            f"{missing} of the {len(scan_ids)} scans were deleted, or their dataset is no longer shared with you. "
            "Order the others again."
        )
    return [described(found[pk]) for pk in scan_ids]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(export: Export, scans: list[DescribedScan]) -> dict[str, Any]:
    hold_pixels(Scan(pk=scan.id) for scan in scans)
    export.kept_until = timezone.now() + timedelta(days=settings.CT_EXPORT_DAYS)
    export.save(force_insert=True)
    export.scans.set(Scan.objects.filter(pk__in=[scan.id for scan in scans]))
    return {"export": str(export.pk), "bytes": export.size_bytes, "sha256": export.sha256}
