"""Where a case lies among all that its picture shows: other lesions beside it, and its place in the liver.

None of it is in the pixels that a browser measures by itself, and a reader sees all of it. The draw makes the kinds
alike in it as far as it can; here it is judged as whatever else raters can see.
"""

from collections.abc import Sequence

import numpy as np

from readerstudy.blinding.observables import Observable, number_observable
from readerstudy.design.candidate import Candidate
from readerstudy.design.likeness import MEASURES, Measure

OTHERS, IN_LIVER = "other lesions in the picture", "place in the liver"

_JUDGED = {
    OTHERS: ("others", "other_distance_mm"),
    IN_LIVER: ("depth_mm", "liver_left", "liver_back", "liver_head"),
}


def anatomy_observables(cases: Sequence[Candidate]) -> list[Observable]:
    """In the order of the cases. Without a measured place nothing is judged, and the list says so."""
    measures = {measure.name: measure for measure in MEASURES}
    placed = [_of_measure(measures[name], cases, family=family) for family, names in _JUDGED.items() for name in names]
    return [*placed, *_segments(cases)]


def _of_measure(measure: Measure, cases: Sequence[Candidate], *, family: str) -> Observable:
    """In steps of what can be told apart by eye; a case of which it is not known stands in the middle of the others."""
    values = np.array([measure.value(case) for case in cases], dtype=np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return Observable(name=measure.words, sort="content", values=["not measured"] * len(cases), family=family)
    steps = np.rint(values / measure.unseen) * measure.unseen if measure.unseen else values
    told = np.where(known, steps, np.median(steps[known]))
    return number_observable(measure.words, told.tolist(), family=family, spread=False)


def _segments(cases: Sequence[Candidate]) -> list[Observable]:
    """One observable per segment: they have no order."""
    held = [case.segment for case in cases]
    return [
        number_observable(
            f"in liver segment {segment} by position",
            [other == segment for other in held],
            family=IN_LIVER,
            spread=False,
        )
        for segment in sorted({segment for segment in held if segment is not None})
    ]
