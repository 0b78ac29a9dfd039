from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, cast

from django import forms

from readerstudy.analysis import AnalysisPlan
from readerstudy.planning.plans import CHOICE_PRIMARIES
from readerstudy.planning.words import (
    CHOICE_SECTION_WORDS,
    CONTROL_TRIAL_WORDS,
    CONTROL_WORDS,
    MISSING_WORDS,
    PHASE_MEASURE_WORDS,
    PHASE_SIDE_WORDS,
    PRIMARY_WORDS,
    SAME_NAMES_WORDS,
    SECTION_WORDS,
    TIE_WORDS,
    UNIT_WORDS,
)
from readerstudy.tasks.task import Task

CHOSEN = (
    "question",
    "unit",
    "same_names",
    "primary",
    "secondary",
    "alpha",
    "tie_rule",
    "missing_rule",
    "exclusions",
    "margin",
    "family",
    "control_rule",
    "control_share",
    "same_answer_limit",
    "sample_size",
    "margin_reason",
    "compared_arms",
    "compared_margin",
    "phase_measure",
    "phase_side",
    "phase_margin",
)


# What the form asks for as the plan holds it.
AS_THEY_ARE = (
    "question",
    "unit",
    "same_names",
    "primary",
    "alpha",
    "tie_rule",
    "missing_rule",
    "control_rule",
    "sample_size",
    "margin_reason",
    "phase_measure",
    "phase_side",
)


# Fields in percent, and what the plan calls them as shares.
PERCENTS = {
    "margin_points": "margin",
    "control_percent": "control_share",
    "same_answer_percent": "same_answer_limit",
    "arms_margin_points": "compared_margin",
    "phase_margin_points": "phase_margin",
}

# Where answers have no levels there is no area.
OF_RIGHT_ANSWERS = {name: words for name, words in PHASE_MEASURE_WORDS.items() if name != "auc"}

# What only a study that continues another one has.
OF_LATER_PHASES = ("phase_measure", "phase_side", "phase_margin_points")

# What trials that show several images at a time have no use for.
OF_SINGLE_IMAGES = (
    *("tie_rule", "missing_rule", "arms", "arms_margin_points"),
    "phase_margin_points",
)
OF_RIGHT_CHOICES = (
    *("margin_points", "margin_reason", "same_answer_percent", "secondary", "control_rule", "control_percent"),
    *OF_LATER_PHASES,
)


class PlanForm(forms.Form):
    """The choices of the plan that a coordinator makes; the rest follows from the template."""

    question = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2}))
    unit = forms.ChoiceField(
        choices=list(UNIT_WORDS.items()),
        label="Unit of analysis",
        help_text="What is independent of what. With one case per patient the two are the same",
    )
    same_names = forms.ChoiceField(
        choices=list(SAME_NAMES_WORDS.items()),
        label="Names of patients",
        help_text="Two datasets may both have a “P01”",
    )
    primary = forms.ChoiceField(
        choices=[],
        label="Primary analysis",
        help_text="The one test that decides. The AUC needs levels (confidence or a scale) and at least 3 raters.",
    )
    margin_points = forms.FloatField(
        min_value=1,
        max_value=49,
        label="Margin of equivalence (percentage points)",
        help_text="How far from chance still counts as “no better than chance”; fix it before you look",
    )
    margin_reason = forms.CharField(
        required=False,
        max_length=600,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Why this margin",
        help_text="Reviewers ask: what would a larger difference change? Frozen with the plan, printed in the methods",
    )
    alpha = forms.FloatField(min_value=0.001, max_value=0.2, label="Level of the tests (alpha)")
    secondary = forms.MultipleChoiceField(
        choices=[],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Secondary analyses",
        help_text="Whatever is not chosen here is marked as exploratory in the results",
    )
    arms = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Arms compared as planned",
        help_text="Each with all real cases, and in pairs. Arms that are not chosen are exploratory in the results",
    )
    arms_margin_points = forms.FloatField(
        min_value=1,
        max_value=49,
        label="Margin between two arms (percentage points)",
        help_text="How far apart two areas may lie and still count as equal",
    )
    phase_measure = forms.ChoiceField(
        choices=[],
        label="Against the study that this one continues",
        help_text="Named here it is a planned comparison, frozen at the lock while the truth of both is sealed",
    )
    phase_side = forms.ChoiceField(
        choices=list(PHASE_SIDE_WORDS.items()),
        label="Change that is looked for",
        help_text="One-sided only where a change the other way would mean nothing to anybody",
    )
    phase_margin_points = forms.FloatField(
        required=False,
        min_value=1,
        max_value=49,
        label="Margin between the two (percentage points)",
        help_text="By what both may differ and still count as equal; empty: that is not asked",
    )
    tie_rule = forms.ChoiceField(choices=list(TIE_WORDS.items()), label="When the panel is split evenly")
    missing_rule = forms.ChoiceField(choices=list(MISSING_WORDS.items()), label="When ratings are missing")
    control_rule = forms.ChoiceField(
        choices=list(CONTROL_WORDS.items()),
        label="Positive controls count as found when",
        help_text="Without controls that were found the results never say “equivalent”",
    )
    control_percent = forms.FloatField(
        min_value=1,
        max_value=100,
        label="Controls to be found (percent)",
        help_text="Only for the second rule: of how many most raters must say “synthetic”",
    )
    same_answer_percent = forms.FloatField(
        min_value=50,
        max_value=99.9,
        label="Most equal answers of one rater (percent)",
        help_text="A rater who gives one answer more often than this cannot show that nothing was to be found",
    )
    sample_size = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Why this many raters and cases",
        help_text="The planner writes this paragraph; it is frozen with the plan and printed in the methods",
    )
    exclusions = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="Rules for excluding raters",
        help_text="One per line, for instance: rated less than half of the cases",
    )

    def __init__(
        self,
        *args: Any,
        plan: AnalysisPlan,
        task: Task,
        arms: Sequence[str] = (),
        later_phase: bool = False,
        **kwargs: Any,
    ) -> None:
        """`arms` are those of the cases drawn so far; what the plan names already stays to be chosen.

        `later_phase`: the study continues another one.
        """
        self.plan, self.task = plan, task
        values = asdict(plan)
        initial = {
            **{name: values[name] for name in AS_THEY_ARE},
            "control_percent": round(100 * plan.control_share, 6),
            "same_answer_percent": round(100 * plan.same_answer_limit, 6),
            "secondary": list(plan.secondary),
            "margin_points": round(100 * plan.margin, 6),
            "exclusions": "\n".join(plan.exclusions),
            "arms": list(plan.compared_arms),
            "arms_margin_points": round(100 * plan.compared_margin, 6),
            "phase_margin_points": None if plan.phase_margin is None else round(100 * plan.phase_margin, 6),
        }
        kwargs["initial"] = initial
        super().__init__(*args, **kwargs)
        names = list(dict.fromkeys([*arms, *plan.compared_arms]))
        if len(names) > 1:
            cast("forms.MultipleChoiceField", self.fields["arms"]).choices = [(name, name) for name in names]
        else:
            del self.fields["arms"], self.fields["arms_margin_points"]
        measures = PHASE_MEASURE_WORDS if task.scored and task.images == 1 else OF_RIGHT_ANSWERS
        cast("forms.ChoiceField", self.fields["phase_measure"]).choices = list(measures.items())
        if not later_phase:
            self._leave_out(OF_LATER_PHASES)
        self._offer_what_fits()

    def _leave_out(self, names: Sequence[str]) -> None:
        for name in names:
            self.fields.pop(name, None)

    def _offer_what_fits(self) -> None:
        several = self.task.images > 1
        offered = [one for one in PRIMARY_WORDS if (one in CHOICE_PRIMARIES) == several]
        primaries = [(one, PRIMARY_WORDS[one]) for one in (self.task.primaries if several else offered)]
        cast("forms.ChoiceField", self.fields["primary"]).choices = primaries
        sections = CHOICE_SECTION_WORDS if several else SECTION_WORDS
        cast("forms.MultipleChoiceField", self.fields["secondary"]).choices = list(sections.items())
        if not several:
            return
        self._leave_out((*OF_SINGLE_IMAGES, *(() if self.task.right_choice else OF_RIGHT_CHOICES)))
        self.fields["primary"].help_text = "The one test that decides"
        self.fields["sample_size"].help_text = "Frozen with the plan and printed in the methods"
        if self.task.right_choice:
            margin, most = self.fields["margin_points"], self.fields["same_answer_percent"]
            margin.help_text = "Of the area of single images around one half; shares of right choices follow from it"
            most.label = "Most choices of one side (percent)"
            rule, share = cast("forms.ChoiceField", self.fields["control_rule"]), self.fields["control_percent"]
            rule.choices, rule.label = list(CONTROL_TRIAL_WORDS.items()), "Trials of controls count as found when"
            share.help_text = "Only for the second rule: in how many most raters must be right"
            most.help_text = "Of a rater who chooses one side more often nothing can be said to be not found"

    def clean_exclusions(self) -> tuple[str, ...]:
        return tuple(line.strip() for line in self.cleaned_data["exclusions"].splitlines() if line.strip())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.chosen_plan()
            except ValueError as error:
                raise forms.ValidationError(f"This plan contradicts itself: {error}.") from error
        return cleaned

    def chosen_plan(self) -> AnalysisPlan:
        data = dict(self.cleaned_data)
        for percents, share in PERCENTS.items():
            if percents in data:
                points = data.pop(percents)
                data[share] = None if points is None else points / 100
        if "secondary" in data:
            data["secondary"] = tuple(data["secondary"])
        if "arms" in data:
            data["compared_arms"] = tuple(data.pop("arms"))
        # The primary test of the ensemble stands alone; otherwise the ensemble is one of the adjusted tests.
        of_raters = data["primary"] == "ensemble" or data["primary"] in CHOICE_PRIMARIES
        data["family"] = "raters" if of_raters else "raters_and_ensemble"
        return replace(self.plan, **data)

    def plan_options(self) -> dict[str, Any]:
        """What the draft stores: the choices, JSON-ready."""
        values = asdict(self.chosen_plan())
        return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in CHOSEN}
