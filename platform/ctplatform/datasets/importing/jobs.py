"""An upload becomes scans: the body of the import job."""

from typing import Any

from django.db import transaction

from ctplatform.datasets.importing import uploads
from ctplatform.datasets.importing.run import ImportOrder, import_files, result_of
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.models import Dataset
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext, WriteResult


def import_upload(payload: dict[str, Any], context: JobContext) -> WriteResult:
    context.progress(0.0, "fetching the uploaded files")
    dataset = Dataset.objects.get(pk=payload["dataset"])
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    order = ImportOrder(
        dataset=dataset,
        created_by=owner,
        subject=payload.get("subject", ""),
        text_looked_at=payload.get("text_looked_at", False),
        said=Said.of(
            labels=payload.get("labels", ""),
            spacing=payload.get("spacing", ""),
            manifest=uploads.manifest_of(payload["upload"]),
        ),
    )
    with uploads.offered(payload["upload"]) as files:
        outcome = import_files(files, order, context.progress)
    context.unless_written(outcome.discard)

    def write_result() -> dict[str, Any]:
        saved = outcome.save()
        transaction.on_commit(lambda: uploads.remove(payload["upload"]))
        return result_of(saved, outcome)

    return write_result
