"""The rows of an order that was checked: the edit and the job that makes it."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Lesion, Operation, Scan
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Queue
from ml.editing.spec import LesionSpec
from synthesis.models import EditOrder, Generator

EDIT_KIND = "synthesis.edit"


def write_insertion(
    *,
    ordered_by: User,
    scan: Scan,
    generator: Generator,
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
    batch: uuid.UUID | None = None,
    then: Sequence[dict[str, Any]] = (),
) -> EditOrder:
    return _order(
        title=f"Insert a lesion of {spec.diameter_mm:g} mm into {scan.name}",
        operation=Operation.INSERT,
        ordered_by=ordered_by,
        source_scan=scan,
        generator=generator,
        centre_lps_mm=[float(c) for c in centre_lps_mm],
        kind=spec.kind,
        diameter_mm=spec.diameter_mm,
        contrast_hu=spec.contrast_hu,
        seed=spec.seed,
        batch=batch,
        then=list(then),
    )


def write_removal(
    *,
    ordered_by: User,
    lesion: Lesion,
    generator: Generator,
    seed: int,
    batch: uuid.UUID | None = None,
    then: Sequence[dict[str, Any]] = (),
) -> EditOrder:
    return _order(
        title=f"Remove lesion {lesion.number} ({lesion.diameter_mm:.0f} mm) from {lesion.scan.name}",
        operation=Operation.REMOVE,
        ordered_by=ordered_by,
        source_scan=lesion.scan,
        generator=generator,
        centre_lps_mm=lesion.centroid_lps_mm,
        kind="",
        diameter_mm=lesion.diameter_mm,
        contrast_hu=lesion.contrast_hu,
        lesion=lesion,
        seed=seed,
        batch=batch,
        then=list(then),
    )


def _order(*, title: str, ordered_by: User, **fields: object) -> EditOrder:
    synthesis_id = uuid.uuid4()
    with transaction.atomic():
        job = jobs.enqueue(
            kind=EDIT_KIND,
            title=title,
            owner=ordered_by,
            payload={"synthesis": str(synthesis_id)},
            queue=Queue.GPU,
            result_url=f"/synthesis/{synthesis_id}/",
        )
        # An eager worker (tests, single commands) looks the row up when the transaction ends, not before.
        return EditOrder.objects.create(id=synthesis_id, job=job, ordered_by=ordered_by, **fields)
