from dataclasses import asdict, replace
from typing import Any

from django import forms

from readerstudy.analysis import AnalysisPlan
from readerstudy.planning.words import MISSING_WORDS, PRIMARY_WORDS, SECTION_WORDS, TIE_WORDS

CHOSEN = (
    "question",
    "unit",
    "primary",
    "secondary",
    "alpha",
    "tie_rule",
    "missing_rule",
    "exclusions",
    "margin",
    "family",
)


class PlanForm(forms.Form):
    """The choices of the plan that a coordinator makes; the rest follows from the template."""

    question = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2}))
    unit = forms.CharField(
        max_length=60, label="Unit of analysis", help_text="What one answer is about: the case, lesion, patch ..."
    )
    primary = forms.ChoiceField(
        choices=list(PRIMARY_WORDS.items()),
        label="Primary analysis",
        help_text="The one test that decides. The AUC needs levels of confidence and at least 3 raters.",
    )
    margin_points = forms.FloatField(
        min_value=1,
        max_value=49,
        label="Margin of equivalence (percentage points)",
        help_text="How far from chance still counts as “no better than chance”; fix it before you look",
    )
    alpha = forms.FloatField(min_value=0.001, max_value=0.2, label="Level of the tests (alpha)")
    secondary = forms.MultipleChoiceField(
        choices=list(SECTION_WORDS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Secondary analyses",
        help_text="Whatever is not chosen here is marked as exploratory in the results",
    )
    tie_rule = forms.ChoiceField(choices=list(TIE_WORDS.items()), label="When the panel is split evenly")
    missing_rule = forms.ChoiceField(choices=list(MISSING_WORDS.items()), label="When ratings are missing")
    exclusions = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="Rules for excluding raters",
        help_text="One per line, for instance: rated less than half of the cases",
    )

    def __init__(self, *args: Any, plan: AnalysisPlan, **kwargs: Any) -> None:
        self.plan = plan
        values = asdict(plan)
        initial = {
            **{name: values[name] for name in ("question", "unit", "primary", "alpha", "tie_rule", "missing_rule")},
            "secondary": list(plan.secondary),
            "margin_points": round(100 * plan.margin, 6),
            "exclusions": "\n".join(plan.exclusions),
        }
        kwargs["initial"] = initial
        super().__init__(*args, **kwargs)

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
        data["margin"] = data.pop("margin_points") / 100
        data["secondary"] = tuple(data["secondary"])
        # The primary test of the ensemble stands alone; otherwise the ensemble is one of the adjusted tests.
        data["family"] = "raters" if data["primary"] == "ensemble" else "raters_and_ensemble"
        return replace(self.plan, **data)

    def plan_options(self) -> dict[str, Any]:
        """What the draft stores: the choices, JSON-ready."""
        values = asdict(self.chosen_plan())
        return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in CHOSEN}


class PlannerForm(forms.Form):
    """What is believed before a study. Every field has a default, so that the page always has an answer."""

    goal = forms.ChoiceField(
        choices=[("equivalent", "Show that raters are no better than chance"), ("detect", "Show that raters can tell")],
        label="Goal",
        initial="equivalent",
    )
    measure = forms.ChoiceField(
        choices=[
            ("auc", "AUC averaged over raters; raters and cases random"),
            ("panel_accuracy", "Accuracy of these raters together; cases random"),
            ("ensemble", "Majority of the panel as one rater"),
        ],
        label="Primary analysis",
        initial="auc",
    )
    effect = forms.FloatField(
        min_value=0.01,
        max_value=0.99,
        initial=0.5,
        label="True AUC or share correct",
        help_text="0.5 is chance; for the goal “can tell” what you expect, such as 0.65",
    )
    margin_points = forms.FloatField(min_value=1, max_value=49, initial=15, label="Margin (percentage points)")
    alpha = forms.FloatField(min_value=0.001, max_value=0.2, initial=0.05, label="Alpha")
    target = forms.FloatField(min_value=0.5, max_value=0.99, initial=0.8, label="Power wanted")
    case_correlation = forms.FloatField(
        min_value=0,
        max_value=0.95,
        initial=0.25,
        label="Shared by raters",
        help_text="How much raters err on the same cases: about the kappa between them",
    )
    rater_sd = forms.FloatField(
        min_value=0,
        max_value=2,
        initial=0.2,
        label="Spread of raters",
        help_text="Standard deviation of d′ between raters",
    )
    seconds_per_case = forms.FloatField(min_value=1, max_value=600, initial=20, label="Seconds per case")
