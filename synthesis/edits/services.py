"""What a person may ask of lesion synthesis."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.db import transaction

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, Operation, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.services import give_verdict
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, Queue
from ml.editing.spec import LesionSpec
from ml.errors import SpecError
from synthesis.edits.placement import PlacementRules
from synthesis.generators.services import check_usable
from synthesis.models import Generator, SynthesisJob

EDIT_KIND = "synthesis.edit"
BATCH_KIND = "synthesis.batch"
MAX_BATCH = 500


def order_insertion(
    *,
    ordered_by: User,
    scan: Scan,
    generator: Generator,
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
) -> SynthesisJob:
    check_insertion(scan=scan, generator=generator, centre_lps_mm=centre_lps_mm)
    return write_insertion(
        ordered_by=ordered_by, scan=scan, generator=generator, centre_lps_mm=centre_lps_mm, spec=spec
    )


def check_insertion(*, scan: Scan, generator: Generator, centre_lps_mm: Sequence[float]) -> None:
    _check_source(scan, generator)
    inside = scan.geometry.contains(scan.geometry.nearest_voxel(centre_lps_mm))
    if not inside:
        raise DomainError("This place lies outside the scan. Click into the liver on the scan's page.")
    if not _in_liver(scan, centre_lps_mm):
        raise DomainError("This place lies outside the liver. Click into the liver on the scan's page.")


def write_insertion(
    *,
    ordered_by: User,
    scan: Scan,
    generator: Generator,
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
    batch: uuid.UUID | None = None,
) -> SynthesisJob:
    """Write the rows of an order that was checked."""
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
    )


def order_removal(
    *, ordered_by: User, lesion: Lesion, generator: Generator, seed: int, batch: uuid.UUID | None = None
) -> SynthesisJob:
    _check_source(lesion.scan, generator)
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
    )


@dataclass(frozen=True)
class BatchOrder:
    """Insertions over several scans; every draw follows from the seed."""

    per_scan: int
    kinds: tuple[str, ...]
    min_diameter_mm: float
    max_diameter_mm: float
    min_contrast_hu: float
    max_contrast_hu: float
    rules: PlacementRules
    seed: int

    def check(self) -> None:
        if not self.kinds:
            raise DomainError("Choose at least one lesion type.")
        if self.min_diameter_mm > self.max_diameter_mm or self.min_contrast_hu > self.max_contrast_hu:
            raise DomainError("A range ends before it starts: give the smaller number first.")
        try:
            for kind in self.kinds:
                for diameter, contrast in (
                    (self.min_diameter_mm, self.min_contrast_hu),
                    (self.max_diameter_mm, self.max_contrast_hu),
                ):
                    LesionSpec(kind=kind, diameter_mm=diameter, contrast_hu=contrast, seed=self.seed)  # type: ignore[arg-type]
        except SpecError as error:
            raise DomainError(str(error)) from error


def order_batch(*, ordered_by: User, scans: Sequence[Scan], generator: Generator, order: BatchOrder) -> Job:
    """One job that draws the places and orders the single edits; it returns at once."""
    order.check()
    if not scans:
        raise DomainError("Choose at least one scan.")
    if len(scans) * order.per_scan > MAX_BATCH:
        raise DomainError(f"This would order {len(scans) * order.per_scan} edits; at most {MAX_BATCH} go in one batch.")
    for scan in scans:
        _check_source(scan, generator)
    batch = uuid.uuid4()
    return jobs.enqueue(
        kind=BATCH_KIND,
        title=f"Draw places for {len(scans) * order.per_scan} insertions in {len(scans)} scans",
        owner=ordered_by,
        payload={
            "batch": str(batch),
            "generator": str(generator.pk),
            "scans": [str(scan.pk) for scan in scans],
            "order": {**asdict(order), "kinds": list(order.kinds)},
        },
        result_url=f"/synthesis/?batch={batch}",
    )


def review(*, synthesis: SynthesisJob, reviewer: User, accept: bool, reason: str = "", seen: str = "") -> SynthesisJob:
    """Accept or reject a result. Both stay counted; a rejection needs its reason."""
    if synthesis.result_scan is None:
        raise ConflictError("There is no result to review yet.")
    give_verdict(scan=synthesis.result_scan, reviewer=reviewer, accept=accept, reason=reason, seen=seen)
    return synthesis


def _check_source(scan: Scan, generator: Generator) -> None:
    check_usable(generator)
    if not scan.masks.filter(kind=MaskKind.LIVER).exists():
        raise DomainError(
            f"{scan.name} has no liver mask, so the edit could not respect the liver's border. "
            "Import one or let the platform estimate it on the scan's page."
        )


def _in_liver(scan: Scan, centre_lps_mm: Sequence[float]) -> bool:
    z, y, x = scan.geometry.nearest_voxel(centre_lps_mm)
    voxel = (slice(z, z + 1), slice(y, y + 1), slice(x, x + 1))
    mask = scan.masks.get(kind=MaskKind.LIVER)
    return bool(voxels.read_labels_box(mask.pk, scan.geometry, voxel).any())


def _order(*, title: str, ordered_by: User, **fields: object) -> SynthesisJob:
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
        return SynthesisJob.objects.create(id=synthesis_id, job=job, ordered_by=ordered_by, **fields)
