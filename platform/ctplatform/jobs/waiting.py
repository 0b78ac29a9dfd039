"""What a waiting job waits for: so many jobs of its queue, and about how long they take."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.formats import localize
from django.utils.translation import gettext, ngettext

from ctplatform.accounts.models import User
from ctplatform.jobs.models import Job, JobQuerySet, JobStatus

LATEST_ENDED = 30


@dataclass(frozen=True)
class Place:
    ahead: int
    # Titles say what others work at, so only those that the person may see are told.
    running: list[str]
    running_of_others: int
    seconds_each: float | None

    def sentence(self) -> str:
        parts = []
        if self.running:
            parts.append(gettext("At work: %(titles)s.") % {"titles": "; ".join(self.running)})
        elif self.running_of_others:
            parts.append(gettext("A job of somebody else is at work."))
        if self.ahead:
            said = ngettext("%(count)s more is ahead of it.", "%(count)s more are ahead of it.", self.ahead)
            parts.append(said % {"count": self.ahead})
        busy = self.ahead + len(self.running) + self.running_of_others
        if not busy:
            return gettext("It is the next one. If nothing happens for a minute, no worker runs.")
        if self.seconds_each is not None:
            duration = duration_words(busy * self.seconds_each)
            parts.append(gettext("It begins in about %(duration)s, as such jobs took lately.") % {"duration": duration})
        return " ".join(parts)


def duration_words(seconds: float) -> str:
    if seconds < 10:
        return f"{localize(Decimal(f'{max(0.1, seconds):.2g}'))} s"
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return gettext("%(minutes)s minutes") % {"minutes": minutes}
    return gettext("%(hours)s hours") % {"hours": round(minutes / 60)}


def place_of(job: Job, user: User) -> Place:
    """With as many queries for a long queue as for a short one."""
    others = Job.objects.filter(queue=job.queue).exclude(pk=job.pk)
    running = others.filter(status=JobStatus.RUNNING)
    visible = list(
        Job.objects.visible_to(user).filter(pk__in=running).order_by("started_at").values_list("title", flat=True)
    )
    return Place(
        ahead=others.filter(status=JobStatus.QUEUED, created_at__lt=job.created_at).count(),
        running=visible,
        running_of_others=running.count() - len(visible),
        seconds_each=seconds_each(Job.objects.filter(queue=job.queue)),
    )


def seconds_each(jobs: JobQuerySet) -> float | None:
    """The median of those that ended lately."""
    ended = jobs.filter(status=JobStatus.SUCCEEDED).order_by("-finished_at")
    spans = [
        (finished - started).total_seconds()
        for started, finished in ended.values_list("started_at", "finished_at")[:LATEST_ENDED]
        if started is not None and finished is not None
    ]
    return median(spans) if spans else None


def fetch_ahead(jobs: Iterable[Job]) -> None:
    """Set `ahead`, the number of jobs before each waiting one of a list."""
    waiting = {job.pk: job for job in jobs if job.status == JobStatus.QUEUED}
    if not waiting:
        return
    earlier = Job.objects.filter(
        status=JobStatus.QUEUED, queue=OuterRef("queue"), created_at__lt=OuterRef("created_at")
    )
    counted = earlier.order_by().values("queue").annotate(count=Count("pk")).values("count")
    places = Job.objects.filter(pk__in=waiting).annotate(
        ahead=Coalesce(Subquery(counted, output_field=IntegerField()), 0)
    )
    for pk, ahead in places.values_list("pk", "ahead"):
        waiting[pk].ahead = ahead  # type: ignore[attr-defined]
