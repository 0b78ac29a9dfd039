from typing import Any

from django import forms
from django.db.models import QuerySet

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.models import Dataset, Lesion
from readerstudy.design.candidates import accepted_scans, from_lesions, from_removals, lesions_of_kind
from readerstudy.design.matching import Candidate
from readerstudy.models import Case, Study, Template

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


class TickedRowsField(forms.ModelMultipleChoiceField[Any]):
    """Ticked rows of a list. One that is gone makes the whole choice invalid, and `gone` says so to the person."""

    def __init__(self, queryset: QuerySet[Any], *, gone: str, label: str) -> None:
        super().__init__(queryset, required=False, widget=forms.CheckboxSelectMultiple, label=label)
        self.gone = gone

    def clean(self, value: Any) -> QuerySet[Any]:
        try:
            return super().clean(value)
        except forms.ValidationError as error:
            raise forms.ValidationError(self.gone) from error


class RatersForm(forms.Form):
    users = TickedRowsField(
        User.objects.none(),
        label="Raters",
        gone="Nothing was saved: one of the chosen accounts can't be a rater any more, because it was closed or has "
        "another role now. Look at the list again and save it anew.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(role=Role.RATER, is_active=True).order_by("is_simulated", "username")
        self.fields["users"].queryset = people  # type: ignore[attr-defined]
        self.fields["users"].label_from_instance = _person_label  # type: ignore[attr-defined]


class TeamForm(forms.Form):
    members = TickedRowsField(
        User.objects.none(),
        label="Team",
        gone="Nothing was saved: one of the chosen accounts can't be in the team any more, because it was closed or "
        "is a rater's now. Look at the list again and save it anew.",
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.exclude(role=Role.RATER).exclude(pk=owner.pk).filter(is_active=True)
        self.fields["members"].queryset = people.order_by("username")  # type: ignore[attr-defined]


class CasesForm(forms.Form):
    case = TickedRowsField(
        Case.objects.none(),
        label="Cases",
        gone="Nothing was removed: one of the chosen cases isn't in this study any more. Look at the list again.",
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["case"].queryset = Case.objects.filter(study=study)  # type: ignore[attr-defined]


class PlacesForm(forms.Form):
    """Places to become cases: scans with an accepted removal, or lesions."""

    place = TickedRowsField(
        Lesion.objects.none(),
        label="Places",
        gone="Nothing was added: one of the chosen places can't become a case any more. Its edit may have been "
        "rejected, or the diameters of the protocol have changed. Look at the list again.",
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.removed = study.template == Template.REMOVED_LESIONS
        real, synthetic = (lesions_of_kind(study, synthetic=kind) for kind in (False, True))
        places = accepted_scans(study) if self.removed else real | synthetic
        self.fields["place"].queryset = places  # type: ignore[attr-defined]

    def candidates(self) -> list[Candidate]:
        chosen = list(self.cleaned_data["place"])
        return from_removals(chosen) if self.removed else from_lesions(chosen)


class ExclusionForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        label="Reason",
        error_messages={
            "required": "Say why this rater is excluded; the report will print it.",
            "max_length": "Say in at most 300 characters why this rater is excluded.",
        },
    )


class UnblindForm(forms.Form):
    typed_title = forms.CharField(
        max_length=200,
        label="Type the study's title to confirm",
        error_messages=dict.fromkeys(
            ("required", "max_length"), "Type the study's title exactly as it stands to unblind it."
        ),
    )


def _even(number: int) -> int:
    if number % 2:
        raise forms.ValidationError("Choose an even number: half of the cases are real, half synthetic.")
    return number


def _person_label(user: User) -> str:
    return f"{user} · {user.username}{' (simulated)' if user.is_simulated else ''}"
