"""Signal detection from yes/no answers: d', criterion, beta, A' and the probit confidence interval of d'."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt
from typing import Literal

import numpy as np
from scipy import optimize, stats

from readerstudy.analysis.estimate import Estimate, missing
from readerstudy.analysis.rater.chance import Confusion

Correction = Literal["none", "loglinear", "replace_extremes"]


@dataclass(frozen=True, kw_only=True)
class Detection:
    """d' (sensitivity), criterion c (> 0: reluctant to say synthetic), beta and ln beta, or the reason for none."""

    d_prime: float | None
    criterion: float | None = None
    beta: float | None = None
    ln_beta: float | None = None
    reason: str | None = None


def detection_indices(counts: Confusion, *, correction: Correction = "loglinear") -> Detection:
    """Return d', c and beta of one rater; a hit is a synthetic case called synthetic.

    `loglinear` adds 0.5 to hits and false alarms and 1 to the totals always (Hautus 1995); `replace_extremes` turns
    0 into 1/(2N) and 1 into 1-1/(2N) only when needed (Macmillan & Kaplan 1985); `none` has no value at rates of 0
    or 1. Formulas: Stanislaw & Todorov, Behav Res Methods 1999;31:137.
    """
    if 0 in {counts.n_synthetic, counts.n_real}:
        return Detection(d_prime=None, reason="only one kind of case was rated")
    hit = _rate(counts.tp, counts.n_synthetic, correction)
    false_alarm = _rate(counts.fp, counts.n_real, correction)
    if {hit, false_alarm} & {0.0, 1.0}:
        return Detection(d_prime=None, reason="a rate of 0 or 1 has no finite z value")
    z_hit, z_false = float(stats.norm.ppf(hit)), float(stats.norm.ppf(false_alarm))
    log_beta = (z_false**2 - z_hit**2) / 2
    return Detection(d_prime=z_hit - z_false, criterion=-(z_hit + z_false) / 2, beta=exp(log_beta), ln_beta=log_beta)


def _rate(count: int, total: int, correction: Correction) -> float:
    if correction == "loglinear":
        return (count + 0.5) / (total + 1)
    if correction == "replace_extremes":
        return min(max(count / total, 1 / (2 * total)), 1 - 1 / (2 * total))
    return count / total


def a_prime(counts: Confusion) -> float | None:
    """Area estimate A' from the uncorrected rates, 0.5 at H = F, reflected below it; None with one class only.

    Source: Pollack & Norman 1964; Grier 1971.
    """
    if 0 in {counts.n_synthetic, counts.n_real}:
        return None
    hit, false_alarm = counts.tp / counts.n_synthetic, counts.fp / counts.n_real
    if hit == false_alarm:
        return 0.5
    if hit < false_alarm:
        return 1 - _a_prime_above(false_alarm, hit)
    return _a_prime_above(hit, false_alarm)


def _a_prime_above(hit: float, false_alarm: float) -> float:
    gap = hit - false_alarm
    return 0.5 + gap * (1 + gap) / (4 * hit * (1 - false_alarm))


@dataclass(frozen=True, kw_only=True)
class ProbitDetection:
    """d' as the maximum-likelihood probit contrast with its standard error and two kinds of interval."""

    d_prime: float | None
    se: float | None = None
    wald: Estimate
    profile: Estimate


def probit_d_prime(counts: Confusion, *, level: float = 0.95) -> ProbitDetection:
    """Return d' with the Gourevitch-Galanter standard error, Wald and profile-likelihood `level` intervals.

    Not defined when a rate is 0 or 1. Source: Gourevitch & Galanter, Psychometrika 1967;32:25; Brockhoff &
    Christensen, Food Qual Prefer 2010;21:330.
    """
    plain = detection_indices(counts, correction="none")
    if plain.d_prime is None:
        nothing = missing(plain.reason or "not estimable")
        return ProbitDetection(d_prime=None, wald=nothing, profile=nothing)
    variance = _probit_variance(counts.tp, counts.n_synthetic) + _probit_variance(counts.fp, counts.n_real)
    se, z = sqrt(variance), float(stats.norm.isf((1 - level) / 2))
    wald = Estimate(value=plain.d_prime, low=plain.d_prime - z * se, high=plain.d_prime + z * se)
    low, high = (_profile_limit(counts, start=plain.d_prime, step=sign * se, z=z) for sign in (-1, 1))
    profile = Estimate(value=plain.d_prime, low=low, high=high)
    return ProbitDetection(d_prime=plain.d_prime, se=se, wald=wald, profile=profile)


def _probit_variance(count: int, total: int) -> float:
    rate = count / total
    return float(rate * (1 - rate) / (total * stats.norm.pdf(stats.norm.ppf(rate)) ** 2))


def _profile_limit(counts: Confusion, *, start: float, step: float, z: float) -> float:
    middle = (stats.norm.ppf(counts.tp / counts.n_synthetic) + stats.norm.ppf(counts.fp / counts.n_real)) / 2

    def log_likelihood(d_prime: float, centre: float) -> float:
        z_hit, z_false = centre + d_prime / 2, centre - d_prime / 2
        terms = (
            counts.tp * stats.norm.logcdf(z_hit) + counts.fn * stats.norm.logcdf(-z_hit),
            counts.fp * stats.norm.logcdf(z_false) + counts.tn * stats.norm.logcdf(-z_false),
        )
        return float(np.sum(terms))

    best = log_likelihood(start, float(middle))

    def excess(d_prime: float) -> float:
        profile = optimize.minimize_scalar(
            lambda centre: -log_likelihood(d_prime, centre), bracket=(middle - 0.5, middle + 0.5)
        )
        return 2 * (best + float(profile.fun)) - z**2

    far = start + step
    while excess(far) < 0:
        far += step
    return float(optimize.brentq(excess, start, far, xtol=1e-9))
