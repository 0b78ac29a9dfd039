from typing import Any

from django import forms
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.models import Dataset, Lesion
from ctplatform.form_fields import rows_of
from readerstudy.design.candidate import Candidate
from readerstudy.design.candidates import accepted_scans, from_lesions, from_removals, lesions_of_kind
from readerstudy.design.field_names import FIELD_NAMES
from readerstudy.design.published import STARTED
from readerstudy.models import Case, Study, Template
from readerstudy.models.reading import LONGEST_GROUP
from readerstudy.tasks.registry import OFFERED
from readerstudy.tasks.task import UNEVEN_CASES
from readerstudy.web.task_fields import chosen_settings, entered, setting_fields, titled_fields

# The protocol form, part by part.
PROTOCOL_PARTS = {
    gettext_noop("Study"): ["title", "description", "language", "question", "instructions", "end_question"],
    gettext_noop("Question"): ["task_name", "confidence_levels"],
    gettext_noop("Display"): [
        "display_mode",
        "field_of_view_mm",
        "stack_slices",
        "window_center_hu",
        "window_width_hu",
        "window_may_stay",
        "display_check",
    ],
    gettext_noop("Cases"): ["datasets", "cases_planned", "diameter_min_mm", "diameter_max_mm", "twins_allowed", "seed"],
    gettext_noop("Round trip of every case"): [
        "round_trip_mm",
        "round_trip_step_hu",
        "round_trip_low_hu",
        "round_trip_high_hu",
    ],
    gettext_noop("Order of reading"): [
        "block_size",
        "longest_run",
        "scan_distance",
        "place_distance",
        "repeats",
        "repeat_distance",
        "going_back",
        "feedback",
    ],
    gettext_noop("Earlier study"): ["continues", "least_gap_days", "other_patients"],
    gettext_noop("Closing"): ["grace_hours", "unblinding_by_two"],
}
PROTOCOL_FIELDS = [name for names in PROTOCOL_PARTS.values() for name in names]


class NewStudyForm(forms.Form):
    template = forms.ChoiceField(
        choices=[(name, gettext_lazy(label)) for name, label in Template.choices],
        label=gettext_lazy("What raters judge"),
        widget=forms.RadioSelect,
    )
    title = forms.CharField(max_length=160, label=gettext_lazy("Title"))
    cases_planned = forms.IntegerField(
        min_value=4,
        max_value=2000,
        initial=100,
        label=gettext_lazy("Number of cases"),
        help_text=gettext_lazy("Half real, half synthetic"),
    )
    # What stood in the planner's form, when the study starts from its answer.
    planner = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)

    def clean_cases_planned(self) -> int:
        number = int(self.cleaned_data["cases_planned"])
        if number % 2:
            raise forms.ValidationError(gettext(UNEVEN_CASES))
        return number


class PublishedForm(forms.Form):
    published = forms.ChoiceField(choices=[(key, protocol.authors) for key, protocol in STARTED.items()])


class StudyForm(forms.ModelForm[Study]):
    """The protocol of a draft; its analysis plan has a page of its own."""

    task_name = forms.ChoiceField(
        choices=[(name, gettext_lazy(task.label)) for name, task in OFFERED.items()],
        label=gettext_lazy("What raters are asked"),
        help_text=gettext_lazy("Each task has settings of its own, below; those of the others do not matter"),
    )
    # Made of the fields of the chosen task.
    task_settings = forms.JSONField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Study
        fields = [*PROTOCOL_FIELDS, "task_settings"]
        widgets = {
            "datasets": forms.CheckboxSelectMultiple,
            "description": forms.Textarea(attrs={"rows": 3}),
            "instructions": forms.Textarea(attrs={"rows": 6}),
        }
        help_texts = {
            "cases_planned": gettext_lazy(
                "Half of them real, half synthetic. Of several images at a time each is a case: 30 trials of 4 "
                "images are 120"
            ),
            "display_mode": gettext_lazy("No ring is shown where raters mark the place themselves"),
            "continues": gettext_lazy(
                "An earlier study of yours with the same raters: nobody begins this one before finishing that "
                "one. Once both are unblinded, whoever sees this study's results gets its raters' answers there "
                "with the truth, in phase_answers.csv"
            ),
        }
        labels = FIELD_NAMES

    def __init__(self, *args: Any, editor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_of(self, "datasets").queryset = Dataset.objects.visible_to(editor)
        rows_of(self, "continues").queryset = earlier_for(self.instance, editor)
        self.of_tasks = setting_fields()
        self.fields.update(self.of_tasks)
        self.initial.update(entered(self.instance))

    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Settings of each task stand apart, below the question that chooses among them."""
        found = []
        for part, names in PROTOCOL_PARTS.items():
            found.append((part, [self[name] for name in names]))
            if part == "Question":
                found += [(title, [self[name] for name in fields]) for title, fields in titled_fields()]
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        settings = chosen_settings(cleaned.get("task_name", self.instance.task_name), cleaned)
        for name in self.of_tasks:
            cleaned.pop(name, None)
        # An empty choice is one too, which a form of a model would leave as it was.
        self.instance.task_settings = cleaned["task_settings"] = settings
        return cleaned


def earlier_for(study: Study, editor: User) -> QuerySet[Study]:
    """What it may continue: studies that the editor decides about, and the one that somebody else has chosen."""
    managed = Q(pk__in=Study.objects.managed_by(editor).values("pk"))
    earlier = Study.objects.filter(managed | Q(pk=study.continues_id)).exclude(pk=study.pk)
    return earlier.only("title").order_by("-created_at")


class TickedRowsField(forms.ModelMultipleChoiceField[Any]):
    """Ticked rows of a list. One that is gone makes the whole choice invalid, and `gone` says so to the person."""

    def __init__(self, queryset: QuerySet[Any], *, gone: str | Promise, label: str | Promise) -> None:
        super().__init__(queryset, required=False, widget=forms.CheckboxSelectMultiple, label=label)
        self.gone = gone

    def clean(self, value: Any) -> QuerySet[Any]:
        try:
            return super().clean(value)
        except forms.ValidationError as error:
            raise forms.ValidationError(str(self.gone)) from error


class TickedPeopleField(TickedRowsField):
    def label_from_instance(self, obj: User) -> str:
        if obj.as_program is not None:
            return gettext("%(program)s (program)") % {"program": obj.as_program}
        simulated = gettext(" (simulated)") if obj.is_simulated else ""
        return f"{obj} · {obj.username}{simulated}"


class RatersForm(forms.Form):
    users = TickedPeopleField(
        User.objects.none(),
        label=gettext_lazy("Raters"),
        gone=gettext_lazy(
            "Nothing was saved: one of the chosen accounts can't be a rater any more, because it was closed or "
            "has another role now. Look at the list again and save it anew."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        readers = User.objects.filter(role=Role.RATER, is_active=True).select_related("program")
        readers = readers.order_by("is_simulated", F("program").asc(nulls_first=True), "username")
        rows_of(self, "users").queryset = readers


class GroupsForm(forms.Form):
    """One field for each person who rates, by number."""

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for rater in study.raters.panel().select_related("user__program"):
            self.fields[f"group_{rater.number}"] = forms.CharField(
                label=rater.name, max_length=LONGEST_GROUP, required=False, initial=rater.group
            )

    def groups(self) -> dict[int, str]:
        return {int(name.removeprefix("group_")): group for name, group in self.cleaned_data.items()}


class TeamForm(forms.Form):
    members = TickedRowsField(
        User.objects.none(),
        label=gettext_lazy("Team"),
        gone=gettext_lazy(
            "Nothing was saved: one of the chosen accounts can't be in the team any more, because it was closed "
            "or is a rater's now. Look at the list again and save it anew."
        ),
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.exclude(role=Role.RATER).exclude(pk=owner.pk).filter(is_active=True)
        rows_of(self, "members").queryset = people.order_by("username")


class CasesForm(forms.Form):
    case = TickedRowsField(
        Case.objects.none(),
        label=gettext_lazy("Cases"),
        gone=gettext_lazy(
            "Nothing was changed: one of the chosen cases isn't in this study any more. Look at the list again."
        ),
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_of(self, "case").queryset = Case.objects.filter(study=study)


class PlacesForm(forms.Form):
    """Places to become cases: scans with an accepted removal, or lesions."""

    place = TickedRowsField(
        Lesion.objects.none(),
        label=gettext_lazy("Places"),
        gone=gettext_lazy(
            "Nothing was added: one of the chosen places can't become a case any more. Its edit may have been "
            "rejected, or the diameters of the protocol have changed. Look at the list again."
        ),
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.removed = study.template == Template.REMOVED_LESIONS
        real, synthetic = (lesions_of_kind(study, synthetic=kind) for kind in (False, True))
        places = accepted_scans(study) if self.removed else real | synthetic
        rows_of(self, "place").queryset = places

    def candidates(self) -> list[Candidate]:
        chosen = list(self.cleaned_data["place"])
        return from_removals(chosen) if self.removed else from_lesions(chosen)


class ExclusionForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        label=gettext_lazy("Reason"),
        error_messages={
            "required": gettext_lazy("Say why this rater is excluded; the report will print it."),
            "max_length": gettext_lazy("Say in at most 300 characters why this rater is excluded."),
        },
    )


class ReopenForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        label=gettext_lazy("Reason; it stands in the record"),
        error_messages={
            "required": gettext_lazy("Say why the study is opened again; it stands in the record."),
            "max_length": gettext_lazy("Say in at most 300 characters why the study is opened again."),
        },
    )


class UnblindForm(forms.Form):
    typed_title = forms.CharField(
        max_length=200,
        label=gettext_lazy("Type the study's title to confirm"),
        error_messages=dict.fromkeys(
            ("required", "max_length"), gettext_lazy("Type the study's title exactly as it stands to unblind it.")
        ),
    )
