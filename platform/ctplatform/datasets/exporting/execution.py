"""The job that makes a package; the row that lets its owner fetch it appears when all of it is stored."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.exporting.described import DescribedScan, described
from ctplatform.datasets.exporting.files import delete_files, stored_as
from ctplatform.datasets.exporting.package import OnProgress, write_package
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models import Export, Scan
from ctplatform.datasets.permissions import hold_pixels
from ctplatform.errors import DomainError
from ctplatform.jobs.registry import JobContext, WriteResult


def run_export(payload: dict[str, Any], context: JobContext) -> WriteResult:
    owner = User.objects.get(pk=payload["owner"])
    scans = still_usable(owner, [uuid.UUID(pk) for pk in payload["scans"]])
    export = Export(owner=owner, form=payload["form"], scan_count=len(scans))
    context.unless_written(lambda: delete_files(export.key))
    try:
        export.size_bytes, export.sha256 = store_package(
            export.key, scans, form=ExportFormat(export.form), masks=payload["masks"], on_progress=context.progress
        )
    except FileNotFoundError as error:
        # A scan that is deleted takes its files along.
        raise DomainError("A scan of this package was changed while it was being written. Order it again.") from error
    return lambda: _write(export, scans)


def store_package(
    key: str, scans: Sequence[DescribedScan], *, form: ExportFormat, masks: bool, on_progress: OnProgress
) -> tuple[int, str]:
    """Size in bytes and digest of the package."""
    with stored_as(key) as (target, written):
        write_package(target, scans, form=form, masks=masks, on_progress=on_progress)
    return written.size_bytes, written.sha256


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


def _write(export: Export, scans: list[DescribedScan]) -> dict[str, Any]:
    hold_pixels(Scan(pk=scan.id) for scan in scans)
    export.kept_until = timezone.now() + timedelta(days=settings.CT_EXPORT_DAYS)
    export.save(force_insert=True)
    export.scans.set(Scan.objects.filter(pk__in=[scan.id for scan in scans]))
    return {"export": str(export.pk), "bytes": export.size_bytes, "sha256": export.sha256}
