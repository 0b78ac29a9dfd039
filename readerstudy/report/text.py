"""Methods and results in sentences, with the numbers of the analysis and no word that the data do not allow."""

from collections.abc import Mapping

from readerstudy.analysis import (
    LEAST_ANSWERED,
    AnalysisOptions,
    AssaySensitivity,
    Design,
    Estimate,
    FixedTest,
    PrimaryTest,
    RaterReading,
    Reading,
    Units,
    Verdict,
    level_words,
)
from readerstudy.design.following import in_prose
from readerstudy.design.phases import phase_words
from readerstudy.planning.words import ADJUSTMENT_WORDS, PRIMARY_WORDS, SECTION_WORDS, controls_rule_words
from readerstudy.report.data import ReportData, ReportedStudy
from readerstudy.report.feedback_words import feedback_clause, feedback_sentences
from readerstudy.report.phases_methods import phases_methods
from readerstudy.tasks.items import items_of

TIE_SENTENCES = {
    "exclude": "Cases on which the panel was split evenly were left out of the ensemble",
    "synthetic": "An even split of the panel counted as “synthetic”",
    "real": "An even split of the panel counted as “real”",
    "half_credit": (
        "An even split of the panel counted as half a correct answer, tested by permuting the truth over the cases"
    ),
}
CHANGE_SENTENCES = {
    "never": "Answers could not be changed.",
    "last": "The last answer could be changed until the next case was answered.",
    "any": "Every answer could be changed as long as the study took ratings.",
}
MISSING_CLAUSES = {
    "available": "all ratings that were given were used",
    "complete_cases": "only cases that every rater had rated were used",
}
SECTION_METHODS = {
    "raters": "right answers, sensitivity and specificity of each rater",
    "ensemble": "the majority of the panel as one rater",
    "panel_shares": "sensitivity and specificity averaged over the raters, raters and {units} random",
    "mrmc": "the AUC averaged over the raters (Obuchowski-Rockette, Hillis 2014), raters and {units} random",
    "permutation": "the right answers of the panel, tested by permuting the truth over {units}, the raters fixed",
    "agreement": (
        "agreement of the answers by Fleiss' kappa, Gwet's AC1 and Krippendorff's alpha, with intervals over {units}, "
        "the raters fixed"
    ),
    "roc": "empirical ROC curves",
    "calibration": "the share of synthetic cases at each rating, with Wilson intervals over readings",
    "difficulty": "the share of raters who were right on each case, drawn towards the mean of all",
    "model": "mixed models of the answers with random raters and {units}",
    "pooled": "all readings pooled as if they were independent, because papers print it",
    "rater_aucs": "the AUC of each rater",
    "rater_equivalence": "equivalence of each rater's accuracy to one half by two one-sided tests",
    "rater_bayes": "Bayes factors of each rater's accuracy for one half against all others alike",
    "rater_detection": "d′ and criterion of each rater with log-linear correction",
    "tie_rules": "the majority under other rules for ties",
    "weighted_votes": "the majority of votes weighted by what raters got right on other {units}",
    "mean_rating": "the AUC of the mean rating",
    "sensitivity": (
        "the primary measure by another covariance, with the raters fixed, with missing answers treated otherwise, "
        "without each rater, without each of the {units}, and along other margins"
    ),
    "repeats": (
        "agreement of raters with themselves on cases that were shown twice: the share of answers that stayed, Cohen's "
        "kappa of the answers and weighted kappa (quadratic weights) of the scores, over all raters stratified by "
        "rater, with intervals over {units}, the raters fixed"
    ),
    "groups": (
        "the difference of the measure averaged over the raters of two groups, with raters nested in the groups and "
        "crossed with {units} (Hillis 2014, each group with its own spread)"
    ),
    "times": (
        "the ratio of reading times of synthetic to real cases by a linear mixed model of log time with the position "
        "in the order (REML, Satterthwaite), raters, their ratios and {units} random"
    ),
}
PRIMARY_SECTIONS = {"reader_averaged_auc": "mrmc", "case_label_permutation": "permutation", "ensemble": "ensemble"}
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


def share_words(share: Estimate, *, level: str) -> str:
    """Number with interval, or the reason why there is none."""
    if share.value is None:
        return f"not estimable ({share.reason})"
    if share.low is None or share.high is None:
        return f"{share.value:.3f} (no interval: {share.reason or 'not estimable'})"
    return f"{share.value:.3f} ({level} % interval {share.low:.3f} to {share.high:.3f})"


def signed_words(difference: Estimate, *, level: str) -> str:
    """A difference with its sign and interval, or the reason why there is none."""
    if difference.value is None:
        return f"not computed ({difference.reason})"
    if difference.limits is None:
        return f"{difference.value:+.3f} (no interval: {difference.reason})"
    low, high = difference.limits
    return f"{difference.value:+.3f} ({level} % interval {low:+.3f} to {high:+.3f})"


def level_percent(options: AnalysisOptions) -> str:
    """As it is: 97.5 is not 98."""
    return level_percent_of(options.alpha)


def level_percent_of(alpha: float) -> str:
    return level_words(1 - alpha)


def test_words(test: FixedTest) -> str:
    return {
        "binomial": "the exact binomial test against one half",
        "fisher": "Fisher's exact test",
        "permutation": "a test by permuting the truth over cases, within and between patients",
    }[test]


def share_interval_words(design: Design) -> str:
    """Which intervals the shares of single raters and of the ensemble have."""
    return "patient-clustered t (logit scale)" if design.unit == "patient" else "Clopper-Pearson"


def area_interval_words(design: Design) -> str:
    """Which intervals the areas under the ROC curve of single raters have."""
    return f"{'patient-clustered (Obuchowski 1997)' if design.unit == 'patient' else 'DeLong'} logit-scale"


def methods_paragraph(data: ReportData) -> str:
    return " ".join([*design_sentences(data), *_analysis_sentences(data), *proof_sentences(data)])


def design_sentences(data: ReportedStudy) -> list[str]:
    study, cases = data.study, data.judged_cases
    synthetic, raters = sum(case.synthetic for case in cases), sum(not rater.excluded for rater in data.raters)
    sentences = [
        (
            f"In a blinded reader study {raters} rater{'' if raters == 1 else 's'} judged {len(cases)} cases "
            f"({synthetic} synthetic, {len(cases) - synthetic} real){shown_apart(data)}, "
            f"{'one at a time, ' if data.task.images == 1 else ''}{data.task.judged_in_words()}."
        ),
        patient_sentence(data),
        *published_sentences(data),
        *phase_sentences(data),
        f"The question was: “{study['question']}”",
        f"Cases were shown as {study['display']}.",
        (
            f"Each rater read {_in_which_order(data)} that was drawn and stored before the first answer; "
            f"{feedback_clause(data)}, and real and synthetic pictures passed the same path from the scan to the "
            "screen."
        ),
        *feedback_sentences(data),
        *repeat_sentences(data),
        *further_sentences(data),
        CHANGE_SENTENCES[study["going_back"]],
        *display_sentences(data),
    ]
    if data.blinding:
        sentences.append(data.blinding["in_words"])
    if simulated := simulated_words(data):
        sentences.insert(0, simulated)
    return sentences


def shown_apart(data: ReportedStudy) -> str:
    """The positive controls beside the cases, as a clause; nothing where there are none."""
    if not data.n_controls:
        return ""
    return f" and {data.n_controls} positive controls{' in trials of their own' if data.task.images > 1 else ''}"


def _in_which_order(data: ReportedStudy) -> str:
    if data.task.images == 1:
        return "the cases in a random order of their own"
    return "the trials, and saw the images of each, in a random order of their own"


def published_sentences(data: ReportedStudy) -> list[str]:
    """Which published study it follows, and where it does not."""
    followed = data.study.get("published")
    if not followed:
        return []
    apart = in_prose(followed["departures"])
    return [f"The design follows {followed['reference']} (doi {followed['doi']}).", *([apart] if apart else [])]


def phase_sentences(data: ReportedStudy) -> list[str]:
    """Which study was read before this one; nothing where it continues none."""
    words = phase_words(data.study.get("continues"))
    return [words] if words else []


def repeat_sentences(data: ReportedStudy) -> list[str]:
    """How cases came twice; nothing where none did."""
    count = data.study.get("repeats", 0)
    if not count:
        return []
    return [
        (
            f"{count} cases, drawn for each rater without regard to their kind, were shown a second time at least "
            f"{data.study['repeat_distance']} cases later and without a mark; the first answer to a case was analysed."
        )
    ]


def further_sentences(data: ReportedStudy) -> list[str]:
    """What was asked beside the first question."""
    asked = [f"“{item.question}” ({item.in_words()})" for item in items_of(data.study.get("further_questions", []))]
    each = " of every image" if data.task.images > 1 else ""
    said = [f"After each answer they were asked{each}: {'; '.join(asked)}."] if asked else []
    if at_the_end := data.study.get("end_question"):
        said.append(f"After the last case they were asked once, in their own words: “{at_the_end}”")
    return said


def display_sentences(data: ReportedStudy) -> list[str]:
    """Whether the raters' screens told greys apart; nothing where the study did not ask."""
    if data.study["display_check"] == "off":
        return []
    people = [rater for rater in data.raters if not rater.excluded and not rater.simulated]
    passed = sum(rater.display is not None and rater.display.passed > 0 for rater in people)
    asked = "were to pass" if data.study["display_check"] == "require" else "were offered"
    steps = "grey steps of 5 % from black and from white"
    return [f"Raters {asked} a check of their display with {steps}: {passed} of {len(people)} people passed it."]


def patient_sentence(data: ReportedStudy) -> str:
    """Patients and scans behind the cases; an edited scan counts with the one it was made of."""
    found = data.patients
    most = found.most_cases
    return (
        f"The cases lay in {data.n_scans} scans of {found.patients} patients: {found.synthetic} with a "
        f"synthetic case, {found.real} with a real one, {found.both} with both, at most {most} "
        f"case{'' if most == 1 else 's'} of one patient."
    )


def verdict_headline(verdict: Verdict) -> str:
    """With its subject, for it stands alone above the page."""
    return "The panel discriminates" if verdict == Verdict.DISCRIMINATES else verdict[:1].upper() + verdict[1:]


def simulated_words(data: ReportedStudy) -> str:
    """Of those who take part; empty where people have read."""
    simulated, raters = data.simulated_raters, sum(not rater.excluded for rater in data.raters)
    if not simulated:
        return ""
    who = f"{simulated} of {raters} raters {'is' if simulated == 1 else 'are'}"
    if simulated == raters:
        who = "The only rater is" if raters == 1 else "All raters are"
    return f"{who} simulated: these numbers come from a dry run and say nothing about people."


def _analysis_sentences(data: ReportData) -> list[str]:
    options, primary, design = data.options, data.analysis.primary, data.analysis.design
    level = level_percent(options)
    chance = "not defined" if primary.null is None else f"{primary.null:.2f}"
    test = test_words(data.analysis.ensemble.test)
    adjusted = f"{ADJUSTMENT_WORDS[options.adjustment]} adjustment over {FAMILY_WORDS[options.family]}"
    size = str(data.plan.get("sample_size") or "")
    return [
        *([size] if size else []),
        *_primary_sentences(data, chance=chance),
        _unit_sentence(design),
        *_equivalence_sentences(data),
        *assay_sentences(options, n_controls=data.analysis.design.n_controls),
        (
            f"For each rater and for the majority of the panel (ensemble), accuracy is given with {level} % "
            f"{share_interval_words(design)} intervals and {test}, with {adjusted}; tests for equivalence were "
            "adjusted likewise."
            if not untested(primary)
            else f"No share correct is given, because one kind alone has no chance level; shares of that kind have "
            f"{level} % {share_interval_words(design)} intervals."
        ),
        (f"{TIE_SENTENCES[options.tie_rule]}; where answers were missing, {MISSING_CLAUSES[options.missing_rule]}."),
        *_score_sentences(data),
        *phases_methods(data.phases),
        *_secondary_sentences(data),
    ]


def _secondary_sentences(data: ReportData) -> list[str]:
    """How every section that the plan names was computed; whatever else is printed was not planned."""
    status = data.analysis.status
    if status is None:
        return []
    ways = [SECTION_METHODS[name] for name in planned_sections(data)]
    units = units_of(data)
    ways = [way.format(units=units) for way in ways] + arms_methods(data, units=units)
    named = f"Planned beside the primary analysis: {'; '.join(ways)}. " if ways else ""
    return [f"{named}Everything else that is reported is exploratory."]


def units_of(data: ReportData) -> Units:
    """What is random beside the raters."""
    return "patients" if data.analysis.design.unit == "patient" else "cases"


def arms_methods(data: ReportData, *, units: str) -> list[str]:
    """How the arms of the plan were compared; nothing where it names none."""
    named = [f"“{name}”" for name in data.plan.get("compared_arms") or ()]
    if not named:
        return []
    return [
        (
            f"the arms {', '.join(named)}, each one's AUC against all real cases, and in pairs by Obuchowski-Rockette "
            f"with raters and {units} random, equal where the difference lies within "
            f"± {100 * data.plan['compared_margin']:g} points by two one-sided tests, "
            "each of these families adjusted by Holm"
        )
    ]


def planned_sections(data: ReportData) -> list[str]:
    """The sections that the plan names beside the primary analysis, in the order of the plan's words."""
    status = data.analysis.status or {}
    own = PRIMARY_SECTIONS.get(str(data.plan.get("primary")))
    shown = own if status.get("primary") == "planned" and own != "ensemble" else None
    return [name for name in SECTION_WORDS if status.get(name) == "planned" and name != shown]


def untested(primary: PrimaryTest) -> bool:
    """Only one kind of case was judged: nothing of the study can be tested."""
    return primary.verdict == Verdict.NOT_ASSESSABLE and primary.method == "none"


def _equivalence_sentences(data: ReportData) -> list[str]:
    """What was done; where there is no interval, why not."""
    band = data.analysis.primary.equivalence
    if band.low is None:
        return [f"Equivalence to chance could not be tested: {band.reason or 'there is no interval'}."]
    margin, level = f"± {round(100 * band.margin, 1):g} points", level_words(band.level)
    tests = f"by two one-sided tests within a margin of {margin}, from the {level} % interval"
    reason = str(data.plan.get("margin_reason") or "")
    return [f"Equivalence to chance was tested {tests}.", *([f"Why this margin: {reason}"] if reason else [])]


def _primary_sentences(data: ReportData, *, chance: str) -> list[str]:
    """What was planned, and what stands in for it where it could not be done."""
    primary, alpha = data.analysis.primary, data.options.alpha
    measure = "AUC averaged over the raters" if primary.measure == "AUC" else f"{primary.measure} of the panel"
    done = f"the {measure} against chance ({chance}): {primary.method}, two-sided at {alpha:g}"
    if untested(primary):
        return [f"The primary analysis could not be done: {primary.estimate.reason}."]
    if not primary.fallback_reason:
        return [f"The primary analysis was {done}. {primary.random}"]
    planned = PRIMARY_WORDS.get(str(data.plan.get("primary")), "another one")
    return [
        f"The planned primary analysis was: {planned}. It could not be carried out: {primary.fallback_reason}.",
        f"Reported in its place, as a fallback that was not the planned test, is {done}. {primary.random}",
    ]


def assay_sentences(options: AnalysisOptions, *, n_controls: int) -> list[str]:
    """When equivalence may be said at all."""
    shown = (
        f"{n_controls} positive control{' was' if n_controls == 1 else 's were'} shown and counted in no other number"
        if n_controls
        else "no positive control was shown, so that it could not be concluded here"
    )
    return [
        (
            f"Equivalence could only be concluded if no rater gave one and the same answer to more than "
            f"{100 * options.same_answer_limit:g} % of the cases and if the panel found the positive controls, edits "
            f"degraded on purpose ({controls_rule_words(options)}), of which every rater had to answer "
            f"{100 * LEAST_ANSWERED:g} %; {shown}."
        )
    ]


def _score_sentences(data: ReportData) -> list[str]:
    score = data.task.score_in_words()
    if not score:
        return []
    return [
        (
            f"For the area under the ROC curve, {score}, equal scores counting one half; areas of single raters have "
            f"{area_interval_words(data.analysis.design)} intervals and tests."
        ),
        *data.task.plan_in_words(),
    ]


def _unit_sentence(design: Design) -> str:
    if design.unit == "patient":
        return (
            "All cases of one patient were taken together in variances, permutations and intervals (Obuchowski 1997, "
            "with leave-one-patient-out residuals)."
        )
    return design.note or "Every patient gave one case, so that cases were independent."


def proof_sentences(data: ReportedStudy) -> list[str]:
    hashes, software = data.hashes, data.software
    return [
        (
            f"Protocol and analysis plan were fixed on {data.study['locked_at'][:10]}, before the first rating "
            f"(SHA-256 {hashes['protocol'][:12]}… and {hashes['plan'][:12]}…); the truth was unsealed on "
            f"{data.study['unblinded_at'][:10]}, after the last one."
        ),
        (
            f"Software: Turing Ward {data.study['software_version']}, Python {software.python}, "
            f"NumPy {software.numpy}, SciPy {software.scipy}; random seed {data.seed}."
        ),
        *([data.study["looks"]] if data.study.get("looks") else []),
        *([data.verified] if data.verified else []),
    ]


def assay_words(assay: AssaySensitivity, labels: Mapping[str, str], *, level: str) -> list[str]:
    """Shares called synthetic, raters who hardly varied, and what the controls showed."""
    shares = [
        f"{labels[row.rater]} {percent(row.share_called_synthetic)}{'' if row.varies else ' (hardly varied)'}"
        for row in assay.raters
        if row.n
    ]
    sentences = [f"Share of the cases called synthetic: {', '.join(shares)}."] if shares else []
    controls = assay.controls
    if assay.few_patients:
        sentences.append(f"Nothing can be called equivalent here: {assay.few_patients}.")
    if not controls.n:
        return [*sentences, f"Assay sensitivity: {controls.reason}."]
    own = ", ".join(f"{labels[row.rater]} {row.found} of {row.answered}" for row in controls.raters if row.answered)
    proof = [] if assay.unproven == controls.reason else [f"Assay sensitivity is not shown: {assay.unproven}."]
    return [
        *sentences,
        (
            f"Positive controls: most raters called {controls.found} of {controls.n} synthetic; AUC against the real "
            f"cases {share_words(controls.auc, level=level)}, {p_words(controls.p)}: "
            f"{'found' if controls.passed else 'not found'} by the rule of the plan. By rater: {own or 'no answers'}."
        ),
        *proof,
    ]


def reading_words(label: str, row: Reading, *, level: str) -> str:
    if not row.n:
        return f"{label} gave no answer."
    words = (
        f"{label} was right in {row.correct:g} of {row.n} cases, "
        f"accuracy {share_words(row.accuracy, level=level)}, {p_words(row.p)}"
    )
    if row.p_adjusted is not None:
        words += f", adjusted {p_words(row.p_adjusted)}"
    words += f"; sensitivity {share_words(row.sensitivity, level=level)}"
    words += f", specificity {share_words(row.specificity, level=level)}"
    if isinstance(row, RaterReading) and row.missing:
        words += f"; {row.missing} cases were not answered"
    return f"{words}: {row.verdict}."
