"""Where a finished package lies, and how it travels."""

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404

from ctplatform.datasets.models import Export


def export_file(export: Export) -> FileResponse:
    """A package of which the row has outlived the file is gone: its days were over."""
    if not default_storage.exists(export.key):
        raise Http404
    name = f"scans-{export.created_at:%Y-%m-%d}-{str(export.pk)[:8]}.zip"
    response = FileResponse(default_storage.open(export.key, "rb"), as_attachment=True, filename=name)
    response["Content-Type"] = "application/zip"
    return response


def delete_files(key: str) -> None:
    default_storage.delete(key)
    # A disk keeps the empty folder; a bucket has none and ignores this.
    default_storage.delete(key.rpartition("/")[0])
