"""Equivalence to chance within a margin, and the four verdicts that the platform may print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt

from scipy import special, stats

from readerstudy.analysis.estimate import Estimate, missing
from readerstudy.analysis.numeric import t_quantile, t_two_sided_p
from readerstudy.analysis.panel.mrmc import PanelAuc
from readerstudy.analysis.rater.proportions import (
    check_counts,
    exact_binomial,
    half_point_interval,
    proportion_interval,
)


@dataclass(frozen=True, kw_only=True)
class Tost:
    """Two one-sided tests: `p` is the larger of the two, `interval` is the 1-2*alpha interval it agrees with.

    Statistics are None for exact tests; everything is None with a `reason` when there is nothing to test.
    """

    p: float | None
    p_lower: float | None = None
    p_upper: float | None = None
    statistic_lower: float | None = None
    statistic_upper: float | None = None
    equivalent: bool | None = None
    interval: Estimate
    df: float | None = None
    difference_statistic: float | None = None
    difference_p: float | None = None
    reason: str | None = None


def no_tost(reason: str) -> Tost:
    """Return the test that could not be done, with its reason."""
    return Tost(p=None, interval=missing(reason), reason=reason)


def binomial_tost(*, successes: int, trials: int, null: float = 0.5, margin: float, alpha: float = 0.05) -> Tost:
    """Exact TOST of one proportion: H0 p <= null - margin or p >= null + margin.

    Agrees with inclusion of the 1-2*alpha Clopper-Pearson interval. `difference_p` is the exact two-sided test of
    `null` itself. Source: Schuirmann 1987; Chow, Shao & Wang, Sample Size Calculations, ch. 4.
    """
    check_counts(successes=successes, trials=trials)
    if margin <= 0 or null - margin < 0 or null + margin > 1:
        raise ValueError("null plus and minus the margin must stay within [0, 1] and the margin be positive")
    if trials == 0:
        return no_tost("no trials")
    lower = float(stats.binom.sf(successes - 1, trials, null - margin))
    upper = float(stats.binom.cdf(successes, trials, null + margin))
    return Tost(
        p=max(lower, upper),
        p_lower=lower,
        p_upper=upper,
        equivalent=max(lower, upper) <= alpha,
        interval=proportion_interval(successes=successes, trials=trials, level=1 - 2 * alpha),
        difference_p=exact_binomial(successes=successes, trials=trials, null=null).p_minlike,
    )


def half_point_tost(*, points: float, trials: int, null: float = 0.5, margin: float, alpha: float = 0.05) -> Tost:
    """`binomial_tost` where some trials gave half a point: the binomial tails by the beta function, conservative.

    Agrees with inclusion of the 1-2*alpha limits of `half_point_interval`.
    """
    if trials == 0:
        return no_tost("no trials")
    lower = float(stats.beta.cdf(null - margin, points, trials - points + 1)) if points > 0 else 1.0
    upper = float(stats.beta.sf(null + margin, points + 1, trials - points)) if points < trials else 1.0
    return Tost(
        p=max(lower, upper),
        p_lower=lower,
        p_upper=upper,
        equivalent=max(lower, upper) <= alpha,
        interval=half_point_interval(points=points, trials=trials, level=1 - 2 * alpha),
    )


def t_tost(*, mean: float, sd: float, n: int, null: float, low: float, high: float, alpha: float = 0.05) -> Tost:
    """TOST of one mean by t; `low`/`high` bound mean - null, and `interval` is for that difference.

    Source: Lakens, Soc Psychol Personal Sci 2017;8:355.
    """
    if n < 2:
        return no_tost("fewer than two values have no standard deviation")
    if sd <= 0:
        return no_tost("all values are equal: no standard error")
    return difference_tost(mean - null, se=sd / sqrt(n), df=n - 1, low=low, high=high, alpha=alpha)


def difference_tost(difference: float, *, se: float, df: float, low: float, high: float, alpha: float = 0.05) -> Tost:
    """TOST by t of a difference with its standard error: H0 difference <= `low` or >= `high`."""
    t_low, t_high = (difference - low) / se, (difference - high) / se
    two_low, two_high = t_two_sided_p(t_low, df) / 2, t_two_sided_p(t_high, df) / 2
    lower = two_low if t_low > 0 else 1 - two_low
    upper = two_high if t_high < 0 else 1 - two_high
    half = t_quantile(1 - alpha, df) * se
    return Tost(
        p=max(lower, upper),
        p_lower=lower,
        p_upper=upper,
        statistic_lower=t_low,
        statistic_upper=t_high,
        equivalent=max(lower, upper) <= alpha,
        interval=Estimate(value=difference, low=difference - half, high=difference + half),
        df=df,
        difference_statistic=difference / se,
        difference_p=t_two_sided_p(difference / se, df),
    )


def two_proportion_tost(
    *, first: float, second: float, n_first: int, n_second: int, low: float, high: float, alpha: float = 0.05
) -> Tost:
    """TOST of the difference of two independent proportions by the unpooled normal approximation."""
    if min(n_first, n_second) == 0:
        return no_tost("no trials")
    variance = first * (1 - first) / n_first + second * (1 - second) / n_second
    if variance == 0:
        return no_tost("both proportions are 0 or 1: no standard error")
    return difference_tost(first - second, se=sqrt(variance), df=float("inf"), low=low, high=high, alpha=alpha)


def auc_tost(*, panel: PanelAuc, margin: float, alpha: float = 0.05, null: float = 0.5) -> Tost:
    """TOST of an average over readers: its 1-2*alpha interval must lie within null +- margin.

    Tested on the scale of the panel's limits, with their standard error and degrees of freedom; `interval` is for the
    difference from `null`.
    """
    if panel.value is None or panel.se is None or panel.df is None or panel.beyond_logit:
        return no_tost(panel.reason or "the AUC has no standard error")
    if panel.scale == "identity":
        return difference_tost(panel.value - null, se=panel.se, df=panel.df, low=-margin, high=margin, alpha=alpha)
    value, se = float(special.logit(panel.value)), panel.se / (panel.value * (1 - panel.value))
    bounds = special.logit([max(null - margin, 0.0), min(null + margin, 1.0)])
    found = difference_tost(value, se=se, df=panel.df, low=float(bounds[0]), high=float(bounds[1]), alpha=alpha)
    low, high = (float(special.expit(limit)) - null for limit in found.interval.limits or ())
    interval = Estimate(value=panel.value - null, low=low, high=high)
    return replace(found, interval=interval, difference_statistic=None, difference_p=None)


def margin_of_right_answers(margin: float) -> float:
    """Return the margin of the share of right answers that says what `margin` says of an AUC.

    By signal detection with equal variances and an unbiased criterion: AUC = Phi(d'/sqrt 2), share = Phi(d'/2); ± 15
    points of an area are ± 10.7 of right answers. Source: Macmillan & Creelman, Detection Theory, 2nd ed., ch. 1 and 3.
    """
    return float(special.ndtr(special.ndtri(0.5 + margin) / sqrt(2))) - 0.5


class Verdict(StrEnum):
    """What the data allow to say; a large p alone is never evidence of indistinguishability."""

    DISCRIMINATES = "discriminates"
    EQUIVALENT = "equivalent to chance within the margin"
    DETECTABLE_WITHIN = "detectable but within the margin"
    INCONCLUSIVE = "inconclusive"
    NOT_ASSESSABLE = "not assessable"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict with its sentence in plain words.

    `difference` is the sentence of the difference alone, where one was found; `withheld` says why nothing is said of
    equivalence where the interval would allow it or was not looked at.
    """

    verdict: Verdict
    sentence: str
    difference: str | None = None
    withheld: str | None = None


@dataclass(frozen=True)
class Subject:
    """Whose answers are judged, and what more of would tell more."""

    name: str
    pronoun: str
    more: str


THE_PANEL = Subject("The panel", "it", "cases or raters")
ONE_RATER = Subject("This rater", "they", "cases")


def judge(
    *,
    p_difference: float | None,
    equivalent: bool | None,
    estimate: Estimate,
    margin: float,
    alpha: float,
    equivalence_interval: tuple[float, float] | None = None,
    measure: str = "AUC",
    null: float = 0.5,
    no_test: str | None = None,
    no_equivalence: str | None = None,
    test_above: bool | None = None,
    subject: Subject = THE_PANEL,
) -> Judgement:
    """Combine the test against chance and the equivalence test into one verdict with its sentence.

    A missing test counts as not passed, so that what cannot be estimated is inconclusive; `no_test` says why the
    test is missing, `no_equivalence` why that of equivalence is. `equivalence_interval` are the 1-2*alpha limits on the
    scale of the estimate. `test_above` is the side of chance on which the test found the answers, where it weighs them
    otherwise than the estimate does.
    """
    differs = p_difference is not None and p_difference <= alpha
    verdict = _verdict(differs=differs, equivalent=bool(equivalent))
    if estimate.value is None:
        sentence = f"Inconclusive: {measure} could not be estimated ({estimate.reason})."
        return Judgement(verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    number = f"{measure} {estimate.value:.3f}{_limits(estimate.low, estimate.high, 1 - alpha)}"
    if p_difference is None and not equivalent:
        sentence = f"Inconclusive: {number}, but no test is possible ({no_test or 'no standard error'})."
        return Judgement(verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    low, high = equivalence_interval or (None, None)
    within = f"{measure} {estimate.value:.3f}{_limits(low, high, 1 - 2 * alpha)}"
    band = f"{null:.2f} ± {_margin_words(margin)}"
    inside = f"is shown to lie within {band}"
    if no_equivalence:
        inside = f"can be compared with a margin, because {no_equivalence}"
    above = estimate.value > null if test_above is None else test_above
    apart = _apart(above=above) if above != (estimate.value > null) else ""
    difference = f"{subject.name} discriminates: {subject.pronoun} {_how(above=above)} ({number}, chance {null:.2f})."
    sentence = {
        Verdict.DISCRIMINATES: difference + apart,
        Verdict.EQUIVALENT: f"Equivalent to chance within the margin: {within} lies within {band}.",
        Verdict.DETECTABLE_WITHIN: (
            f"Detectable but within the margin: {within} lies within {band} yet differs from chance." + apart
        ),
        Verdict.INCONCLUSIVE: (
            f"Inconclusive: {number} neither differs from chance nor {inside}. More "
            f"{subject.more} are needed; this is not evidence that the images cannot be told apart."
        ),
    }[verdict]
    return Judgement(verdict=verdict, sentence=sentence, difference=difference + apart if differs else None)


def _verdict(*, differs: bool, equivalent: bool) -> Verdict:
    if differs:
        return Verdict.DETECTABLE_WITHIN if equivalent else Verdict.DISCRIMINATES
    return Verdict.EQUIVALENT if equivalent else Verdict.INCONCLUSIVE


def _limits(low: float | None, high: float | None, level: float) -> str:
    if low is None or high is None:
        return ""
    return f" [{level_words(level)} % interval {low:.3f} to {high:.3f}]"


def _margin_words(margin: float) -> str:
    """Two digits where these are all, else three."""
    return f"{margin:.2f}" if abs(margin - round(margin, 2)) < 1e-9 else f"{margin:.3f}"


def level_words(level: float) -> str:
    """Say a level in percent as it is: 97.5 and not 98."""
    return f"{round(100 * level, 6):g}"


def _apart(*, above: bool) -> str:
    side = "above" if above else "below"
    return (
        f" The test weighs the answers otherwise than this number does: it found them {side} chance, where the number "
        "does not lie."
    )


def _how(*, above: bool) -> str:
    # Below chance the information was used, only with the labels swapped.
    return "told synthetic from real" if above else "used the right information with swapped labels"
