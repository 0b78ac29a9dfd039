"""How many trials one reader has to read to find an effect in choices among m images, or to exclude it; exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from readerstudy.analysis.rater.forced_choice import share_of_area

MOST_TRIALS = 2_000
Rejects = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TrialsNeeded:
    """None: more than `MOST_TRIALS`. From these numbers on no larger number has less power."""

    to_detect: int | None
    to_exclude: int | None


def trials_needed(*, area: float, images: int, alpha: float = 0.05, power: float = 0.8) -> TrialsNeeded:
    """Trials of one reader at this `area` of single images: to detect it, and to exclude it where the truth is chance.

    Detecting is the two-sided binomial test with alpha/2 in each tail; excluding is the one-sided test of the share
    that the area gives.
    """
    chance, share = 1 / images, share_of_area(area, images=images)
    return TrialsNeeded(
        to_detect=_trials(lambda n: _differs(n, chance, alpha), truth=share, power=power),
        to_exclude=_trials(lambda n: _below(n, share, alpha), truth=chance, power=power),
    )


def readings_that_count(readers: int, *, kappa: float) -> float:
    """How many independent readings of a trial so many readers are worth whose answers agree by this kappa."""
    return readers / (1 + (readers - 1) * kappa)


def _trials(rejects: Callable[[int], Rejects], *, truth: float, power: float) -> int | None:
    too_few = 0
    for n in range(1, MOST_TRIALS + 1):
        outcomes = stats.binom.pmf(np.arange(n + 1), n, truth)
        if float(outcomes[rejects(n)].sum()) < power:
            too_few = n
        elif n > 2 * too_few + 50:
            break
    return too_few + 1 if too_few < MOST_TRIALS else None


def _differs(n: int, chance: float, alpha: float) -> Rejects:
    count = np.arange(n + 1)
    tails = np.minimum(stats.binom.cdf(count, n, chance), stats.binom.sf(count - 1, n, chance))
    return np.asarray(2 * tails <= alpha)


def _below(n: int, share: float, alpha: float) -> Rejects:
    return np.asarray(stats.binom.cdf(np.arange(n + 1), n, share) <= alpha)
