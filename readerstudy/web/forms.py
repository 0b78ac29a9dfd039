from typing import Any

from django import forms

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.models import Dataset
from readerstudy.models import Study, Template

# The protocol form, part by part.
PROTOCOL_PARTS = {
    "Study": ["title", "description", "question", "instructions"],
    "Display": [
        "display_mode",
        "field_of_view_mm",
        "stack_slices",
        "window_center_hu",
        "window_width_hu",
        "confidence_levels",
    ],
    "Cases": ["datasets", "cases_planned", "diameter_min_mm", "diameter_max_mm", "seed"],
    "Order of reading": ["block_size", "longest_run", "scan_distance", "place_distance"],
}
PROTOCOL_FIELDS = [name for names in PROTOCOL_PARTS.values() for name in names]


class NewStudyForm(forms.Form):
    template = forms.ChoiceField(choices=Template.choices, label="What raters judge", widget=forms.RadioSelect)
    title = forms.CharField(max_length=160)
    cases_planned = forms.IntegerField(
        min_value=4, max_value=2000, initial=100, label="Number of cases", help_text="Half real, half synthetic"
    )

    def clean_cases_planned(self) -> int:
        return _even(self.cleaned_data["cases_planned"])


class StudyForm(forms.ModelForm[Study]):
    """The protocol of a draft; its analysis plan has a page of its own."""

    class Meta:
        model = Study
        fields = PROTOCOL_FIELDS
        widgets = {
            "datasets": forms.CheckboxSelectMultiple,
            "description": forms.Textarea(attrs={"rows": 3}),
            "instructions": forms.Textarea(attrs={"rows": 6}),
        }
        labels = {
            "field_of_view_mm": "Edge of the patch (mm)",
            "stack_slices": "Slices in a stack",
            "window_center_hu": "Window centre (HU)",
            "window_width_hu": "Window width (HU)",
            "confidence_levels": "Levels of confidence",
            "cases_planned": "Number of cases",
            "diameter_min_mm": "Smallest diameter (mm)",
            "diameter_max_mm": "Largest diameter (mm)",
            "seed": "Seed",
            "scan_distance": "Distance between cases of one scan",
            "place_distance": "Distance between cases of one place",
        }

    def __init__(self, *args: Any, editor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["datasets"].queryset = Dataset.objects.visible_to(editor)  # type: ignore[attr-defined]

    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(part, [self[name] for name in names]) for part, names in PROTOCOL_PARTS.items()]

    def clean_cases_planned(self) -> int:
        return _even(self.cleaned_data["cases_planned"])

    def clean_stack_slices(self) -> int:
        slices = int(self.cleaned_data["stack_slices"])
        if slices % 2 == 0:
            raise forms.ValidationError("Choose an odd number, so that the place is on the middle slice.")
        return slices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        low, high = cleaned.get("diameter_min_mm"), cleaned.get("diameter_max_mm")
        if low is not None and high is not None and low >= high:
            self.add_error("diameter_max_mm", "The largest diameter must be above the smallest.")
        return cleaned


class RatersForm(forms.Form):
    users = forms.ModelMultipleChoiceField(
        User.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, label="Raters"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(role=Role.RATER, is_active=True).order_by("is_simulated", "username")
        self.fields["users"].queryset = people  # type: ignore[attr-defined]
        self.fields["users"].label_from_instance = _person_label  # type: ignore[attr-defined]


class TeamForm(forms.Form):
    members = forms.ModelMultipleChoiceField(
        User.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, label="Team"
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.exclude(role=Role.RATER).exclude(pk=owner.pk).filter(is_active=True)
        self.fields["members"].queryset = people.order_by("username")  # type: ignore[attr-defined]


class ExclusionForm(forms.Form):
    reason = forms.CharField(max_length=300, label="Reason")


class UnblindForm(forms.Form):
    typed_title = forms.CharField(max_length=200, label="Type the study's title to confirm")


def _even(number: int) -> int:
    if number % 2:
        raise forms.ValidationError("Choose an even number: half of the cases are real, half synthetic.")
    return number


def _person_label(user: User) -> str:
    return f"{user} · {user.username}{' (simulated)' if user.is_simulated else ''}"
