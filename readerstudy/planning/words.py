"""The analysis plan in plain words. Pure: knows plans, not studies."""

from readerstudy.analysis import LEAST_ANSWERED, AnalysisOptions, AnalysisPlan, margin_of_right_answers

UNIT_WORDS = {
    "patient": "The patient: all cases of one patient are taken together in variances, permutations and intervals",
    "case": "The case: cases of one patient are counted as independent",
}
SAME_NAMES_WORDS = {
    "apart": "Patients of the same name in different datasets are different people",
    "together": "Patients of the same name in different datasets are one person",
}
PRIMARY_WORDS = {
    "reader_averaged_auc": "AUC averaged over the raters, raters and units of analysis random",
    "case_label_permutation": "right answers of the panel, by permuting the truth",
    "ensemble": "the majority of the panel as one rater",
    "joint_choices": "right choices of the panel, by the exact joint test of all raters' choices",
    "preference": "whether any arm is preferred, by permuting the arms within the trials",
}
# Of trials that show several images at a time.
CHOICE_SECTION_WORDS = {
    "choice_raters": "right choices of each rater",
    "choice_share": "share of right choices averaged over the raters",
    "plurality": "the image that most raters chose",
    "choice_agreement": "agreement between raters",
    "choice_arms": "how often each arm was chosen",
    "groups": "difference between the two groups of raters",
}
SECTION_WORDS = {
    "raters": "right answers, sensitivity and specificity of each rater",
    "ensemble": "majority of the panel (ensemble)",
    "panel_shares": "sensitivity and specificity averaged over the raters",
    "mrmc": "AUC averaged over the raters",
    "permutation": "permutation test of the panel",
    "agreement": "agreement between raters",
    "roc": "ROC curves",
    "calibration": "calibration of confidence",
    "difficulty": "difficulty of the cases",
    "model": "mixed models with crossed raters and cases",
    "pooled": "all readings pooled",
    "rater_aucs": "AUC of each rater",
    "rater_equivalence": "equivalence of each rater",
    "rater_bayes": "Bayes factor for chance of each rater",
    "rater_detection": "d′ and criterion of each rater",
    "tie_rules": "majority under other rules for ties",
    "weighted_votes": "majority of weighted votes",
    "mean_rating": "AUC of the mean rating",
    "sensitivity": (
        "primary measure by another covariance, raters fixed, missing answers treated otherwise, without each rater "
        "and each patient, and other margins"
    ),
    "repeats": "agreement of raters with themselves on cases that were shown twice",
    "groups": "difference between the two groups of raters",
    "times": "how long synthetic cases took the raters against real ones",
}
# How the planner's words on the size of a study name the change that it was planned for.
BETWEEN_PHASES = "between two phases"
TIE_WORDS = {
    "exclude": "Leave the case out",
    "synthetic": "Count a tie as “synthetic”",
    "real": "Count a tie as “real”",
    "half_credit": "Half a correct answer, tested by permuting the truth over the cases",
}
MISSING_WORDS = {
    "available": "Use all ratings there are",
    "complete_cases": "Use only cases that every rater rated",
}
CONTROL_WORDS = {
    "auc": "Their AUC against the real cases lies significantly above one half",
    "found": "Most raters call enough of them synthetic",
}
CONTROL_TRIAL_WORDS = {
    "auc": "The panel is right in more of them than guessing gives, by the exact joint test",
    "found": "Most raters choose the image to find in enough of them",
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
PHASE_MEASURE_WORDS = {
    "none": "Not compared as planned: whatever is told of it is exploratory",
    "auc": "AUC averaged over the raters who read both",
    "right": "Share of right answers averaged over the raters who read both",
}
PHASE_SIDE_WORDS = {
    "two_sided": "a change in either direction",
    "higher": "a higher value in this study",
    "lower": "a lower value in this study",
}
FIRST_COUNTS = (
    "{count} cases are shown twice to every rater, at least {distance} cases apart, and which ones is drawn for each. "
    "The first answer to a case is the one that is analysed, in the primary analysis and in all others; the second one "
    "serves the agreement of raters with themselves alone."
)
NO_LOOKS = "Nobody looks at results before the end: the truth stays sealed until the study is closed and unblinded."


def _right_answers(plan: AnalysisPlan) -> str:
    unequal = "they are compared with a margin only where every rater answered nearly as many cases of each kind."
    if plan.primary != "reader_averaged_auc":
        return f"Right answers have one half as chance, and {unequal}"
    points = f"{100 * margin_of_right_answers(plan.margin):.1f}"
    return f"Where right answers have to stand in for the AUC, the margin is ± {points} points of these, and {unequal}"


def plan_sentences(plan: AnalysisPlan) -> list[str]:
    secondary = "; ".join(SECTION_WORDS[name] for name in plan.secondary) or "none"
    return [
        f"Question: {plan.question}",
        f"Unit of analysis: {_lower(UNIT_WORDS[plan.unit])}. {SAME_NAMES_WORDS[plan.same_names]}.",
        f"Primary analysis: {PRIMARY_WORDS[plan.primary]}, two-sided at {plan.alpha:g}.",
        (
            f"Equivalence to chance means within ± {100 * plan.margin:g} points, "
            f"by two one-sided tests at {plan.alpha:g} each."
        ),
        _right_answers(plan),
        *([f"Why this margin: {plan.margin_reason}"] if plan.margin_reason else []),
        f"Secondary analyses: {secondary}. Everything else is exploratory.",
        *arms_sentences(plan),
        *phase_sentences(plan),
        (
            f"“Equivalent” is said only if no rater gave one answer to more than {100 * plan.same_answer_limit:g} % of "
            f"the cases, and if the raters find the positive controls: {controls_rule_words(plan)}. Every rater must "
            f"have answered {100 * LEAST_ANSWERED:g} % of them, and a single rater found them alone. Positive controls "
            "are edits degraded on purpose; they are counted apart and are in no other number. Where patients give "
            "several cases, it also takes three patients of each kind, or five who give both."
        ),
        f"Tests of several raters, against chance and for equivalence: {ADJUSTMENT_WORDS[plan.adjustment]} adjustment.",
        f"When the panel is split evenly: {_lower(TIE_WORDS[plan.tie_rule])}.",
        f"When ratings are missing: {_lower(MISSING_WORDS[plan.missing_rule])}.",
        f"Raters are excluded: {'; '.join(plan.exclusions) or 'under no rule that was fixed in advance'}.",
        *([f"Size: {plan.sample_size}"] if plan.sample_size else []),
        NO_LOOKS,
    ]


def arms_sentences(plan: AnalysisPlan) -> list[str]:
    """The comparison of arms; none where the plan names no arm."""
    if not plan.compared_arms:
        return []
    named = "; ".join(f"“{name}”" for name in plan.compared_arms)
    return [
        (
            f"Planned comparison of arms: {named}. Each one's AUC is tested against all real cases, and their AUCs in "
            "pairs, raters and units of analysis random. Two count as equal when their difference lies within "
            f"± {100 * plan.compared_margin:g} points, by two one-sided tests at {plan.alpha:g} each. Each of "
            "these three families is adjusted by Holm."
        )
    ]


def phase_sentences(plan: AnalysisPlan) -> list[str]:
    """The comparison with the study that this one continues; none where the plan names none."""
    if plan.phase_measure == "none":
        return []
    equal = (
        ""
        if plan.phase_margin is None
        else f" Both count as equal when the change lies within ± {100 * plan.phase_margin:g} points, by two one-sided "
        f"tests at {plan.alpha:g} each, if raters of both studies find the positive controls."
    )
    measure = PHASE_MEASURE_WORDS[plan.phase_measure].replace("Share", "share")
    one_sided = "two-sided" if plan.phase_side == "two_sided" else "one-sided"
    return [
        (
            f"Planned comparison with the study that this one continues: {measure}, tested for "
            f"{PHASE_SIDE_WORDS[plan.phase_side]}, {one_sided} at {plan.alpha:g}, raters and units of analysis random. "
            "Exchanging both phases' answers, which asks whether any of these raters changed, stands "
            f"beside it and decides nothing.{equal}"
        )
    ]


def controls_rule_words(plan: AnalysisPlan | AnalysisOptions) -> str:
    if plan.control_rule == "found":
        return (
            f"most raters call at least {100 * plan.control_share:g} % of them synthetic, and fewer of the real cases"
        )
    return f"their AUC against the real cases lies above one half, two-sided at {plan.alpha:g}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
