"""Any number of marks per case (free response): the weighted AFROC curve, the area under it, and what chance gives.

A place is what was edited, a case may have several; real cases have none. What a reader says of a place is the highest
confidence among the marks within the accepted radius, of a real case the highest of all; 0 stands for no mark, which
is lower than any. Sources: Chakraborty & Berbaum, Med Phys 2004;31:2313; Chakraborty & Zhai, Acad Radiol 2016;23:1297
(the weights). Reference implementation: RJafroc 2.1.3, figures of merit AFROC and wAFROC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readerstudy.analysis.estimate import FloatArray, is_rated, mean_of_rated
from readerstudy.analysis.rater.auc import Placements

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class FreeResponses:
    """What readers marked with one radius.

    `truth` (cases,); `marks` (cases, readers, most marks): confidences, the highest first, 0 where there is none, all
    of them NaN without an answer. `found` (places, readers): the highest confidence of the marks within the radius of
    a place, 0 without one, NaN without an answer. `case_of` (places,) is the row of a place's case, `chances` (places,)
    the share of the searched region that lies within the radius. Every synthetic case has a place.
    """

    truth: FloatArray
    marks: FloatArray
    found: FloatArray
    case_of: IntArray
    chances: FloatArray

    @property
    def scores(self) -> FloatArray:
        """The highest confidence in each case (cases, readers): inferred ROC."""
        return np.asarray(self.marks.max(axis=2, initial=0.0))

    @property
    def weights(self) -> FloatArray:
        """Places of one case count as much as the one place of another: (places,), 1 for each case."""
        per_case = np.bincount(self.case_of, minlength=len(self.truth))
        return np.asarray(1 / per_case[self.case_of])


def weighted_afroc_placements(given: FreeResponses) -> Placements:
    """Placement values of the weighted AFROC area: for a synthetic case the weighted share of real cases whose highest
    mark lies below those of its places, for a real case that of the places above it. Ties count one half.
    """
    readers = range(given.found.shape[1])
    above = [_above(given.found[:, j], given.scores[given.truth == 0, j]) for j in readers]
    return _placed(given, above)


def found_by_chance(chances: FloatArray, *, marks: IntArray | int) -> FloatArray:
    """How likely a place is found by so many marks that were set without looking, at most.

    Marks that lie apart, as people set them, find a place more often than marks put independently of one another: the
    areas within their radius do not overlap, so that their chances add up.
    """
    return np.minimum(1.0, chances * marks)


def chance_placements(given: FreeResponses) -> Placements:
    """The same, expected of each reader's own marks on synthetic cases were they set apart without looking.

    No way to set them blindly has a larger expectation: the surest mark on a place is one of the i surest marks of the
    case with the probability that i marks find it (see `found_by_chance`) at most.
    """
    above = []
    for reader in range(given.found.shape[1]):
        marks = given.marks[given.case_of, reader]
        real = given.scores[given.truth == 0, reader]
        reached = found_by_chance(given.chances[:, None], marks=np.arange(marks.shape[1] + 1))
        expected = (1 - reached[:, -1:]) * _above(np.where(is_rated(given.found[:, reader]), 0.0, np.nan), real)
        for rank in range(marks.shape[1]):
            surest = reached[:, rank + 1, None] - reached[:, rank, None]
            expected = expected + surest * _above(marks[:, rank], real)
        above.append(expected)
    return _placed(given, above)


def afroc_areas(given: FreeResponses) -> FloatArray:
    """Area under the AFROC curve of each reader, in which every place counts alike whatever its case."""
    readers = range(given.found.shape[1])
    means = [_above(given.found[:, j], given.scores[given.truth == 0, j]) for j in readers]
    return np.array([np.nanmean(one) if is_rated(one).any() else np.nan for one in means])


def _above(found: FloatArray, real: FloatArray) -> FloatArray:
    """The kernel (places, real cases) of one reader, NaN where one of both has no answer."""
    kernel = (found[:, None] > real[None]) + (found[:, None] == real[None]) / 2
    return np.where(is_rated(found)[:, None] & is_rated(real)[None], kernel, np.nan)


def _placed(given: FreeResponses, above: list[FloatArray]) -> Placements:
    values = np.full(given.scores.shape, np.nan)
    for reader, kernel in enumerate(above):
        of_cases = np.zeros((len(given.truth), kernel.shape[1]))
        np.add.at(of_cases, given.case_of, given.weights[:, None] * kernel)
        synthetic = of_cases[given.truth == 1]
        values[given.truth == 1, reader] = mean_of_rated(synthetic, axis=1)
        values[given.truth == 0, reader] = mean_of_rated(synthetic, axis=0)
    return Placements(truth=given.truth, scores=given.scores, values=values)


@dataclass(frozen=True, kw_only=True)
class WeightedAfrocCurve:
    """Points from (0, 0) to (1, 1): share of real cases with a mark at least so sure, and weighted share of places."""

    false_positive_rate: list[float]
    localized: list[float]


def weighted_afroc_curve(given: FreeResponses, reader: int) -> WeightedAfrocCurve | None:
    """Of one reader; None with one kind of case only. The last line leads to what was not marked at all."""
    scores, found = given.scores[:, reader], given.found[:, reader]
    real = scores[is_rated(scores) & (given.truth == 0)]
    answered = is_rated(found)
    if not len(real) or not answered.any():
        return None
    weights = given.weights[answered] / given.weights[answered].sum()
    marked = np.concatenate([real, found[answered]])
    cuts = np.unique(marked[marked > 0])[::-1]
    return WeightedAfrocCurve(
        false_positive_rate=[0.0, *(float((real >= cut).mean()) for cut in cuts), 1.0],
        localized=[0.0, *(float(weights[found[answered] >= cut].sum()) for cut in cuts), 1.0],
    )
