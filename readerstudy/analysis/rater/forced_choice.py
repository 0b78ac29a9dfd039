"""One among m images has to be found: the share of right choices, d' behind it, and the area that corresponds to it.

d' is on the scale of a single image, so that designs with different m, and readings of single images, are comparable:
area = Phi(d' / sqrt 2). Source: Green & Swets, Signal Detection Theory, 1966; Hacker & Ratcliff, Percept Psychophys
1979;26:168. Below chance d' is negative and printed so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis.estimate import Estimate, FloatArray, missing
from readerstudy.analysis.rater.proportions import exact_binomial, proportion_interval

FEWEST_IMAGES, MOST_IMAGES = 2, 8
# Beyond, a share of right choices differs from 0 or 1 by less than is stored of it.
LARGEST_D_PRIME = 12.0
ALL_RIGHT, NONE_RIGHT = "every choice was right, so d' has no limit", "no choice was right, so d' has no limit"

# The integrand vanishes with all derivatives at both ends: equal steps integrate it to the last digit.
_STEP = 0.02
_OFFSETS: FloatArray = np.arange(-9.0, 9.0 + _STEP / 2, _STEP)
_DENSITY: FloatArray = np.asarray(stats.norm.pdf(_OFFSETS) * _STEP)


def share_of_d_prime(d_prime: float, *, images: int) -> float:
    """Expected share of right choices among `images`: the integral of phi(x - d') Phi(x)^(m-1)."""
    _check(images)
    return float((_DENSITY * stats.norm.cdf(_OFFSETS + d_prime) ** (images - 1)).sum())


def d_prime_of_share(share: float, *, images: int) -> float:
    """The d' at which this share of choices is right; ValueError for 0 and 1, which no d' gives."""
    _check(images)
    if not 0 < share < 1:
        raise ValueError(f"no d' gives a share of {share}")
    low, high = -LARGEST_D_PRIME, LARGEST_D_PRIME
    return float(
        optimize.brentq(lambda d: share_of_d_prime(d, images=images) - share, low, high, xtol=1e-12, rtol=1e-12)
    )


def share_of_area(area: float, *, images: int) -> float:
    """Share of right choices among images drawn at random, at this area under the curve of single images."""
    if not 0 < area < 1:
        return float(area >= 1)
    return share_of_d_prime(sqrt(2) * float(stats.norm.ppf(area)), images=images)


def area_of_share(share: float, *, images: int) -> float:
    """The area under the curve of single images that goes with this share, were the images drawn at random."""
    if not 0 < share < 1:
        return float(share >= 1)
    return float(stats.norm.cdf(d_prime_of_share(share, images=images) / sqrt(2)))


def share_of_twins(area: float, *, correlation: float) -> float:
    """Share of right choices in pairs of one host whose scores correlate so: a pair of twins is no pair at random."""
    return float(stats.norm.cdf(stats.norm.ppf(area) / sqrt(1 - correlation)))


def shares_within(margin: float, *, images: int) -> tuple[float, float]:
    """The shares that are no farther from chance than an area of 0.5 plus or minus `margin`."""
    return share_of_area(0.5 - margin, images=images), share_of_area(0.5 + margin, images=images)


@dataclass(frozen=True, kw_only=True)
class ChoiceReading:
    """One reader: right choices with the exact interval, d' with the same limits, and the exact test against 1/m."""

    right: int
    n: int
    share: Estimate
    d_prime: Estimate
    d_prime_se: float | None = None
    p: float | None = None
    p_greater: float | None = None


def read_choices(*, right: int, n: int, images: int, level: float = 0.95) -> ChoiceReading:
    """Describe `right` of `n` choices among `images`; binomial, two-sided as R's binom.test, Clopper-Pearson limits."""
    _check(images)
    share = proportion_interval(successes=right, trials=n, level=level)
    test = exact_binomial(successes=right, trials=n, null=1 / images)
    d_prime, se = _d_prime(right, n, share, images=images)
    return ChoiceReading(
        right=right, n=n, share=share, d_prime=d_prime, d_prime_se=se, p=test.p_minlike, p_greater=test.p_greater
    )


def _d_prime(right: int, n: int, share: Estimate, *, images: int) -> tuple[Estimate, float | None]:
    if share.value is None:
        return missing(share.reason or "no trials"), None
    if right in {0, n}:
        return missing(ALL_RIGHT if right else NONE_RIGHT), None
    value = d_prime_of_share(share.value, images=images)
    limits = [
        None if limit is None or not 0 < limit < 1 else d_prime_of_share(limit, images=images)
        for limit in (share.low, share.high)
    ]
    se = sqrt(share.value * (1 - share.value) / n) / _slope(value, images=images)
    return Estimate(value=value, low=limits[0], high=limits[1]), se


def _slope(d_prime: float, *, images: int) -> float:
    step = 1e-4
    above, below = (share_of_d_prime(d_prime + sign * step, images=images) for sign in (1, -1))
    return (above - below) / (2 * step)


@dataclass(frozen=True, kw_only=True)
class UnsureReading:
    """Pairs in which a reader may be unsure: d', the half width `tau` of what looks equal, and the test of d' = 0."""

    d_prime: Estimate
    tau: float | None = None
    se: float | None = None
    p: float | None = None


def read_unsure_pairs(*, wrong: int, unsure: int, right: int, level: float = 0.95) -> UnsureReading:
    """The 2-AC model: of two images one is preferred when they differ by more than `tau`.

    Likelihood ratio test and profile limits. Source: Christensen, Lee & Brockhoff, Food Qual Prefer 2012;24:119.
    """
    n = wrong + unsure + right
    if not (wrong and right):
        return UnsureReading(d_prime=missing("one of both answers was never given, so d' has no limit"))
    first, second = (float(stats.norm.ppf(share)) for share in (wrong / n, (wrong + unsure) / n))
    value, tau = -(first + second) / sqrt(2), (second - first) / sqrt(2)
    best = _unsure_likelihood(value, tau, (wrong, unsure, right))
    equal = (wrong + right) / 2
    none = sum(count * np.log(of / n) for count, of in ((wrong, equal), (unsure, unsure), (right, equal)) if count)
    limit = best - float(stats.chi2.ppf(level, 1)) / 2
    reach = 6 / sqrt(n) + 1

    def beyond(d_prime: float) -> float:
        return _profile(d_prime, (wrong, unsure, right)) - limit

    low, high = (float(optimize.brentq(beyond, value, value + sign * reach, xtol=1e-9)) for sign in (-1, 1))
    return UnsureReading(
        d_prime=Estimate(value=value, low=low, high=high),
        tau=tau,
        se=_unsure_se(first, second, n),
        p=float(stats.chi2.sf(max(0.0, 2 * (best - none)), 1)),
    )


def _unsure_likelihood(d_prime: float, tau: float, counts: tuple[int, int, int]) -> float:
    below, up_to = (float(stats.norm.cdf((sign * tau - d_prime) / sqrt(2))) for sign in (-1, 1))
    shares = np.maximum([below, up_to - below, 1 - up_to], 1e-300)
    return float(sum(count * np.log(share) for count, share in zip(counts, shares, strict=True) if count))


def _profile(d_prime: float, counts: tuple[int, int, int]) -> float:
    """The best likelihood at this d' over all `tau`."""
    if counts[1] == 0:
        return _unsure_likelihood(d_prime, 0.0, counts)
    found = optimize.minimize_scalar(
        lambda tau: -_unsure_likelihood(d_prime, tau, counts),
        bounds=(1e-9, 8),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return -float(found.fun)


def _unsure_se(first: float, second: float, n: int) -> float:
    """By the variance of both cumulative shares; the model has as many parameters as there are free shares."""
    shares: FloatArray = np.asarray(stats.norm.cdf([first, second]))
    slopes: FloatArray = np.asarray(stats.norm.pdf([first, second]))
    variances = shares * (1 - shares) / slopes**2
    covariance = shares[0] * (1 - shares[1]) / (slopes[0] * slopes[1])
    return float(sqrt((variances.sum() + 2 * covariance) / (2 * n)))


def _check(images: int) -> None:
    if not FEWEST_IMAGES <= images <= MOST_IMAGES:
        raise ValueError(f"a choice is among {FEWEST_IMAGES} to {MOST_IMAGES} images, not {images}")
