"""The job that makes a report's archive."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from ctplatform.jobs.registry import JobContext
from readerstudy.models import Study
from readerstudy.unblinding.opened import UnblindedStudy


def run_report(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    # Web processes register this job without ever drawing a figure.
    from readerstudy.report.making import made_files
    from readerstudy.report.zipping import zipped

    opened = UnblindedStudy(Study.objects.get(pk=payload["study"]))
    context.progress(0.02, "verifying the study and computing the analysis")
    files = made_files(opened, on_progress=context.progress)
    archive = zipped(files)
    digest = hashlib.sha256(archive).hexdigest()
    key = f"reports/{opened.study.pk}/{digest}.zip"
    # The name is the content: made twice, it is the same file.
    if not default_storage.exists(key):
        default_storage.save(key, ContentFile(archive))
    sizes = {name: len(content) for name, content in sorted(files.items())}
    return lambda: {"key": key, "sha256": digest, "bytes": len(archive), "files": sizes}
