"""What a person may ask of lesion synthesis."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, Operation, Scan
from ctplatform.datasets.permissions import refuse_unless_usable
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.services import give_verdict
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, JobStatus
from ml.editing.spec import LesionSpec
from ml.errors import SpecError
from synthesis.edits.chains import Insertion, insertions_after, refuse_crowding, refuse_mixed, removals_after
from synthesis.edits.placement import PlacementRules, refuse_unless_parenchyma
from synthesis.edits.rows import write_insertion, write_removal
from synthesis.generators.services import check_can_edit
from synthesis.models import EditOrder, Generator

BATCH_KIND = "synthesis.batch"
MAX_BATCH = 500


def order_insertion(
    *,
    ordered_by: User,
    scan: Scan,
    generator: Generator,
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
    further: Sequence[Insertion] = (),
) -> EditOrder:
    """``further`` lesions go into the same scan one after another, each into the result of the one before."""
    refuse_unless_usable([scan], ordered_by)
    insertions = [Insertion(centre_lps_mm, spec), *further]
    for one in insertions:
        check_insertion(scan=scan, generator=generator, centre_lps_mm=one.centre_lps_mm)
        refuse_unless_parenchyma(scan, one.centre_lps_mm, one.spec.diameter_mm / 2)
    refuse_crowding(insertions)
    return write_insertion(
        ordered_by=ordered_by,
        scan=scan,
        generator=generator,
        centre_lps_mm=centre_lps_mm,
        spec=spec,
        batch=uuid.uuid4() if further else None,
        then=insertions_after(further),
    )


def refuse_outside(scan: Scan, centre_lps_mm: Sequence[float]) -> None:
    if not scan.geometry.contains(scan.geometry.nearest_voxel(centre_lps_mm)):
        raise DomainError("This place lies outside the scan. Click into the liver on the scan's page.")


def check_insertion(*, scan: Scan, generator: Generator, centre_lps_mm: Sequence[float]) -> None:
    _check_source(scan, generator)
    refuse_outside(scan, centre_lps_mm)
    if not _in_liver(scan, centre_lps_mm):
        raise DomainError("This place lies outside the liver. Click into the liver on the scan's page.")


def order_removal(
    *,
    ordered_by: User,
    lesion: Lesion,
    generator: Generator,
    seed: int,
    batch: uuid.UUID | None = None,
    further: Sequence[Lesion] = (),
) -> EditOrder:
    """``further`` lesions of the same scan are removed one after another, each from the result of the one before."""
    refuse_unless_usable([lesion.scan], ordered_by)
    _check_source(lesion.scan, generator)
    refuse_mixed([lesion, *further])
    return write_removal(
        ordered_by=ordered_by,
        lesion=lesion,
        generator=generator,
        seed=seed,
        batch=uuid.uuid4() if further and batch is None else batch,
        then=removals_after(further),
    )


def order_again(*, order: EditOrder, ordered_by: User) -> EditOrder:
    """The same edit with another seed, of one that failed; what was to follow it follows this one."""
    refuse_unless_usable([order.source_scan], ordered_by)
    if order.job.status != JobStatus.FAILED:
        raise ConflictError("Only an edit that failed is ordered again with another seed.")
    common: dict[str, Any] = {
        "ordered_by": ordered_by,
        "generator": order.generator,
        "batch": order.batch,
        "then": order.then,
    }
    if order.operation == Operation.REMOVE:
        if order.lesion is None:
            raise ConflictError("The lesion to remove is no longer there.")
        _check_source(order.source_scan, order.generator)
        return write_removal(lesion=order.lesion, seed=order.seed + 1, **common)
    spec = LesionSpec(
        kind=order.kind,  # type: ignore[arg-type]
        diameter_mm=order.diameter_mm,
        contrast_hu=order.contrast_hu or 0.0,
        seed=order.seed + 1,
    )
    place = order.centre_lps_mm
    check_insertion(scan=order.source_scan, generator=order.generator, centre_lps_mm=place)
    return write_insertion(scan=order.source_scan, centre_lps_mm=place, spec=spec, **common)


@dataclass(frozen=True)
class BatchOrder:
    """Insertions into, or removals from, several scans; every draw follows from the seed."""

    per_scan: int
    kinds: tuple[str, ...]
    min_diameter_mm: float
    max_diameter_mm: float
    min_contrast_hu: float
    max_contrast_hu: float
    rules: PlacementRules
    seed: int
    operation: str = Operation.INSERT.value
    # All lesions of a scan in one synthetic scan, one after another; else each in one of its own.
    together: bool = False

    def check(self) -> None:
        if self.operation == Operation.REMOVE:
            if self.min_diameter_mm > self.max_diameter_mm:
                raise DomainError("A range ends before it starts: give the smaller number first.")
            return
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
    refuse_unless_usable(scans, ordered_by)
    if len(scans) * order.per_scan > MAX_BATCH:
        raise DomainError(f"This would order {len(scans) * order.per_scan} edits; at most {MAX_BATCH} go in one batch.")
    for scan in scans:
        _check_source(scan, generator)
    batch = uuid.uuid4()
    what = "lesions to remove from" if order.operation == Operation.REMOVE else "places for insertions in"
    return jobs.enqueue(
        kind=BATCH_KIND,
        title=f"Draw up to {len(scans) * order.per_scan} {what} {len(scans)} scans",
        owner=ordered_by,
        payload={
            "batch": str(batch),
            "generator": str(generator.pk),
            "scans": [str(scan.pk) for scan in scans],
            "order": {**asdict(order), "kinds": list(order.kinds), "operation": str(order.operation)},
        },
        result_url=f"/synthesis/?batch={batch}",
    )


def review(*, synthesis: EditOrder, reviewer: User, accept: bool, reason: str = "", seen: str = "") -> EditOrder:
    """Accept or reject a result. Both stay counted; a rejection needs its reason."""
    if synthesis.result_scan is None:
        raise ConflictError("There is no result to review yet.")
    give_verdict(scan=synthesis.result_scan, reviewer=reviewer, accept=accept, reason=reason, seen=seen)
    return synthesis


def _check_source(scan: Scan, generator: Generator) -> None:
    check_can_edit(generator)
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
