from collections.abc import Callable

from django.core.exceptions import ObjectDoesNotExist

from ctplatform.errors import DomainError
from readerstudy.digests import digest_of
from readerstudy.models import Study
from readerstudy.verification.anchored import verify_anchors
from readerstudy.verification.chain import verify_events
from readerstudy.verification.frozen import verify_columns, verify_positions, verify_raters, verify_sealed
from readerstudy.verification.history import verify_history
from readerstudy.verification.outcome import Verification
from readerstudy.verification.pixels import verify_stimuli

# What a value that no version of the product has written makes of a comparison.
UNREADABLE = (ArithmeticError, AttributeError, DomainError, LookupError, ObjectDoesNotExist, TypeError, ValueError)
FROZEN = (verify_columns, verify_raters, verify_positions, verify_sealed)


def verify(study: Study, *, with_stimuli: bool = True) -> Verification:
    """Compare every row of a study with what was frozen, recorded and anchored; `with_stimuli` reads all pixels too."""
    outcome = Verification(study=Study.objects.get(pk=study.pk))
    _go_through(outcome, verify_history, verify_anchors)
    # A draft has nothing that is frozen; that it never was locked says the record.
    if outcome.study.is_draft:
        return outcome
    _go_through(outcome, verify_events)
    if digest_of(outcome.study.protocol) != outcome.study.protocol_digest:
        outcome.problems.append("the protocol differs from what was locked")
    _go_through(outcome, *FROZEN, *([verify_stimuli] if with_stimuli else []))
    return outcome


def _go_through(outcome: Verification, *parts: Callable[[Verification], None]) -> None:
    """A study that was tampered with can still be closed and unblinded, so what can't be read is a finding."""
    for part in parts:
        try:
            part(outcome)
        except UNREADABLE as error:
            outcome.problems.append(f"a row, the protocol or the seal holds what no lock writes: {error!r}")
