"""An upload becomes scans: the body of the import job."""

from pathlib import Path
from typing import Any

from django.db import transaction

from ctplatform.datasets import uploads
from ctplatform.datasets.importing.run import ImportOrder, import_path, result_of
from ctplatform.datasets.models import Dataset
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext, WriteResult


def import_upload(payload: dict[str, Any], context: JobContext) -> WriteResult:
    context.progress(0.0, "fetching the uploaded files")
    dataset = Dataset.objects.get(pk=payload["dataset"])
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    with uploads.fetched(payload["upload"]) as folder:
        masks = folder / uploads.MASKS
        order = ImportOrder(
            dataset=dataset,
            created_by=owner,
            subject=payload.get("subject", ""),
            masks=masks if masks.exists() else None,
            text_looked_at=payload.get("text_looked_at", False),
        )
        outcome = import_path(_single(folder / uploads.SCANS), order, context.progress)

    def write_result() -> dict[str, Any]:
        saved = outcome.save()
        transaction.on_commit(lambda: uploads.remove(payload["upload"]))
        return result_of(saved, outcome.refused)

    return write_result


def _single(folder: Path) -> Path:
    """One uploaded file is imported as such: it may be a zip, or a scan that is called like a mask."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return files[0] if len(files) == 1 else folder
