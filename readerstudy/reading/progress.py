"""What may be seen of a running study: counts and times, never an answer next to a truth."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.db.models import BigIntegerField, Count, F, Max
from django.db.models.functions import Cast

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


# Two of them together may be more than their columns hold: PostgreSQL would refuse to add them.
MILLISECONDS = Cast("reading_ms", BigIntegerField()) + F("load_ms")


def progress_of(study: Study) -> list[RaterProgress]:
    totals = dict(
        Presentation.objects.filter(session__rater__study=study, side=0)
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
    given: dict[int, int] = {}
    revised: dict[int, int] = {}
    by_seconds: dict[int, Counter[float]] = {}
    for rater, tenths, answers, changes in (
        RatingEvent.objects.filter(study=study)
        .values("presentation__session__rater", tenths=(MILLISECONDS + 50) / 100)
        .annotate(answers=Count("pk"), changes=Count("supersedes"))
        .values_list("presentation__session__rater", "tenths", "answers", "changes")
    ):
        given[rater] = given.get(rater, 0) + answers
        revised[rater] = revised.get(rater, 0) + changes
        by_seconds.setdefault(rater, Counter())[tenths / 10] += answers
    return [
        RaterProgress(
            rater=rater,
            done=given.get(rater.pk, 0) - revised.get(rater.pk, 0),
            total=totals.get(rater.pk, 0),
            revised=revised.get(rater.pk, 0),
            last_rating_at=last.get(rater.pk),
            median_seconds=_median(by_seconds[rater.pk]) if rater.pk in by_seconds else None,
        )
        for rater in study.raters.select_related("user__program", "excluded_by")
    ]


def _median(seconds: Counter[float]) -> float:
    """To a tenth of a second: the database counts how often each came, whatever the number of answers."""
    return median(sorted(seconds.elements()))
