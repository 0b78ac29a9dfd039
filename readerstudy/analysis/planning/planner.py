"""How many raters and cases: power of the planned tests over a grid, and what it costs each rater.

Model of the AUC: a rating is d' * truth + case effect + reading noise with variances rho and 1 - rho, and raters
differ in d' with standard deviation `rater_sd`. Its U-statistic moments are bivariate normal probabilities, so the
variance of the reader-averaged AUC is exact for the model (Gallas et al. 2009; Roe & Metz, Acad Radiol 1997;4:298).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from typing import Literal

import numpy as np
from scipy import special, stats

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.panel.equivalence import auc_tost
from readerstudy.analysis.panel.mrmc import reader_averaged_auc
from readerstudy.analysis.planning.power import (
    BinomialSampleSize,
    binomial_power,
    binomial_sample_size,
    tost_power,
    tost_sample_size,
)

Goal = Literal["detect", "equivalent"]
Measure = Literal["auc", "panel_accuracy", "ensemble"]
# Values that stand for the distribution of an estimated variance.
EQUALLY_LIKELY = 16
DEFAULT_RATERS = (3, 4, 5, 6, 8, 10, 12, 15, 20)
DEFAULT_CASES = (20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500)


@dataclass(frozen=True, kw_only=True)
class PlanningAssumptions:
    """What is believed before the study; `effect` is the true AUC or the true share correct.

    `case_correlation` (rho) is how much of a rating's noise all raters share, about the kappa expected between
    raters; `rater_sd` is the spread of d' between raters; `share_synthetic` the planned split.
    """

    measure: Measure = "auc"
    goal: Goal = "equivalent"
    effect: float = 0.5
    margin: float = 0.15
    alpha: float = 0.05
    case_correlation: float = 0.25
    rater_sd: float = 0.2
    share_synthetic: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.effect < 1 or not 0 < self.share_synthetic < 1:
            raise ValueError("the effect and the share of synthetic cases lie between 0 and 1")
        if not 0 <= self.case_correlation < 1 or self.rater_sd < 0:
            raise ValueError("the case correlation lies in [0, 1) and the spread of raters is not negative")
        if not 0 < self.margin < 0.5 or not 0 < self.alpha < 0.5:
            raise ValueError("margin and alpha lie between 0 and 0.5")


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Standard error of the measure and half-width of its interval; `df` is None where the normal is used.

    `drawn_se` and `drawn_df` are equally likely values of what a study will estimate.
    """

    se: float
    half_width: float
    df: float | None
    drawn_se: FloatArray
    drawn_df: FloatArray


def design_power(assumed: PlanningAssumptions, *, raters: int, cases: int) -> float:
    """Probability that the planned test reaches its goal with this design."""
    if assumed.measure == "ensemble":
        return _ensemble_power(assumed, cases)
    found = design_precision(assumed, raters=raters, cases=cases)
    if found is None:
        return 0.0
    return _t_power(assumed, found)


def design_precision(assumed: PlanningAssumptions, *, raters: int, cases: int) -> Precision | None:
    """Precision that the design will have; None where the test does not exist (one rater, one case of a kind)."""
    if assumed.measure == "auc":
        return _auc_precision(assumed, raters=raters, cases=cases)
    if cases < 2:
        return None
    if assumed.measure == "ensemble":
        se = sqrt(assumed.effect * (1 - assumed.effect) / cases)
    else:
        # Raters are fixed in the permutation test: only cases are sampled.
        inflation = (1 + (raters - 1) * assumed.case_correlation) / raters
        se = sqrt(assumed.effect * (1 - assumed.effect) / cases * inflation)
    half_width = float(stats.norm.isf(assumed.alpha / 2)) * se
    return Precision(se=se, half_width=half_width, df=None, drawn_se=np.array([se]), drawn_df=np.array([np.inf]))


def _ensemble_power(assumed: PlanningAssumptions, cases: int) -> float:
    """Exact: the panel's decision per case is one trial, whatever the number of raters."""
    if assumed.goal == "detect":
        return binomial_power(n=cases, share=assumed.effect, alpha=assumed.alpha).power
    return tost_power(n=cases, share=assumed.effect, margin=assumed.margin, alpha=assumed.alpha).power


def _t_power(assumed: PlanningAssumptions, found: Precision) -> float:
    """Power of the t test whose standard error and degrees of freedom are themselves estimated.

    The mean of the readers is normal and independent of their spread; the spread has a chi-square distribution
    with readers - 1, the shared part about one with cases - 2 degrees of freedom. Averaged over equally likely
    values of both.
    """
    gap = assumed.effect - 0.5
    se, df = found.drawn_se, found.drawn_df
    if assumed.goal == "detect":
        reach = stats.t.isf(assumed.alpha / 2, df) * se
        return float(np.mean(stats.norm.sf((reach - gap) / found.se) + stats.norm.cdf((-reach - gap) / found.se)))
    room = assumed.margin - stats.t.isf(assumed.alpha, df) * se
    inside = stats.norm.cdf((room - gap) / found.se) - stats.norm.cdf((-room - gap) / found.se)
    return float(np.mean(np.where(room > 0, inside, 0.0)))


def _auc_precision(assumed: PlanningAssumptions, *, raters: int, cases: int) -> Precision | None:
    synthetic = round(cases * assumed.share_synthetic)
    real = cases - synthetic
    if raters < 2 or min(synthetic, real) < 2:
        return None
    moments = _auc_moments(assumed.effect, assumed.case_correlation, assumed.rater_sd)
    weights = np.array([1, synthetic - 1, real - 1, (synthetic - 1) * (real - 1)]) / (synthetic * real)
    own = float(weights @ moments[:4] - moments[7])
    shared = float(weights @ moments[4:] - moments[7])
    ms_reader, spread = own - shared, own + (raters - 1) * shared
    if spread <= 0 or ms_reader <= 0:
        return None
    df = (raters - 1) * (spread / ms_reader) ** 2
    se = sqrt(spread / raters)
    drawn_ms = ms_reader * _chi_square_shares(raters - 1)[:, None]
    drawn_spread = drawn_ms + raters * max(shared, 0.0) * _chi_square_shares(max(cases - 2, 1))[None, :]
    return Precision(
        se=se,
        half_width=float(stats.t.isf(assumed.alpha / 2, df)) * se,
        df=df,
        drawn_se=np.sqrt(drawn_spread / raters).ravel(),
        drawn_df=((raters - 1) * (drawn_spread / drawn_ms) ** 2).ravel(),
    )


@lru_cache(maxsize=2048)
def _chi_square_shares(df: int) -> FloatArray:
    """Equally likely values of a chi-square divided by its degrees of freedom."""
    steps = (np.arange(EQUALLY_LIKELY) + 0.5) / EQUALLY_LIKELY
    return np.asarray(stats.chi2.ppf(steps, df) / df, dtype=np.float64)


@lru_cache(maxsize=512)
def _auc_moments(area: float, correlation: float, rater_sd: float) -> FloatArray:
    """Eight second moments of the kernel: same reader (same pair, real, synthetic, neither), then other readers.

    The difference of a synthetic and a real rating has variance 2 + rater_sd^2; what two differences share decides
    their correlation.
    """
    total = 2 + rater_sd**2
    z = float(stats.norm.ppf(area))
    same = np.array([total, 1 + rater_sd**2, 1 + rater_sd**2, rater_sd**2])
    other = np.array([2 * correlation, correlation, correlation, 0.0])
    return np.array([_both_below(z, share / total) for share in (*same, *other)])


def _both_below(z: float, correlation: float) -> float:
    """P(both of two standard normals with this correlation are below z), by Owen's T function."""
    if correlation >= 1:
        return float(stats.norm.cdf(z))
    slope = sqrt((1 - correlation) / (1 + correlation))
    return float(stats.norm.cdf(z) - 2 * special.owens_t(z, slope))


def simulated_power(
    assumed: PlanningAssumptions, *, raters: int, cases: int, repetitions: int = 1000, seed: int = 0
) -> float:
    """Power of the reader-averaged AUC by simulating panels from the planning model and running the real test.

    Slower than `design_power` and free of its one simplification (the estimate and its standard error are taken as
    independent, which overstates the power to detect by some points in small studies). Its standard error is at
    most 0.5 / sqrt(repetitions). ValueError for another measure.
    """
    if assumed.measure != "auc":
        raise ValueError("only the reader-averaged AUC is simulated; the other measures are computed directly")
    random = np.random.default_rng(seed)
    truth = (np.arange(cases) < round(cases * assumed.share_synthetic)).astype(np.float64)
    d_prime = float(stats.norm.ppf(assumed.effect)) * sqrt(2 + assumed.rater_sd**2)
    own, shared = sqrt(1 - assumed.case_correlation), sqrt(assumed.case_correlation)
    reached = 0
    for _ in range(repetitions):
        skill = d_prime + assumed.rater_sd * random.normal(size=raters)
        noise = shared * random.normal(size=(cases, 1)) + own * random.normal(size=(cases, raters))
        panel = reader_averaged_auc(truth=truth, ratings=truth[:, None] * skill + noise, level=1 - assumed.alpha)
        if assumed.goal == "detect":
            reached += panel.p is not None and panel.p <= assumed.alpha
        else:
            reached += bool(auc_tost(panel=panel, margin=assumed.margin, alpha=assumed.alpha).equivalent)
    return reached / repetitions


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Time per case and what is read besides the cases: repeats (share of cases) and practice cases."""

    seconds_per_case: float = 20.0
    repeat_share: float = 0.1
    practice_cases: int = 5

    def minutes(self, cases: int) -> float:
        """Reading time of one rater in minutes."""
        readings = cases + ceil(cases * self.repeat_share) + self.practice_cases
        return readings * self.seconds_per_case / 60


@dataclass(frozen=True, kw_only=True)
class DesignPoint:
    """One design of the grid; `half_width` is None where the test does not exist."""

    raters: int
    cases: int
    power: float
    half_width: float | None
    minutes_per_rater: float


@dataclass(frozen=True, kw_only=True)
class PlanGrid:
    """Power of every design, and the smallest that reaches the target (fewest readings, then fewest cases)."""

    assumptions: PlanningAssumptions
    target: float
    points: tuple[DesignPoint, ...]
    recommended: DesignPoint | None
    reason: str | None = None


def plan_grid(
    assumed: PlanningAssumptions,
    *,
    raters: Sequence[int] = DEFAULT_RATERS,
    cases: Sequence[int] = DEFAULT_CASES,
    target: float = 0.8,
    workload: Workload | None = None,
) -> PlanGrid:
    """Compute power and workload of all raters x cases and recommend the smallest sufficient design."""
    effort = workload or Workload()
    points = tuple(_point(assumed, effort, raters=j, cases=n) for j in raters for n in cases)
    enough = [point for point in points if point.power >= target]
    best = min(enough, key=lambda point: (point.raters * point.cases, point.cases), default=None)
    reason = None if best else "no design of this grid reaches the target: add cases or widen the margin"
    return PlanGrid(assumptions=assumed, target=target, points=points, recommended=best, reason=reason)


def _point(assumed: PlanningAssumptions, effort: Workload, *, raters: int, cases: int) -> DesignPoint:
    found = design_precision(assumed, raters=raters, cases=cases)
    return DesignPoint(
        raters=raters,
        cases=cases,
        power=design_power(assumed, raters=raters, cases=cases),
        half_width=None if found is None else found.half_width,
        minutes_per_rater=effort.minutes(cases),
    )


def smallest_cases(assumed: PlanningAssumptions, *, raters: int, target: float = 0.8, limit: int = 5000) -> int | None:
    """Fewest cases from which the power stays at the target for this many raters; None beyond `limit`.

    The exact ensemble test has saw-tooth power: the answer is where it no longer falls below the target.
    """
    if assumed.measure == "ensemble":
        stable = _ensemble_sample_size(assumed, target=target).stays_from
        return stable if stable is not None and stable <= limit else None
    if design_power(assumed, raters=raters, cases=limit) < target:
        return None
    low, high = 1, limit
    while high - low > 1:
        middle = (low + high) // 2
        reached = design_power(assumed, raters=raters, cases=middle) >= target
        low, high = (low, middle) if reached else (middle, high)
    return high


def _ensemble_sample_size(assumed: PlanningAssumptions, *, target: float) -> BinomialSampleSize:
    if assumed.goal == "detect":
        return binomial_sample_size(share=assumed.effect, alpha=assumed.alpha, target=target)
    return tost_sample_size(share=assumed.effect, margin=assumed.margin, alpha=assumed.alpha, target=target)
