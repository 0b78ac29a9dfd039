"""What may be seen of a running study: counts and times, never an answer next to a truth."""

from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.db.models import Count, Max

from readerstudy.models import Presentation, RatingEvent, Study, StudyRater


@dataclass(frozen=True, kw_only=True)
class RaterProgress:
    rater: StudyRater
    done: int
    total: int
    revised: int
    last_rating_at: datetime | None
    median_seconds: float | None

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0

    @property
    def minutes_left(self) -> int | None:
        """Honest: from this person's own pace, nothing before the first answer."""
        if self.median_seconds is None:
            return None
        return round((self.total - self.done) * self.median_seconds / 60)


def progress_of(study: Study) -> list[RaterProgress]:
    totals = dict(
        Presentation.objects.filter(session__rater__study=study)
        .values("session__rater")
        .annotate(total=Count("pk"))
        .values_list("session__rater", "total")
    )
    last = dict(
        RatingEvent.objects.filter(study=study)
        .values("presentation__session__rater")
        .annotate(last=Max("received_at"))
        .values_list("presentation__session__rater", "last")
    )
    seconds: dict[int, list[float]] = {}
    revised: dict[int, int] = {}
    events = RatingEvent.objects.filter(study=study)
    for rater, supersedes, reading_ms, load_ms in events.values_list(
        "presentation__session__rater", "supersedes", "reading_ms", "load_ms"
    ):
        seconds.setdefault(rater, []).append((reading_ms + load_ms) / 1000)
        revised[rater] = revised.get(rater, 0) + (supersedes is not None)
    return [
        RaterProgress(
            rater=rater,
            done=len(seconds.get(rater.pk, [])) - revised.get(rater.pk, 0),
            total=totals.get(rater.pk, 0),
            revised=revised.get(rater.pk, 0),
            last_rating_at=last.get(rater.pk),
            median_seconds=median(seconds[rater.pk]) if rater.pk in seconds else None,
        )
        for rater in study.raters.select_related("user", "excluded_by")
    ]
