"""The datasets app's kinds of long work; imported by AppConfig.ready."""

from typing import Any

from django.db import transaction

from ctplatform.datasets import services
from ctplatform.datasets.archives import orders as archives
from ctplatform.datasets.exporting import orders
from ctplatform.datasets.importing import uploads
from ctplatform.jobs import registry
from ctplatform.jobs.registry import JobContext, WriteResult


def run_import(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.importing.jobs import import_upload

    return import_upload(payload, context)


def abandon_import(payload: dict[str, Any], _reason: str) -> None:
    transaction.on_commit(lambda: uploads.remove(payload["upload"]))


def run_new_masks(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.importing import new_masks

    return new_masks.run_new_masks(payload, context)


def run_liver(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.scans.liver import estimate_liver_of

    return estimate_liver_of(payload, context)


def run_export(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.exporting import execution

    return execution.run_export(payload, context)


def run_retrieval(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.archives import execution

    return execution.run_retrieval(payload, context)


def run_sending(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.archives import execution

    return execution.run_sending(payload, context)


registry.register(
    services.IMPORT_KIND, run_import, on_abandoned=abandon_import, refuse_retries=registry.refuse_without_upload
)
registry.register(
    services.MASKS_KIND, run_new_masks, on_abandoned=abandon_import, refuse_retries=registry.refuse_without_upload
)
registry.register(services.LIVER_KIND, run_liver)
registry.register(orders.KIND, run_export)
registry.register(archives.RETRIEVAL_KIND, run_retrieval, refuse_retries=archives.refuse_retrievals)
registry.register(archives.SENDING_KIND, run_sending)
