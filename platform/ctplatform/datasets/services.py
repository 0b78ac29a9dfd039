"""What a person may do with datasets and scans."""

from collections.abc import Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import ProtectedError
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.importing import uploads
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Provenance, Scan, Verdict
from ctplatform.datasets.scans import voxels
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job

IMPORT_KIND = "datasets.import"
LIVER_KIND = "datasets.estimate_liver"
MAX_REASON = 300


class NotYoursError(DomainError):
    http_status_code = 403

    def __init__(self) -> None:
        super().__init__("Only the dataset's owner and administrators may change it.", code="not_yours")


def _require_editor(dataset: Dataset, user: User) -> None:
    if not dataset.editable_by(user):
        raise NotYoursError


def create_dataset(*, owner: User, **fields: Any) -> Dataset:
    if owner.is_rater:
        raise NotYoursError
    dataset = Dataset(owner=owner, **fields)
    dataset.full_clean()
    dataset.save()
    return dataset


def update_dataset(*, dataset: Dataset, user: User, **fields: Any) -> Dataset:
    _require_editor(dataset, user)
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.full_clean()
    dataset.save()
    return dataset


def delete_dataset(*, dataset: Dataset, user: User) -> None:
    _require_editor(dataset, user)
    try:
        dataset.delete()
    except ProtectedError:
        raise ConflictError("The dataset still holds scans or is used by a study, so it can't be deleted.") from None


def share(*, dataset: Dataset, user: User, member: User) -> None:
    _require_editor(dataset, user)
    if member.is_rater:
        raise DomainError("A rater's account can't use datasets: it would see which scans are synthetic.")
    dataset.members.add(member)


def unshare(*, dataset: Dataset, user: User, member: User) -> None:
    _require_editor(dataset, user)
    dataset.members.remove(member)


def update_scan(*, scan: Scan, user: User, name: str, subject: str) -> Scan:
    _require_editor(scan.dataset, user)
    if Scan.objects.filter(dataset=scan.dataset_id, name=name).exclude(pk=scan.pk).exists():
        raise ConflictError(f"Another scan of this dataset is called “{name}”. Choose another name.")
    scan.name, scan.subject = name, subject
    scan.full_clean(exclude=["grid", "acquisition", "import_report"])
    scan.save(update_fields=["name", "subject"])
    return scan


def delete_scan(*, scan: Scan, user: User) -> None:
    """Rows first; the files go once the rows are gone for good."""
    _require_editor(scan.dataset, user)
    scan_id, mask_ids, slices = scan.pk, list(scan.masks.values_list("pk", flat=True)), scan.slices
    try:
        with transaction.atomic():
            scan.delete()
    except ProtectedError:
        raise ConflictError(
            f"“{scan.name}” can't be deleted: an edited scan, a synthesis or a study is based on it."
        ) from None

    def delete_files() -> None:
        for mask_id in mask_ids:
            voxels.delete_mask_files(mask_id, slices)
        voxels.delete_scan_files(scan_id, slices)

    transaction.on_commit(delete_files)


def request_import(
    *,
    dataset: Dataset,
    user: User,
    files: Sequence["UploadedFile[bytes]"],
    paths: Sequence[str] = (),
    masks: Sequence["UploadedFile[bytes]"] = (),
    subject: str = "",
    text_looked_at: bool = False,
) -> Job:
    _require_editor(dataset, user)
    upload_id = uploads.stage(files=files, paths=paths, masks=masks)
    count = f"{len(files)} files" if len(files) > 1 else "1 file"
    try:
        return jobs.enqueue(
            kind=IMPORT_KIND,
            title=f"Import {count} into {dataset.name}",
            owner=user,
            payload={
                "upload": upload_id,
                "dataset": str(dataset.pk),
                "subject": subject,
                "text_looked_at": text_looked_at,
            },
            result_url=reverse("datasets:dataset", args=[dataset.pk]),
        )
    except BaseException:
        uploads.remove(upload_id)
        raise


def request_liver_estimate(*, scan: Scan, user: User) -> Job:
    _require_editor(scan.dataset, user)
    if scan.masks.filter(kind=MaskKind.LIVER).exists():
        raise ConflictError("This scan has a liver mask already.")
    return jobs.enqueue(
        kind=LIVER_KIND,
        title=f"Estimate the liver of {scan.name}",
        owner=user,
        payload={"scan": str(scan.pk)},
        result_url=reverse("datasets:scan", args=[scan.pk]),
    )


def give_verdict(*, scan: Scan, reviewer: User, accept: bool, reason: str = "", seen: str = "") -> Provenance:
    """Accept or reject a synthetic scan; a rejection needs its reason. The only place that writes a verdict.

    It holds for what the reviewer saw: `seen`, or the row as it was read. A verdict given meanwhile stays.
    """
    if not Scan.objects.visible_to(reviewer).filter(pk=scan.pk).exists():
        raise ForbiddenError("Only those who may use the scan's dataset review it. Ask the dataset's owner.")
    provenance: Provenance | None = getattr(scan, "provenance", None)
    if provenance is None:
        raise ConflictError("This scan isn't synthetic, so there is nothing to review.")
    given = {
        "verdict": Verdict.ACCEPTED if accept else Verdict.REJECTED,
        "verdict_reason": _checked_reason(reason, needed=not accept),
        "reviewed_by": reviewer,
        "reviewed_at": timezone.now(),
    }
    as_seen = Provenance.objects.filter(
        pk=scan.pk, verdict=seen or provenance.verdict, reviewed_at=provenance.reviewed_at
    )
    if not as_seen.update(**given):
        raise ConflictError(
            "Somebody has decided about this result since you opened it. Look at the decision; you can still change it."
        )
    for name, value in given.items():
        setattr(provenance, name, value)
    return provenance


def _checked_reason(reason: str, *, needed: bool) -> str:
    # Browsers count a line's end once and send two characters.
    reason = reason.replace("\r\n", "\n").strip()
    if len(reason) > MAX_REASON:
        raise DomainError(f"The reason has {len(reason)} characters; at most {MAX_REASON} are kept. Shorten it.")
    if needed and not reason:
        raise DomainError("Say in a few words why the result is rejected: the reason is part of the study's record.")
    return reason
