"""Several lesions of one scan: a chain of edits, each of the result of the one before, with a row of its own each.

The order carries what follows; its successor is written in the transaction that stores its result.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from ctplatform.datasets.models import Lesion, Operation, Scan
from ctplatform.errors import DomainError
from ml.editing.spec import LesionSpec
from synthesis.edits import rows
from synthesis.models import EditOrder

MOST_IN_ONE_SCAN = 10


@dataclass(frozen=True)
class Insertion:
    """A lesion and where it goes."""

    centre_lps_mm: Sequence[float]
    spec: LesionSpec

    def as_dict(self) -> dict[str, Any]:
        return {"centre_lps_mm": [float(c) for c in self.centre_lps_mm], **asdict(self.spec)}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> "Insertion":
        spec = {name: value for name, value in told.items() if name != "centre_lps_mm"}
        return cls(told["centre_lps_mm"], LesionSpec(**spec))


def refuse_crowding(insertions: Sequence[Insertion]) -> None:
    """Two lesions in one place would be one, and neither the size that was asked for."""
    _refuse_too_many(insertions)
    for one, other in combinations(insertions, 2):
        apart = math.dist(one.centre_lps_mm, other.centre_lps_mm)
        needed = (one.spec.diameter_mm + other.spec.diameter_mm) / 2
        if apart < needed:
            raise DomainError(
                f"Two of the places lie {apart:.0f} mm apart, and their lesions need {needed:.0f} mm. Choose them "
                "further from each other."
            )


def refuse_mixed(lesions: Sequence[Lesion]) -> None:
    _refuse_too_many(lesions)
    if len({lesion.scan_id for lesion in lesions}) > 1:
        raise DomainError("The lesions are of several scans. Order the removals of each scan by themselves.")
    if len({lesion.number for lesion in lesions}) < len(lesions):
        raise DomainError("A lesion is named twice.")


def _refuse_too_many(edits: Sequence[object]) -> None:
    if len(edits) > MOST_IN_ONE_SCAN:
        raise DomainError(f"{MOST_IN_ONE_SCAN} lesions are the most that one order changes in a scan.")


def insertions_after(insertions: Sequence[Insertion]) -> list[dict[str, Any]]:
    return [insertion.as_dict() for insertion in insertions]


def removals_after(lesions: Sequence[Lesion]) -> list[dict[str, Any]]:
    """By their numbers, which an edited scan keeps."""
    return [{"number": lesion.number} for lesion in lesions]


def order_following(*, order: EditOrder, result: Scan) -> EditOrder | None:
    """The next edit of the chain, of what the last one made; none at its end.

    It was checked with the whole chain; a lesion that went with an earlier one needs no removal any more.
    """
    common: dict[str, Any] = {"ordered_by": order.ordered_by, "generator": order.generator, "batch": order.batch}
    for index, told in enumerate(order.then):
        then = order.then[index + 1 :]
        if order.operation == Operation.INSERT:
            insertion = Insertion.from_dict(told)
            return rows.write_insertion(
                scan=result, centre_lps_mm=insertion.centre_lps_mm, spec=insertion.spec, then=then, **common
            )
        lesion = result.lesions.filter(number=told["number"]).first()
        if lesion is not None:
            return rows.write_removal(lesion=lesion, seed=order.seed, then=then, **common)
    return None
