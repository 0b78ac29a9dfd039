"""What chance is: discrimination given the margins, and the exact case-label permutation test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import ArrayLike, Estimate, FloatArray, as_truth, as_vector, missing
from readerstudy.analysis.rater.proportions import TIE_TOLERANCE, proportion_interval


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of truth x call; synthetic is the signal, so `tp` is a synthetic case called synthetic."""

    tp: int
    fn: int
    fp: int
    tn: int

    def __post_init__(self) -> None:
        if min(self.tp, self.fn, self.fp, self.tn) < 0:
            raise ValueError("counts are not negative")

    @property
    def n_synthetic(self) -> int:
        return self.tp + self.fn

    @property
    def n_real(self) -> int:
        return self.fp + self.tn

    @property
    def n(self) -> int:
        return self.n_synthetic + self.n_real

    @property
    def correct(self) -> int:
        return self.tp + self.tn


def confusion(*, truth: ArrayLike, calls: ArrayLike) -> Confusion:
    """Count one rater's calls (1 = "synthetic", NaN/None = no rating) against the truth, both of shape
    (cases,)."""
    true, called = as_truth(truth), as_vector(calls)
    if not np.isin(called[~np.isnan(called)], (0.0, 1.0)).all():
        raise ValueError("a call is 1 (synthetic), 0 (real) or missing")
    return Confusion(
        tp=int(((true == 1) & (called == 1)).sum()),
        fn=int(((true == 1) & (called == 0)).sum()),
        fp=int(((true == 0) & (called == 1)).sum()),
        tn=int(((true == 0) & (called == 0)).sum()),
    )


def accuracy(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Share of correct calls with its Clopper-Pearson interval."""
    return proportion_interval(successes=counts.correct, trials=counts.n, level=level)


def sensitivity(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Share of synthetic cases called synthetic with its Clopper-Pearson interval."""
    if counts.n_synthetic == 0:
        return missing("no synthetic case was rated")
    return proportion_interval(successes=counts.tp, trials=counts.n_synthetic, level=level)


def specificity(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Share of real cases called real with its Clopper-Pearson interval."""
    if counts.n_real == 0:
        return missing("no real case was rated")
    return proportion_interval(successes=counts.tn, trials=counts.n_real, level=level)


def balanced_accuracy(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Mean of sensitivity and specificity; interval by MOVER from the two Wilson intervals.

    Source: Newcombe, Stat Med 1998;17:873 (method 10, square-and-add) applied to half the sum.
    """
    if 0 in {counts.n_synthetic, counts.n_real}:
        return missing("only one kind of case was rated")
    sens = proportion_interval(successes=counts.tp, trials=counts.n_synthetic, level=level, method="wilson")
    spec = proportion_interval(successes=counts.tn, trials=counts.n_real, level=level, method="wilson")
    value = (counts.tp / counts.n_synthetic + counts.tn / counts.n_real) / 2
    below = float(np.hypot(_span(sens.value, sens.low), _span(spec.value, spec.low))) / 2
    above = float(np.hypot(_span(sens.high, sens.value), _span(spec.high, spec.value))) / 2
    return Estimate(value=value, low=max(0.0, value - below), high=min(1.0, value + above))


def _span(upper: float | None, lower: float | None) -> float:
    return (upper or 0.0) - (lower or 0.0)


def share_called_synthetic(counts: Confusion) -> float | None:
    """Share of the rated cases that were called synthetic; None when nothing was rated."""
    return (counts.tp + counts.fp) / counts.n if counts.n else None


def majority_class_rate(counts: Confusion) -> float | None:
    """Accuracy of always giving the more frequent answer; None when nothing was rated."""
    return max(counts.n_synthetic, counts.n_real) / counts.n if counts.n else None


def chance_accuracy(counts: Confusion) -> float | None:
    """Accuracy expected from calls that ignore the truth, given both margins: pi*q + (1-pi)*(1-q)."""
    called = share_called_synthetic(counts)
    if called is None:
        return None
    prevalence = counts.n_synthetic / counts.n
    return prevalence * called + (1 - prevalence) * (1 - called)


@dataclass(frozen=True, kw_only=True)
class ExactTest:
    """Two-sided and one-sided exact p-values, or the reason why there are none."""

    p_two_sided: float | None
    p_greater: float | None = None
    p_less: float | None = None
    reason: str | None = None


def fisher_exact(counts: Confusion) -> ExactTest:
    """Fisher's exact test of truth x call: conditional on both margins, i.e. permuting the truth labels.

    One-sided greater: more synthetic cases called synthetic than by chance. Two-sided: outcomes no more
    likely than the observed one (as R `fisher.test`).
    """
    if counts.n == 0:
        return ExactTest(p_two_sided=None, reason="no trials")
    called = counts.tp + counts.fp
    lowest, highest = max(0, called - counts.n_real), min(called, counts.n_synthetic)
    support = np.arange(lowest, highest + 1)
    probability: FloatArray = stats.hypergeom.pmf(support, counts.n, counts.n_synthetic, called)
    here = counts.tp - lowest
    unlikely = probability <= probability[here] * TIE_TOLERANCE
    return ExactTest(
        p_two_sided=min(1.0, float(probability[unlikely].sum())),
        p_greater=min(1.0, float(probability[here:].sum())),
        p_less=min(1.0, float(probability[: here + 1].sum())),
    )
