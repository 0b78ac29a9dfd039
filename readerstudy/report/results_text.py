"""Results in sentences, verdict first: what the plan named, and apart from it what it did not."""

from collections.abc import Callable, Mapping

from readerstudy.analysis import PrimaryTest, RaterReading, level_words
from readerstudy.planning.words import SECTION_WORDS
from readerstudy.report.data import ReportData
from readerstudy.report.groups_words import groups_words
from readerstudy.report.panel_lines import panel_lines
from readerstudy.report.repeats import repeats_words
from readerstudy.report.text import (
    assay_words,
    level_percent,
    p_words,
    planned_sections,
    reading_words,
    share_words,
    simulated_words,
    untested,
)

# Printed whether a plan names them or not.
ALWAYS_TOLD = ("raters", "ensemble", "agreement")
NO_RATINGS = "not computed: no confidence was asked for"


def results_text(data: ReportData) -> list[str]:
    """Paragraphs: verdict, what it rests on, every section that the plan names, then what it does not."""
    analysis, labels, level = data.analysis, data.rater_labels, level_percent(data.options)
    paragraphs = [_verdict(analysis.primary), " ".join(assay_words(analysis.assay, labels, level=level))]
    if simulated := simulated_words(data):
        paragraphs.insert(0, simulated)
    if not data.intact:
        paragraphs.insert(0, data.verified)
    planned = planned_sections(data)
    always = [*ALWAYS_TOLD, *(["repeats"] if data.repeats else []), *(["groups"] if data.groups.readings else [])]
    always += ["times"] if data.analysis.times else []
    told = [_capitalised(SECTIONS_IN_WORDS[name](data)) for name in always if name not in planned]
    if analysis.status is None:
        paragraphs += filter(None, told)
    else:
        words = [f"{_headed(name)}: {SECTIONS_IN_WORDS[name](data) or 'nobody answered'}" for name in planned]
        paragraphs += [f"Planned. {one}" for one in words]
        paragraphs += [f"Exploratory, which the plan does not name. {one}" for one in told if one]
    paragraphs += _left_out(data)
    return paragraphs


def _headed(name: str) -> str:
    return _capitalised(SECTION_WORDS[name])


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]


def _verdict(primary: PrimaryTest) -> str:
    band = primary.equivalence
    words = primary.sentence
    if not untested(primary):
        words += f" Test against chance: {p_words(primary.p)}."
    if band.low is not None and band.high is not None and primary.null is not None:
        words += (
            f" The {level_words(band.level)} % interval for equivalence runs from {band.low:.3f} to "
            f"{band.high:.3f}, the margin from {primary.null - band.margin:.3f} to "
            f"{primary.null + band.margin:.3f} ({p_words(band.p)})."
        )
        if band.reason:
            words += f" Equivalence may not be concluded from it: {band.reason}."
    elif band.reason and not untested(primary):
        words += f" Equivalence could not be tested: {band.reason}."
    return words


def _raters(data: ReportData) -> str:
    level = level_percent(data.options)
    return " ".join(reading_words(data.rater_labels[row.rater], row, level=level) for row in data.analysis.raters)


def _ensemble(data: ReportData) -> str:
    ensemble, level = data.analysis.ensemble, level_percent(data.options)
    ties = ensemble.n_ties
    words = reading_words("The ensemble (majority of the panel)", ensemble, level=level)
    words += f" The panel was split evenly on {ties} case{'' if ties == 1 else 's'}."
    expected = ensemble.expected_if_independent
    if ensemble.accuracy.value is not None and expected and expected.p_correct_given_decided is not None:
        words += (
            f" Raters of this accuracy who err independently would reach {expected.p_correct_given_decided:.3f} "
            "by majority."
        )
    return words


def _agreement(data: ReportData) -> str:
    agreement, level = data.analysis.agreement, level_percent(data.options)
    units = "patients" if data.analysis.design.unit == "patient" else "cases"
    return (
        f"Agreement between the raters, with intervals over {units}: "
        f"Fleiss' kappa {share_words(agreement.fleiss_kappa, level=level)}, "
        f"Gwet's AC1 {share_words(agreement.gwet_ac1, level=level)}, "
        f"Krippendorff's alpha {share_words(agreement.krippendorff_alpha, level=level)}."
    )


def _line(section: str) -> Callable[[ReportData], str]:
    """What the page says in one line."""

    def words(data: ReportData) -> str:
        return next(f"{line.words}." for line in panel_lines(data) if line.section == section)

    return words


def _each_rater(of: Callable[[RaterReading], str]) -> Callable[[ReportData], str]:
    def words(data: ReportData) -> str:
        return "; ".join(f"{data.rater_labels[row.rater]} {of(row)}" for row in data.analysis.raters) + "."

    return words


def _areas(data: ReportData) -> str:
    level = level_percent(data.options)

    def of(row: RaterReading) -> str:
        return NO_RATINGS if row.auc is None else f"{share_words(row.auc, level=level)}, {p_words(row.auc_p)}"

    return _each_rater(of)(data)


def _equivalence(row: RaterReading) -> str:
    found = row.equivalence
    if found.p is None:
        return f"not tested ({found.reason})"
    adjusted = "" if found.p_adjusted is None else f", adjusted {p_words(found.p_adjusted)}"
    verdict = {True: "equivalent", False: "not shown", None: f"withheld ({found.reason})"}[found.equivalent]
    return f"{p_words(found.p)}{adjusted}: {verdict}"


def _bayes(row: RaterReading) -> str:
    return f"not computed ({row.binomial_note})" if row.bf01 is None else f"{row.bf01:.2f}"


def _detection(row: RaterReading) -> str:
    if row.d_prime is None or row.criterion is None:
        return f"not estimable ({row.detection_reason})"
    return f"d′ {row.d_prime:.2f}, criterion {row.criterion:.2f}"


def _roc(data: ReportData) -> str:
    curves = data.analysis.roc
    if curves is None:
        return NO_RATINGS + "."
    if all(curve is None for curve in curves.raters.values()):
        return "none could be drawn, as no rater judged both kinds."
    return "drawn in the figure of the curves, one for each rater."


def _calibration(data: ReportData) -> str:
    points, level = data.analysis.calibration, level_percent(data.options)
    if not points:
        return NO_RATINGS + "."
    shares = (f"at rating {one.rating:g} {share_words(one.share_synthetic, level=level)}" for one in points)
    return f"share of synthetic cases {'; '.join(shares)}."


def _difficulty(data: ReportData) -> str:
    flagged = [case.case for case in data.analysis.difficulty.cases if case.flagged]
    named = f": {', '.join(flagged)}" if flagged else ""
    return f"{len(flagged)} cases were judged wrongly more often than guessing would explain{named}."


def _mean_rating(data: ReportData) -> str:
    found = data.analysis.ensemble.mean_rating
    if found is None:
        return NO_RATINGS + "."
    return f"{share_words(found.auc, level=level_percent(data.options))}, {p_words(found.auc_p)}."


SECTIONS_IN_WORDS: Mapping[str, Callable[[ReportData], str]] = {
    "raters": _raters,
    "ensemble": _ensemble,
    "panel_shares": _line("panel_shares"),
    "mrmc": _line("mrmc"),
    "permutation": _line("permutation"),
    "agreement": _agreement,
    "roc": _roc,
    "calibration": _calibration,
    "difficulty": _difficulty,
    "model": _line("model"),
    "pooled": _line("pooled"),
    "rater_aucs": _areas,
    "rater_equivalence": _each_rater(_equivalence),
    "rater_bayes": _each_rater(_bayes),
    "rater_detection": _each_rater(_detection),
    "tie_rules": _line("tie_rules"),
    "weighted_votes": _line("weighted_votes"),
    "mean_rating": _mean_rating,
    "sensitivity": _line("sensitivity"),
    "repeats": repeats_words,
    "groups": groups_words,
    "times": _line("times"),
}


def _left_out(data: ReportData) -> list[str]:
    excluded = [f"{rater.label} ({rater.excluded_reason})" for rater in data.raters if rater.excluded]
    dropped = data.analysis.design.n_cases_dropped
    paragraphs = []
    if excluded:
        paragraphs.append(f"Excluded before the unblinding: {', '.join(excluded)}.")
    if dropped:
        paragraphs.append(f"{dropped} cases without an answer of every rater were left out, as planned.")
    deviations = " ".join(data.deviations) or "none."
    paragraphs.append(f"Deviations from the plan: {deviations}")
    return paragraphs
