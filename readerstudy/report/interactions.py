"""Whether a part of a study differs from the rest, in words: two verdicts side by side do not say so."""

from collections.abc import Sequence

import numpy as np

from readerstudy.analysis import Interaction, case_interaction, rater_interaction
from readerstudy.planning.plans import plan_of
from readerstudy.report.covariates import chosen_cases, chosen_raters, covariates_of
from readerstudy.report.data import ReportedCase, ReportedRater
from readerstudy.report.text import level_percent_of, p_words, share_words
from readerstudy.results import responses_of, scores_of
from readerstudy.unblinding.opened import UnblindedStudy


def comparisons_of(
    opened: UnblindedStudy, cases: Sequence[ReportedCase], raters: Sequence[ReportedRater]
) -> list[tuple[str, str]]:
    """Every part that the results page offers against the rest: generators, kinds, sizes, experience."""
    found = []
    for covariate in covariates_of(cases, raters, {}):
        # Of two parts one comparison says all.
        for value, label in covariate.choices[: 1 if len(covariate.choices) == 2 else None]:
            asked = {covariate.name: value}
            others = f"“{covariate.choices[1][1]}”" if len(covariate.choices) == 2 else "the others"
            sentences = interaction_words(
                opened,
                cases=chosen_cases(cases, asked),
                raters=chosen_raters(raters, asked),
                between=f"“{label}” and {others}",
            )
            found += [(covariate.label, sentence) for sentence in sentences]
    return found


def interaction_words(
    opened: UnblindedStudy, *, cases: frozenset[str] | None, raters: frozenset[str] | None, between: str = ""
) -> list[str]:
    """One sentence for the chosen cases, one for the chosen raters; none for the whole study."""
    if cases is None and raters is None:
        return []
    responses, plan = responses_of(opened).without_controls(), plan_of(opened.study)
    alpha, patients = plan.alpha, responses.patients if plan.unit == "patient" else None
    scores, truth = scores_of(responses), np.array(responses.truth, dtype=np.float64)
    found = []
    if cases is not None:
        inside = np.array([code in cases for code in responses.case_codes], dtype=np.bool_)
        # A generator or a kind has no real cases of its own: both sides are compared with all of them.
        shared = (truth == 0) & bool(inside[truth == 0].all())
        tested = case_interaction(
            truth=truth, scores=scores, inside=inside, outside=~inside | shared, patients=patients, level=1 - alpha
        )
        found.append(_sentence(between or "these cases and the others", tested, alpha=alpha))
    if raters is not None:
        chosen = np.array([key in raters for key in responses.rater_ids], dtype=np.bool_)
        tested = rater_interaction(truth=truth, scores=scores, inside=chosen, patients=patients, level=1 - alpha)
        found.append(_sentence(between or "these raters and the others", tested, alpha=alpha))
    return found


def _sentence(between: str, tested: Interaction, *, alpha: float) -> str:
    if tested.p is None:
        return f"Whether {between} differ can't be tested: {tested.reason}."
    differ = "they differ" if tested.p <= alpha else "this is no evidence that they differ, nor that they are alike"
    difference = share_words(tested.difference, level=level_percent_of(alpha))
    return f"Difference of the AUC between {between}: {difference}, {p_words(tested.p)}; {differ}."
