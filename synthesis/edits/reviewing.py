"""Verdicts on several edits at once, and the reasons that come up again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Scan
from ctplatform.errors import DomainError
from ml.editing.spec import GHOST_SEEN
from synthesis.edits.services import review
from synthesis.models import EditOrder

# One key each in the review; whoever means something else writes it.
USUAL_REASONS = {
    "E": "Its edge is visible",
    "T": "Its texture does not fit",
    "F": "Its form is not a lesion's",
    "L": "Its location is unlikely",
    "D": "Too dim to be seen",
}

GHOSTS = {
    "ghost_disc_noise": "its whole place is darker or brighter than the liver around",
    "ghost_rim_noise": "a rim is left at its edge",
    "ghost_speckle_noise": "its place is more speckled than the liver around",
}


def warning_of_ghosts(scan: Scan) -> str:
    """What of a removed lesion is likely to be seen; empty where nothing is, or where it was not measured."""
    measured = scan.provenance.measured if hasattr(scan, "provenance") else {}
    seen = [words for name, words in GHOSTS.items() if abs(measured.get(name, 0.0)) >= GHOST_SEEN[name]]
    if not seen:
        return ""
    return f"The removal left a ghost of the lesion: {' and '.join(seen)}. Look closely before you accept it."


@dataclass
class Reviewed:
    """What came of a decision about several results: each stands or falls by itself."""

    decided: list[EditOrder] = field(default_factory=list)
    refused: list[tuple[EditOrder, str]] = field(default_factory=list)


def review_together(
    *, chosen: Sequence[EditOrder], reviewer: User, accept: bool, reason: str, seen: Mapping[UUID, str]
) -> Reviewed:
    """Of edits of one scan the first is accepted first, and the last is rejected first: each builds on those before."""
    outcome = Reviewed()
    for order in sorted(chosen, key=lambda order: order.ordered_at, reverse=not accept):
        try:
            review(synthesis=order, reviewer=reviewer, accept=accept, reason=reason, seen=seen.get(order.pk, ""))
            outcome.decided.append(order)
        except DomainError as error:
            outcome.refused.append((order, error.message))
    return outcome
