"""A person takes back a consent, or a result is not wanted: pixels go, the row stays and says when, why and by whom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.committed import after_commit
from ctplatform.datasets.exporting import orders as exports
from ctplatform.datasets.models import Export, Mask, Scan
from ctplatform.datasets.permissions import refuse_unless_editor
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.services import MAX_REASON
from ctplatform.errors import ConflictError, DomainError


@dataclass(frozen=True)
class Withdrawal:
    """What others must know to let go of what they made of these pixels; runs in the transaction that withdraws."""

    scans: Sequence[Scan]
    by: User
    reason: str

    @property
    def ids(self) -> list[UUID]:
        return [scan.pk for scan in self.scans]


_guards: list[Callable[[Sequence[UUID]], None]] = []
_followers: list[Callable[[Withdrawal], None]] = []
_finishers: list[Callable[[Sequence[UUID]], None]] = []


def guard_withdrawals(refuse: Callable[[Sequence[UUID]], None]) -> None:
    """Whoever shows pixels to people registers at start-up what raises a DomainError while they are shown."""
    _guards.append(refuse)


def follow_withdrawals(follow: Callable[[Withdrawal], None]) -> None:
    """Whoever keeps pieces of scans registers how they go. Rows go at once, files once the transaction is written."""
    _followers.append(follow)


def finish_withdrawals_with(finish: Callable[[Sequence[UUID]], None]) -> None:
    """Whoever keeps pieces that may stay where the storage fails registers how what is left of withdrawn scans goes."""
    _finishers.append(finish)


def what_goes(scan: Scan, *, whole_patient: bool) -> list[Scan]:
    """The scan, or all of its patient in this dataset, and whatever was edited from them: it shows the same body."""
    begun = Scan.objects.filter(pk=scan.pk)
    if whole_patient:
        begun = Scan.objects.filter(dataset=scan.dataset_id, subject=scan.subject)
    found = {one.pk: one for one in begun}
    generation = list(found)
    while generation:
        derived = Scan.objects.filter(source_scan__in=generation).exclude(pk__in=found)
        generation = [one.pk for one in derived]
        found |= {one.pk: one for one in derived}
    return [one for one in found.values() if one.withdrawn_at is None]


def withdraw(*, scan: Scan, user: User, reason: str, whole_patient: bool = False) -> list[Scan]:
    refuse_unless_editor(scan.dataset, user)
    reason = reason.strip()
    if not reason:
        raise DomainError("Say why the pixels go, such as “consent withdrawn”: the row and every study say it.")
    if len(reason) > MAX_REASON:
        raise DomainError(f"The reason has {len(reason)} characters; at most {MAX_REASON} are kept. Shorten it.")
    with transaction.atomic():
        going = what_goes(scan, whole_patient=whole_patient)
        with_pixels = Scan.objects.with_pixels().filter(pk__in=[one.pk for one in going])
        # In the order in which the ends of jobs hold theirs.
        held = list(with_pixels.select_for_update().order_by("pk"))
        if not held:
            raise ConflictError(f"“{scan.name}” was withdrawn already.")
        ids = [one.pk for one in held]
        for refuse in _guards:
            refuse(ids)
        for export in Export.objects.filter(scans__in=ids).distinct():
            exports.remove(export)
        # Before whatever follows, so that nothing that fails there keeps the pixels.
        for mask_id, slices in Mask.objects.filter(scan__in=ids).values_list("pk", "scan__slices"):
            after_commit(voxels.delete_mask_files, mask_id, slices)
        for one in held:
            after_commit(voxels.delete_scan_files, one.pk, one.slices)
        Mask.objects.filter(scan__in=ids).delete()
        Scan.objects.filter(pk__in=ids).update(withdrawn_at=timezone.now(), withdrawn_by=user, withdrawn_reason=reason)
        for follow in _followers:
            follow(Withdrawal(held, user, reason))
    return held


def finish_withdrawals() -> None:
    """What a storage that failed, a process that was killed or an earlier version left of withdrawn scans goes."""
    withdrawn = dict(Scan.objects.exclude(withdrawn_at=None).values_list("pk", "slices"))
    for pk, slices in withdrawn.items():
        # It goes last of a scan's files.
        if default_storage.exists(voxels.thumbnail_key(pk)):
            voxels.delete_scan_files(pk, slices)
    for finish in _finishers:
        finish(list(withdrawn))
