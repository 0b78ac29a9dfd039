"""The rest of the analysis in lines: panel tests beside the primary one, and what is behind each rater's row."""

from dataclasses import dataclass

from readerstudy.analysis import (
    AveragedAuc,
    EnsembleReading,
    MixedModels,
    PermutationTest,
    PooledReadings,
    RaterReading,
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
        Line(section="permutation", name="Truth permuted over cases", words=_permutation(analysis.permutation)),
        Line(section="model", name="Mixed model (probit)", words=_model(analysis.model)),
        Line(section="ensemble", name="Ensemble under other tie rules", words=_ties(analysis.ensemble)),
        Line(section="ensemble", name="Ensemble, weighted raters", words=_weighted(analysis.ensemble)),
        Line(section="pooled", name="All readings pooled", words=_pooled(analysis.pooled, level=level)),
    ]


def _auc(found: AveragedAuc, *, level: int) -> str:
    return f"{share_words(found.auc, level_percent=level)}, {p_words(found.p)} ({found.method})"


def _permutation(found: PermutationTest) -> str:
    if found.p_two_sided is None:
        return f"not tested: {found.reason}"
    how = "exact" if found.method == "exact" else f"{found.permutations} random permutations"
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
    return (
        f"d′ {found.d_prime:.2f}, {p_words(p)}; standard deviation between raters {fit.sd_rater:.2f}, "
        f"between cases {fit.sd_case:.2f}{boundary}"
    )


def _ties(found: EnsembleReading) -> str:
    names = {"exclude": "left out", "synthetic": "as synthetic", "real": "as real", "half_credit": "half a point"}
    return ", ".join(f"{words} {percent(getattr(found.tie_sensitivity, rule))}" for rule, words in names.items())


def _weighted(found: EnsembleReading) -> str:
    weighted = found.weighted
    return f"{percent(weighted.accuracy)} of {weighted.n} cases right ({weighted.method})"


def _pooled(found: PooledReadings, *, level: int) -> str:
    words = f"{found.correct} of {found.n} right, {share_words(found.accuracy, level_percent=level)}"
    inflation = found.variance_inflation
    # Estimated from few raters it may come out below 1, which would be no licence to pool.
    if inflation is not None and inflation > 1:
        words += f"; with raters and cases random the variance is {inflation:.1f} times as large"
    return f"{words}. {found.warning}"


def rater_details(data: ReportData) -> Table:
    """Detection, equivalence and Bayes factor of every rater."""
    return Table(
        columns=[
            "Rater",
            "d′",
            "Criterion",
            "Equivalence, p",
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
        _two_decimals(row.bf01),
        open_cases,
    ]


def _two_decimals(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
