"""Making a signature atlas of a dataset with a generator, as a job."""

import io
import uuid
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Origin, Scan
from ctplatform.datasets.permissions import hold_pixels, refuse_unless_shared
from ctplatform.datasets.scans import voxels
from ctplatform.errors import DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import JobStatus, Queue
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.errors import MlError
from synthesis.atlas.patches import write_patches
from synthesis.generators import services as generators
from synthesis.generators.training import case_of
from synthesis.models import Generator, SignatureAtlas

ATLAS_KIND = "synthesis.atlas"
LESIONS_PER_SCAN = 12
MAX_SCANS = 150


def order_atlas(*, ordered_by: User, generator: Generator, dataset: Dataset, seed: int = 0) -> SignatureAtlas:
    """Ask for an atlas of the dataset's own scans; those edited here are left out. One that is under way is shared."""
    refuse_unless_shared(dataset, ordered_by)
    generators.check_usable(generator)
    if not source_scans(dataset).exists():
        raise DomainError("No scan of this dataset has a liver mask. Import or estimate one first.")
    waiting = SignatureAtlas.objects.filter(
        generator=generator, dataset=dataset, seed=seed, job__status__in=[JobStatus.QUEUED, JobStatus.RUNNING]
    ).first()
    if waiting is not None:
        return waiting
    atlas_id = uuid.uuid4()
    with transaction.atomic():
        job = jobs.enqueue(
            kind=ATLAS_KIND,
            title=f"Signature atlas of {dataset} with {generator.name}",
            owner=ordered_by,
            payload={"atlas": str(atlas_id)},
            queue=Queue.GPU,
            result_url=f"/synthesis/atlas/{atlas_id}/",
        )
        return SignatureAtlas.objects.create(id=atlas_id, job=job, generator=generator, dataset=dataset, seed=seed)


def source_scans(dataset: Dataset) -> Any:
    scans = Scan.objects.filter(dataset=dataset, masks__kind=MaskKind.LIVER).exclude(origin=Origin.SYNTHETIC)
    return scans.distinct().order_by("name", "pk")


def run_atlas(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from PIL import Image

    from ml.generator.atlas import TILE_COLUMNS, TILE_PX, assemble, sample

    atlas = SignatureAtlas.objects.select_related("generator", "dataset").get(pk=payload["atlas"])
    all_scans = source_scans(atlas.dataset)
    scans = list(all_scans[:MAX_SCANS])
    try:
        generator = generators.load(atlas.generator)
        context.report_device(str(generator.device))
        samples = []
        for number, scan in enumerate(scans):
            context.progress(0.9 * number / len(scans), f"scan {number + 1} of {len(scans)}")
            samples.append(sample(case_of(scan), generator, lesions=LESIONS_PER_SCAN, seed=atlas.seed + number))
        context.progress(0.92, f"encoding {sum(len(part.places) for part in samples)} patches")
        made = assemble(samples, generator)
    except MlError as error:
        raise DomainError(str(error)) from error
    owners = [scan for scan, part in zip(scans, samples, strict=True) for _ in part.places]
    points = [
        {
            "scan": str(scan.pk),
            "name": scan.name,
            "at": list(place.at_lps_mm),
            "lesion": place.lesion,
            "kind": place.kind,
            "diameter_mm": place.diameter_mm,
            "components": [round(float(value), 4) for value in row],
        }
        for scan, place, row in zip(owners, made.places, made.coordinates, strict=True)
    ]
    content = {
        "explained_variance_ratio": [round(float(share), 4) for share in made.explained_variance_ratio],
        "scans": len(scans),
        "scans_left_out": all_scans.count() - len(scans),
        "tile_px": TILE_PX,
        "tile_columns": TILE_COLUMNS,
        "points": points,
    }
    sheet = io.BytesIO()
    Image.fromarray(made.sheet).save(sheet, "PNG")
    key = f"atlas/{atlas.pk}-{uuid.uuid4().hex[:8]}.png"
    voxels.save_bytes(key, sheet.getvalue())
    context.unless_written(lambda: default_storage.delete(key))

    def write_result() -> dict[str, Any]:
        hold_pixels(scans)
        SignatureAtlas.objects.filter(pk=atlas.pk).update(
            content=content, sheet_key=key, scans_shown=len(scans), scans_left_out=content["scans_left_out"]
        )
        write_patches(atlas, points)
        return {"points": len(points)}

    return write_result
