"""Where answers follow the truth so closely that a model of them runs to infinity: said in words, in place of a number.

Source: Albert & Anderson, Biometrika 1984;71:1 (complete and quasi-complete separation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from readerstudy.analysis.estimate import FloatArray

SEPARATED = (
    "every {} case got the same answer from every rater: the estimate runs to infinity and has no standard error "
    "(complete separation)"
)
# With fewer answers of each kind a rater may be right, or wrong, in all of them by chance (five: 1 of 500).
FEWEST_OF_A_KIND = 5


def separation(*, truth: FloatArray, calls: FloatArray, rater: FloatArray) -> str | None:
    """Say that all raters, or one of them, kept the kinds wholly apart; all three are (readings,).

    All raters: one kind always got the same answer while the answers differ. One rater: each kind its own answer, so
    that this rater's own slope runs to infinity, and with it how far raters differ.
    """
    if len(np.unique(calls)) < 2 or len(np.unique(truth)) < 2:
        return None
    constant = [name for value, name in ((1, "synthetic"), (0, "real")) if len(np.unique(calls[truth == value])) == 1]
    if constant:
        return SEPARATED.format(" and every ".join(constant))
    apart = sum(_apart(truth[rater == one], calls[rater == one]) for one in np.unique(rater))
    if apart == 0:
        return None
    return (
        f"{apart} rater{'' if apart == 1 else 's'} gave all real cases one answer and all synthetic ones the other: "
        "how far raters differ runs to infinity (separation)"
    )


def _apart(truth: FloatArray, calls: FloatArray) -> bool:
    synthetic, real = calls[truth == 1], calls[truth == 0]
    if min(len(synthetic), len(real)) < FEWEST_OF_A_KIND:
        return False
    return bool(synthetic.min() == synthetic.max() != real.min() == real.max())


def beyond_answers(estimates: Sequence[float], *, answers: int) -> str | None:
    """Say that a coefficient or a standard deviation of a probit model is larger than so many answers can tell.

    A share of errors below half an answer in all of them can't be told from none. On the probit scale that share and
    its counterpart lie this far apart, and no effect can be seen to be larger: the fit follows answers that are nearly
    separated towards infinity, and its standard errors mean nothing.
    """
    reach = -2 * float(special.ndtri(1 / (2 * answers)))
    largest = max(map(abs, estimates))
    if largest <= reach:
        return None
    return (
        f"an estimate of {largest:.1f} is larger than {answers} answers can tell (at most {reach:.1f}): they are "
        "nearly separated, and the fit runs to infinity"
    )
