"""Bayesian view of one proportion, and its sequential use: Bayes factor, ROPE, e-values, confidence sequences.

The beta-binomial Bayes factor at every trial is an e-process (Robbins 1970; Grünwald, de Heide & Koolen 2024), so
the same code serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

import numpy as np
from scipy import integrate, optimize, special, stats

from readerstudy.analysis.estimate import ArrayLike, Estimate, FloatArray, as_vector, missing
from readerstudy.analysis.rater.proportions import check_counts


@dataclass(frozen=True, kw_only=True)
class BayesBinomial:
    """Bayes factors for "differs from the null" and the posterior under the untruncated beta prior.

    `bf_greater` and `bf_less` use the prior truncated at the null. All None with a `reason` without trials.
    """

    bf10: float | None
    bf01: float | None = None
    bf_greater: float | None = None
    bf_less: float | None = None
    posterior_a: float | None = None
    posterior_b: float | None = None
    posterior: Estimate
    p_in_rope: float | None = None
    p_above_null: float | None = None
    reason: str | None = None


def log_bayes_factor(
    successes: FloatArray, trials: FloatArray, *, null: float | FloatArray, prior_a: float, prior_b: float
) -> FloatArray:
    """Log of the Bayes factor of p ~ Beta(a, b) against p = null, elementwise (Jeffreys 1961, ch. 5.1)."""
    failures = trials - successes
    marginal = special.betaln(prior_a + successes, prior_b + failures) - special.betaln(prior_a, prior_b)
    point = special.xlogy(successes, null) + special.xlog1py(failures, -np.asarray(null))
    return np.asarray(marginal - point, dtype=np.float64)


def bayes_binomial(
    *,
    successes: int,
    trials: int,
    null: float = 0.5,
    prior_a: float = 1.0,
    prior_b: float = 1.0,
    rope: tuple[float, float] | None = None,
    level: float = 0.95,
) -> BayesBinomial:
    """Bayes factor, posterior and probability of the region of practical equivalence (ROPE) of one proportion.

    Source: Jeffreys 1961; Kruschke, Adv Methods Pract Psychol Sci 2018;1:270 (ROPE). BF above 3 or below 1/3 is
    usually called moderate evidence.
    """
    check_counts(successes=successes, trials=trials)
    if trials == 0:
        return BayesBinomial(bf10=None, posterior=missing("no trials"), reason="no trials")
    a, b = prior_a + successes, prior_b + trials - successes
    log_bf = log_bayes_factor(
        np.array(float(successes)), np.array(float(trials)), null=null, prior_a=prior_a, prior_b=prior_b
    )
    log_above = float(stats.beta.logsf(null, a, b) - stats.beta.logsf(null, prior_a, prior_b))
    log_below = float(stats.beta.logcdf(null, a, b) - stats.beta.logcdf(null, prior_a, prior_b))
    tail = (1 - level) / 2
    return BayesBinomial(
        bf10=_finite_exp(float(log_bf)),
        bf01=_finite_exp(-float(log_bf)),
        bf_greater=_finite_exp(float(log_bf) + log_above),
        bf_less=_finite_exp(float(log_bf) + log_below),
        posterior_a=a,
        posterior_b=b,
        posterior=Estimate(
            value=a / (a + b), low=float(stats.beta.ppf(tail, a, b)), high=float(stats.beta.isf(tail, a, b))
        ),
        p_in_rope=None if rope is None else float(np.diff(stats.beta.cdf(rope, a, b))[0]),
        p_above_null=float(stats.beta.sf(null, a, b)),
    )


def _finite_exp(logarithm: float) -> float:
    return exp(min(logarithm, 700.0))


def logistic_prior_bf10(*, successes: int, trials: int, null: float = 0.5, scale: float = 0.5) -> float | None:
    """Bayes factor with a logistic prior of `scale` on the log-odds around the null; None without trials.

    Sensitivity analysis to the beta prior (Morey & Rouder, BayesFactor `proportionBF`); numerical integration.
    """
    check_counts(successes=successes, trials=trials)
    if trials == 0:
        return None
    centre = float(special.logit(null))
    at_null = successes * log(null) + (trials - successes) * log(1 - null)

    def ratio(step: float) -> float:
        odds = centre + scale * step
        like = successes * special.log_expit(odds) + (trials - successes) * special.log_expit(-odds)
        return float(np.exp(like - at_null) * stats.logistic.pdf(step))

    peak = (float(special.logit((successes + 0.5) / (trials + 1))) - centre) / scale
    edges = sorted({-60.0, min(max(peak, -59.0), 59.0), 0.0, 60.0})
    parts = [integrate.quad(ratio, low, high, limit=200)[0] for low, high in pairwise(edges)]
    return float(sum(parts))


@dataclass(frozen=True, kw_only=True)
class EProcess:
    """Evidence after each trial; reject at any time once `e_value` >= 1/alpha, without correction for looking.

    `first_rejection` counts trials from 1. The confidence sequence holds at all times together.
    """

    e_value: list[float]
    e_value_greater: list[float]
    anytime_p: list[float]
    low: list[float]
    high: list[float]
    running_low: list[float]
    running_high: list[float]
    first_rejection: int | None
    first_rejection_greater: int | None


def e_process(
    *, correct: ArrayLike, null: float = 0.5, alpha: float = 0.05, prior_a: float = 1.0, prior_b: float = 1.0
) -> EProcess:
    """Follow one rater's accuracy trial by trial; `correct` (trials,) 1/0 in the order of reading.

    Valid for one rater with randomised order; for a panel the case is the unit. Source: Robbins, Ann Math Stat
    1970;41:1397; confidence sequence {p : BF10(p) < 1/alpha}.
    """
    hits = as_vector(correct)
    if not np.isin(hits, (0.0, 1.0)).all():
        raise ValueError("every trial is correct (1) or wrong (0)")
    trials, wins = np.arange(1.0, len(hits) + 1), np.cumsum(hits)
    log_e = log_bayes_factor(wins, trials, null=null, prior_a=prior_a, prior_b=prior_b)
    a, b = prior_a + wins, prior_b + trials - wins
    tilt = stats.beta.logsf(null, a, b) - stats.beta.logsf(null, prior_a, prior_b)
    log_greater = log_e + tilt
    limits = [
        _sequence_limits(x, n, alpha=alpha, prior_a=prior_a, prior_b=prior_b) for x, n in zip(wins, trials, strict=True)
    ]
    low, high = [one for one, _ in limits], [other for _, other in limits]
    best = np.maximum.accumulate(log_e) if len(log_e) else log_e
    return EProcess(
        e_value=[_finite_exp(value) for value in log_e],
        e_value_greater=[_finite_exp(value) for value in log_greater],
        anytime_p=[min(1.0, exp(-value)) for value in best],
        low=low,
        high=high,
        running_low=[float(value) for value in np.maximum.accumulate(low)] if low else [],
        running_high=[float(value) for value in np.minimum.accumulate(high)] if high else [],
        first_rejection=_first(log_e, -log(alpha)),
        first_rejection_greater=_first(log_greater, -log(alpha)),
    )


def _first(values: FloatArray, threshold: float) -> int | None:
    # A tie with 1/alpha is a rejection; rounding must not undo it.
    reached = np.flatnonzero(values >= threshold - 1e-12)
    return int(reached[0]) + 1 if len(reached) else None


def _sequence_limits(
    successes: float, trials: float, *, alpha: float, prior_a: float, prior_b: float
) -> tuple[float, float]:
    x, n = np.array(successes), np.array(trials)

    def excess(p: float) -> float:
        return float(log_bayes_factor(x, n, null=p, prior_a=prior_a, prior_b=prior_b)) + log(alpha)

    middle = successes / trials
    low = 0.0 if successes == 0 else _root(excess, 1e-300, middle)
    high = 1.0 if successes == trials else _root(excess, middle, 1 - 1e-16)
    return low, high


def _root(excess: Callable[[float], float], left: float, right: float) -> float:
    return float(optimize.brentq(excess, left, right, xtol=1e-14, rtol=1e-14))


def bernoulli_confidence_interval(
    *, successes: int, trials: int, alpha: float = 0.05, best_at: float = 50.0, alpha_opt: float = 0.05
) -> Estimate:
    """Time-uniform interval of Howard et al. by the two-sided beta-binomial mixture, tightest near `best_at` trials.

    The mixture is tuned at every candidate p. Source: Howard, Ramdas, McAuliffe & Sekhon, Ann Stat 2021;49:1055.
    """
    check_counts(successes=successes, trials=trials)
    if trials == 0:
        return missing("no trials")
    share = successes / trials

    def excess(p: float) -> float:
        spread = p * (1 - p)
        tuned = best_at * spread / (2 * log(1 / alpha_opt) + log(1 + 2 * log(1 / alpha_opt)))
        weight = max(tuned - spread, 1e-3 * spread)
        value = log_bayes_factor(
            np.array(float(successes)),
            np.array(float(trials)),
            null=p,
            prior_a=weight / (1 - p),
            prior_b=weight / p,
        )
        return float(value) + log(alpha)

    low = 0.0 if successes == 0 else _root(excess, 1e-9, min(share, 1 - 1e-9))
    high = 1.0 if successes == trials else _root(excess, max(share, 1e-9), 1 - 1e-9)
    return Estimate(value=share, low=low, high=high)
