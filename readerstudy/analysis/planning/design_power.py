"""Precision and power of the planned tests for one design.

The model stands in `reading_model`. Its moments are bivariate normal probabilities, so the variances of the
reader-averaged AUC and of percent correct are exact for it where every patient gives one case (Gallas et al. 2009; Roe
& Metz, Acad Radiol 1997;4:298). What a study will estimate of its variance is itself random, the more so the fewer
patients and raters it has: power is the mean over equally likely values of what will be estimated. With few patients
that is not close enough, and studies are simulated instead (`few_patients`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, sqrt

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.panel.mrmc import WARY_READERS, variance_of_average
from readerstudy.analysis.panel.percent_correct import CAUTIOUS_READERS
from readerstudy.analysis.planning.assumptions import Goal, PlanningAssumptions
from readerstudy.analysis.planning.few_patients import STUDIES, kinds_of, power_of_few
from readerstudy.analysis.planning.power import binomial_power, tost_power
from readerstudy.analysis.planning.reading_model import (
    both_below,
    decided_share,
    majority_likeness,
    majority_spread,
)

IntArray = npt.NDArray[np.int64]
# Values that stand for the distribution of each part of an estimated variance.
EQUALLY_LIKELY = 8
# Values that stand for the distribution of the estimate, where the limits depend on it.
ESTIMATES = 25
# Two raters say too little of how raters differ: the analysis takes another test.
FEWEST_FOR_AUC = 3
# A majority of one or two raters is no majority.
FEWEST_FOR_MAJORITY = 3
# Patients' contributions are bounded: an estimated variance spreads less than that of normal ones, in simulations as if
# it had so many times as many degrees of freedom.
LIGHT_TAILS = 1.3
# Below this many degrees of freedom nothing is known of what patients differ.
FEWEST_DF = 2


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Standard error of the measure and half-width of its interval; `df` is None where the normal is used.

    `drawn_se` and `drawn_df` are equally likely values of what a study will estimate. `fixed_se` and `drawn_fixed_se`
    are the same for these very raters, whose skill is then no chance, and not taken too large, as permutation takes
    nothing too large.
    """

    se: float
    half_width: float
    df: float | None
    drawn_se: FloatArray
    drawn_df: FloatArray
    fixed_se: float
    drawn_fixed_se: FloatArray


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Of one rater's estimate: variance through the rater's skill, variance over cases, covariance with another's."""

    of_rater: float
    own: float
    shared: float


def design_power(assumed: PlanningAssumptions, *, raters: int, cases: int) -> float:
    """Probability that the planned test reaches its goal with this design; 0 where the test does not exist.

    By simulation where there are few patients (see `few_patients`), in closed form otherwise.
    """
    return design_powers(assumed, raters=[raters], cases=cases)[0]


def design_powers(
    assumed: PlanningAssumptions, *, raters: Sequence[int], cases: int, studies: int = STUDIES
) -> list[float]:
    """Power with each of several numbers of raters, which read the same `studies` where any are simulated."""
    precise = {number: design_precision(assumed, raters=number, cases=cases) for number in raters}
    there = tuple(number for number, found in precise.items() if found is not None)
    kinds = kinds_of(assumed, cases)
    if kinds is not None and there:
        powers = dict(zip(there, power_of_few(assumed, kinds, there, studies), strict=True))
        return [powers.get(number, 0.0) for number in raters]
    return [
        0.0 if found is None else _closed_form(assumed, found, raters=number, cases=cases)
        for number, found in precise.items()
    ]


def _closed_form(assumed: PlanningAssumptions, found: Precision, *, raters: int, cases: int) -> float:
    if assumed.measure == "ensemble":
        return _ensemble_power(assumed, found, raters=raters, cases=cases)
    if assumed.measure == "panel_accuracy" and assumed.goal == "detect":
        return _permutation_power(assumed, found, raters=raters, cases=cases)
    return _logit_power(assumed, found, effect=assumed.effect)


# Planner and power ask for the same one after another.
@lru_cache(maxsize=64)
def design_precision(assumed: PlanningAssumptions, *, raters: int, cases: int) -> Precision | None:
    """Precision that the design will have; None where the test does not exist (one rater, one case of a kind)."""
    if assumed.measure == "ensemble":
        return _ensemble_precision(assumed, raters=raters, cases=cases)
    synthetic = round(cases * assumed.share_synthetic)
    fewest = FEWEST_FOR_AUC if assumed.measure == "auc" else 2
    if raters < fewest or min(synthetic, cases - synthetic) < 2 or assumed.df_patients(cases) < FEWEST_DF:
        return None
    parts = _auc_parts(assumed, synthetic, cases) if assumed.measure == "auc" else _share_parts(assumed, cases)
    return _averaged(assumed, parts, raters=raters, cases=cases)


def _averaged(assumed: PlanningAssumptions, parts: _Parts, *, raters: int, cases: int) -> Precision | None:
    """Precision of a mean over raters.

    Every patient's contributions to the raters' estimates are taken as normal, but for their tails. Then the mean
    square of the raters, the covariances' part along the mean of the raters and their part across it are independent
    chi-squares; Cov2 is what the second has beyond the third, and may be negative by chance.
    """
    across, ms_reader = parts.own - parts.shared, parts.of_rater + parts.own - parts.shared
    along = parts.own + (raters - 1) * parts.shared
    if along <= 0 or ms_reader <= 0:
        return None
    known = assumed.df_patients(cases)
    cautious = assumed.measure == "panel_accuracy" and raters <= CAUTIOUS_READERS
    wary = assumed.measure == "auc" and raters <= WARY_READERS
    # Where every patient gives one case, what patients differ is taken as known, as Obuchowski-Rockette does.
    df_cases = known if assumed.clustered else inf
    drawn_ms = ms_reader * _chi_square_shares(raters - 1)[:, None, None]
    taken, spread = assumed.too_large(cases), LIGHT_TAILS * known
    drawn_along = taken * along * _chi_square_shares(spread)[None, :, None]
    drawn_across = taken * max(across, 0.0) * _chi_square_shares(spread * (raters - 1))[None, None, :]
    of_cases = np.maximum((drawn_along - drawn_across) / raters, 0.0)
    mean_squares, shared_parts, fixed = np.broadcast_arrays(drawn_ms, of_cases, drawn_along / raters)
    variance, df = variance_of_average(
        ms_reader=mean_squares,
        cov2=shared_parts,
        fixed=fixed,
        readers=raters,
        df_patients=df_cases,
        cautious=cautious,
        wary=wary,
    )
    shared = max(parts.shared, 0.0)
    se = sqrt(ms_reader / raters + shared)
    expected_df = se**4 / ((ms_reader / raters) ** 2 / (raters - 1) + shared**2 / df_cases)
    return Precision(
        se=se,
        half_width=float(stats.t.isf(assumed.alpha / 2, expected_df)) * se,
        df=expected_df,
        drawn_se=np.sqrt(variance).ravel(),
        drawn_df=df.ravel(),
        fixed_se=sqrt(along / raters),
        drawn_fixed_se=np.sqrt(drawn_along / taken / raters).ravel(),
    )


def _ensemble_precision(assumed: PlanningAssumptions, *, raters: int, cases: int) -> Precision | None:
    """The panel is fixed, so that nothing but patients (or cases) is random."""
    known = assumed.df_patients(cases)
    if cases < 2 or raters < FEWEST_FOR_MAJORITY or (assumed.clustered and known < FEWEST_DF):
        return None
    decided = decided_share(assumed.effect, assumed.case_correlation, assumed.rater_sd, raters)
    likeness = majority_likeness(
        assumed.effect, assumed.case_correlation, assumed.rater_sd, raters, alike=assumed.alike
    )
    design_effect = 1 + (assumed.net_cases - 1) * likeness if assumed.clustered else 1.0
    se = sqrt(assumed.effect * (1 - assumed.effect) / (cases * decided) * design_effect)
    df, drawn = (known, np.sqrt(_chi_square_shares(LIGHT_TAILS * known))) if assumed.clustered else (None, np.ones(1))
    taken = sqrt(assumed.too_large(cases)) if assumed.clustered else 1.0
    return Precision(
        se=se,
        half_width=float(stats.t.isf(assumed.alpha / 2, df or inf)) * se,
        df=df,
        drawn_se=taken * se * drawn,
        drawn_df=np.full(len(drawn), df or inf),
        fixed_se=se,
        drawn_fixed_se=se * drawn,
    )


def _ensemble_power(assumed: PlanningAssumptions, found: Precision, *, raters: int, cases: int) -> float:
    """Mean over panels, which differ in skill: three stand for all, with mean, variance and fourth moment of a normal.

    Exact for each number of decided cases where every patient gives one case, and even splits are no trials.
    """
    spread = majority_spread(assumed.effect, assumed.case_correlation, assumed.rater_sd, raters)
    shares = np.clip(assumed.effect + sqrt(3) * spread * np.array([-1, 0, 1]), 0.01, 0.99)
    of_share = _over_patients if assumed.clustered else _over_cases
    powers = [of_share(assumed, found, share=float(share), raters=raters, cases=cases) for share in shares]
    return float(np.dot(powers, (1 / 6, 2 / 3, 1 / 6)))


def _over_cases(assumed: PlanningAssumptions, _found: Precision, *, share: float, raters: int, cases: int) -> float:
    decided = decided_share(assumed.effect, assumed.case_correlation, assumed.rater_sd, raters)
    reach = 3.5 * sqrt(cases * decided * (1 - decided))
    numbers = np.arange(ceil(cases * decided - reach), int(cases * decided + reach) + 1)
    likely = stats.binom.pmf(numbers, cases, decided)
    return float(likely @ _reached_exactly(assumed, numbers, share)) / float(likely.sum())


def _over_patients(assumed: PlanningAssumptions, found: Precision, *, share: float, raters: int, cases: int) -> float:
    if assumed.goal == "equivalent":
        return _logit_power(assumed, found, effect=share)
    return _studentised_power(assumed, found, gap=share - 0.5, cases=cases, step=1 / cases)


def _reached_exactly(assumed: PlanningAssumptions, numbers: IntArray, share: float) -> FloatArray:
    """Probability of the goal for each number of decided cases, at this true share of right decisions."""
    regions = [_region(assumed.goal, assumed.alpha, assumed.margin, n=int(n)) for n in numbers]
    low, high = np.array(regions).T
    if assumed.goal == "detect":
        return np.asarray(stats.binom.cdf(low, numbers, share) + stats.binom.sf(high - 1, numbers, share))
    inside = stats.binom.cdf(high, numbers, share) - stats.binom.cdf(low - 1, numbers, share)
    return np.asarray(np.maximum(inside, 0.0))


@lru_cache(maxsize=4096)
def _region(goal: Goal, alpha: float, margin: float, *, n: int) -> tuple[int, int]:
    """Counts of right decisions: detected up to the first and from the second on; equivalent between the two."""
    if goal == "detect":
        found = binomial_power(n=n, share=0.5, alpha=alpha)
        low, high = found.largest_below, found.smallest_above
        return (-1 if low is None else low, n + 1 if high is None else high)
    region = tost_power(n=n, share=0.5, margin=margin, alpha=alpha).region
    return region or (1, 0)


def _logit_power(assumed: PlanningAssumptions, found: Precision, *, effect: float) -> float:
    """Power at the true value `effect` of test or equivalence on the logit scale, whose standard error is estimated."""
    estimates, drawn_se = _estimates(found, effect=effect)
    distance, se = np.abs(special.logit(estimates)), drawn_se / (estimates * (1 - estimates))
    if assumed.goal == "detect":
        return float(np.mean(distance >= stats.t.isf(assumed.alpha / 2, found.drawn_df) * se))
    edge = float(special.logit(0.5 + assumed.margin))
    return float(np.mean(distance + stats.t.isf(assumed.alpha, found.drawn_df) * se <= edge))


def _estimates(found: Precision, *, effect: float) -> tuple[FloatArray, FloatArray]:
    """Equally likely estimates (n, 1), and the standard errors (n, values) that may be estimated beside each.

    What makes patients differ moves ratings, so that a standard error follows the normal density at the estimate's
    probit: largest at one half.
    """
    estimates = np.clip(effect + found.se * _normal_values(), 0.001, 0.999)[:, None]
    slope = stats.norm.pdf(stats.norm.ppf(estimates))
    return estimates, found.drawn_se * slope / np.sqrt(np.mean(slope**2))


@lru_cache(maxsize=1)
def _normal_values() -> FloatArray:
    """Equally likely values of a standard normal."""
    return np.asarray(stats.norm.ppf((np.arange(ESTIMATES) + 0.5) / ESTIMATES), dtype=np.float64)


def _permutation_power(assumed: PlanningAssumptions, found: Precision, *, raters: int, cases: int) -> float:
    """Power of the permutation test of the panel's share of correct calls, which holds the raters fixed.

    Its null standard deviation comes from the votes per case, kinds together; the share itself varies with raters and
    cases. With the votes given, the share moves in steps of 2 / readings; the test loses up to half of one, in
    simulations three eighths.
    """
    of_raters, _ = _share_covariances(assumed)
    gap, step = assumed.effect - 0.5, 1 / (raters * cases)
    if assumed.clustered:
        skill = sqrt(of_raters / raters) * np.sqrt(3) * np.array([-1, 0, 1])
        powers = [_studentised_power(assumed, found, gap=gap + one, cases=cases, step=step) for one in skill]
        return float(np.dot(powers, (1 / 6, 2 / 3, 1 / 6)))
    null_sd = sqrt(found.fixed_se**2 + gap**2 / cases)
    reach = float(stats.norm.isf(assumed.alpha / 2)) * null_sd + 3 / 4 * step
    sd = sqrt(found.fixed_se**2 + of_raters / raters)
    return float(stats.norm.sf((reach - gap) / sd) + stats.norm.cdf((-reach - gap) / sd))


def _studentised_power(assumed: PlanningAssumptions, found: Precision, *, gap: float, cases: int, step: float) -> float:
    """Power of the permutation of whole patients, whose studentised statistic has t's distribution nearly.

    Where the kinds are far apart, permuted studies mix the patients of both, and their statistic has longer tails: in
    simulations as if alpha were less by two degrees of freedom from three standard errors on.
    """
    df, se = assumed.df_patients(cases), found.fixed_se
    mixed = 1 - 2 / df * min(1.0, (gap / se / 3) ** 4)
    reach = stats.t.isf(assumed.alpha * mixed / 2, df) * found.drawn_fixed_se + step
    return float(np.mean(stats.norm.sf((reach - gap) / se) + stats.norm.cdf((-reach - gap) / se)))


def _share_covariances(assumed: PlanningAssumptions) -> tuple[float, float]:
    """Covariance of two calls' correctness: of one rater on two cases, and of two raters on one case."""
    z, spread = float(stats.norm.ppf(assumed.effect)), 1 + assumed.rater_sd**2 / 4
    of_rater = both_below(z, (spread - 1) / spread) - assumed.effect**2
    of_case = both_below(z, assumed.case_correlation / spread) - assumed.effect**2
    return of_rater, of_case


def _share_parts(assumed: PlanningAssumptions, cases: int) -> _Parts:
    of_rater, of_case = _share_covariances(assumed)
    within = assumed.effect * (1 - assumed.effect) - of_rater + (assumed.design_effect_shared - 1) * of_case
    return _Parts(of_rater=of_rater, own=within / cases, shared=of_case * assumed.design_effect_shared / cases)


def _auc_parts(assumed: PlanningAssumptions, synthetic: int, cases: int) -> _Parts:
    """By U-statistic moments: two pairs of a synthetic and a real case share a case, a patient or nothing of a kind."""
    area, net = assumed.effect, assumed.net_cases
    same, other = _auc_moments(area, assumed.case_correlation, assumed.rater_sd, assumed.alike)
    shares = [np.array([1, net - 1, n - net]) / n for n in (synthetic, cases - synthetic)]
    weights = np.outer(*shares)
    of_rater = float(same[2, 2]) - area**2
    return _Parts(
        of_rater=of_rater,
        own=float((weights * same).sum()) - area**2 - of_rater,
        shared=float((weights * other).sum()) - area**2,
    )


@lru_cache(maxsize=2048)
def _chi_square_shares(df: float) -> FloatArray:
    """Equally likely values of a chi-square divided by its degrees of freedom."""
    steps = (np.arange(EQUALLY_LIKELY) + 0.5) / EQUALLY_LIKELY
    return np.asarray(stats.chi2.ppf(steps, df) / df, dtype=np.float64)


@lru_cache(maxsize=512)
def _auc_moments(area: float, correlation: float, rater_sd: float, alike: float) -> tuple[FloatArray, FloatArray]:
    """Second moments of the kernel, (3, 3) each, of the same reader and of two: rows for synthetic cases, columns for
    real ones, the same case, another of the same patient, of another patient.

    The difference of a synthetic and a real rating has variance 2 + rater_sd^2; what two differences share decides
    their correlation.
    """
    total, z = 2 + rater_sd**2, float(stats.norm.ppf(area))
    of_patient = correlation * alike
    same, other = np.array([1.0, of_patient, 0.0]), np.array([correlation, of_patient, 0.0])
    shared = [np.add.outer(same, same) + rater_sd**2, np.add.outer(other, other)]
    first, second = (np.array([[both_below(z, one / total) for one in row] for row in table]) for table in shared)
    return first, second
