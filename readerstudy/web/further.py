"""Further questions of a draft: a page of its own, one block of fields for each question."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.views.generic import FormView

from readerstudy.design import services
from readerstudy.models import Study
from readerstudy.models.refused import told
from readerstudy.tasks.items import KINDS, LONGEST_QUESTION, MOST_ITEMS, items_of
from readerstudy.web.common import DraftFormMixin

PARTS = ("question", "kind", "name", "options")


class FurtherForm(forms.Form):
    """Blocks without a question are left out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, MOST_ITEMS + 1):
            self.fields |= {
                f"question-{number}": forms.CharField(
                    label=gettext("Question"), max_length=LONGEST_QUESTION, required=False
                ),
                f"kind-{number}": forms.ChoiceField(
                    label=gettext("How it is answered"),
                    choices=[(kind, gettext(item.label)) for kind, item in KINDS.items()],
                    required=False,
                ),
                f"name-{number}": forms.CharField(
                    label=gettext("Short name"),
                    max_length=30,
                    required=False,
                    help_text=gettext("Its column in tables: small letters"),
                ),
                f"options-{number}": forms.CharField(
                    label=gettext("Answers or grades"),
                    widget=forms.Textarea(attrs={"rows": 4}),
                    required=False,
                    help_text=gettext("One a line, grades from the worst to the best; not for numbers and free text"),
                ),
            }

    def blocks(self) -> list[tuple[int, list[forms.BoundField]]]:
        return [(number, [self[f"{part}-{number}"] for part in PARTS]) for number in range(1, MOST_ITEMS + 1)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            described = [item.described() for item in items_of(_asked(cleaned))]
        except ValueError as error:
            raise forms.ValidationError(gettext("Nothing was saved: %(error)s.") % {"error": told(error)}) from error
        return {"further_questions": described}


def _asked(cleaned: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for number in range(1, MOST_ITEMS + 1):
        said = {part: cleaned.get(f"{part}-{number}", "") for part in PARTS}
        if said["question"]:
            options = [line.strip() for line in said["options"].splitlines() if line.strip()]
            found.append({**said, "options": options})
    return found


def entered(study: Study) -> dict[str, Any]:
    """The study's questions in the fields of the form."""
    blocks = enumerate(study.further_questions, start=1)
    return {
        f"{part}-{number}": "\n".join(one.get(part, [])) if part == "options" else one[part]
        for number, one in blocks
        for part in PARTS
    }


class FurtherView(DraftFormMixin[FurtherForm], FormView[FurtherForm]):
    for_editors = True
    template_name = "readerstudy/further.html"
    form_class = FurtherForm

    def get_initial(self) -> dict[str, Any]:
        return entered(self.study)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(study=self.study, **kwargs)

    def as_entered(self, study: Study, name: str) -> dict[str, Any]:
        return entered(study)

    def save(self, form: FurtherForm) -> str:
        services.change_design(study=self.study, actor=self.person, seen=self.seen(), **form.cleaned_data)
        return gettext("The further questions are saved.")
