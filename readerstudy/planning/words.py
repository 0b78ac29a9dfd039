"""The analysis plan in plain words. Pure: knows plans, not studies."""

from readerstudy.analysis import AnalysisPlan

PRIMARY_WORDS = {
    "reader_averaged_auc": "AUC averaged over the raters, raters and cases random",
    "case_label_permutation": "right answers of the panel, by permuting the truth over the cases",
    "ensemble": "the majority of the panel as one rater",
}
SECTION_WORDS = {
    "raters": "right answers, sensitivity and specificity of each rater",
    "ensemble": "majority of the panel (ensemble)",
    "mrmc": "AUC averaged over the raters",
    "permutation": "permutation test of the panel",
    "agreement": "agreement between raters",
    "roc": "ROC curves",
    "calibration": "calibration of confidence",
    "difficulty": "difficulty of the cases",
    "model": "mixed models with crossed raters and cases",
    "pooled": "all readings pooled",
}
TIE_WORDS = {
    "exclude": "Leave the case out",
    "synthetic": "Count a tie as “synthetic”",
    "real": "Count a tie as “real”",
    "half_credit": "Half a correct answer, without a test",
}
MISSING_WORDS = {
    "available": "Use all ratings there are",
    "complete_cases": "Use only cases that every rater rated",
}
NO_LOOKS = "Nobody looks at results before the end: the truth stays sealed until the study is closed and unblinded."


def plan_sentences(plan: AnalysisPlan) -> list[str]:
    secondary = "; ".join(SECTION_WORDS[name] for name in plan.secondary) or "none"
    return [
        f"Question: {plan.question}",
        f"Unit of analysis: {plan.unit}.",
        f"Primary analysis: {PRIMARY_WORDS[plan.primary]}, two-sided at {plan.alpha:g}.",
        (
            f"Equivalence to chance means within ± {100 * plan.margin:g} points, "
            f"by two one-sided tests at {plan.alpha:g} each."
        ),
        f"Secondary analyses: {secondary}. Everything else is exploratory.",
        f"When the panel is split evenly: {_lower(TIE_WORDS[plan.tie_rule])}.",
        f"When ratings are missing: {_lower(MISSING_WORDS[plan.missing_rule])}.",
        f"Raters are excluded: {'; '.join(plan.exclusions) or 'under no rule that was fixed in advance'}.",
        NO_LOOKS,
    ]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
