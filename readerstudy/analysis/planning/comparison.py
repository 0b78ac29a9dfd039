"""Power of comparing two groups of raters, or the same raters in two phases on the same cases, for one design.

The model is that of `reading_model`, with two areas. In two phases a rater's own noise on a case stays the same in the
part `kept`, what raters share on a case stays, and the raters' d' changes by different amounts (SD `change_sd`). The
second moments of the kernel are bivariate normal probabilities, so the variance of the difference is exact for the
model; what a study will estimate of it is drawn, as for one condition (see `design_power`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf, sqrt
from typing import Literal

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.panel.groups import LEAST_OF_GROUP
from readerstudy.analysis.panel.mrmc import WARY_READERS, variance_of_average

Compared = Literal["groups", "phases"]
FEWEST_RATERS = {"groups": LEAST_OF_GROUP, "phases": 2}
# Of each kind: what fewer know of a variance no form follows.
FEWEST_OF_KIND = 5
EQUALLY_LIKELY, ESTIMATES = 8, 25
# Contributions are bounded: see `design_power`.
LIGHT_TAILS = 1.3


@dataclass(frozen=True, kw_only=True)
class ComparisonAssumptions:
    """What is believed: the areas of both groups, or of the same raters in both phases; one case of each patient.

    Of groups `raters` of a design are those of each group. `rater_sd` is the spread of d' between the raters of one
    group, `case_correlation` the part of the noise that raters share on a case.
    """

    of: Compared
    first: float
    second: float
    alpha: float = 0.05
    case_correlation: float = 0.38
    rater_sd: float = 0.2
    kept: float = 0.5
    change_sd: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.first < 1 or not 0 < self.second < 1:
            raise ValueError("areas lie between 0 and 1")
        if not 0 <= self.case_correlation < 1 or not 0 <= self.kept <= 1 or min(self.rater_sd, self.change_sd) < 0:
            raise ValueError("parts of the noise lie between 0 and 1, and no spread is negative")

    @property
    def measure(self) -> str:
        return "auc"

    @property
    def skill_variances(self) -> tuple[float, float]:
        """Of d' in the first and in the second group or phase."""
        own = self.rater_sd**2
        return own, own + (self.change_sd**2 if self.of == "phases" else 0.0)


@dataclass(frozen=True, kw_only=True)
class ComparisonPrecision:
    """Standard error of the difference and half-width of its interval; `drawn_se`, `drawn_df` as a study may find."""

    se: float
    half_width: float
    drawn_se: FloatArray
    drawn_df: FloatArray


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Of one rater's area: variance through the skill, over cases, and the covariance over cases with another's."""

    of_rater: float
    own: float
    shared: float

    @property
    def across(self) -> float:
        return max(self.own - self.shared, 0.0)


def comparison_power(assumed: ComparisonAssumptions, *, raters: int, cases: int) -> float:
    """Probability that the two-sided test finds the difference; 0 where the test does not exist."""
    found = comparison_precision(assumed, raters=raters, cases=cases)
    if found is None:
        return 0.0
    steps = (np.arange(ESTIMATES) + 0.5) / ESTIMATES
    estimates = assumed.second - assumed.first + found.se * stats.norm.ppf(steps)[:, None]
    needed = stats.t.isf(assumed.alpha / 2, found.drawn_df) * found.drawn_se
    return float(np.mean(np.abs(estimates) >= needed))


@lru_cache(maxsize=512)
def comparison_precision(assumed: ComparisonAssumptions, *, raters: int, cases: int) -> ComparisonPrecision | None:
    """None where the test does not exist. Half of the cases are synthetic."""
    synthetic = cases // 2
    if raters < FEWEST_RATERS[assumed.of] or min(synthetic, cases - synthetic) < FEWEST_OF_KIND:
        return None
    counts = (synthetic, cases - synthetic)
    if assumed.of == "groups":
        return _of_groups(assumed, counts, raters)
    return _of_phases(assumed, counts, raters)


def _of_phases(assumed: ComparisonAssumptions, counts: tuple[int, int], raters: int) -> ComparisonPrecision:
    """Of each rater's change, as of one area: the analysis averages the changes over the raters."""
    first, second = _sides(assumed, counts)
    stays = assumed.case_correlation + (1 - assumed.case_correlation) * assumed.kept
    of_rater = _covariance(assumed, counts, noise=0.0, skill=assumed.rater_sd**2)
    same = _covariance(assumed, counts, noise=stays, skill=assumed.rater_sd**2) - of_rater
    other = _covariance(assumed, counts, noise=assumed.case_correlation, skill=0.0)
    change = _Side(
        of_rater=first.of_rater + second.of_rater - 2 * of_rater,
        own=first.own + second.own - 2 * same,
        shared=max(first.shared + second.shared - 2 * other, 0.0),
    )
    ms, known = change.of_rater + change.across, sum(counts) - 2
    along = change.own + (raters - 1) * change.shared
    drawn_ms = ms * _chi_square_shares(raters - 1)[:, None, None]
    drawn_along = along * _chi_square_shares(LIGHT_TAILS * known)[None, :, None]
    drawn_across = change.across * _chi_square_shares(LIGHT_TAILS * known * (raters - 1))[None, None, :]
    squares, shared, fixed = np.broadcast_arrays(
        drawn_ms, np.maximum((drawn_along - drawn_across) / raters, 0.0), drawn_along / raters
    )
    few = raters <= WARY_READERS
    variance, df = variance_of_average(
        ms_reader=squares, cov2=shared, fixed=fixed, readers=raters, df_patients=inf, cautious=few, wary=few
    )
    return _precision(assumed, ms / raters + change.shared, variance, df)


def _of_groups(assumed: ComparisonAssumptions, counts: tuple[int, int], raters: int) -> ComparisonPrecision:
    """Each group has its own spread; what cases add is what raters of one group share beyond those of two."""
    sides = _sides(assumed, counts)
    between = _covariance(assumed, counts, noise=assumed.case_correlation, skill=0.0)
    shared = max(sides[0].shared + sides[1].shared - 2 * between, 0.0)
    across = (sides[0].across + sides[1].across) / raters
    known = LIGHT_TAILS * (sum(counts) - 2)
    first, second = ((side.of_rater + side.across) / raters * _chi_square_shares(raters - 1) for side in sides)
    first, second = first[:, None, None, None], second[None, :, None, None]
    apart = (shared + across) * _chi_square_shares(known)[None, None, :, None]
    apart = apart - across * _chi_square_shares(2 * known * (raters - 1))[None, None, None, :]
    own, cases = np.broadcast_arrays(first + second, np.maximum(apart, 0.0))
    uncertain = np.broadcast_to((first**2 + second**2) / (raters - 1), own.shape)
    df = (own + cases) ** 2 / uncertain
    true = sum(side.of_rater + side.across for side in sides) / raters + shared
    return _precision(assumed, true, own + cases, df)


def _precision(
    assumed: ComparisonAssumptions, true: float, variance: FloatArray, df: FloatArray
) -> ComparisonPrecision:
    se, drawn = sqrt(true), np.sqrt(variance).ravel()
    half = float(np.median(stats.t.isf(assumed.alpha / 2, df.ravel()) * drawn))
    return ComparisonPrecision(se=se, half_width=half, drawn_se=drawn, drawn_df=df.ravel())


def _sides(assumed: ComparisonAssumptions, counts: tuple[int, int]) -> tuple[_Side, _Side]:
    first, second = (_side(assumed, counts, which) for which in (0, 1))
    return first, second


def _side(assumed: ComparisonAssumptions, counts: tuple[int, int], which: int) -> _Side:
    spread = assumed.skill_variances[which]
    of_rater = _covariance(assumed, counts, noise=0.0, skill=spread, both=which)
    return _Side(
        of_rater=of_rater,
        own=_covariance(assumed, counts, noise=1.0, skill=spread, both=which) - of_rater,
        shared=_covariance(assumed, counts, noise=assumed.case_correlation, skill=0.0, both=which),
    )


def _covariance(
    assumed: ComparisonAssumptions,
    counts: tuple[int, int],
    *,
    noise: float,
    skill: float,
    both: int | None = None,
) -> float:
    """Covariance of two areas whose ratings share `noise` of the noise on a case, and whose d' have covariance `skill`.

    Of the first and the second group or phase, or of `both` times the same.
    """
    areas = (assumed.first, assumed.second)
    picked = (0, 1) if both is None else (both, both)
    z = [float(stats.norm.ppf(areas[which])) for which in picked]
    total = sqrt(np.prod([2 + assumed.skill_variances[which] for which in picked]))
    shares = [np.array([1, n - 1]) / n for n in counts]
    weights = np.outer(*shares)
    overlap = np.array([[2.0, 1.0], [1.0, 0.0]])
    moments = [[_both_below(z[0], z[1], (noise * one + skill) / total) for one in row] for row in overlap]
    return float((weights * np.array(moments)).sum()) - areas[picked[0]] * areas[picked[1]]


@lru_cache(maxsize=4096)
def _both_below(one: float, other: float, correlation: float) -> float:
    """P(the first of two standard normals lies below `one` and the second below `other`)."""
    if correlation >= 1 - 1e-12:
        return float(stats.norm.cdf(min(one, other)))
    found = stats.multivariate_normal.cdf([one, other], mean=[0, 0], cov=[[1, correlation], [correlation, 1]])
    return float(found)


@lru_cache(maxsize=2048)
def _chi_square_shares(df: float) -> FloatArray:
    """Equally likely values of a chi-square divided by its degrees of freedom."""
    steps = (np.arange(EQUALLY_LIKELY) + 0.5) / EQUALLY_LIKELY
    return np.asarray(stats.chi2.ppf(steps, df) / df, dtype=np.float64)
