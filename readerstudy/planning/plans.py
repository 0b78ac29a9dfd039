"""The analysis plan of a study: its template's default with the draft's own choices, frozen at the lock."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from readerstudy.analysis import AnalysisPlan, DefaultAnalysis, deviations, plan_for, power_in_words
from readerstudy.models import Study, StudyRater, Template
from readerstudy.planning.words import plan_sentences

TEMPLATE_PLANS = {Template.INSERTED_LESIONS: "lesion_inserted", Template.REMOVED_LESIONS: "lesion_removed"}


def default_plan(study: Study) -> AnalysisPlan:
    plan = plan_for(TEMPLATE_PLANS[Template(study.template)])
    if study.confidence_levels:
        return plan
    # Without confidence there is no ROC curve to average.
    secondary = tuple(name for name in plan.secondary if name != "permutation")
    return replace(plan, primary="case_label_permutation", secondary=secondary)


def draft_plan(study: Study) -> AnalysisPlan:
    return replace(default_plan(study), **_tuples(study.plan_options))


def plan_of(study: Study) -> AnalysisPlan:
    """The frozen plan of a locked study, the present one of a draft."""
    frozen = study.protocol.get("analysis_plan")
    return AnalysisPlan(**_tuples(frozen["plan"])) if frozen else draft_plan(study)


def frozen_form(study: Study) -> dict[str, Any]:
    """What the lock writes into the protocol."""
    plan = draft_plan(study)
    return {"plan": asdict(plan), "digest": plan.digest(), "in_words": plan_sentences(plan)}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def executed_plan(study: Study, *, balanced: bool) -> AnalysisPlan:
    """The plan as it can be carried out: whether the classes are equal is a fact, whatever was planned."""
    return replace(plan_of(study), balanced=balanced)


def plan_power_in_words(study: Study) -> list[str]:
    """What a study of this size can show."""
    raters = study.raters.filter(excluded_at=None).count()
    if not raters:
        return ["Choose raters to see what this study can show."]
    plan = plan_of(study)
    if plan.primary == "reader_averaged_auc" and not study.confidence_levels:
        return [
            (
                "The primary analysis needs levels of confidence, and this study asks for none: "
                "choose another primary analysis, or let raters say how sure they are."
            )
        ]
    return power_in_words(plan, raters=raters, cases=study.cases_planned)


def deviations_of(study: Study, analysis: DefaultAnalysis, *, excluded: Sequence[StudyRater]) -> list[str]:
    """Plan against what was done, in sentences; empty when everything went as planned."""
    planned = plan_of(study)
    done = executed_plan(study, balanced=analysis.design.balanced)
    found = [f"{deviation.sentence()}." for deviation in deviations(planned, done)]
    if analysis.primary.fallback_reason:
        found.append(f"Primary analysis: {analysis.primary.fallback_reason}; done: {analysis.primary.method}.")
    rules = "; ".join(planned.exclusions)
    for rater in excluded:
        rule = f"planned rules: {rules}" if rules else "no rule was planned"
        found.append(f"Rater {rater.number} was excluded before the unblinding: {rater.excluded_reason} ({rule}).")
    if analysis.design.n_cases + analysis.design.n_cases_dropped != study.cases_planned:
        found.append(f"{study.cases_planned} cases were planned, {analysis.design.n_cases} analysed.")
    return found
