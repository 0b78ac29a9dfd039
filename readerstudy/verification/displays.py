"""The checks of the raters' displays are those that were taken: each stands in the record, all at the closing."""

from collections.abc import Sequence

from readerstudy.digests import digest_of
from readerstudy.models import AuditEntry, DisplayCheck, Study, StudyState
from readerstudy.verification.outcome import Verification

# What an entry of the opening says since checks are written into the record.
RECORDED = "in the record"
CHECKED = "display checked"


def display_checks_digest(study: Study) -> str:
    """Of every check, as the closing writes it into the record."""
    checks = DisplayCheck.objects.filter(session__rater__study=study).order_by("session__rater__number", "at", "pk")
    return digest_of([list(check) for check in checks.values_list(*_DIGESTED)])


def display_check_digest(check: DisplayCheck) -> str:
    """Of one, as it is written into the record when it is taken."""
    (values,) = DisplayCheck.objects.filter(pk=check.pk).values_list(*_DIGESTED)
    return digest_of(list(values))


_DIGESTED = ("session__rater__number", "session__number", "at", "passed", "steps", "screen")


def verify_display_checks(outcome: Verification, entries: Sequence[AuditEntry]) -> None:
    """The report prints them, and one that was passed lets answers in. Entries of before hold no digest of theirs."""
    if any(entry.details.get("display_checks") == RECORDED for entry in entries):
        checks = DisplayCheck.objects.filter(session__rater__study=outcome.study).values_list(*_DIGESTED)
        taken = sorted(entry.details["digest"] for entry in entries if entry.action == CHECKED)
        if sorted(digest_of(list(check)) for check in checks) != taken:
            outcome.problems.append("the checks of the raters' displays differ from those in the record")
    closings = [entry for entry in entries if entry.action == "closed"]
    if not closings or outcome.study.stage not in {StudyState.CLOSED, StudyState.UNBLINDED}:
        return
    digest = closings[-1].details.get("display_checks_digest")
    if digest not in (None, display_checks_digest(outcome.study)):
        outcome.problems.append("the checks of the raters' displays differ from those at the closing")
