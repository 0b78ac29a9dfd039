"""Masks for a scan that is there: read by the confined reader beside the scan's own voxels, then put in its place."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from ctplatform.datasets.importing import uploads
from ctplatform.datasets.importing.confined.process import Budget, Limits, Offered, Reader
from ctplatform.datasets.importing.found import ReadScan
from ctplatform.datasets.importing.offering import files_of
from ctplatform.datasets.importing.run import masks_of
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Scan
from ctplatform.datasets.permissions import refuse_without_pixels
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.added_masks import refuse_where_lesions_stand, store_masks
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext, WriteResult


def run_new_masks(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ml.scans.volume_io import write_volume

    scan = Scan.objects.select_related("dataset").get(pk=payload["scan"])
    refuse_without_pixels([scan])
    context.progress(0.05, "reading the scan")
    volume = voxels.read_volume(scan.pk, scan.geometry)
    said = Said.of(labels=payload["labels"], kind=payload["kind"])
    with tempfile.TemporaryDirectory(prefix="masks-") as folder, uploads.offered(payload["upload"]) as files:
        host = Path(folder) / "scan.nii.gz"
        write_volume(host, volume, scan.geometry)
        context.progress(0.3, "reading the masks")
        read = _read([*files_of(host), *(replace(file, given_as_mask=True) for file in files)], said)
        told = [str(note) for note in read.report.get("notes", [])]
        if not read.masks:
            raise DomainError(" ".join(["No mask could be used, so nothing was changed.", *told]))
        refuse_where_lesions_stand(scan, read.masks)
        context.progress(0.7, "storing the masks")
        author = Job.objects.select_related("owner").get(pk=context.job_id).owner
        used = [one for one in read.report.get("masks", []) if one["kind"] in read.masks]
        report = {"masks": used, "notes": told}
        stored = store_masks(scan, volume, masks_of(read), report, replacing_by=author)
    context.unless_written(stored.discard)

    def write_result() -> dict[str, Any]:
        refuse_without_pixels([Scan.objects.select_for_update().get(pk=scan.pk)])
        stored.save()
        transaction.on_commit(lambda: uploads.remove(payload["upload"]))
        return {"scan": str(scan.pk), "masks": [str(mask.kind) for mask in stored.masks], "told": told}

    return write_result


def _read(offered: Sequence[Offered], said: Said) -> ReadScan:
    limits = Limits(settings.CT_IMPORT_MEMORY_BYTES, settings.CT_IMPORT_SECONDS)
    with Reader(offered, limits, Budget(offered, limits), said) as reader:
        candidates, refusals = reader.discover()
        if len(candidates) != 1:
            reasons = [refusal.reason for refusal in refusals]
            raise DomainError(
                " ".join(["Give mask files alone: their scan is here already. Nothing was changed.", *reasons])
            )
        read = reader.read(0, candidates[0])
        for refusal in refusals:
            read.note(f"the mask “{refusal.label}” was not used: {refusal.reason}")
        # The reader's arrays lie in files that go with it.
        masks = {kind: labels.copy() for kind, labels in read.masks.items() if said.kind in {None, kind}}
    for kind in read.masks.keys() - masks.keys():
        read.note(f"the mask of the {MaskKind(kind).label.lower()} was left out: other masks were asked for")
    return replace(read, masks=masks)
