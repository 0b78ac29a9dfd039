"""Both chains still hold every entry that was noted outside of the database."""

from readerstudy.anchors import anchors_of
from readerstudy.models import AuditEntry, RatingEvent
from readerstudy.verification.outcome import Verification


def verify_anchors(outcome: Verification) -> None:
    study = outcome.study
    try:
        anchors = anchors_of(str(study.pk))
    except (OSError, ValueError, KeyError) as error:
        outcome.problems.append(f"the file of anchors can't be read: {error}")
        return
    record = AuditEntry.objects.filter(study=study).order_by("id").values_list("digest", flat=True)
    chains = {
        "ledger": dict(RatingEvent.objects.filter(study=study).values_list("sequence", "digest")),
        "record": dict(enumerate(record, start=1)),
    }
    for chain, entries in chains.items():
        noted = [anchor for anchor in anchors or [] if anchor.chain == chain]
        differing = [anchor.number for anchor in noted if entries.get(anchor.number) != anchor.digest]
        if differing:
            since = f"{len(differing)} entries from entry {min(differing)} on"
            outcome.problems.append(f"the {chain} differs from what was anchored of it: {since}")
