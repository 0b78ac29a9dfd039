"""The checks of the raters' displays are those that there were at the closing."""

from collections.abc import Sequence

from readerstudy.digests import digest_of
from readerstudy.models import AuditEntry, DisplayCheck, Study, StudyState
from readerstudy.verification.outcome import Verification


def display_checks_digest(study: Study) -> str:
    """Of every check, as the closing writes it into the record."""
    checks = DisplayCheck.objects.filter(session__rater__study=study).order_by("session__rater__number", "at", "pk")
    return digest_of([list(check) for check in checks.values_list(*_DIGESTED)])


_DIGESTED = ("session__rater__number", "session__number", "at", "passed", "steps", "screen")


def verify_display_checks(outcome: Verification, entries: Sequence[AuditEntry]) -> None:
    """The report prints them. Closings of before hold no digest of theirs."""
    closings = [entry for entry in entries if entry.action == "closed"]
    if not closings or outcome.study.stage not in {StudyState.CLOSED, StudyState.UNBLINDED}:
        return
    digest = closings[-1].details.get("display_checks_digest")
    if digest not in (None, display_checks_digest(outcome.study)):
        outcome.problems.append("the checks of the raters' displays differ from those at the closing")
