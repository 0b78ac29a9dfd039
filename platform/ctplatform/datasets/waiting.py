"""What waits for a person in datasets: imports that failed, and synthetic scans of other programs to judge."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Made, Provenance, Scan, Verdict
from ctplatform.datasets.services import IMPORT_KIND
from ctplatform.jobs.models import Job, JobStatus
from ctplatform.waiting import Waiting

FAILURES_SHOWN_FOR = timedelta(days=7)


def waiting_for(user: User) -> list[Waiting]:
    return [*_failed_imports(user), *_imported_to_review(user)]


def _failed_imports(user: User) -> list[Waiting]:
    since = timezone.now() - FAILURES_SHOWN_FOR
    failed = Job.objects.filter(owner=user, kind=IMPORT_KIND, status=JobStatus.FAILED, finished_at__gte=since)
    count = failed.count()
    if not count:
        return []
    url = f"{reverse('jobs:jobs')}?status={JobStatus.FAILED}&kind={IMPORT_KIND}"
    what = ngettext(
        "%(count)s import failed in the last %(days)s days", "%(count)s imports failed in the last %(days)s days", count
    ) % {"count": count, "days": FAILURES_SHOWN_FOR.days}
    why = gettext("Nothing of a failed import is stored; the job says what to change.")
    return [Waiting(what=what, url=url, why=why)]


def _imported_to_review(user: User) -> list[Waiting]:
    pending = Provenance.objects.filter(
        made=Made.ELSEWHERE, verdict=Verdict.PENDING, scan__in=Scan.objects.visible_to(user)
    )
    count = pending.count()
    if not count:
        return []
    first = pending.order_by("scan__created_at", "pk").values_list("pk", flat=True)[0]
    what = ngettext(
        "%(count)s imported synthetic scan to review", "%(count)s imported synthetic scans to review", count
    ) % {"count": count}
    why = gettext("Scans of other programs become cases of a study once somebody has accepted them.")
    return [Waiting(what=what, url=reverse("datasets:scan", args=[first]), why=why)]
