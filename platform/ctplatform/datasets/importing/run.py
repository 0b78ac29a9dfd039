"""Import a file, a zip or a folder: every scan on its own, so that one bad file spoils nothing."""

import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctplatform.accounts.models import User
from ctplatform.datasets.importing.archive import unpack
from ctplatform.datasets.importing.discovery import discover
from ctplatform.datasets.importing.found import Candidate, ReadScan, Refusal
from ctplatform.datasets.importing.quiet import quiet_libraries
from ctplatform.datasets.importing.refusal import ImportRefusedError, refused_when_damaged
from ctplatform.datasets.importing.screening import screen
from ctplatform.datasets.models import Dataset, MadeBy, Origin, Scan
from ctplatform.datasets.registration import DuplicateScanError, StoredScan, store_scan
from ctplatform.datasets.storage import OnProgress
from ctplatform.errors import DomainError


def _silent(_fraction: float, _message: str) -> None:
    pass


@dataclass
class ImportOutcome:
    stored: list[StoredScan] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def save(self) -> list[Scan]:
        """Write the rows of all scans; one that has come in meanwhile by another way is told as refused."""
        saved = []
        for stored in self.stored:
            try:
                saved.append(stored.save())
            except DuplicateScanError as error:
                self.refused.append(Refusal(stored.scan.name, error.message))
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
    masks: Path | None = None
    # created_by has looked at the pictures: marks that look like text name nobody
    text_looked_at: bool = False
    origin: Origin = Origin.ACQUIRED


@quiet_libraries()
def import_path(path: Path, order: ImportOrder, on_progress: OnProgress = _silent) -> ImportOutcome:
    """Store every scan that is found (rows are written by save()); raises when there is none."""
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        source = path
        if path.is_file() and zipfile.is_zipfile(path):
            on_progress(0.0, "unpacking")
            source = Path(folder)
            unpack(path, source)
        on_progress(0.02, "looking for scans")
        found = discover(source, dataset_id=order.dataset.pk, masks=order.masks)
        outcome = ImportOutcome(refused=list(found.refusals))
        try:
            for position, candidate in enumerate(found.candidates):
                _import_one(candidate, order, outcome, _share(on_progress, position, len(found.candidates)))
        except BaseException:
            outcome.discard()
            raise
    if not outcome.stored:
        raise DomainError(_nothing(outcome), code="nothing_imported", details=outcome.reasons())
    return outcome


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


def _import_one(candidate: Candidate, order: ImportOrder, outcome: ImportOutcome, on_progress: OnProgress) -> None:
    on_progress(0.0, "reading")
    try:
        scan = screen(_read(candidate), looked_at_by=order.created_by.username if order.text_looked_at else "")
        outcome.stored.append(_store(scan, order, outcome, on_progress))
    except (ImportRefusedError, DuplicateScanError) as error:
        outcome.refused.append(Refusal(candidate.label, error.message))


def _read(candidate: Candidate) -> ReadScan:
    with refused_when_damaged("It is damaged or of a form that can't be read."):
        return candidate.read()


def _store(scan: ReadScan, order: ImportOrder, outcome: ImportOutcome, on_progress: OnProgress) -> StoredScan:
    stored = store_scan(
        dataset=order.dataset,
        name=scan.name,
        subject=order.subject or scan.subject,
        origin=order.origin,
        volume=scan.volume,
        grid=scan.grid,
        created_by=order.created_by,
        masks=scan.masks,
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


def result_of(saved: list[Scan], refused: list[Refusal]) -> dict[str, Any]:
    return {
        "scans": [{"id": str(scan.pk), "name": scan.name} for scan in saved],
        "refused": [refusal.as_dict() for refusal in refused],
    }
