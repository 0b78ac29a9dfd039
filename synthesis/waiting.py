"""What waits for a person in lesion synthesis: results to judge, and orders that failed."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from ctplatform.accounts.models import User
from ctplatform.jobs.models import JobStatus
from ctplatform.waiting import Waiting
from synthesis.models import EditOrder

FAILURES_SHOWN_FOR = timedelta(days=7)


def waiting_for(user: User) -> list[Waiting]:
    return [*_to_review(user), *_failed(user)]


def _to_review(user: User) -> list[Waiting]:
    count = EditOrder.objects.visible_to(user).to_review().count()
    if not count:
        return []
    what = ngettext("%(count)s edit to review", "%(count)s edits to review", count) % {"count": count}
    why = gettext("Only accepted edits become cases of a study.")
    return [Waiting(what=what, url=reverse("synthesis:gallery"), why=why)]


def _failed(user: User) -> list[Waiting]:
    since = timezone.now() - FAILURES_SHOWN_FOR
    failed = EditOrder.objects.filter(ordered_by=user, job__status=JobStatus.FAILED, job__finished_at__gte=since)
    count = failed.count()
    if not count:
        return []
    what = ngettext(
        "%(count)s edit failed in the last %(days)s days", "%(count)s edits failed in the last %(days)s days", count
    ) % {"count": count, "days": FAILURES_SHOWN_FOR.days}
    why = gettext("Each says why, and can be ordered again with another seed.")
    url = f"{reverse('synthesis:jobs')}?status={JobStatus.FAILED}"
    return [Waiting(what=what, url=url, why=why)]
