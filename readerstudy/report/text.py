"""Methods and results in sentences, with the numbers of the analysis and no word that the data do not allow."""

from readerstudy.analysis import (
    AnalysisOptions,
    EnsembleReading,
    Estimate,
    FixedTest,
    PanelAgreement,
    PrimaryTest,
    RaterReading,
    Reading,
)
from readerstudy.report.data import ReportData

TIE_SENTENCES = {
    "exclude": "Cases on which the panel was split evenly were left out of the ensemble",
    "synthetic": "An even split of the panel counted as “synthetic”",
    "real": "An even split of the panel counted as “real”",
    "half_credit": "An even split of the panel counted as half a correct answer, without a test",
}
MISSING_CLAUSES = {
    "available": "all ratings that were given were used",
    "complete_cases": "only cases that every rater had rated were used",
}
ADJUSTMENT_WORDS = {
    "holm": "Holm",
    "hochberg": "Hochberg",
    "hommel": "Hommel",
    "bonferroni": "Bonferroni",
    "fdr_bh": "Benjamini-Hochberg",
    "fdr_by": "Benjamini-Yekutieli",
    "none": "no",
}
FAMILY_WORDS = {"raters": "the raters", "raters_and_ensemble": "the raters and the ensemble"}


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def p_number(p: float | None) -> str:
    """Never 0: a probability below the last digit is said to be below it."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_words(p: float | None) -> str:
    if p is None:
        return "p not defined"
    return f"p {p_number(p)}" if p < 0.001 else f"p = {p_number(p)}"


def share_words(share: Estimate, *, level_percent: int = 95) -> str:
    """Number with interval, or the reason why there is none."""
    if share.value is None:
        return f"not estimable ({share.reason})"
    if share.low is None or share.high is None:
        return f"{share.value:.3f} (no interval: {share.reason or 'not estimable'})"
    return f"{share.value:.3f} ({level_percent} % interval {share.low:.3f} to {share.high:.3f})"


def rating_label(rating: int, *, levels: int) -> str:
    """R 3 is surely real, S 3 surely synthetic (with three levels of confidence)."""
    return f"S {rating - levels}" if rating > levels else f"R {levels + 1 - rating}"


def level_percent(options: AnalysisOptions) -> int:
    return round(100 * (1 - options.alpha))


def test_words(test: FixedTest) -> str:
    return {"binomial": "the exact binomial test against one half", "fisher": "Fisher's exact test"}[test]


def methods_paragraph(data: ReportData) -> str:
    return " ".join([*_design_sentences(data), *_analysis_sentences(data), *_proof_sentences(data)])


def _design_sentences(data: ReportData) -> list[str]:
    study, synthetic = data.study, sum(case.synthetic for case in data.cases)
    levels = study["confidence_levels"]
    scale = f" and said how sure they were on a scale of {levels} levels" if levels else ""
    raters = sum(not rater.excluded for rater in data.raters)
    sentences = [
        (
            f"In a blinded reader study {raters} raters judged {len(data.cases)} cases "
            f"({synthetic} synthetic, {len(data.cases) - synthetic} real), one at a time, "
            f"as “real” or “synthetic”{scale}."
        ),
        f"The question was: “{study['question']}”",
        f"Cases were shown as {study['display']}.",
        (
            "Each rater read the cases in a random order of their own that was drawn and stored before the first "
            "answer; raters got no feedback, and real and synthetic pictures passed the same path from the scan "
            "to the screen."
        ),
    ]
    if data.simulated_raters:
        sentences.insert(0, simulated_words(data.simulated_raters, raters))
    return sentences


def simulated_words(simulated: int, raters: int) -> str:
    who = "All raters are" if simulated == raters else f"{simulated} of {raters} raters are"
    return f"{who} simulated: these numbers come from a dry run and say nothing about people."


def _analysis_sentences(data: ReportData) -> list[str]:
    options, primary = data.options, data.analysis.primary
    level = level_percent(options)
    chance = "not defined" if primary.null is None else f"{primary.null:.2f}"
    test = test_words(data.analysis.ensemble.test)
    adjusted = f"{ADJUSTMENT_WORDS[options.adjustment]} adjustment over {FAMILY_WORDS[options.family]}"
    return [
        (
            f"The primary analysis was the {primary.measure} of the panel against chance ({chance}): "
            f"{primary.method}, two-sided at {options.alpha:g}."
        ),
        (
            f"Equivalence to chance was tested by two one-sided tests within a margin of "
            f"± {100 * options.margin:g} points, from the {round(100 * primary.equivalence.level)} % interval."
        ),
        (
            f"For each rater and for the majority of the panel (ensemble), accuracy is given with {level} % "
            f"Clopper-Pearson intervals and {test}, with {adjusted}."
        ),
        (f"{TIE_SENTENCES[options.tie_rule]}; where answers were missing, {MISSING_CLAUSES[options.missing_rule]}."),
        "Areas under the ROC curve of single raters have DeLong intervals and tests.",
    ]


def _proof_sentences(data: ReportData) -> list[str]:
    hashes, software = data.hashes, data.analysis.software
    return [
        (
            f"Protocol and analysis plan were fixed on {data.study['locked_at'][:10]}, before the first rating "
            f"(SHA-256 {hashes['protocol'][:12]}… and {hashes['plan'][:12]}…); the truth was unsealed on "
            f"{data.study['unblinded_at'][:10]}, after the last one."
        ),
        (
            f"Software: Turing Ward {data.study['software_version']}, Python {software.python}, "
            f"NumPy {software.numpy}, SciPy {software.scipy}; random seed {data.options.seed}."
        ),
    ]


def results_text(data: ReportData) -> list[str]:
    """Paragraphs, verdict first."""
    analysis, labels, level = data.analysis, data.rater_labels, level_percent(data.options)
    paragraphs = [_verdict(analysis.primary)]
    if data.simulated_raters:
        raters = sum(not rater.excluded for rater in data.raters)
        paragraphs.insert(0, simulated_words(data.simulated_raters, raters))
    if analysis.raters:
        rows = [reading_words(labels[row.rater], row, level=level) for row in analysis.raters]
        paragraphs.append(" ".join(rows))
    paragraphs.append(_ensemble(analysis.ensemble, level=level))
    paragraphs.append(_agreement(analysis.agreement, level=level))
    paragraphs += _left_out(data)
    return paragraphs


def _verdict(primary: PrimaryTest) -> str:
    band = primary.equivalence
    words = f"{primary.sentence} Test against chance: {p_words(primary.p)}."
    if band.low is not None and band.high is not None and primary.null is not None:
        words += (
            f" The {round(100 * band.level)} % interval for equivalence runs from {band.low:.3f} to "
            f"{band.high:.3f}, the margin from {primary.null - band.margin:.3f} to "
            f"{primary.null + band.margin:.3f} ({p_words(band.p)})."
        )
    elif band.reason:
        words += f" Equivalence could not be tested: {band.reason}."
    return words


def reading_words(label: str, row: Reading, *, level: int) -> str:
    if not row.n:
        return f"{label} gave no answer."
    words = (
        f"{label} was right in {row.correct} of {row.n} cases, "
        f"accuracy {share_words(row.accuracy, level_percent=level)}, {p_words(row.p)}"
    )
    if row.p_adjusted is not None:
        words += f", adjusted {p_words(row.p_adjusted)}"
    if isinstance(row, RaterReading) and row.missing:
        words += f"; {row.missing} cases were not answered"
    return f"{words}: {row.verdict}."


def _ensemble(ensemble: EnsembleReading, *, level: int) -> str:
    ties = ensemble.n_ties
    words = reading_words("The ensemble (majority of the panel)", ensemble, level=level)
    words += f" The panel was split evenly on {ties} case{'' if ties == 1 else 's'}."
    expected = ensemble.expected_if_independent
    if expected and expected.p_correct_given_decided is not None:
        words += (
            f" Raters of this accuracy who err independently would reach {expected.p_correct_given_decided:.3f} "
            "by majority."
        )
    return words


def _agreement(agreement: PanelAgreement, *, level: int) -> str:
    kappa, ac1 = agreement.fleiss_kappa, agreement.gwet_ac1
    return (
        f"Agreement between the raters: Fleiss' kappa {share_words(kappa, level_percent=level)}, "
        f"Gwet's AC1 {share_words(ac1, level_percent=level)}."
    )


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
