"""What a panel's choices among m images can show: power of the exact joint test, and of an interval within the margin.

Studies are simulated under the model of `reading_model`: an image's evidence is d' for the one to find, plus noise of
variance 1 of which raters share `case_correlation`; raters differ in d' with standard deviation `rater_sd`, and each
chooses the image with the most evidence. Trials are taken for independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sin, sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.rater.forced_choice import shares_within

STUDIES = 400
# So many values at a time.
CHUNK = 4_000_000
SEED = 20_210_817
TRIALS_TRIED = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500)

Choices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ChoicePower:
    """Of so many studies: how many the joint test finds, and how many have their interval within the margin."""

    detected: float
    within: float


@lru_cache(maxsize=256)
def choice_power(
    *,
    images: int,
    raters: int,
    trials: int,
    area: float,
    margin: float = 0.15,
    alpha: float = 0.05,
    case_correlation: float = sin(pi / 8),
    rater_sd: float = 0.2,
    studies: int = STUDIES,
) -> ChoicePower:
    """At this `area` of single images put together at random; 0.5 is chance."""
    if raters < 1 or trials < 2:
        return ChoicePower(detected=0.0, within=0.0)
    random = np.random.default_rng(SEED)
    at_once = max(1, CHUNK // (raters * trials * images))
    detected = within = 0
    for start in range(0, studies, at_once):
        chosen = _simulated(
            random,
            shape=(min(at_once, studies - start), trials, images, raters),
            # Raters who differ in d' make the area of a pair of images the smaller.
            skill=float(stats.norm.ppf(area)) * sqrt(2 + rater_sd**2),
            case_correlation=case_correlation,
            rater_sd=rater_sd,
        )
        detected += int((joint_p(chosen, images=images) <= alpha).sum())
        low, high = _limits(chosen == 0, alpha=alpha)
        lowest, highest = shares_within(margin, images=images)
        within += int(((low >= lowest) & (high <= highest)).sum())
    return ChoicePower(detected=detected / studies, within=within / studies)


def trials_for(*, images: int, raters: int, area: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The fewest of `TRIALS_TRIED` with which so many raters find this area; None where none is enough."""
    for trials in TRIALS_TRIED:
        if choice_power(images=images, raters=raters, trials=trials, area=area, alpha=alpha).detected >= power:
            return trials
    return None


def joint_p(chosen: Choices, *, images: int) -> FloatArray:
    """Two-sided p-values of the joint test of each study, `chosen` (studies, trials, raters), by its first two moments.

    The null is a sum of many independent draws of whole numbers: a normal with a correction of one half.
    """
    counts = np.stack([(chosen == image).sum(axis=2) for image in range(images)], axis=2).astype(np.float64)
    right, expected = counts[:, :, 0].sum(axis=1), counts.sum(axis=(1, 2)) / images
    sd = np.sqrt(counts.var(axis=2).sum(axis=1))
    away = np.maximum(np.abs(right - expected) - 0.5, 0.0)
    return np.where(sd > 0, 2 * stats.norm.sf(away / np.maximum(sd, 1e-12)), 1.0)


def _simulated(
    random: np.random.Generator,
    *,
    shape: tuple[int, int, int, int],
    skill: float,
    case_correlation: float,
    rater_sd: float,
) -> Choices:
    """Which image each rater of each study chooses, (studies, trials, raters); 0 is the one to find."""
    studies, trials, images, raters = shape
    shared = random.standard_normal((studies, trials, images, 1), dtype=np.float32) * sqrt(case_correlation)
    evidence = shared + random.standard_normal(shape, dtype=np.float32) * sqrt(1 - case_correlation)
    evidence[:, :, 0] += (skill + rater_sd * random.standard_normal((studies, 1, raters))).astype(np.float32)
    return np.asarray(evidence.argmax(axis=2), dtype=np.int64)


def _limits(right: npt.NDArray[np.bool_], *, alpha: float) -> tuple[FloatArray, FloatArray]:
    """The 1 - 2 alpha interval of the mean share of each study, as `panel_share` makes it of complete choices."""
    values = right.astype(np.float64)
    _, trials, raters = values.shape
    mean, of_raters, of_trials = values.mean(axis=(1, 2)), values.mean(axis=1), values.mean(axis=2)
    trial_square = raters * of_trials.var(axis=1, ddof=1)
    if raters == 1:
        total, df = trial_square, np.full(len(values), trials - 1.0)
    else:
        rater_square = trials * of_raters.var(axis=1, ddof=1)
        rest = values - of_trials[:, :, None] - of_raters[:, None, :] + mean[:, None, None]
        both_square = (rest**2).sum(axis=(1, 2)) / ((raters - 1) * (trials - 1))
        total = rater_square + trial_square - both_square
        squares = ((rater_square, raters - 1), (trial_square, trials - 1), (both_square, (raters - 1) * (trials - 1)))
        df = total**2 / np.maximum(sum(square**2 / own for square, own in squares), 1e-12)
        # Negative together: trials alone are random.
        total, df = np.where(total > 0, total, trial_square), np.where(total > 0, df, trials - 1.0)
    half = stats.t.isf(alpha, df) * np.sqrt(total / (raters * trials))
    return mean - half, mean + half
