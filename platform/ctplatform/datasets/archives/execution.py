"""The jobs that fetch from an archive and send to one."""

import uuid
from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any

from django.db import transaction
from pydicom.dataset import Dataset as DicomObject

from ctplatform.accounts.models import User
from ctplatform.datasets.archives import client, wanted
from ctplatform.datasets.archives.configured import Archive, archive_called, refuse_unless_may_use
from ctplatform.datasets.archives.wanted import Wanted
from ctplatform.datasets.exporting.dicom_ct import ct_series
from ctplatform.datasets.exporting.dicom_seg import segmentations
from ctplatform.datasets.exporting.execution import still_usable
from ctplatform.datasets.importing.confined.process import Offered
from ctplatform.datasets.importing.run import ImportOrder, import_files, result_of
from ctplatform.datasets.importing.uploads import check_total, reopened
from ctplatform.datasets.models import Dataset
from ctplatform.datasets.permissions import refuse_unless_editor
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext, WriteResult

# Of the time of a retrieval: the rest is reading what has come.
SHARE_OF_FETCHING = 0.5
# Slices in one request: few enough that progress is told and a cancelled job ends soon.
SLICES_AT_ONCE = 25


def run_retrieval(payload: dict[str, Any], context: JobContext) -> WriteResult:
    dataset = Dataset.objects.get(pk=payload["dataset"])
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    # A job may be tried again by somebody who has another role by then.
    refuse_unless_may_use(owner)
    refuse_unless_editor(dataset, owner)
    archive, series = archive_called(payload["archive"]), wanted.load(payload["wanted"])
    order = ImportOrder(
        dataset=dataset,
        created_by=owner,
        text_looked_at=payload["text_looked_at"],
    )
    # Without a name: a killed worker leaves nothing of it behind.
    with TemporaryFile() as fetched:
        offered = list(_fetched(archive, series, fetched, context))
        fetched.flush()
        outcome = import_files(
            offered,
            order,
            lambda done, message: context.progress(SHARE_OF_FETCHING + (1 - SHARE_OF_FETCHING) * done, message),
        )
    context.unless_written(outcome.discard)

    def write_result() -> dict[str, Any]:
        saved = outcome.save()
        transaction.on_commit(lambda: wanted.forget(payload["wanted"]))
        return result_of(saved, outcome)

    return write_result


def _fetched(archive: Archive, series: list[Wanted], into: IO[bytes], context: JobContext) -> Iterator[Offered]:
    """Every file under a number: what an archive calls things may name people."""
    for number, one in enumerate(series):
        for index, content in enumerate(client.fetch_files(archive, one.study, one.series)):
            start = into.tell()
            check_total(start + len(content))
            into.write(content)
            message = f"series {number + 1} of {len(series)}: {index + 1} files fetched"
            context.progress(SHARE_OF_FETCHING * number / len(series), message)
            place = f"scans/{number + 1:03d}/{index + 1:05d}.dcm"
            yield Offered(place, len(content), partial(reopened, into, start))


def run_sending(payload: dict[str, Any], context: JobContext) -> WriteResult:
    owner = User.objects.get(pk=payload["owner"])
    refuse_unless_may_use(owner)
    archive = archive_called(payload["archive"])
    scans = still_usable(owner, [uuid.UUID(pk) for pk in payload["scans"]])
    sent = 0
    for number, ordered in enumerate(scans):
        # Sending the ones before may have taken hours.
        [scan] = still_usable(owner, [ordered.id])
        objects: list[DicomObject] = []
        for made in ct_series(scan):
            objects.append(made)
            if len(objects) == SLICES_AT_ONCE:
                sent += _send(archive, objects)
                objects = []
                context.progress(number / len(scans), f"scan {number + 1} of {len(scans)}: {sent} objects sent")
        objects += [made for _, made in segmentations(scan)] if payload["masks"] else []
        sent += _send(archive, objects)
        context.progress((number + 1) / len(scans), f"{number + 1} of {len(scans)} scans sent")
    return lambda: {"objects": sent}


def _send(archive: Archive, objects: list[DicomObject]) -> int:
    """An archive that takes a part only is an error: what was sent already, it recognises the next time."""
    refused = client.send(archive, objects) if objects else []
    if refused:
        raise DomainError(
            f"{archive.name} refused {len(refused)} of {len(objects)} objects, so the scan is not whole there. "
            "Its own log has the reason; sending again does no harm."
        )
    return len(objects)
