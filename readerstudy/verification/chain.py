"""The ledger hangs together from the protocol's digest to its head."""

from readerstudy.ledger.chain import event_digest
from readerstudy.models import RatingEvent
from readerstudy.verification.outcome import Verification


def verify_events(outcome: Verification) -> None:
    study = outcome.study
    events = (
        RatingEvent.objects.filter(study=study)
        .select_related("presentation", "supersedes")
        .order_by("sequence")
        .iterator(chunk_size=1000)
    )
    previous = study.protocol_digest
    for expected, event in enumerate(events, start=1):
        outcome.events += 1
        if event.sequence != expected:
            outcome.problems.append(f"entry {expected} is missing: after it comes entry {event.sequence}")
            return
        if event.previous_digest != previous:
            outcome.problems.append(f"entry {expected} does not continue the chain")
        if event_digest(event) != event.digest:
            outcome.problems.append(f"entry {expected} was changed after it was written")
        previous = event.digest
    if outcome.events != study.ledger_count:
        outcome.problems.append(
            f"the ledger ends with entry {outcome.events}, but {study.ledger_count} were acknowledged"
        )
    elif study.ledger_head != (previous if outcome.events else ""):
        outcome.problems.append("the head of the ledger is not its last entry")
