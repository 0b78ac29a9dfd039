"""A liver mask where none came with the scan; it says of itself that it is estimated."""

from typing import Any

import numpy as np
from django.db import IntegrityError, transaction

from ctplatform.datasets.kinds import MaskKind, StoredVolume
from ctplatform.datasets.models import Lesion, MadeBy, Mask, Scan
from ctplatform.datasets.permissions import refuse_without_pixels
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.measured_by import MeasuredBy
from ctplatform.datasets.scans.measuring import lesion_measures
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.registry import JobContext, WriteResult


def estimate_liver_of(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ml.errors import VolumeError
    from ml.scans.liver import estimate_liver

    scan = Scan.objects.get(pk=payload["scan"])
    refuse_without_pixels([scan])
    grid = scan.geometry
    context.progress(0.05, "reading the scan")
    volume = voxels.read_volume(scan.pk, grid)
    context.progress(0.2, "looking for the liver")
    try:
        estimate = estimate_liver(volume, grid)
    except VolumeError as error:
        raise DomainError(str(error)) from error
    context.progress(0.7, "storing the mask")
    mask = Mask(scan=scan, kind=MaskKind.LIVER, made_by=MadeBy.ESTIMATED, note=estimate.note[:300])
    context.unless_written(lambda: voxels.delete_mask_files(mask.pk, scan.slices))
    voxels.write_labels(mask.pk, estimate.mask.astype(np.uint8))
    measured_by = MeasuredBy.of(scan, [MaskKind.LESION])
    contrasts = lesion_contrasts(scan, volume, estimate.mask)

    def write_result() -> dict[str, Any]:
        refuse_without_pixels([Scan.objects.select_for_update().get(pk=scan.pk)])
        measured_by.refuse_where_changed(scan)
        try:
            with transaction.atomic():
                mask.save(force_insert=True)
        except IntegrityError:
            raise ConflictError("The scan has got a liver mask meanwhile.") from None
        for number, contrast_hu in contrasts.items():
            Lesion.objects.filter(scan=scan, number=number).update(contrast_hu=contrast_hu)
        return {"mask": str(mask.pk), "volume_ml": estimate.volume_ml, "confidence": estimate.confidence}

    return write_result


def lesion_contrasts(scan: Scan, volume: StoredVolume, liver: np.ndarray) -> dict[int, float | None]:
    """Lesions by number, compared with a liver that has only now become known; none where the scan has no lesions."""
    mask = scan.masks.filter(kind=MaskKind.LESION).first()
    if mask is None:
        return {}
    labels = voxels.read_labels(mask.pk, scan.geometry)
    return {m.number: m.contrast_hu for m in lesion_measures(volume, scan.geometry, labels, liver)}
