"""What happened around a study that nobody planned and that a reader of its result should know: one sentence each."""

from datetime import timedelta

from ctplatform.accounts.models import AccountEvent, AccountEventKind, Invitation, User
from readerstudy.models import AuditEntry, StudyRater
from readerstudy.unblinding.opened import StudyLedger
from readerstudy.unblinding.restored import RESTORED

REOPENED = "opened again"


def course_words(ledger: StudyLedger) -> list[str]:
    return [
        *_repeated(ledger),
        *_reopened(ledger),
        *_restored(ledger),
        *_told_at_the_closing(ledger),
        *_confirmed_by_an_invited_one(ledger),
    ]


def _repeated(ledger: StudyLedger) -> list[str]:
    """Studies that were locked before this was counted tell nothing."""
    cases = ledger.study.protocol["cases"]
    counted = cases.get("repeated", {"known_cases": 0, "earlier_readers": 0})
    known, readers = counted["known_cases"], counted["earlier_readers"]
    words = []
    if known:
        words.append(f"{known} of the {cases['count']} cases were cases of a study that was unblinded before the lock.")
    if readers:
        words.append(f"{readers} of the raters had cases of this study to read in another one that was locked before.")
    return words


def _reopened(ledger: StudyLedger) -> list[str]:
    entries = [entry for entry in ledger.record if entry.action == REOPENED]
    return [
        f"The study was closed and, on {entry.at:%Y-%m-%d}, opened for reading again: {entry.details['reason']}"
        for entry in entries
    ]


def _restored(ledger: StudyLedger) -> list[str]:
    return [
        f"On {entry.at:%Y-%m-%d} the study was put back from a backup that ends at {entry.details['until']}, with "
        f"{entry.details['entries']} answers: what was answered or done after that is missing here, an unblinding too."
        for entry in ledger.record
        if entry.action == RESTORED
    ]


def _told_at_the_closing(ledger: StudyLedger) -> list[str]:
    """From the record, which is a chain; closings of before hold nothing of it."""
    closed = _last(ledger, "closed")
    told = None if closed is None else closed.details.get("other_keys")
    return other_keys(ledger) if told is None else list(told)


# The password that was chosen by a link opens the account for as long as its owner keeps it.
LINKS_REMEMBERED = timedelta(days=365)


def other_keys(ledger: StudyLedger) -> list[str]:
    """What opened a rater's account to somebody else. Links that went to its own address were made by nobody.

    The record of accounts is no chain: what it says at the closing is written into the study's record.
    """
    study = ledger.study
    if study.locked_at is None or study.closed_at is None:
        return []
    since = study.locked_at - LINKS_REMEMBERED
    raters = {rater.user_id: rater for rater in ledger.raters}
    made = AccountEvent.objects.filter(
        kind__in=[AccountEventKind.RESET_LINK_MADE, AccountEventKind.TOKEN_MADE],
        subject__in=raters,
        actor__isnull=False,
        at__range=(since, study.closed_at),
    )
    return [
        _opened_by(event, raters[event.subject_id])
        for event in made.select_related("actor").order_by("pk")
        # The key of a program is given to whoever runs it; another one after the lock is not.
        if event.kind == AccountEventKind.RESET_LINK_MADE or event.at > study.locked_at
    ]


def _opened_by(event: AccountEvent, rater: StudyRater) -> str:
    if event.kind == AccountEventKind.TOKEN_MADE:
        return (
            f"{event.actor} gave {rater.name} another key on {event.at:%Y-%m-%d}, while it read: whoever has the key "
            "answers in its name."
        )
    return (
        f"{event.actor} made a link for a new password of rater {rater.number} on {event.at:%Y-%m-%d}: "
        "whoever has such a link can read as that rater."
    )


def _confirmed_by_an_invited_one(ledger: StudyLedger) -> list[str]:
    """Whoever makes a link of an invitation can use it. Unblindings of before don't say who was invited."""
    asked, unblinded = (_last(ledger, action) for action in ("unblinding asked", "unblinded"))
    if asked is None or unblinded is None or "asked_by" not in unblinded.details:
        return []
    told = unblinded.details.get("invited_by_the_first")
    if not (was_invited(unblinded.actor, by=asked.actor) if told is None else told):
        return []
    who = f"confirmed by {unblinded.actor}, whose account {asked.actor} invited"
    return [f"The unblinding, which {asked.actor} asked for, was {who}."]


def was_invited(person: User | None, *, by: User | None) -> bool:
    return Invitation.objects.filter(invited_by=by, accepted_by=person).exists()


def _last(ledger: StudyLedger, action: str) -> AuditEntry | None:
    return next((entry for entry in reversed(ledger.record) if entry.action == action), None)
