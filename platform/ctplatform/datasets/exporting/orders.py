"""Ordering a package of scans, finding it, and taking it away again."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.committed import after_commit
from ctplatform.datasets.exporting.files import delete_files, free_bytes
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models import Export, Scan
from ctplatform.datasets.permissions import refuse_unless_usable
from ctplatform.errors import DomainError, ForbiddenError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job

KIND = "datasets.export"
MOST_SCANS = 500
# A DICOM sample has two bytes, a label one; a zip of them is smaller.
BYTES_PER_VOXEL = 2


def request_export(*, user: User, scans: Sequence[Scan], form: ExportFormat, masks: bool) -> Job:
    """Anybody who may use a dataset may take its scans out: its licence travels with them."""
    refuse_unfit(user, scans)
    named = scans[0].name if len(scans) == 1 else f"{len(scans)} scans"
    return jobs.enqueue(
        kind=KIND,
        title=f"Export {named} as {form.label.split()[0]}",
        owner=user,
        payload={"scans": [str(scan.pk) for scan in scans], "form": form, "masks": masks, "owner": user.pk},
        result_url=reverse("datasets:exports"),
    )


def refuse_unfit(user: User, scans: Sequence[Scan]) -> None:
    if not scans:
        raise DomainError(gettext("Choose at least one scan."))
    if len(scans) > MOST_SCANS:
        raise DomainError(
            gettext("%(scans)s scans are too many for one package; at most %(most_scans)s. Export them in parts.")
            % {"scans": len(scans), "most_scans": MOST_SCANS}
        )
    refuse_unless_usable(scans, user)
    needed, free = estimated_bytes(scans), free_bytes()
    if free is not None and needed > free / 2:
        raise DomainError(
            gettext(
                "This package may need %(needed)s GB and the server has %(free)s "
                "GB left. Export fewer scans at once, or ask an administrator for room."
            )
            % {"needed": number_format(needed / 1e9, 1), "free": number_format(free / 1e9, 1)}
        )


def estimated_bytes(scans: Sequence[Scan]) -> int:
    """The most that the slices can take."""
    return sum(BYTES_PER_VOXEL * z * y * x for z, y, x in (scan.geometry.size_zyx for scan in scans))


def delete_export(*, export: Export, actor: User) -> None:
    if export.owner_id != actor.pk:
        raise ForbiddenError(gettext("Only %(owner)s removes this package, who ordered it.") % {"owner": export.owner})
    remove(export)


def remove(export: Export) -> None:
    key = export.key
    export.delete()
    after_commit(delete_files, key)
