"""One proportion against a constant: exact tests and confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis.estimate import Estimate, FloatArray, missing

# R's binom.test counts outcomes as "no more likely" within this relative tolerance; without it, rounding
# decides whether the mirror outcome belongs to the tail.
TIE_TOLERANCE = 1 + 1e-7

IntervalMethod = Literal[
    "clopper_pearson",
    "wilson",
    "wilson_cc",
    "agresti_coull",
    "wald",
    "jeffreys",
    "jeffreys_raw",
    "midp",
    "blaker",
]


@dataclass(frozen=True, kw_only=True)
class BinomialTest:
    """Exact tests of one proportion; all p-values are None with a `reason` when there are no trials.

    `p_minlike` sums the outcomes no more likely than the observed one (R `binom.test`); `p_central` doubles
    the smaller tail (the one that agrees with Clopper-Pearson); `p_blaker` agrees with the Blaker interval.
    """

    successes: int
    trials: int
    null: float
    estimate: float | None = None
    p_minlike: float | None = None
    p_central: float | None = None
    p_blaker: float | None = None
    p_greater: float | None = None
    p_less: float | None = None
    midp_central: float | None = None
    midp_greater: float | None = None
    midp_less: float | None = None
    reason: str | None = None


def check_counts(*, successes: int, trials: int) -> None:
    """Raise ValueError unless 0 <= successes <= trials."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a count of successes")


def exact_binomial(*, successes: int, trials: int, null: float = 0.5) -> BinomialTest:
    """Test `successes` of `trials` against the constant `null`, exactly.

    Source: Clopper & Pearson 1934; Blaker, Can J Stat 2000;28:783; mid-p: Lancaster, JASA 1961;56:223.
    ValueError for impossible counts or a null outside [0, 1].
    """
    check_counts(successes=successes, trials=trials)
    if not 0 <= null <= 1:
        raise ValueError(f"the null proportion {null} is outside [0, 1]")
    if trials == 0:
        return BinomialTest(successes=0, trials=0, null=null, reason="no trials")
    outcomes = np.arange(trials + 1)
    probability: FloatArray = stats.binom.pmf(outcomes, trials, null)
    less = float(stats.binom.cdf(successes, trials, null))
    greater = float(stats.binom.sf(successes - 1, trials, null))
    half = float(probability[successes]) / 2
    mid_greater = float(stats.binom.sf(successes, trials, null)) + half
    mid_less = float(stats.binom.cdf(successes - 1, trials, null)) + half
    unlikely = probability <= probability[successes] * TIE_TOLERANCE
    return BinomialTest(
        successes=successes,
        trials=trials,
        null=null,
        estimate=successes / trials,
        p_minlike=min(1.0, float(probability[unlikely].sum())),
        p_central=min(1.0, 2 * min(less, greater)),
        p_blaker=_blaker_p(probability, successes=successes, trials=trials, null=null),
        p_greater=greater,
        p_less=less,
        midp_central=min(1.0, 2 * min(mid_greater, mid_less)),
        midp_greater=mid_greater,
        midp_less=mid_less,
    )


def _blaker_p(probability: FloatArray, *, successes: int, trials: int, null: float) -> float:
    outcomes = np.arange(trials + 1)
    tail = np.minimum(stats.binom.cdf(outcomes, trials, null), stats.binom.sf(outcomes - 1, trials, null))
    return min(1.0, float(probability[tail <= tail[successes] * TIE_TOLERANCE].sum()))


def proportion_interval(
    *, successes: int, trials: int, level: float = 0.95, method: IntervalMethod = "clopper_pearson"
) -> Estimate:
    """Return the proportion with its two-sided `level` interval by the named method.

    Source: Newcombe, Stat Med 1998;17:857 (wilson, wilson_cc = method 4, midp); Brown, Cai & DasGupta, Stat
    Sci 2001;16:101 (jeffreys with the limit at 0 of n and n of n set to 0 and 1, agresti_coull); Blaker 2000.
    """
    check_counts(successes=successes, trials=trials)
    if not 0 < level < 1:
        raise ValueError(f"the level {level} is outside (0, 1)")
    if trials == 0:
        return missing("no trials")
    low, high = _METHODS[method](successes, trials, 1 - level)
    return Estimate(value=successes / trials, low=max(0.0, low), high=min(1.0, high))


def one_sided_limit(
    *, successes: int, trials: int, level: float = 0.95, side: Literal["lower", "upper"] = "lower"
) -> Estimate:
    """Return the proportion with its one-sided exact (Clopper-Pearson) limit; the other side stays open."""
    check_counts(successes=successes, trials=trials)
    if trials == 0:
        return missing("no trials")
    both = _clopper_pearson(successes, trials, 2 * (1 - level))
    if side == "lower":
        return Estimate(value=successes / trials, low=both[0], high=1.0)
    return Estimate(value=successes / trials, low=0.0, high=both[1])


def _clopper_pearson(x: int, n: int, alpha: float) -> tuple[float, float]:
    low = 0.0 if x == 0 else float(stats.beta.ppf(alpha / 2, x, n - x + 1))
    high = 1.0 if x == n else float(stats.beta.isf(alpha / 2, x + 1, n - x))
    return low, high


def _wilson(x: int, n: int, alpha: float) -> tuple[float, float]:
    z = float(stats.norm.isf(alpha / 2))
    centre = (x + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(x * (n - x) / n + z**2 / 4) / (n + z**2)
    return (0.0 if x == 0 else float(centre - half)), (1.0 if x == n else float(centre + half))


def _wilson_cc(x: int, n: int, alpha: float) -> tuple[float, float]:
    z = float(stats.norm.isf(alpha / 2))
    p, q = x / n, 1 - x / n
    # At 0 and n of n the root may be that of a negative number; the limit there is 0 or 1 by definition.
    down = max(z**2 - 2 - 1 / n + 4 * p * (n * q + 1), 0.0)
    up = max(z**2 + 2 - 1 / n + 4 * p * (n * q - 1), 0.0)
    low = (2 * x + z**2 - 1 - z * float(np.sqrt(down))) / (2 * (n + z**2))
    high = (2 * x + z**2 + 1 + z * float(np.sqrt(up))) / (2 * (n + z**2))
    return (0.0 if x == 0 else low), (1.0 if x == n else high)


def _agresti_coull(x: int, n: int, alpha: float) -> tuple[float, float]:
    z = float(stats.norm.isf(alpha / 2))
    centre = (x + z**2 / 2) / (n + z**2)
    half = z * float(np.sqrt(centre * (1 - centre) / (n + z**2)))
    return centre - half, centre + half


def _wald(x: int, n: int, alpha: float) -> tuple[float, float]:
    half = float(stats.norm.isf(alpha / 2)) * float(np.sqrt(x * (n - x) / n**3))
    return x / n - half, x / n + half


def _jeffreys_raw(x: int, n: int, alpha: float) -> tuple[float, float]:
    prior = (x + 0.5, n - x + 0.5)
    return float(stats.beta.ppf(alpha / 2, *prior)), float(stats.beta.isf(alpha / 2, *prior))


def _jeffreys(x: int, n: int, alpha: float) -> tuple[float, float]:
    low, high = _jeffreys_raw(x, n, alpha)
    return (0.0 if x == 0 else low), (1.0 if x == n else high)


def _midp(x: int, n: int, alpha: float) -> tuple[float, float]:
    return _midp_low(x, n, alpha), 1 - _midp_low(n - x, n, alpha)


def _midp_low(x: int, n: int, alpha: float) -> float:
    if x == 0:
        return 0.0

    def excess(p: float) -> float:
        return float(stats.binom.sf(x, n, p) + stats.binom.pmf(x, n, p) / 2) - alpha / 2

    return float(optimize.brentq(excess, 0.0, 1.0, xtol=1e-14, rtol=1e-14))


def _blaker(x: int, n: int, alpha: float) -> tuple[float, float]:
    return _blaker_low(x, n, alpha), 1 - _blaker_low(n - x, n, alpha)


def _blaker_low(x: int, n: int, alpha: float) -> float:
    """Smallest p whose acceptability exceeds alpha.

    For p below x/n the acceptability is P(X>=x) + P(X<=k), where k is the largest count whose lower tail is
    no
    larger than P(X>=x). It jumps up where k grows, so the limit is either such a jump or a root between two.
    """
    if x == 0:
        return 0.0
    start, stop = _clopper_pearson(x, n, alpha)[0], _clopper_pearson(x, n, 2 * alpha)[0]

    def gap(p: float, k: int) -> float:
        return float(stats.binom.cdf(k, n, p) - stats.binom.sf(x - 1, n, p))

    def excess(p: float, k: int) -> float:
        return float(stats.binom.cdf(k, n, p) + stats.binom.sf(x - 1, n, p)) - alpha

    k = -1
    while k + 1 < x and gap(start, k + 1) <= 0:
        k += 1
    left = start
    while left < stop:
        grows = k + 1 < x and gap(stop, k + 1) < 0
        right = optimize.brentq(gap, left, stop, args=(k + 1,), xtol=1e-15) if grows else stop
        if excess(left, k) >= 0:
            return float(left)
        if excess(right, k) > 0:
            return float(optimize.brentq(excess, left, right, args=(k,), xtol=1e-15))
        left, k = right, k + 1
    return float(stop)


_METHODS = {
    "clopper_pearson": _clopper_pearson,
    "wilson": _wilson,
    "wilson_cc": _wilson_cc,
    "agresti_coull": _agresti_coull,
    "wald": _wald,
    "jeffreys": _jeffreys,
    "jeffreys_raw": _jeffreys_raw,
    "midp": _midp,
    "blaker": _blaker,
}


def half_point_interval(*, points: float, trials: int, level: float = 0.95) -> Estimate:
    """Share of points out of `trials` where some trials gave half a point, with Clopper-Pearson's limits at that score.

    The beta quantiles are defined between whole counts too; half points vary less than a binomial, so the limits are
    conservative.
    """
    if trials == 0:
        return missing("no trials")
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, points, trials - points + 1)) if points > 0 else 0.0
    high = float(stats.beta.isf(tail, points + 1, trials - points)) if points < trials else 1.0
    return Estimate(value=points / trials, low=low, high=high)
