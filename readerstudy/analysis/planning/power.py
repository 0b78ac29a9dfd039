"""Exact power and sample size for one proportion, and power of reader studies from variance components."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.panel.mrmc import ConditionComparison
from readerstudy.analysis.rater.proportions import TIE_TOLERANCE

Alternative = Literal["two.sided", "greater", "less"]
LARGEST_SEARCH = 20_000


@dataclass(frozen=True, kw_only=True)
class BinomialPower:
    """Power of the exact test, its real size, and the counts from which it is significant (None: never)."""

    power: float
    actual_size: float
    smallest_above: int | None
    largest_below: int | None


@lru_cache(maxsize=50_000)
def _critical_counts(n: int, null: float, alpha: float, alternative: Alternative) -> tuple[int | None, int | None]:
    """Largest count significantly below and smallest count significantly above the null."""
    counts = np.arange(n + 1)
    p_values = _p_values(n, null, alternative)
    significant = p_values <= alpha
    below, above = counts[significant & (counts < n * null)], counts[significant & (counts > n * null)]
    return (int(below[-1]) if len(below) else None), (int(above[0]) if len(above) else None)


def _p_values(n: int, null: float, alternative: Alternative) -> FloatArray:
    counts = np.arange(n + 1)
    if alternative == "greater":
        return np.asarray(stats.binom.sf(counts - 1, n, null), dtype=np.float64)
    if alternative == "less":
        return np.asarray(stats.binom.cdf(counts, n, null), dtype=np.float64)
    probability = stats.binom.pmf(counts, n, null)
    ascending = np.sort(probability)
    unlikely = np.searchsorted(ascending, probability * TIE_TOLERANCE, side="right")
    return np.asarray(np.cumsum(ascending)[unlikely - 1], dtype=np.float64)


def _tail_probability(n: int, share: float, below: int | None, above: int | None) -> float:
    low = 0.0 if below is None else float(stats.binom.cdf(below, n, share))
    high = 0.0 if above is None else float(stats.binom.sf(above - 1, n, share))
    return low + high


def binomial_power(
    *, n: int, null: float = 0.5, share: float, alpha: float = 0.05, alternative: Alternative = "two.sided"
) -> BinomialPower:
    """Power of the exact binomial test with `n` trials when the true proportion is `share`.

    Sum of the probabilities of the significant counts; two-sided = R `binom.test` (outcomes no more likely).
    """
    if n < 1:
        raise ValueError("power needs at least one trial")
    below, above = _critical_counts(n, null, alpha, alternative)
    return BinomialPower(
        power=_tail_probability(n, share, below, above),
        actual_size=_tail_probability(n, null, below, above),
        smallest_above=above,
        largest_below=below,
    )


@dataclass(frozen=True, kw_only=True)
class BinomialSampleSize:
    """First n that reaches the target, and the n from which power never falls below it again (saw-tooth)."""

    first: int | None
    power_at_first: float | None
    stays_from: int | None
    reason: str | None = None


def binomial_sample_size(
    *,
    null: float = 0.5,
    share: float,
    alpha: float = 0.05,
    alternative: Alternative = "two.sided",
    target: float = 0.8,
) -> BinomialSampleSize:
    """Smallest number of trials for the exact binomial test to reach `target` power at the true `share`."""
    estimate = _normal_sample_size(null, share, alpha, alternative, target)
    if estimate is None or estimate > LARGEST_SEARCH:
        reason = f"more than {LARGEST_SEARCH} trials or no effect in the tested direction"
        return BinomialSampleSize(first=None, power_at_first=None, stays_from=None, reason=reason)
    # The teeth of the saw are gone well before twice the normal approximation.
    last = 2 * estimate + 60
    powers = [
        binomial_power(n=n, null=null, share=share, alpha=alpha, alternative=alternative).power
        for n in range(1, last + 1)
    ]
    return _first_and_stable(powers, target=target)


def _normal_sample_size(null: float, share: float, alpha: float, alternative: Alternative, target: float) -> int | None:
    gap = share - null
    if gap == 0 or (alternative == "greater" and gap < 0) or (alternative == "less" and gap > 0):
        return None
    tail = alpha / 2 if alternative == "two.sided" else alpha
    root = stats.norm.isf(tail) * np.sqrt(null * (1 - null)) + stats.norm.ppf(target) * np.sqrt(share * (1 - share))
    return int(np.ceil(max(float(root), 1.0) ** 2 / gap**2))


@dataclass(frozen=True, kw_only=True)
class TostPower:
    """Power of the exact TOST and the counts that show equivalence (None: no count does, power is 0)."""

    power: float
    region: tuple[int, int] | None


@lru_cache(maxsize=50_000)
def _equivalence_region(n: int, null: float, margin: float, alpha: float) -> tuple[int, int] | None:
    low, high = null - margin, null + margin
    # Smallest x with P(X >= x | low) <= alpha and largest x with P(X <= x | high) <= alpha.
    first = int(stats.binom.isf(alpha, n, low)) + 1 if low > 0 else 1
    last = int(stats.binom.ppf(alpha, n, high)) if high < 1 else n - 1
    if high < 1 and stats.binom.cdf(last, n, high) > alpha:
        last -= 1
    return (first, last) if first <= last else None


def tost_power(*, n: int, null: float = 0.5, share: float = 0.5, margin: float, alpha: float = 0.05) -> TostPower:
    """Exact power of the binomial TOST with `n` trials when the true proportion is `share`.

    0 when no outcome of n trials can show equivalence.
    """
    region = _equivalence_region(n, null, margin, alpha)
    if region is None:
        return TostPower(power=0.0, region=None)
    power = float(stats.binom.cdf(region[1], n, share) - stats.binom.cdf(region[0] - 1, n, share))
    return TostPower(power=power, region=region)


def tost_sample_size(
    *, null: float = 0.5, share: float = 0.5, margin: float, alpha: float = 0.05, target: float = 0.8
) -> BinomialSampleSize:
    """Smallest number of trials whose exact TOST reaches `target` power, and from where it never falls below."""
    room = margin - abs(share - null)
    if room <= 0:
        reason = "the true proportion lies outside the margin"
        return BinomialSampleSize(first=None, power_at_first=None, stays_from=None, reason=reason)
    quantiles = float(stats.norm.isf(alpha) + stats.norm.isf((1 - target) / 2))
    last = int(2 * quantiles**2 * 0.25 / room**2) + 60
    if last > LARGEST_SEARCH:
        reason = f"more than {LARGEST_SEARCH // 2} trials"
        return BinomialSampleSize(first=None, power_at_first=None, stays_from=None, reason=reason)
    powers = [tost_power(n=n, null=null, share=share, margin=margin, alpha=alpha).power for n in range(1, last + 1)]
    return _first_and_stable(powers, target=target)


def _first_and_stable(powers: list[float], *, target: float) -> BinomialSampleSize:
    reached = [n for n, power in enumerate(powers, start=1) if power >= target]
    short = [n for n, power in enumerate(powers, start=1) if power < target]
    if not reached:
        reason = "the target is not reached within the search"
        return BinomialSampleSize(first=None, power_at_first=None, stays_from=None, reason=reason)
    return BinomialSampleSize(
        first=reached[0], power_at_first=powers[reached[0] - 1], stays_from=short[-1] + 1 if short else 1
    )


@dataclass(frozen=True, kw_only=True)
class PilotComponents:
    """Obuchowski-Rockette components of a pilot with `cases` cases; covariances shrink with cases."""

    var_condition_reader: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    cases: int


def pilot_components(comparison: ConditionComparison, *, cases: int) -> PilotComponents:
    """Take the components of an analysed pilot; ValueError when it could not be estimated."""
    parts = (
        comparison.var_condition_reader,
        comparison.error,
        comparison.cov1,
        comparison.cov2,
        comparison.cov3,
    )
    known = [part for part in parts if part is not None]
    if comparison.reason or len(known) != len(parts):
        raise ValueError(comparison.reason or "the pilot has no variance components")
    return PilotComponents(
        var_condition_reader=known[0],
        error=known[1],
        cov1=known[2],
        cov2=known[3],
        cov3=known[4],
        cases=cases,
    )


@dataclass(frozen=True, kw_only=True)
class MrmcPower:
    """Power of the two-condition F test with its non-centrality, denominator df and critical value."""

    power: float
    ncp: float
    df2: float
    critical: float


def mrmc_power(
    *, pilot: PilotComponents, readers: int, cases: int, difference: float, alpha: float = 0.05
) -> MrmcPower:
    """Power to see `difference` between two conditions with random readers and cases.

    Source: Hillis, Obuchowski & Berbaum, Acad Radiol 2011;18:129; negative components are taken as 0.
    """
    if readers < 2:
        raise ValueError("random readers need at least two readers")
    scale = pilot.cases / cases
    between = max(scale * (pilot.cov2 - pilot.cov3), 0.0)
    own = max(pilot.var_condition_reader, 0.0) + scale * (pilot.error - pilot.cov1) - between
    spread = own + readers * between
    df2 = (spread / own) ** 2 * (readers - 1)
    ncp = readers * difference**2 / 2 / spread
    critical = float(stats.f.isf(alpha, 1, df2))
    return MrmcPower(power=float(stats.ncf.sf(critical, 1, df2, ncp)), ncp=ncp, df2=df2, critical=critical)


def mrmc_sample_size(
    *, pilot: PilotComponents, readers: int, difference: float, alpha: float = 0.05, target: float = 0.8
) -> tuple[int, float] | None:
    """Smallest number of cases (and its power) for given readers; None when more cases never suffice."""

    def power(cases: int) -> float:
        return mrmc_power(pilot=pilot, readers=readers, cases=cases, difference=difference, alpha=alpha).power

    low, high = 1, 2
    while power(high) < target:
        low, high = high, 2 * high
        if high > 100 * LARGEST_SEARCH:
            return None
    # Power grows with cases, so the smallest one lies between the last failure and the first success.
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= target else (middle, high)
    return high, power(high)
