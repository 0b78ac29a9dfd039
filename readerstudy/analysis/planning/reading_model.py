"""The model that all planning shares: what a rater feels about a case, and what follows for areas, calls and kappa.

A rating is d' * truth + noise. Of the noise's variance 1, raters share the part `correlation` on the same case; of
that, the cases of one patient share the part `alike`. Raters differ in d' with standard deviation `rater_sd`, and each
puts the border between "real" and "synthetic" where the own errors are fewest, at half of the own d'.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
from scipy import optimize, special, stats

from readerstudy.analysis.estimate import FloatArray, MatrixLike, as_matrix, as_truth, is_rated
from readerstudy.analysis.panel.mrmc import reader_averaged_auc
from readerstudy.analysis.planning.assumptions import PlanningAssumptions
from readerstudy.analysis.rater.auc import placements

NODES = 41
LARGEST_CORRELATION = 0.99
# Below this many cases of a kind a pilot tells nothing of what raters share.
FEWEST_PILOT_CASES = 4


def mean_skill(assumed: PlanningAssumptions, raters: int) -> float:
    """Mean d' at which the measure has its assumed value."""
    z = float(stats.norm.ppf(assumed.effect))
    if assumed.measure == "auc":
        return z * sqrt(2 + assumed.rater_sd**2)
    if assumed.measure == "ensemble":
        z = majority_skill(assumed.effect, assumed.case_correlation, assumed.rater_sd, raters)
    return 2 * z * sqrt(1 + assumed.rater_sd**2 / 4)


def both_below(z: float, correlation: float) -> float:
    """P(both of two standard normals with this correlation are below z), by Owen's T function."""
    if correlation >= 1:
        return float(stats.norm.cdf(z))
    slope = sqrt((1 - correlation) / (1 + correlation))
    return float(stats.norm.cdf(z) - 2 * special.owens_t(z, slope))


def kappa_of(correlation: float, *, share_correct: float, rater_sd: float = 0.0) -> float:
    """Kappa between the calls of two raters, truth and shared errors together, for balanced kinds."""
    z, spread = float(stats.norm.ppf(share_correct)), 1 + rater_sd**2 / 4
    agree = 1 - 2 * share_correct + 2 * both_below(z, correlation / spread)
    return 2 * agree - 1


def correlation_of_kappa(kappa: float, *, share_correct: float, rater_sd: float = 0.0) -> float:
    """The shared part of the noise that gives this kappa; 0 where the truth alone makes raters agree as much.

    At chance kappa = 2/pi * arcsin(correlation) (Sheppard 1899).
    """

    def excess(correlation: float) -> float:
        return kappa_of(correlation, share_correct=share_correct, rater_sd=rater_sd) - kappa

    if excess(0.0) >= 0:
        return 0.0
    if excess(LARGEST_CORRELATION) <= 0:
        return LARGEST_CORRELATION
    return float(optimize.brentq(excess, 0.0, LARGEST_CORRELATION))


def share_correct_of_area(area: float) -> float:
    """Share of correct calls of a rater with this area: half of d' on either side of the border."""
    return float(stats.norm.cdf(stats.norm.ppf(area) / sqrt(2)))


@dataclass(frozen=True, kw_only=True)
class PilotReading:
    """What a pilot says of the raters: the part of the noise they share, and the spread of their d'."""

    correlation: float
    rater_sd: float
    raters: int
    cases: int


def read_pilot(*, truth: FloatArray, ratings: MatrixLike) -> PilotReading:
    """Estimate the planning model from a pilot: `truth` (cases,), `ratings` (cases, raters), NaN for no rating.

    Correlation: mean over pairs of raters of the rank correlation within each kind, 2 sin(pi r / 6). Spread: variance
    of the raters' d' = sqrt(2) probit(area) beyond what the cases explain. ValueError for fewer than two raters or
    four cases of a kind.
    """
    true, rating = as_truth(truth), as_matrix(ratings)
    kinds = [rating[true == kind] for kind in (0, 1)]
    if rating.shape[1] < 2 or min(len(kind) for kind in kinds) < FEWEST_PILOT_CASES:
        raise ValueError(f"a pilot needs two raters and {FEWEST_PILOT_CASES} cases of each kind")
    pairs = [(i, j) for i in range(rating.shape[1]) for j in range(i)]
    ranks = [_rank_correlation(kind[:, i], kind[:, j]) for kind in kinds for i, j in pairs]
    known = [value for value in ranks if value is not None]
    correlation = 2 * np.sin(pi * float(np.mean(known)) / 6) if known else 0.0
    return PilotReading(
        correlation=float(np.clip(correlation, 0.0, LARGEST_CORRELATION)),
        rater_sd=_spread_of_skill(true, rating),
        raters=rating.shape[1],
        cases=len(true),
    )


def _rank_correlation(first: FloatArray, second: FloatArray) -> float | None:
    both = is_rated(first) & is_rated(second)
    if both.sum() < FEWEST_PILOT_CASES or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return None
    return float(stats.spearmanr(first[both], second[both]).statistic)


def _spread_of_skill(truth: FloatArray, ratings: FloatArray) -> float:
    areas = np.clip(placements(truth=truth, scores=ratings).aucs, 0.01, 0.99)
    found = reader_averaged_auc(truth=truth, ratings=ratings)
    if found.ms_reader is None or found.cov2 is None or found.value is None:
        return 0.0
    skill = sqrt(2) * stats.norm.ppf(areas[~np.isnan(areas)])
    slope = sqrt(2) / float(stats.norm.pdf(stats.norm.ppf(np.clip(found.value, 0.01, 0.99))))
    own_error = _mean_own_error(truth, ratings) - found.cov2
    return float(sqrt(max(0.0, float(skill.var(ddof=1)) - slope**2 * max(own_error, 0.0))))


def _mean_own_error(truth: FloatArray, ratings: FloatArray) -> float:
    values = placements(truth=truth, scores=ratings).values
    parts = [np.nanvar(values[truth == kind], axis=0, ddof=1) / (truth == kind).sum() for kind in (0, 1)]
    return float(np.nanmean(parts[0] + parts[1]))


def share_of_votes(skill: float, correlation: float, rater_sd: float, raters: int) -> tuple[float, ...]:
    """Probability of every number of right calls among `raters` on one case; `skill` is the probit of the mean share.

    Raters err independently given what they share: Gauss-Hermite integration over it.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    spread = 1 + rater_sd**2 / 4
    own = sqrt(spread - correlation)
    right = stats.norm.cdf((skill * sqrt(spread) + sqrt(correlation) * nodes) / own)
    number = np.arange(raters + 1)[:, None]
    shares = stats.binom.pmf(number, raters, right) @ (weights / weights.sum())
    return tuple(float(share) for share in shares)


def _right_and_even(skill: float, correlation: float, rater_sd: float, raters: int, shared: FloatArray) -> FloatArray:
    """Probability that the majority is right, and of an even split, given what raters share on the case: (2, ...)."""
    spread = 1 + rater_sd**2 / 4
    right = stats.norm.cdf((skill * sqrt(spread) + sqrt(correlation) * shared) / sqrt(spread - correlation))
    even = stats.binom.pmf(raters // 2, raters, right) if raters % 2 == 0 else np.zeros(right.shape)
    return np.stack([stats.binom.sf(raters // 2, raters, right), even])


@lru_cache(maxsize=256)
def majority_likeness(share: float, correlation: float, rater_sd: float, raters: int, *, alike: float) -> float:
    """Correlation of the majority's decisions being right on two cases of one patient, who share `alike` of the noise.

    Even splits are no decisions. Gauss-Hermite integration over what the patient and what the case adds.
    """
    skill = majority_skill(share, correlation, rater_sd, raters)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    shared = sqrt(alike) * nodes[:, None] + sqrt(1 - alike) * nodes[None, :]
    right, even = _right_and_even(skill, correlation, rater_sd, raters, shared)
    of_patient = (right - share * (1 - even)) @ weights
    decided = float(weights @ ((1 - even) @ weights))
    return float(weights @ of_patient**2) / (share * (1 - share) * decided)


@lru_cache(maxsize=256)
def majority_skill(share: float, correlation: float, rater_sd: float, raters: int) -> float:
    """Probit of the raters' mean share of right calls at which the majority is right in `share` of decided cases."""

    def excess(skill: float) -> float:
        right, tie = _majority(skill, correlation, rater_sd, raters)
        return right / (1 - tie) - share

    return float(optimize.brentq(excess, -6.0, 6.0, xtol=1e-6))


@lru_cache(maxsize=256)
def decided_share(share: float, correlation: float, rater_sd: float, raters: int) -> float:
    """Share of the cases that are no tie, for a majority that is right in `share` of the decided ones."""
    if raters % 2:
        return 1.0
    return 1 - _majority(majority_skill(share, correlation, rater_sd, raters), correlation, rater_sd, raters)[1]


def _majority(skill: float, correlation: float, rater_sd: float, raters: int) -> tuple[float, float]:
    """Probability that the majority is right on a case, and of a tie."""
    votes = np.array(share_of_votes(skill, correlation, rater_sd, raters))
    number = np.arange(raters + 1)
    return float(votes[2 * number > raters].sum()), float(votes[2 * number == raters].sum())


@lru_cache(maxsize=256)
def majority_spread(share: float, correlation: float, rater_sd: float, raters: int) -> float:
    """Standard deviation of the majority's share between panels, whose raters happen to be more or less skilled."""
    step, skill = 1e-3, majority_skill(share, correlation, rater_sd, raters)
    sides = [_majority(skill + sign * step, correlation, rater_sd, raters) for sign in (-1, 1)]
    low, high = (right / (1 - tie) for right, tie in sides)
    return (high - low) / (2 * step) * rater_sd / 2 / sqrt(raters * (1 + rater_sd**2 / 4))
