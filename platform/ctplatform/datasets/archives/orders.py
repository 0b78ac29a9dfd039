"""Ordering that series are fetched from an archive, or that scans are sent to one."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.datasets.archives import wanted as wanted_series
from ctplatform.datasets.archives.client import is_uid
from ctplatform.datasets.archives.configured import archive_called, refuse_unless_may_use
from ctplatform.datasets.archives.wanted import Wanted
from ctplatform.datasets.exporting.orders import refuse_unfit
from ctplatform.datasets.models import Dataset, Scan
from ctplatform.datasets.permissions import refuse_unless_editor
from ctplatform.errors import DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job

RETRIEVAL_KIND = "datasets.retrieve"
SENDING_KIND = "datasets.send"
MOST_SERIES = 200


def request_retrieval(
    *, dataset: Dataset, user: User, archive_name: str, wanted: Sequence[Wanted], text_looked_at: bool = False
) -> Job:
    refuse_unless_may_use(user)
    refuse_unless_editor(dataset, user)
    archive = archive_called(archive_name)
    _refuse_unfit(wanted)
    list_id = wanted_series.keep(wanted)
    count = f"{len(wanted)} series" if len(wanted) > 1 else "a series"
    try:
        return jobs.enqueue(
            kind=RETRIEVAL_KIND,
            title=f"Fetch {count} from {archive.name} into {dataset.name}",
            owner=user,
            payload={
                "archive": archive.name,
                "wanted": list_id,
                "dataset": str(dataset.pk),
                "text_looked_at": text_looked_at,
            },
            result_url=reverse("datasets:dataset", args=[dataset.pk]),
        )
    except BaseException:
        wanted_series.forget(list_id)
        raise


def _refuse_unfit(wanted: Sequence[Wanted]) -> None:
    if not wanted:
        raise DomainError(gettext("Choose at least one series."))
    if len(wanted) > MOST_SERIES:
        raise DomainError(
            gettext("%(wanted)s series are too many for one job. Fetch at most %(most_series)s at once.")
            % {"wanted": len(wanted), "most_series": MOST_SERIES}
        )
    if not all(is_uid(one.study) and is_uid(one.series) for one in wanted):
        raise DomainError(
            gettext("A series is named by the identifiers of its study and of itself, as the archive tells them.")
        )


def request_sending(*, user: User, scans: Sequence[Scan], archive_name: str, masks: bool) -> Job:
    """Send scans as DICOM, synthetic ones marked as everywhere outside."""
    refuse_unless_may_use(user)
    refuse_unfit(user, scans)
    archive = archive_called(archive_name)
    named = scans[0].name if len(scans) == 1 else f"{len(scans)} scans"
    return jobs.enqueue(
        kind=SENDING_KIND,
        title=f"Send {named} to {archive.name}",
        owner=user,
        payload={"archive": archive.name, "scans": [str(scan.pk) for scan in scans], "masks": masks, "owner": user.pk},
    )


def refuse_retrievals(payloads: Sequence[dict[str, Any]]) -> list[str]:
    """Why an ended retrieval can't be tried again as it was ordered."""
    return ["" if wanted_series.is_kept(payload["wanted"]) else wanted_series.GONE for payload in payloads]
