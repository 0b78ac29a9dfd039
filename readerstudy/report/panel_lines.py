"""The rest of the analysis in lines: panel tests beside the primary one, and what is behind each rater's row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from readerstudy.analysis import (
    Alternative,
    AveragedAuc,
    EnsembleReading,
    LeftOut,
    MixedModels,
    PanelAgreement,
    PanelShares,
    PermutationTest,
    PooledReadings,
    RaterReading,
    TimesOfKinds,
    Unit,
    level_words,
)
from readerstudy.report.data import ReportData
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent, p_number, p_words, percent, share_words


@dataclass(frozen=True, kw_only=True)
class Line:
    """`section` names the part of the analysis, whose status tells whether it was planned."""

    section: str
    name: str
    words: str


def panel_lines(data: ReportData) -> list[Line]:
    analysis, level = data.analysis, level_percent(data.options)
    return [
        Line(section="mrmc", name="AUC averaged over raters", words=_auc(analysis.mrmc, level=level)),
        Line(
            section="panel_shares",
            name="Sensitivity and specificity averaged over raters",
            words=_panel_shares(analysis.panel_shares, unit=analysis.design.unit, level=level),
        ),
        Line(section="permutation", name="Truth permuted", words=_permutation(analysis.permutation)),
        Line(section="model", name="Mixed model (probit)", words=_model(analysis.model)),
        Line(section="tie_rules", name="Ensemble under other tie rules", words=_ties(analysis.ensemble)),
        Line(section="weighted_votes", name="Ensemble, weighted raters", words=_weighted(analysis.ensemble)),
        Line(
            section="pooled",
            name="All readings pooled",
            words=_pooled(analysis.pooled, unit=analysis.design.unit, level=level),
        ),
        Line(
            section="agreement",
            name="Agreement between raters",
            words=_agreement(analysis.agreement, unit=analysis.design.unit, level=level),
        ),
        Line(section="sensitivity", name="What the primary measure hangs on", words=_sensitivity(data, level=level)),
        Line(section="times", name="Reading times", words=_times(analysis.times, level=level)),
    ]


def _auc(found: AveragedAuc, *, level: str) -> str:
    return f"{share_words(found.auc, level=level)}, {p_words(found.p)} ({found.method})"


def _panel_shares(found: PanelShares, *, unit: Unit, level: str) -> str:
    return (
        f"{share_words(found.sensitivity, level=level)} of the synthetic and "
        f"{share_words(found.specificity, level=level)} of the real cases, for raters and {unit}s like these"
    )


def _permutation(found: PermutationTest) -> str:
    if found.p_two_sided is None:
        return f"not tested: {found.reason}"
    how = "exact, over cases" if found.method == "exact" else f"{found.permutations} random permutations"
    if found.unit == "patient":
        how += " within and between patients"
    return (
        f"{percent(found.accuracy)} of all answers right, {percent(found.null_accuracy)} expected when answers "
        f"ignore the truth, {p_words(found.p_two_sided)} ({how})"
    )


def _model(found: MixedModels) -> str:
    fit = found.detection_probit
    if found.d_prime is None:
        return f"not fitted: {fit.reason}"
    p = fit.p[1] if len(fit.p) > 1 else None
    boundary = "; a spread was estimated as 0" if fit.singular else ""
    patients = "" if fit.sd_patient is None else f", between patients {fit.sd_patient:.2f}"
    unit = "" if fit.sd_patient is None else "; cases lie within random patients"
    return (
        f"d′ {found.d_prime:.2f}, {p_words(p)}; standard deviation between raters {fit.sd_rater:.2f}, "
        f"of their d′ {fit.sd_rater_slope or 0:.2f}, between cases {fit.sd_case:.2f}{patients}"
        f"{boundary}{unit}"
    )


def _ties(found: EnsembleReading) -> str:
    if found.accuracy.value is None and found.n:
        return f"not estimable: {found.accuracy.reason}"
    names = {"exclude": "left out", "synthetic": "as synthetic", "real": "as real", "half_credit": "half a point"}
    return ", ".join(f"{words} {percent(getattr(found.tie_sensitivity, rule))}" for rule, words in names.items())


def _weighted(found: EnsembleReading) -> str:
    if found.accuracy.value is None and found.n:
        return f"not estimable: {found.accuracy.reason}"
    weighted = found.weighted
    return f"{percent(weighted.accuracy)} of {weighted.n} cases right ({weighted.method})"


def _pooled(found: PooledReadings, *, unit: Unit, level: str) -> str:
    words = f"{found.correct} of {found.n} right, {share_words(found.accuracy, level=level)}"
    if found.binomial_p is None:
        return f"{words}."
    words += f", {p_words(found.binomial_p)} against one half"
    inflation = found.variance_inflation
    # Estimated from few raters it may come out below 1, which would be no licence to pool.
    if inflation is not None and inflation > 1:
        words += f"; with raters and {unit}s random the variance is {inflation:.1f} times as large"
    return f"{words}. {found.warning}"


def _agreement(found: PanelAgreement, *, unit: Unit, level: str) -> str:
    return (
        f"Fleiss' kappa {share_words(found.fleiss_kappa, level=level)}, Gwet's AC1 "
        f"{share_words(found.gwet_ac1, level=level)}; {unit}s are random in the intervals, the raters fixed"
    )


def _sensitivity(data: ReportData, *, level: str) -> str:
    found, labels = data.analysis.sensitivity, data.rater_labels
    unit = data.analysis.design.unit
    parts = []
    if found.covariance:
        name = {"jackknife": "jackknife (Dorfman-Berbaum-Metz, Hillis)", "delong": "DeLong"}[found.covariance]
        parts.append(f"with {name} covariances {share_words(found.other, level=level)}, {p_words(found.p)}")
    if found.fixed_readers.low is not None:
        parts.append(f"for these very raters, {unit}s alone random, {_alternative(found.fixed_readers, level=level)}")
    if found.missing_rule:
        rule = {"complete_cases": "of the cases that every rater answered", "available": "of all answers there are"}
        parts.append(f"{rule[found.missing_rule]} {_alternative(found.other_rule, level=level)}")
    parts += [
        _range(found.raters, "without one rater", data, name=lambda row: labels.get(row.left_out[0], row.left_out[0])),
        _range(found.patients, f"without one {unit}", data, name=lambda row: ", ".join(row.left_out)),
        _reached(found.smallest_margin, data),
    ]
    return "; ".join(part for part in parts if part) or "nothing was tested"


def _alternative(found: Alternative, *, level: str) -> str:
    return share_words(found, level=level) + ("" if found.p is None else f", {p_words(found.p)}")


def _reached(smallest: float | None, data: ReportData) -> str:
    """Which margins the interval of equivalence would lie within; the planned one alone decides."""
    if smallest is None:
        return ""
    band = data.analysis.primary.equivalence
    inner, margin = level_words(band.level), round(100 * band.margin, 1)
    points = ceil(1000 * smallest - 1e-9) / 10
    return f"the {inner} % interval lies within ± {points:g} points of chance and more (the margin is ± {margin:g})"


def _range(rows: Sequence[LeftOut], words: str, data: ReportData, *, name: Callable[[LeftOut], str]) -> str:
    """The smallest and the largest value, and in how many the test would fall on the other side."""
    known = [(row.value, row) for row in rows if row.value is not None]
    if not known:
        return ""
    (low, least), (high, most) = min(known, key=lambda one: one[0]), max(known, key=lambda one: one[0])
    told = f"{words} {low:.3f} (without {name(least)}) to {high:.3f} (without {name(most)})"
    alpha, p = data.options.alpha, data.analysis.primary.p
    tested = [row.p for row in rows if row.p is not None]
    if p is None or not tested:
        return told
    turned = sum((one <= alpha) != (p <= alpha) for one in tested)
    return f"{told}, significant or not as with all in {len(tested) - turned} of {len(tested)}"


def _times(found: TimesOfKinds | None, *, level: str) -> str:
    if found is None:
        return "not compared: no times were recorded"
    if found.ratio.value is None:
        return f"not compared: {found.ratio.reason}"
    spread = found.rater_spread or 0.0
    raters = f"between raters the logarithm of this ratio has a standard deviation of {spread:.2f}"
    return (
        f"a synthetic case took {share_words(found.ratio, level=level)} times as long as a real one at the same "
        f"position, {p_words(found.p)}; {raters}; ten cases later a reading took "
        f"{share_words(found.ratio_per_10_cases, level=level)} times as long ({found.n} readings of "
        f"{found.n_raters} raters, {found.method})"
    )


def rater_details(data: ReportData) -> Table:
    """Detection, equivalence and Bayes factor of every rater, with the parts of the plan that they belong to."""
    return Table(
        columns=[
            "Rater",
            "d′",
            "Criterion",
            "Equivalence, p",
            "Equivalence, p adjusted",
            "Bayes factor for chance",
            "Right if unanswered cases were wrong, or right",
        ],
        rows=[_rater_details_row(data.rater_labels[row.rater], row) for row in data.analysis.raters],
    )


def _rater_details_row(label: str, row: RaterReading) -> list[str]:
    bounds = row.unanswered_bounds
    open_cases = f"{percent(bounds.worst)} to {percent(bounds.best)}" if row.missing else "all answered"
    equivalence = row.equivalence
    tested = p_number(equivalence.p) if equivalence.p is not None else f"– ({equivalence.reason})"
    return [
        label,
        _two_decimals(row.d_prime),
        _two_decimals(row.criterion),
        tested,
        p_number(equivalence.p_adjusted),
        _two_decimals(row.bf01),
        open_cases,
    ]


def _two_decimals(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
