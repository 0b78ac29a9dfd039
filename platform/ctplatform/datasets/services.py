"""What a person may do with datasets and scans."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import ProtectedError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.datasets.exporting import orders as exports
from ctplatform.datasets.importing import uploads
from ctplatform.datasets.importing.manifest import MOST_BYTES
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Decision, MadeBy, Mask, Origin, Provenance, Scan, Verdict
from ctplatform.datasets.permissions import refuse_unless_editor, refuse_unless_usable, refuse_without_pixels
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.added_masks import refuse_where_lesions_stand
from ctplatform.errors import ConflictError, DomainError, ForbiddenError, why_refused
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job

IMPORT_KIND = "datasets.import"
LIVER_KIND = "datasets.estimate_liver"
MASKS_KIND = "datasets.new_masks"
MAX_REASON = 300


def create_dataset(*, owner: User, **fields: Any) -> Dataset:
    if owner.is_rater:
        raise ForbiddenError(gettext("A rater's account can't have datasets: it would see which scans are synthetic."))
    dataset = Dataset(owner=owner, **fields)
    dataset.full_clean()
    dataset.save()
    return dataset


def update_dataset(*, dataset: Dataset, user: User, **fields: Any) -> Dataset:
    refuse_unless_editor(dataset, user)
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.full_clean()
    dataset.save()
    return dataset


_dataset_guards: list[Callable[[Dataset], None]] = []


def guard_datasets(refuse: Callable[[Dataset], None]) -> None:
    """Whoever chose datasets registers at start-up what raises a DomainError while one must stay, even empty."""
    _dataset_guards.append(refuse)


def delete_dataset(*, dataset: Dataset, user: User) -> None:
    refuse_unless_editor(dataset, user)
    try:
        with transaction.atomic():
            for refuse in _dataset_guards:
                refuse(dataset)
            dataset.delete()
    except ProtectedError:
        raise ConflictError(gettext("The dataset still holds scans, so it can't be deleted.")) from None


def share(*, dataset: Dataset, user: User, member: User) -> None:
    refuse_unless_editor(dataset, user)
    if member.is_rater:
        raise DomainError(gettext("A rater's account can't use datasets: it would see which scans are synthetic."))
    dataset.members.add(member)


def unshare(*, dataset: Dataset, user: User, member: User) -> None:
    refuse_unless_editor(dataset, user)
    dataset.members.remove(member)


_patient_guards: list[Callable[[Scan], None]] = []


def guard_patients(refuse: Callable[[Scan], None]) -> None:
    """Whoever counts by patients registers at start-up what raises a DomainError while a scan's must stay."""
    _patient_guards.append(refuse)


def update_scan(*, scan: Scan, user: User, name: str, subject: str) -> Scan:
    refuse_unless_editor(scan.dataset, user)
    if Scan.objects.filter(dataset=scan.dataset_id, name=name).exclude(pk=scan.pk).exists():
        raise ConflictError(
            gettext("Another scan of this dataset is called “%(name)s”. Choose another name.") % {"name": name}
        )
    with transaction.atomic():
        # Whoever freezes patients holds their scans meanwhile: either this comes first, or the guard knows of it.
        held = Scan.objects.select_for_update().get(pk=scan.pk)
        if subject != held.subject:
            for refuse in _patient_guards:
                refuse(held)
        held.name, held.subject = name, subject
        held.full_clean(exclude=["grid", "acquisition", "import_report"])
        held.save(update_fields=["name", "subject"])
    scan.name, scan.subject = name, subject
    return scan


def delete_scan(*, scan: Scan, user: User) -> None:
    """Rows first; the files go once the rows are gone for good. Packages with the scan in them go as well."""
    refuse_unless_editor(scan.dataset, user)
    scan_id, slices = scan.pk, scan.slices
    try:
        with transaction.atomic():
            # A mask that is saved meanwhile waits for this lock, or is among these.
            Scan.objects.select_for_update().filter(pk=scan_id).first()
            mask_ids = list(Mask.objects.filter(scan=scan_id).values_list("pk", flat=True))
            for export in scan.exports.all():
                exports.remove(export)
            scan.delete()
    except ProtectedError:
        raise ConflictError(
            gettext("“%(name)s” can't be deleted: an edited scan, a synthesis or a study is based on it.")
            % {"name": scan.name}
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
    labels: str = "",
    spacing: str = "",
    manifest: "UploadedFile[bytes] | None" = None,
) -> Job:
    """``labels``, ``spacing`` and ``manifest`` are what a person says and files don't; see importing.said."""
    refuse_unless_editor(dataset, user)
    table = None if manifest is None else manifest.read(MOST_BYTES + 1)
    Said.of(labels=labels, spacing=spacing, manifest=table)
    upload_id = uploads.stage(files=files, paths=paths, masks=masks, manifest=table)
    count = f"{len(files)} files" if len(files) > 1 else "1 file"
    if masks:
        count += f" and {len(masks)} masks" if len(masks) > 1 else " and 1 mask"
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
                "labels": labels,
                "spacing": spacing,
            },
            result_url=reverse("datasets:dataset", args=[dataset.pk]),
        )
    except BaseException:
        uploads.remove(upload_id)
        raise


def request_liver_estimate(*, scan: Scan, user: User) -> Job:
    refuse_unless_editor(scan.dataset, user)
    refuse_without_pixels([scan])
    if scan.masks.filter(kind=MaskKind.LIVER).exists():
        raise ConflictError(gettext("This scan has a liver mask already."))
    return jobs.enqueue(
        kind=LIVER_KIND,
        title=f"Estimate the liver of {scan.name}",
        owner=user,
        payload={"scan": str(scan.pk)},
        result_url=reverse("datasets:scan", args=[scan.pk]),
    )


def request_masks(
    *, scan: Scan, user: User, files: Sequence["UploadedFile[bytes]"], kind: str = "", labels: str = ""
) -> Job:
    """Add masks to a scan or put them in the place of its own; without a kind names and labels say what they hold."""
    refuse_unless_editor(scan.dataset, user)
    refuse_without_pixels([scan])
    if scan.origin == Origin.SYNTHETIC:
        raise ConflictError(gettext("The masks of a synthetic scan belong to its edit, so they stay as they are."))
    if kind == MaskKind.LESION:
        refuse_where_lesions_stand(scan, [MaskKind.LESION])
    Said.of(labels=labels)
    upload_id = uploads.stage(files=files, paths=())
    try:
        return jobs.enqueue(
            kind=MASKS_KIND,
            title=f"New masks for {scan.name}",
            owner=user,
            payload={"upload": upload_id, "scan": str(scan.pk), "kind": kind, "labels": labels},
            result_url=reverse("datasets:scan", args=[scan.pk]),
        )
    except BaseException:
        uploads.remove(upload_id)
        raise


def accept_liver(*, scan: Scan, user: User, seen: UUID | None) -> None:
    """Somebody has looked at this version of an estimated liver and found it right; from then on it says so."""
    refuse_unless_editor(scan.dataset, user)
    estimated = scan.masks.filter(kind=MaskKind.LIVER, made_by=MadeBy.ESTIMATED, accepted_at=None)
    if not estimated.exists():
        raise ConflictError(gettext("This scan has no estimated liver that is still to be looked at."))
    if seen is None or not estimated.filter(pk=seen).update(accepted_by=user, accepted_at=timezone.now()):
        raise ConflictError(
            gettext(
                "The estimated liver is another one than the page showed. Look at it as it is now, then accept it."
            ),
            code=voxels.MASK_CHANGED,
        )


_verdict_guards: list[Callable[[Scan], None]] = []


def guard_verdicts(refuse: Callable[[Scan], None]) -> None:
    """Whoever builds on verdicts registers at start-up what raises a DomainError while one must stay as it is."""
    _verdict_guards.append(refuse)


def _refuse_where_a_verdict_stands(scan: Scan) -> None:
    for refuse in _verdict_guards:
        refuse(scan)


def why_verdict_stands(scan: Scan) -> str:
    """What a decision about this scan would be answered with; empty where one may be given."""
    return why_refused(lambda: _refuse_where_a_verdict_stands(scan))


_verdict_warnings: list[Callable[[Scan], str]] = []


def warn_of_verdicts(warn: Callable[[Scan], str]) -> None:
    """Whoever uses verdicts that may still change registers what a person should know before giving one."""
    _verdict_warnings.append(warn)


def verdict_warnings(scan: Scan) -> list[str]:
    return [said for said in (warn(scan) for warn in _verdict_warnings) if said]


def give_verdict(*, scan: Scan, reviewer: User, accept: bool, reason: str = "", seen: str = "") -> Provenance:
    """Accept or reject a synthetic scan; a rejection needs its reason. The only place that writes a verdict.

    It holds for what the reviewer saw: `seen`, or the row as it was read. A verdict given meanwhile stays.
    """
    refuse_unless_usable([scan], reviewer)
    provenance: Provenance | None = getattr(scan, "provenance", None)
    if provenance is None:
        raise ConflictError(gettext("This scan isn't synthetic, so there is nothing to review."))
    given: dict[str, Any] = {
        "verdict": Verdict.ACCEPTED if accept else Verdict.REJECTED,
        "verdict_reason": _checked_reason(reason, needed=not accept),
        "reviewed_by": reviewer,
        "reviewed_at": timezone.now(),
    }
    as_seen = Provenance.objects.filter(
        pk=scan.pk, verdict=seen or provenance.verdict, reviewed_at=provenance.reviewed_at
    )
    with transaction.atomic():
        # Whoever builds on the verdict at this moment holds the same row: one of the two comes second and sees it.
        Scan.objects.select_for_update().only("pk").get(pk=scan.pk)
        _refuse_where_a_verdict_stands(scan)
        _refuse_out_of_turn(scan, accept=accept)
        if not as_seen.update(**given):
            raise ConflictError(
                gettext(
                    "Somebody has decided about this result since you opened it. Look at the decision; you can "
                    "still change it."
                )
            )
        Decision.objects.create(
            scan=scan, verdict=given["verdict"], reason=given["verdict_reason"], by=reviewer, at=given["reviewed_at"]
        )
    for name, value in given.items():
        setattr(provenance, name, value)
    return provenance


def _refuse_out_of_turn(scan: Scan, *, accept: bool) -> None:
    """An edit of an edited scan shows both: it counts only while all that it builds on does."""
    before = Provenance.objects.filter(scan=scan.source_scan_id).exclude(verdict=Verdict.ACCEPTED)
    if accept and before.exists():
        raise ConflictError(
            gettext("This edit was made of an edited scan, which it shows as well. Accept that one first."),
            code="out_of_turn",
        )
    built_on = Scan.objects.filter(source_scan=scan, provenance__verdict=Verdict.ACCEPTED)
    if not accept and built_on.exists():
        names = ", ".join(built_on.order_by("name").values_list("name", flat=True)[:3])
        raise ConflictError(
            gettext("Accepted edits were made of this scan and show it as well (%(names)s). Reject them first.")
            % {"names": names},
            code="out_of_turn",
        )


def _checked_reason(reason: str, *, needed: bool) -> str:
    # Browsers count a line's end once and send two characters.
    reason = reason.replace("\r\n", "\n").strip()
    if len(reason) > MAX_REASON:
        raise DomainError(
            gettext("The reason has %(reason)s characters; at most %(max_reason)s are kept. Shorten it.")
            % {"reason": len(reason), "max_reason": MAX_REASON}
        )
    if needed and not reason:
        raise DomainError(
            gettext("Say in a few words why the result is rejected: the reason is part of the study's record.")
        )
    return reason
