"""Learning and fatigue: accuracy against the order of reading."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize, special, stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, as_vector
from readerstudy.analysis.rater.chance import Confusion, fisher_exact


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Change of one rater's accuracy over trials; the slope is in logits per trial, None with a `reason`."""

    slope: float | None
    se: float | None = None
    p_wald: float | None = None
    p_lrt: float | None = None
    kendall_tau_b: float | None = None
    first_half: float | None = None
    second_half: float | None = None
    half_fisher_p: float | None = None
    reason: str | None = None


def accuracy_drift(*, correct: ArrayLike, order: ArrayLike) -> Drift:
    """Logistic regression of correctness on trial order, Kendall's tau-b and first against second half.

    `correct` (trials,) 1/0 and `order` (trials,) in any row order. With an odd number the middle trial belongs to
    the second half.
    """
    position = as_vector(order)
    arranged = np.argsort(position, kind="stable")
    hit, when = as_vector(correct)[arranged], position[arranged]
    if len(hit) < 2:
        return Drift(slope=None, reason="fewer than two trials")
    half = len(hit) // 2
    early, late = hit[:half], hit[half:]
    counts = Confusion(
        tp=int(late.sum()),
        fn=int(len(late) - late.sum()),
        fp=int(early.sum()),
        tn=int(len(early) - early.sum()),
    )
    halves = Drift(
        slope=None,
        first_half=float(early.mean()),
        second_half=float(late.mean()),
        half_fisher_p=fisher_exact(counts).p_two_sided,
        reason="every trial has the same outcome",
    )
    if len(np.unique(hit)) < 2 or len(np.unique(when)) < 2:
        return halves
    fit = _logistic_slope(hit, when)
    tau = float(stats.kendalltau(hit, when).statistic)
    return Drift(
        slope=None if fit is None else fit[0],
        se=None if fit is None else fit[1],
        p_wald=None if fit is None else float(2 * stats.norm.sf(abs(fit[0] / fit[1]))),
        p_lrt=None if fit is None else fit[2],
        kendall_tau_b=tau,
        first_half=halves.first_half,
        second_half=halves.second_half,
        half_fisher_p=halves.half_fisher_p,
        reason="the order separates right from wrong: no finite slope" if fit is None else None,
    )


def _logistic_slope(hit: FloatArray, when: FloatArray) -> tuple[float, float, float] | None:
    """Slope, standard error and likelihood-ratio p; None when the data are separated."""
    if when[hit == 1].max() <= when[hit == 0].min() or when[hit == 0].max() <= when[hit == 1].min():
        return None
    # Centred and scaled, so that Newton's steps are well conditioned.
    centre, scale = float(when.mean()), float(when.std())
    design = np.column_stack([np.ones(len(hit)), (when - centre) / scale])

    def loss(beta: FloatArray) -> float:
        eta = design @ beta
        return -float((hit * eta + special.log_expit(-eta)).sum())

    def gradient(beta: FloatArray) -> FloatArray:
        return np.asarray(-design.T @ (hit - special.expit(design @ beta)), dtype=np.float64)

    start = np.array([float(special.logit(hit.mean())), 0.0])
    fit = optimize.minimize(loss, start, jac=gradient, method="BFGS", options={"gtol": 1e-11})
    beta = np.asarray(fit.x, dtype=np.float64)
    share = special.expit(design @ beta)
    for _ in range(3):
        # BFGS stops at rounding; a few Newton steps make the estimate sharp.
        information = design.T @ (design * (share * (1 - share))[:, None])
        beta = beta - np.linalg.solve(information, gradient(beta))
        share = special.expit(design @ beta)
    information = design.T @ (design * (share * (1 - share))[:, None])
    se = sqrt(float(np.linalg.inv(information)[1, 1]))
    p_lrt = float(stats.chi2.sf(max(2 * (loss(start) - loss(beta)), 0.0), 1))
    return float(beta[1]) / scale, se / scale, p_lrt


@dataclass(frozen=True, kw_only=True)
class TrendTest:
    """Cochran-Armitage test for trend in proportions; None with a `reason` when undefined."""

    chi_square: float | None
    df: int = 1
    p: float | None = None
    reason: str | None = None


def trend_test(*, correct: ArrayLike, n: ArrayLike, score: ArrayLike | None = None) -> TrendTest:
    """Test for a linear trend of proportions over ordered groups (R `prop.trend.test`).

    `correct` and `n` (groups,); `score` defaults to 1, 2, 3 ... Source: Cochran 1954; Armitage 1955.
    """
    hits, trials = as_vector(correct), as_vector(n)
    when = np.arange(1.0, len(hits) + 1) if score is None else as_vector(score)
    used = trials > 0
    hits, trials, when = hits[used], trials[used], when[used]
    if trials.sum() == 0:
        return TrendTest(chi_square=None, reason="no trials")
    pooled = float(hits.sum() / trials.sum())
    centre = float((trials * when).sum() / trials.sum())
    spread = float((trials * (when - centre) ** 2).sum())
    if pooled in {0.0, 1.0} or spread == 0:
        return TrendTest(chi_square=None, reason="all outcomes or all scores are the same")
    slope = float(((when - centre) * hits).sum())
    statistic = slope**2 / (spread * pooled * (1 - pooled))
    return TrendTest(chi_square=statistic, p=float(stats.chi2.sf(statistic, 1)))
