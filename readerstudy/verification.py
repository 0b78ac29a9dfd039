"""Proof that nothing in a study was changed, lost or added behind the ledger's back."""

import hashlib
from dataclasses import dataclass, field

from django.core.files.storage import default_storage

from readerstudy.design.cases import truths_of
from readerstudy.digests import digest_of
from readerstudy.ledger.chain import event_digest
from readerstudy.locking.orders import redrawn_orders
from readerstudy.locking.protocol import truth_table
from readerstudy.models import Presentation, RatingEvent, Stimulus, Study


@dataclass
class Verification:
    study: Study
    events: int = 0
    stimuli: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.problems


def verify(study: Study, *, with_stimuli: bool = True) -> Verification:
    outcome = Verification(study=study)
    if study.is_draft:
        return outcome
    if digest_of(study.protocol) != study.protocol_digest:
        outcome.problems.append("the protocol differs from what was locked")
        return outcome
    _verify_events(outcome)
    _verify_seal(outcome)
    if with_stimuli:
        _verify_stimuli(outcome)
    return outcome


def _verify_events(outcome: Verification) -> None:
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
    if outcome.events != study.ledger_count or (study.ledger_head and previous != study.ledger_head):
        outcome.problems.append(
            f"the ledger ends with entry {outcome.events}, but {study.ledger_count} were acknowledged"
        )


def _verify_seal(outcome: Verification) -> None:
    """Truth, pixels and orders are the ones whose digests were published at the lock."""
    study = outcome.study
    sealed, salt = study.protocol["sealed"], study.seal.salt
    truths = truths_of(study)
    if digest_of([salt, truth_table(truths)]) != sealed["truth_digest"]:
        outcome.problems.append("the sealed truth differs from what was locked")
        return
    stimuli = Stimulus.objects.filter(case__study=study).values_list("case", "digest")
    if digest_of([salt, {str(case): digest for case, digest in stimuli}]) != sealed["stimuli_digest"]:
        outcome.problems.append("the digests of the stimuli differ from what was locked")
    stored: dict[int, list[str]] = {}
    slots = Presentation.objects.filter(session__rater__study=study).order_by("session__rater__number", "position")
    for number, case in slots.values_list("session__rater__number", "stimulus__case"):
        stored.setdefault(number, []).append(str(case))
    if redrawn_orders(study, truths, rater_numbers=list(stored)) != stored:
        outcome.problems.append("the stored orders differ from what seed and protocol give")


def _verify_stimuli(outcome: Verification) -> None:
    for stimulus in Stimulus.objects.filter(case__study=outcome.study).order_by("key"):
        outcome.stimuli += 1
        if stored_digest(stimulus) != stimulus.digest:
            outcome.problems.append(f"the pixels of stimulus {stimulus.key} differ from what was locked")


def stored_digest(stimulus: Stimulus) -> str:
    digest = hashlib.sha256()
    for index in range(stimulus.size_zyx[0]):
        try:
            with default_storage.open(stimulus.slice_key(index), "rb") as file:
                digest.update(file.read())
        except FileNotFoundError:
            return "missing"
    return digest.hexdigest()
