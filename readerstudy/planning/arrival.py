"""What is done with answers that arrive late, out of order or with impossible clocks: frozen at the lock.

An answer is refused only where it can't be placed. What is merely unusual is taken and flagged: a rater does not lose
an answer to a wrong clock, and whoever analyses the study sees which answers to look at.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from readerstudy.models import Study

# Nobody sees a picture, decides and presses a key in less.
FASTEST_READING_MS = 500


@dataclass(frozen=True, kw_only=True)
class ArrivalPolicy:
    grace_hours: int
    """An answer given before the closing (or the exclusion) counts when it arrives within so many hours after it."""
    clock_tolerance_s: int = 120
    """Clocks that differ by more are flagged, as are answers from before they were possible or from the future."""
    late_revision_minutes: int = 60
    """A change of an answer after a longer time is flagged."""
    fastest_reading_ms: int | None = None
    """An answer after less looking is flagged. Studies that were locked before there was such a rule have none."""
    one_at_a_time: bool = False
    """A case that was on the screen before the answer before it was given is flagged: somebody hurried through."""

    @property
    def grace(self) -> timedelta:
        return timedelta(hours=self.grace_hours)


# Studies that were locked before there was such a rule take nothing after the closing.
WITHOUT_GRACE = ArrivalPolicy(grace_hours=0)


def frozen_policy(study: Study) -> dict[str, Any]:
    """What the lock writes into the protocol."""
    policy = ArrivalPolicy(grace_hours=study.grace_hours, fastest_reading_ms=FASTEST_READING_MS, one_at_a_time=True)
    return asdict(policy)


def arrival_policy(study: Study) -> ArrivalPolicy:
    frozen = study.frozen.get("arrival")
    return ArrivalPolicy(**frozen) if frozen else WITHOUT_GRACE


def grace_ends_at(study: Study) -> datetime | None:
    """Until when answers from before the closing are taken; None while the study is open, or without grace."""
    policy = arrival_policy(study)
    return study.closed_at + policy.grace if study.closed_at and policy.grace_hours else None
