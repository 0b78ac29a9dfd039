from django.core.files.storage import default_storage
from django.http import FileResponse, Http404
from django.utils.text import slugify

from readerstudy.report.services import finished_report
from readerstudy.unblinding.opened import UnblindedStudy


def report_file(opened: UnblindedStudy) -> FileResponse:
    """The archive that was made last."""
    job = finished_report(opened)
    if job is None or not default_storage.exists(job.result["key"]):
        raise Http404
    name = f"{slugify(opened.study.title) or 'study'}-report.zip"
    archive = default_storage.open(job.result["key"], "rb")
    return FileResponse(archive, as_attachment=True, filename=name, content_type="application/zip")
