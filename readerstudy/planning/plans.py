"""The analysis plan of a study: its template's default with the draft's own choices, frozen at the lock."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, cast, get_args

from readerstudy.analysis import (
    AnalysisPlan,
    DefaultAnalysis,
    Primary,
    Unit,
    deviations,
    patient_pattern,
    plan_for,
    power_in_words,
)
from readerstudy.models import Study, StudyRater, Template
from readerstudy.planning.choice_words import choice_power_in_words, choice_sentences
from readerstudy.planning.words import FIRST_COUNTS, plan_sentences

# Of trials that show several images at a time.
CHOICE_PRIMARIES = ("joint_choices", "preference")
TEMPLATE_PLANS = {Template.INSERTED_LESIONS: "lesion_inserted", Template.REMOVED_LESIONS: "lesion_removed"}


def default_plan(study: Study) -> AnalysisPlan:
    plan, task = plan_for(TEMPLATE_PLANS[Template(study.template)]), study.asked.task
    if task.images > 1:
        return replace(plan, primary=cast("Primary", task.primaries[0]), secondary=task.sections, family="raters")
    if study.repeats:
        plan = replace(plan, secondary=(*plan.secondary, "repeats"))
    if task.scored:
        return plan
    # Without scores there is no ROC curve to average.
    secondary = tuple(name for name in plan.secondary if name != "permutation")
    return replace(plan, primary="case_label_permutation", secondary=secondary)


def draft_plan(study: Study) -> AnalysisPlan:
    return replace(default_plan(study), **_restored(_fitting(study), unit="patient"))


# What was chosen for images that are shown one by one has no sense for trials of several, and the other way round.
OF_PHASES = ("phase_measure", "phase_side", "phase_margin")
OF_ONE_SORT = ("primary", "secondary", "family", "sample_size", "compared_arms", "compared_margin", *OF_PHASES)


def _fitting(study: Study) -> dict[str, Any]:
    """The draft's choices without those that were made before it continued nothing, or asked another sort of task."""
    chosen: dict[str, Any] = study.plan_options
    if study.continues_id is None:
        chosen = {name: value for name, value in chosen.items() if name not in OF_PHASES}
    primary = chosen.get("primary")
    several = study.asked.task.images > 1
    if primary is None or (primary in study.asked.task.primaries if several else primary not in CHOICE_PRIMARIES):
        return chosen
    return {name: value for name, value in chosen.items() if name not in OF_ONE_SORT}


def plan_of(study: Study) -> AnalysisPlan:
    """The frozen plan of a locked study, the present one of a draft."""
    frozen = study.protocol.get("analysis_plan")
    if not frozen:
        return draft_plan(study)
    # Plans of before this choice were frozen when a name was a patient, wherever it stood.
    return AnalysisPlan(**_restored({"same_names": "together", **frozen["plan"]}, unit="case"))


def frozen_form(study: Study) -> dict[str, Any]:
    """What the lock writes into the protocol."""
    plan = draft_plan(study)
    return {"plan": asdict(plan), "digest": plan.digest(), "in_words": sentences_of(study, plan)}


def sentences_of(study: Study, plan: AnalysisPlan) -> list[str]:
    """The plan in plain words, with what it says of the answers of the study's task and of cases that come twice."""
    if study.asked.task.images > 1:
        return choice_sentences(plan, study.asked.task)
    return [*plan_sentences(plan), *study.asked.task.plan_in_words(), *repeats_in_words(study)]


def repeats_in_words(study: Study) -> list[str]:
    """Which of two answers counts; nothing where no case comes twice."""
    if not study.repeats:
        return []
    return [FIRST_COUNTS.format(count=study.repeats, distance=study.repeat_distance)]


def _restored(values: dict[str, Any], *, unit: Unit) -> dict[str, Any]:
    """JSON has no tuples, and plans of before named their unit in free words: they get `unit`."""
    restored = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    if restored.get("unit", unit) not in get_args(Unit):
        restored["unit"] = unit
    return restored


def executed_plan(study: Study, *, balanced: bool) -> AnalysisPlan:
    """The plan as it can be carried out: whether the classes are equal is a fact, whatever was planned."""
    return replace(plan_of(study), balanced=balanced)


def plan_power_in_words(study: Study, *, drawn: Sequence[tuple[str, bool]] = ()) -> list[str]:
    """What a study of this size can show. `drawn` is patient and kind (is it synthetic?) of every case of a draft.

    Once the kinds are sealed, nothing may follow from which patient gives which: only their number counts then.
    """
    raters = study.raters.panel().count()
    if not raters:
        return ["Choose raters to see what this study can show."]
    plan, task = plan_of(study), study.asked.task
    if task.images > 1:
        return list(
            choice_power_in_words(
                plan,
                images=task.images,
                right_choice=task.right_choice,
                raters=raters,
                trials=study.cases_planned // task.images,
                patients=len({patient for patient, _ in drawn}) if drawn else None,
            )
        )
    if plan.primary not in study.asked.task.primaries:
        return [
            (
                "The primary analysis needs levels of confidence, and this study asks for none: "
                "choose another primary analysis, or let raters say how sure they are."
            )
        ]
    if len({synthetic for _, synthetic in drawn}) == 2:
        patients = [patient for patient, _ in drawn]
        pattern = patient_pattern(truth=[float(synthetic) for _, synthetic in drawn], patients=patients)
        return power_in_words(plan, raters=raters, cases=len(drawn), patients=len(set(patients)), pattern=pattern)
    sealed = study.protocol.get("cases", {}).get("match", {}).get("subjects")
    words = power_in_words(plan, raters=raters, cases=study.cases_planned, patients=sealed)
    if sealed is None:
        words.append("How many patients the cases come from is not known yet: one case of each was assumed.")
    return words


def deviations_of(study: Study, analysis: DefaultAnalysis, *, excluded: Sequence[StudyRater]) -> list[str]:
    """Plan against what was done, in sentences; empty when everything went as planned."""
    planned = plan_of(study)
    done = executed_plan(study, balanced=analysis.design.balanced)
    found = [f"{deviation.sentence()}." for deviation in deviations(planned, done)]
    if analysis.primary.fallback_reason:
        found.append(f"Primary analysis: {analysis.primary.fallback_reason}; done: {analysis.primary.method}.")
    found += exclusions_in_words(planned, excluded)
    if analysis.design.n_cases + analysis.design.n_cases_dropped != study.cases_planned:
        found.append(f"{study.cases_planned} cases were planned, {analysis.design.n_cases} analysed.")
    return found


def exclusions_in_words(planned: AnalysisPlan, excluded: Sequence[StudyRater]) -> list[str]:
    rules = "; ".join(planned.exclusions)
    rule = f"planned rules: {rules}" if rules else "no rule was planned"
    return [
        f"Rater {rater.number} was excluded before the unblinding: {rater.excluded_reason} ({rule})."
        for rater in excluded
    ]
