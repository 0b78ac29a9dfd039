"""Import a file, a zip or a folder: every scan on its own, so that one bad file spoils nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from ctplatform.accounts.models import User
from ctplatform.datasets.importing.confined.answers import Told
from ctplatform.datasets.importing.confined.process import Budget, Limits, Offered, Reader, ReaderStoppedError
from ctplatform.datasets.importing.elsewhere import Linking, provenance_of
from ctplatform.datasets.importing.found import Numbers, ReadScan, Refusal
from ctplatform.datasets.importing.manifest import Row
from ctplatform.datasets.importing.offering import files_of
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.importing.screening import screen
from ctplatform.datasets.importing.subjects import subject_label
from ctplatform.datasets.kinds import Labels, MaskKind
from ctplatform.datasets.models import Dataset, MadeBy, Origin, Scan
from ctplatform.datasets.scans.added_masks import StoredMasks, missing_kinds, store_masks
from ctplatform.datasets.scans.registration import DuplicateScanError, MaskVolume, StoredScan, store_scan
from ctplatform.datasets.scans.voxels import OnProgress
from ctplatform.errors import ConflictError, DomainError

# Each file that stops the reader costs a new one; whoever sends more than this sends no scans.
MOST_READERS = 4


def _silent(_fraction: float, _message: str) -> None:
    pass


@dataclass
class ImportOutcome:
    stored: list[StoredScan | StoredMasks] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    # what the manifest says of them, by the scan's id
    rows: dict[UUID, Row] = field(default_factory=dict)
    # the files of every scan, by its id
    numbers: dict[UUID, Numbers] = field(default_factory=dict)

    def save(self) -> list[Scan]:
        """Write the rows of all scans; one that has come in meanwhile by another way is told as refused."""
        saved = []
        for stored in self.stored:
            try:
                saved.append(stored.save())
            except ConflictError as error:
                numbers = self.numbers.get(stored.scan.pk, ())
                self.refused.append(Refusal(stored.scan.name, error.message, numbers))
        return saved

    def discard(self) -> None:
        for stored in self.stored:
            stored.discard()

    def reasons(self) -> list[str]:
        return [f"{refusal.label}: {refusal.reason}" for refusal in self.refused]


@dataclass(frozen=True)
class ImportOrder:
    dataset: Dataset
    created_by: User
    subject: str = ""
    # created_by has looked at the pictures: marks that look like text name nobody
    text_looked_at: bool = False
    said: Said = field(default_factory=Said)
    origin: Origin = Origin.ACQUIRED

    def row(self, number: int) -> Row | None:
        return next((row for row in self.said.manifest if row.number == number), None)


def import_path(
    path: Path, order: ImportOrder, on_progress: OnProgress = _silent, *, masks: Path | None = None
) -> ImportOutcome:
    """Store every scan below a path (rows are written by save()); masks may lie elsewhere, or among the scans."""
    given = [] if masks is None else files_of(masks, as_mask=True)
    masks_among = set() if masks is None else {file.place for file in given}
    scans = [file for file in files_of(path) if file.place not in masks_among]
    return import_files([*scans, *given], order, on_progress)


def import_files(offered: Sequence[Offered], order: ImportOrder, on_progress: OnProgress = _silent) -> ImportOutcome:
    """Store every scan that is found; raises when there is none."""
    on_progress(0.0, "looking for scans")
    outcome = ImportOutcome()
    try:
        for told, result, share in _read_all(offered, order.said, outcome, on_progress):
            if isinstance(result, ReadScan):
                _import_one(told, result, order, outcome, share)
            else:
                outcome.refused.append(Refusal(told.label, result.message, told.numbers))
        _link(outcome, order)
    except BaseException:
        outcome.discard()
        raise
    if not outcome.stored:
        raise DomainError(_nothing(outcome), code="nothing_imported", details=outcome.reasons())
    return outcome


def _read_all(
    offered: Sequence[Offered], said: Said, outcome: ImportOutcome, on_progress: OnProgress
) -> Iterator[tuple[Told, ReadScan | ImportRefusedError, OnProgress]]:
    """Every candidate, the scan or why there is none, and its share of the progress.

    A reader that a file has stopped is followed by another one, which goes on behind that file.
    """
    limits = Limits(settings.CT_IMPORT_MEMORY_BYTES, settings.CT_IMPORT_SECONDS)
    budget = Budget(offered, limits)
    position = 0
    for number in range(MOST_READERS):
        with Reader(offered, limits, budget, said) as reader:
            candidates, refusals = reader.discover()
            if number == 0:
                outcome.refused += refusals
            stopped = False
            while position < len(candidates) and not stopped and not budget.is_spent:
                candidate = candidates[position]
                share = _share(on_progress, position, len(candidates))
                share(0.0, "reading")
                try:
                    result: ReadScan | ImportRefusedError = reader.read(position, candidate)
                except ImportRefusedError as error:
                    result, stopped = error, isinstance(error, ReaderStoppedError)
                yield candidate, result, share
                position += 1
            if position == len(candidates):
                return
        if budget.is_spent:
            break
    why = "the time for all files is used up" if budget.is_spent else f"{MOST_READERS} other files stopped the reader"
    rest = ImportRefusedError(f"It was not read: {why}. Import it on its own.")
    for left in range(position, len(candidates)):
        yield candidates[left], rest, _share(on_progress, left, len(candidates))


def _nothing(outcome: ImportOutcome) -> str:
    if not outcome.refused:
        return "No CT scan was found. Give a DICOM folder or zip, NIfTI, NRRD or MHA files, or a folder in LiTS style."
    shown = " ".join(outcome.reasons()[:5])
    more = f" And {len(outcome.refused) - 5} more." if len(outcome.refused) > 5 else ""
    return f"Nothing was imported. {shown}{more}"


def _share(on_progress: OnProgress, position: int, count: int) -> OnProgress:
    def report(fraction: float, message: str) -> None:
        on_progress(0.05 + 0.95 * (position + fraction) / count, f"scan {position + 1} of {count}: {message}")

    return report


def _link(outcome: ImportOutcome, order: ImportOrder) -> None:
    scans = [stored for stored in outcome.stored if isinstance(stored, StoredScan)]
    linking = Linking(order.dataset, scans, outcome.rows)
    masks = [stored for stored in outcome.stored if isinstance(stored, StoredMasks)]
    outcome.stored = [*masks, *linking.link()]
    for stored, why in linking.refused:
        stored.discard()
        outcome.refused.append(Refusal(stored.scan.name, why, outcome.numbers.get(stored.scan.pk, ())))


def _import_one(
    told: Told, scan: ReadScan, order: ImportOrder, outcome: ImportOutcome, on_progress: OnProgress
) -> None:
    row = order.row(told.row)
    try:
        screen(scan, looked_at_by=order.created_by.username if order.text_looked_at else "")
        if order.said.manifest and row is None:
            scan.note("the manifest has no row for it")
        if row is not None and row.excluded_because:
            scan.report |= row.exclusion
            scan.note(f"the manifest excludes it from studies: {row.excluded_because}")
        stored = _store(scan, row, order, outcome, on_progress)
        outcome.stored.append(stored)
        outcome.numbers[stored.scan.pk] = told.numbers
        if row is not None:
            outcome.rows[stored.scan.pk] = row
    except DomainError as error:
        outcome.refused.append(Refusal(told.label, error.message, told.numbers))


def _store(
    scan: ReadScan, row: Row | None, order: ImportOrder, outcome: ImportOutcome, on_progress: OnProgress
) -> StoredScan | StoredMasks:
    """The scan, or for one that is there already the masks that it lacks: an answer to what an import asked."""
    try:
        return _store_scan(scan, row, order, outcome, on_progress)
    except DuplicateScanError as error:
        masks = masks_of(scan)
        kinds = missing_kinds(error.existing, masks) if error.existing.pk not in _pending(outcome) else []
        if not kinds:
            raise
        wanted = {str(kind) for kind in kinds}
        told = [entry for entry in scan.report.get("masks", []) if entry["kind"] in wanted]
        missing = {kind: masks[kind] for kind in kinds}
        return store_masks(error.existing, scan.volume, missing, {**scan.report, "masks": told})


def _pending(outcome: ImportOutcome) -> set[UUID]:
    """Scans of this import that have no row yet, or get masks by it already."""
    return {stored.scan.pk for stored in outcome.stored}


def _store_scan(
    scan: ReadScan,
    row: Row | None,
    order: ImportOrder,
    outcome: ImportOutcome,
    on_progress: OnProgress,
) -> StoredScan:
    provenance = provenance_of(scan, row, order.created_by)
    told_subject = row.subject if row is not None else ""
    stored = store_scan(
        dataset=order.dataset,
        name=scan.name,
        subject=told_subject or order.subject or scan.subject or subject_label(order.dataset.pk, scan.identity),
        origin=order.origin if provenance is None else Origin.SYNTHETIC,
        provenance=provenance,
        volume=scan.volume,
        grid=scan.grid,
        created_by=order.created_by,
        masks=masks_of(scan),
        masks_made_by=MadeBy.IMPORTED,
        acquisition=scan.acquisition,
        import_report=scan.report,
        on_progress=on_progress,
    )
    twin = next((s for s in outcome.stored if s.scan.content_digest == stored.scan.content_digest), None)
    if twin is not None:
        stored.discard()
        raise DuplicateScanError(twin.scan)
    return stored


def masks_of(scan: ReadScan) -> dict[MaskKind, MaskVolume]:
    return {kind: _as_mask(kind, labels) for kind, labels in scan.masks.items()}


def _as_mask(kind: MaskKind, labels: Labels) -> MaskVolume:
    """Lesions that carry their own numbers keep them; all other masks are yes or no."""
    numbered = kind == MaskKind.LESION and labels.max() > 1
    return labels if numbered else labels > 0


def result_of(saved: list[Scan], outcome: ImportOutcome) -> dict[str, Any]:
    return {
        "scans": [
            {
                "id": str(scan.pk),
                "name": scan.name,
                "files": list(outcome.numbers.get(scan.pk, ())),
                "masks": mask_kinds_of(scan),
                "told": told_of(scan),
            }
            for scan in saved
        ],
        "refused": [refusal.as_dict() for refusal in outcome.refused],
    }


def mask_kinds_of(scan: Scan) -> list[str]:
    kinds = [MaskKind(mask["kind"]).label.lower() for mask in scan.import_report.get("masks", [])]
    return list(dict.fromkeys(kinds))


def told_of(scan: Scan) -> list[str]:
    """What whoever imported a scan should read at once: notes about it and its masks."""
    return [str(note) for note in scan.import_report.get("notes", [])]
