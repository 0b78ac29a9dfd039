"""Scans that other programs made: what is known of how, and which scan they were made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.importing.changed import Host, describe_change
from ctplatform.datasets.importing.found import ReadScan
from ctplatform.datasets.importing.manifest import Row, place_of
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.models import Dataset, Made, Operation, Provenance, Verdict, centre_columns
from ctplatform.datasets.scans.registration import StoredScan
from ctplatform.errors import DomainError

UNNAMED = "not named by its files"


def provenance_of(scan: ReadScan, row: Row | None, importer: User) -> Provenance | None:
    """None for a scan of a patient. What the files say and what the manifest says must not contradict each other."""
    if row is None:
        whole = Provenance(made=Made.ELSEWHERE, operation=Operation.WHOLE, generator_name=UNNAMED)
        return whole if scan.says_synthetic else None
    if scan.says_synthetic and not row.synthetic:
        raise ImportRefusedError(
            f"Its files say that they are synthetic (Synthetic Data = YES), and row {row.number} of the manifest says "
            "that they are real. Correct the one that is wrong."
        )
    return _told(row, importer) if row.synthetic else None


def _told(row: Row, importer: User) -> Provenance:
    made = Provenance(
        made=Made.ELSEWHERE,
        operation=row.operation,
        generator_name=row.generator,
        generator_version=row.version,
        kind=row.kind,
        diameter_mm=row.diameter_mm,
        details={**(row.details or {}), **row.exclusion},
        **(centre_columns(row.centre_lps_mm) if row.centre_lps_mm else {}),
    )
    if row.excluded_because:
        made.verdict, made.verdict_reason = Verdict.REJECTED, row.excluded_because
        made.reviewed_by, made.reviewed_at = importer, timezone.now()
    return made


@dataclass
class Linking:
    """Once all scans of an import are stored: which of them, or of the dataset, others were made of."""

    dataset: Dataset
    stored: Sequence[StoredScan]
    rows: dict[UUID, Row]
    refused: list[tuple[StoredScan, str]] = field(default_factory=list)

    def link(self) -> list[StoredScan]:
        """The scans that hold, hosts before what was made of them; the others are told in ``refused``."""
        by_file = {row.file: scan for scan in self.stored if (row := self.rows.get(scan.scan.pk))}
        for stored in self.stored:
            row = self.rows.get(stored.scan.pk)
            if row is not None and row.host:
                self._name_host(stored, row, by_file)
        return [stored for stored in self._hosts_first() if self._describe(stored)]

    def _name_host(self, stored: StoredScan, row: Row, by_file: dict[str, StoredScan]) -> None:
        together = by_file.get(place_of(row.host))
        host = together.scan if together is not None else self.dataset.scans.filter(name=row.host).first()
        if host is None or host.pk == stored.scan.pk:
            why = "it was imported with it, or already in this dataset under that name"
            self._refuse(stored, f"Row {row.number} of the manifest names a host that is not here: neither {why}.")
            return
        stored.scan.source_scan = host

    def _hosts_first(self) -> Iterator[StoredScan]:
        waiting = self._holding(self.stored)
        while waiting:
            here = {stored.scan.pk for stored in waiting}
            ready = [one for one in waiting if one.scan.source_scan_id not in here]
            if not ready:
                for one in waiting:
                    self._refuse(one, "Its host was made of itself.")
                return
            yield from ready
            ended = {one.scan.pk for one in ready}
            waiting = self._holding([one for one in waiting if one.scan.pk not in ended])

    def _holding(self, scans: Sequence[StoredScan]) -> list[StoredScan]:
        """Without those that were refused, and without what was made of them."""
        gone = {stored.scan.pk for stored, _ in self.refused}
        for one in scans:
            if one.scan.pk not in gone and one.scan.source_scan_id in gone:
                self._refuse(one, "Its host was refused.")
        gone = {stored.scan.pk for stored, _ in self.refused}
        return [one for one in scans if one.scan.pk not in gone]

    def _describe(self, stored: StoredScan) -> bool:
        """Its patient, and what was changed; the host is described already."""
        host, row = stored.scan.source_scan, self.rows.get(stored.scan.pk)
        try:
            if host is not None and row is not None:
                stored.scan.subject = row.subject or host.subject
                together = next((one for one in self.stored if one.scan.pk == host.pk), None)
                describe_change(stored, Host.stored_now(together) if together is not None else Host.stored_before(host))
            elif stored.provenance is not None:
                describe_change(stored, None)
        except DomainError as error:
            self._refuse(stored, error.message)
            return False
        return True

    def _refuse(self, stored: StoredScan, why: str) -> None:
        self.refused.append((stored, why))
