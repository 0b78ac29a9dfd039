"""The analysis plan: what is asked, by which test, with which rules; frozen and hashed before the first rating."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from readerstudy.analysis.options import AnalysisOptions, Family, MissingRule, Primary, RaterTest, Unit
from readerstudy.analysis.panel.assay import ControlRule
from readerstudy.analysis.panel.ensemble import TieRule
from readerstudy.analysis.panel.mrmc import Covariance
from readerstudy.analysis.panel.multiplicity import Adjustment
from readerstudy.analysis.panel.planned_change import Side
from readerstudy.analysis.planning.assumptions import Measure, PatientPattern, PlanningAssumptions
from readerstudy.analysis.planning.design_power import design_power

InterimRule = Literal["none", "alpha_spending", "e_values"]
SameNames = Literal["apart", "together"]
PhaseMeasure = Literal["none", "auc", "right"]
SpendingDesign = Literal["asOF", "asP", "OF", "P"]
SECTIONS = (
    "raters",
    "ensemble",
    "panel_shares",
    "mrmc",
    "permutation",
    "agreement",
    "roc",
    "calibration",
    "difficulty",
    "model",
    "pooled",
    "rater_aucs",
    "rater_equivalence",
    "rater_bayes",
    "rater_detection",
    "tie_rules",
    "weighted_votes",
    "mean_rating",
    "sensitivity",
    "repeats",
    "groups",
    "times",
)
# Of trials that show several images at a time.
CHOICE_SECTIONS = ("choice_raters", "choice_share", "plurality", "choice_agreement", "choice_arms")
_MEASURES: dict[Primary, Measure] = {
    "reader_averaged_auc": "auc",
    "case_label_permutation": "panel_accuracy",
    "ensemble": "ensemble",
}
_NAMES = {
    "auc": "the reader-averaged AUC",
    "panel_accuracy": "the accuracy of the panel",
    "ensemble": "the majority of the panel",
}


@dataclass(frozen=True, kw_only=True)
class AnalysisPlan:
    """All choices that must be made before looking; `margin` is in proportion points (0.15 = 15 points).

    `same_names` says whether patients of one name in two datasets are two people or one.
    `secondary` names sections of the default analysis; whatever is in neither primary nor secondary is exploratory.
    `compared_arms` names the arms that are compared as planned, each with all real cases and in pairs,
    `compared_margin` what the areas of two may differ by and still count as equal. `phase_measure` is what is compared
    as planned with the study that this one continues, the area or the share of right answers, `phase_side` which change
    is looked for, `phase_margin` what both may differ by and still count as equal; None: not asked. `sample_size` says
    in words why the study has its size, with all that was assumed, `margin_reason` why the margin is what it is.
    `interim_looks` are shares of the cases at which a group look happens, the last one 1.
    """

    question: str = "Can the raters tell synthetic from real?"
    unit: Unit = "patient"
    same_names: SameNames = "apart"
    template: str = "real_or_synthetic"
    primary: Primary = "reader_averaged_auc"
    secondary: tuple[str, ...] = ("raters", "ensemble", "permutation", "agreement")
    margin: float = 0.15
    alpha: float = 0.05
    balanced: bool = True
    tie_rule: TieRule = "exclude"
    missing_rule: MissingRule = "available"
    adjustment: Adjustment = "holm"
    family: Family = "raters_and_ensemble"
    rater_test: RaterTest = "auto"
    covariance: Covariance = "delong"
    exclusions: tuple[str, ...] = ()
    interim_rule: InterimRule = "none"
    interim_looks: tuple[float, ...] = ()
    interim_design: SpendingDesign = "asOF"
    control_rule: ControlRule = "auc"
    control_share: float = 0.75
    same_answer_limit: float = 0.9
    sample_size: str = ""
    margin_reason: str = ""
    compared_arms: tuple[str, ...] = ()
    compared_margin: float = 0.15
    phase_measure: PhaseMeasure = "none"
    phase_side: Side = "two_sided"
    phase_margin: float | None = None
    permutations: int = 20_000
    seed: int = 20_210_817

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise ValueError(f"the unit is a patient or a case, not {self.unit!r}")
        if self.same_names not in get_args(SameNames):
            raise ValueError(f"patients of one name are counted apart or together, not {self.same_names!r}")
        unknown = set(self.secondary) - {*SECTIONS, *CHOICE_SECTIONS}
        if unknown:
            raise ValueError(f"unknown sections: {', '.join(sorted(unknown))}")
        if self.interim_rule == "alpha_spending" and (not self.interim_looks or self.interim_looks[-1] != 1.0):
            raise ValueError("alpha spending needs its looks, the last one at 1")
        if self.primary == "ensemble" and self.family == "raters_and_ensemble":
            raise ValueError("a primary ensemble test stands alone: the family of adjusted tests is the raters")
        if len(self.compared_arms) == 1 or len(set(self.compared_arms)) < len(self.compared_arms):
            raise ValueError("a comparison of arms names two different ones at least")
        if not 0 < self.compared_margin < 0.5:
            raise ValueError("the margin of arms lies between 0 and 0.5")
        if self.phase_measure not in get_args(PhaseMeasure) or self.phase_side not in get_args(Side):
            raise ValueError("a change between phases is of the area or of right answers, two-sided, higher or lower")
        if self.phase_margin is not None and not 0 < self.phase_margin < 0.5:
            raise ValueError("the margin between phases lies between 0 and 0.5")
        # Margin, alpha and permutations have the same limits as in the analysis.
        self.options()

    def options(self) -> AnalysisOptions:
        """Return the options with which the default analysis runs this plan."""
        names = {field.name for field in fields(AnalysisOptions)}
        return AnalysisOptions(**{name: getattr(self, name) for name in names})

    def canonical_json(self) -> str:
        """Return the plan as JSON with sorted keys and no spaces: the same plan gives the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON, as hexadecimal."""
        return hashlib.sha256(self.canonical_json().encode("ascii")).hexdigest()

    def status(self, section: str) -> Literal["planned", "exploratory"]:
        """Tell whether a section of the default analysis was planned."""
        primary = {
            "reader_averaged_auc": "mrmc",
            "case_label_permutation": "permutation",
            "ensemble": "ensemble",
            "joint_choices": "joint_choices",
            "preference": "choice_arms",
        }
        planned = {"primary", primary[self.primary], *self.secondary}
        return "planned" if section in planned else "exploratory"


def plan_from_json(text: str) -> AnalysisPlan:
    """Read a plan back from its JSON; ValueError for unknown fields."""
    values: dict[str, Any] = json.loads(text)
    unknown = set(values) - {field.name for field in fields(AnalysisPlan)}
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    restored: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return AnalysisPlan(**restored)


_DEFAULT = AnalysisPlan()
TEMPLATES: dict[str, AnalysisPlan] = {
    "real_or_synthetic": _DEFAULT,
    "lesion_inserted": replace(
        _DEFAULT, template="lesion_inserted", question="Can the raters tell inserted lesions from real ones?"
    ),
    "lesion_removed": replace(
        _DEFAULT, template="lesion_removed", question="Can the raters tell where a lesion was removed?"
    ),
    "small_panel": replace(
        _DEFAULT,
        template="small_panel",
        question="Can these raters tell synthetic from real?",
        primary="case_label_permutation",
        secondary=("raters", "ensemble", "agreement"),
    ),
    "ensemble": replace(
        _DEFAULT,
        template="ensemble",
        question="Can the majority of this panel tell synthetic from real?",
        primary="ensemble",
        family="raters",
        secondary=("raters", "permutation", "agreement"),
    ),
}


def plan_for(template: str) -> AnalysisPlan:
    """Return the default plan of a study template; the general one for a template without its own."""
    return TEMPLATES.get(template) or replace(_DEFAULT, template=template)


def assumptions(plan: AnalysisPlan, *, goal: Literal["detect", "equivalent"], effect: float) -> PlanningAssumptions:
    """Return the planning assumptions that belong to the plan's primary test."""
    return PlanningAssumptions(
        measure=_MEASURES[plan.primary], goal=goal, effect=effect, margin=plan.margin, alpha=plan.alpha
    )


def power_in_words(
    plan: AnalysisPlan,
    *,
    raters: int,
    cases: int,
    effect: float = 0.65,
    patients: int | None = None,
    pattern: PatientPattern | None = None,
) -> list[str]:
    """Say in plain words what this design can show with the plan's primary test.

    Equivalence is computed for raters at chance, detection for a true AUC or share correct of `effect`. `pattern` is
    how the cases lie in patients, where that is known; with `patients` alone, each gives cases of one kind; without
    both, every case is a patient of its own. Where the plan's unit is the case, patients change nothing.
    """
    of_patients = plan.unit == "patient"
    each = max(1.0, cases / patients) if patients and of_patients else 1.0
    known = pattern if of_patients else None
    equal = replace(assumptions(plan, goal="equivalent", effect=0.5), pattern=known, cases_per_patient=each)
    differ = replace(equal, goal="detect", effect=effect)
    name, points = _NAMES[equal.measure], f"{100 * plan.margin:g}"
    shown = _of_100(design_power(equal, raters=raters, cases=cases))
    found = _of_100(design_power(differ, raters=raters, cases=cases))
    design = f"With {_count(raters, 'rater')} and {_count(cases, 'case')}{_of_patients(cases, patients, pattern)}"
    claim = f"you can show equivalence within {points} points in {shown} of 100 studies"
    lines = [
        f"{design} {claim}, if {name} is really at chance.",
        f"If {name} is really {effect:.2f}, you will detect it in {found} of 100 studies.",
    ]
    if shown == 0:
        lines.append(
            f"This design cannot show equivalence within {points} points, whatever the raters answer: "
            "a large p-value will not mean that the images cannot be told apart."
        )
    return lines


def _of_patients(cases: int, patients: int | None, pattern: PatientPattern | None) -> str:
    if pattern is not None:
        return f" of {pattern.patients} patients, {pattern.patients_of_both_kinds} with both kinds,"
    if patients is None:
        return ""
    if patients >= cases:
        return ", one of each patient,"
    return f" of {_count(patients, 'patient')}, {cases / patients:.1f} of each and taken as of one kind,"


def _of_100(power: float) -> int:
    # "100 of 100" would promise what no study can.
    return min(99, round(100 * power))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One choice that differs between the frozen plan and what was done."""

    field: str
    planned: object
    actual: object

    def sentence(self) -> str:
        """Return the deviation in plain words."""
        return f"{self.field.replace('_', ' ')}: planned {self.planned!r}, done {self.actual!r}"


def deviations(planned: AnalysisPlan, actual: AnalysisPlan) -> list[Deviation]:
    """List every field in which two plans differ, in the order of the plan's fields."""
    return [
        Deviation(field=field.name, planned=getattr(planned, field.name), actual=getattr(actual, field.name))
        for field in fields(AnalysisPlan)
        if getattr(planned, field.name) != getattr(actual, field.name)
    ]
