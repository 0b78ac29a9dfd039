"""The datasets app's kinds of long work; imported by AppConfig.ready."""

from typing import Any

from django.db import transaction

from ctplatform.datasets import services
from ctplatform.datasets.importing import uploads
from ctplatform.jobs import registry
from ctplatform.jobs.registry import JobContext, WriteResult


def run_import(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.importing.jobs import import_upload

    return import_upload(payload, context)


def abandon_import(payload: dict[str, Any], _reason: str) -> None:
    transaction.on_commit(lambda: uploads.remove(payload["upload"]))


def run_liver(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ctplatform.datasets.scans.liver import estimate_liver_of

    return estimate_liver_of(payload, context)


registry.register(services.IMPORT_KIND, run_import, on_abandoned=abandon_import)
registry.register(services.LIVER_KIND, run_liver)
