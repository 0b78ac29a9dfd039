"""Which truths raters were told is what the record says, and each was told of an answer that stands."""

from collections.abc import Sequence

from readerstudy.models import AuditEntry, RatingEvent, TruthTold
from readerstudy.verification.outcome import SAME_MOMENT, Verification

TOLD = "truth told"


def verify_told(outcome: Verification, entries: Sequence[AuditEntry]) -> None:
    recorded = {
        sequence: (entry.details["rater"], entry.at)
        for entry in entries
        if entry.action == TOLD
        for sequence in entry.details["entries"]
    }
    rows = TruthTold.objects.filter(event__study=outcome.study).select_related("event__presentation__session__rater")
    told = {row.event.sequence: row for row in rows}
    if told.keys() != recorded.keys():
        outcome.problems.append("of which answers raters were told the truth differs from the record")
    for sequence in sorted(told.keys() & recorded.keys()):
        row, (number, at) = told[sequence], recorded[sequence]
        if row.event.presentation.session.rater.number != number or abs(row.at - at) >= SAME_MOMENT:
            outcome.problems.append(f"when or whom the truth of entry {sequence} was told differs from the record")
    changed = RatingEvent.objects.filter(study=outcome.study, supersedes__told__isnull=False)
    if changed.exists():
        outcome.problems.append(f"{changed.count()} answers were changed after their raters were told the truth")
