"""A scan as the formats see it: read from the rows once, so that a format knows no database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ctplatform.datasets.kinds import Labels
from ctplatform.datasets.models import CORRECTED_BY, Made, MadeBy, Mask, Operation, Origin, Provenance, Scan
from ctplatform.datasets.scans import voxels
from ml.geometry import Grid

PHANTOM_MAKER = "Turing Ward phantom"


@dataclass(frozen=True)
class DescribedMask:
    id: UUID
    kind: str
    made_by: str
    by_hand: bool


@dataclass(frozen=True)
class Synthesis:
    """Which program made a scan's pixels, and how."""

    program: str
    version: str
    digest: str
    description: str


@dataclass(frozen=True)
class DescribedScan:
    id: UUID
    name: str
    subject: str
    origin: str
    dataset: str
    dataset_source: str
    licence: str
    grid: Grid
    acquisition: Mapping[str, Any]
    is_deidentified: bool
    synthesis: Synthesis | None
    source: UUID | None
    source_subject: str
    # the scan at the beginning of a chain of edits: one study of one patient
    root: UUID
    masks: tuple[DescribedMask, ...]
    facts: Mapping[str, Any]

    @property
    def is_synthetic(self) -> bool:
        """Whether not every pixel was acquired from a patient; a phantom's were not either."""
        return self.synthesis is not None

    def planes(self) -> Iterator[Any]:
        """Slices in HU, from the grid's first to its last."""
        return (self.plane(index) for index in range(self.grid.size_zyx[0]))

    def plane(self, index: int) -> Any:
        _, y, x = voxels.whole(self.grid)
        return voxels.read_box(self.id, self.grid, (slice(index, index + 1), y, x))[0]

    def label_planes(self, mask: DescribedMask) -> Iterator[Labels]:
        _, y, x = voxels.whole(self.grid)
        return (
            voxels.read_labels_box(mask.id, self.grid, (slice(index, index + 1), y, x))[0]
            for index in range(self.grid.size_zyx[0])
        )

    def labels(self, mask: DescribedMask) -> Labels:
        return voxels.read_labels(mask.id, self.grid)


def described(scan: Scan) -> DescribedScan:
    provenance: Provenance | None = getattr(scan, "provenance", None)
    source = scan.source_scan if provenance is not None else None
    return DescribedScan(
        id=scan.pk,
        name=scan.name,
        subject=scan.subject,
        origin=scan.origin,
        dataset=scan.dataset.name,
        dataset_source=scan.dataset.source,
        licence=scan.dataset.licence,
        grid=scan.geometry,
        acquisition=scan.acquisition,
        is_deidentified="profile" in scan.import_report,
        synthesis=_synthesis(scan, provenance),
        source=source.pk if source is not None else None,
        source_subject=source.subject if source is not None else "",
        root=scan.before_all_edits.pk,
        masks=tuple(_mask(mask) for mask in sorted(scan.masks.all(), key=lambda mask: mask.kind)),
        facts=provenance.facts if provenance is not None else {},
    )


def _synthesis(scan: Scan, provenance: Provenance | None) -> Synthesis | None:
    if provenance is not None:
        return Synthesis(
            program=provenance.generator_name,
            version=provenance.generator_version,
            digest=provenance.generator_digest,
            description=_edit_in_words(provenance, of_an_edit=hasattr(scan.source_scan, "provenance")),
        )
    if scan.origin == Origin.PHANTOM:
        return Synthesis(PHANTOM_MAKER, "", "", "Procedural phantom: no pixel was acquired from a patient.")
    return None


def _edit_in_words(made: Provenance, *, of_an_edit: bool) -> str:
    """What was changed where, as one line for headers whose space is short."""
    what = {
        Operation.INSERT: "Lesion inserted",
        Operation.REMOVE: "Lesion removed",
        Operation.WHOLE: "Whole scan synthesised",
    }[Operation(made.operation)]
    where = made.centre_lps_mm
    parts = [
        what,
        made.kind_words,
        f"{made.diameter_mm:.1f} mm" if made.diameter_mm else "",
        "at LPS " + ", ".join(f"{value:.1f}" for value in where) + " mm" if where else "",
        f"contrast {made.contrast_hu:.0f} HU" if made.contrast_hu is not None else "",
        f"seed {made.seed}" if made.seed is not None else "",
        "in a scan that was edited before" if of_an_edit else "",
        "made by another program" if made.made == Made.ELSEWHERE else "",
        f"generator digest {made.generator_digest}" if made.generator_digest else "",
    ]
    return "; ".join(part for part in parts if part)


def _mask(mask: Mask) -> DescribedMask:
    """Says that somebody corrected it, and not who: a package goes to others."""
    # The mask of an edit says in its note what was done to that of its host.
    corrected = mask.made_by != MadeBy.DRAWN and (mask.corrections.all() or CORRECTED_BY in mask.note)
    made_by = f"{MadeBy(mask.made_by).label}{', corrected by hand' if corrected else ''}"
    return DescribedMask(id=mask.pk, kind=mask.kind, made_by=made_by, by_hand=mask.made_by == MadeBy.DRAWN)
