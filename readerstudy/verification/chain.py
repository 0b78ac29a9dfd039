"""The ledger hangs together from the protocol's digest to its head."""

from readerstudy.ledger.chain import event_digest
from readerstudy.models import RatingEvent, Study
from readerstudy.verification.outcome import Verification


def verify_events(outcome: Verification) -> None:
    """Answers may arrive meanwhile: whenever the head says that there are more, they are gone through as well."""
    study = Study.objects.only("protocol_digest").get(pk=outcome.study.pk)
    last = study.protocol_digest
    while True:
        before = outcome.events
        found = _follow(outcome, last)
        if found is None:
            return
        last = found
        # Read after the entries: it was never behind them, for both are written at once.
        study.refresh_from_db(fields=["ledger_count", "ledger_head"])
        if outcome.events == before or outcome.events >= study.ledger_count:
            break
    if outcome.events != study.ledger_count:
        outcome.problems.append(
            f"the ledger ends with entry {outcome.events}, but {study.ledger_count} were acknowledged"
        )
    elif study.ledger_head != (last if outcome.events else ""):
        outcome.problems.append("the head of the ledger is not its last entry")


def _follow(outcome: Verification, previous: str) -> str | None:
    """The digest of the last entry there is, from the entries on that were gone through; None where one is missing."""
    events = (
        RatingEvent.objects.filter(study=outcome.study, sequence__gt=outcome.events)
        .select_related("presentation", "supersedes")
        .order_by("sequence")
        .iterator(chunk_size=1000)
    )
    for event in events:
        expected = outcome.events + 1
        outcome.events = expected
        if event.sequence != expected:
            outcome.problems.append(f"entry {expected} is missing: after it comes entry {event.sequence}")
            return None
        if event.previous_digest != previous:
            outcome.problems.append(f"entry {expected} does not continue the chain")
        if event_digest(event) != event.digest:
            outcome.problems.append(f"entry {expected} was changed after it was written")
        previous = event.digest
    return previous
