"""Form fields for the settings of every type of task; those of the chosen one are saved."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django import forms
from django.utils.translation import gettext

from readerstudy.models import Study
from readerstudy.tasks.registry import OFFERED, TASKS
from readerstudy.tasks.task import Setting

MADE: Mapping[str, Callable[..., forms.Field]] = {
    "choice": forms.ChoiceField,
    "number": partial(forms.IntegerField, min_value=0),
    "lines": partial(forms.CharField, widget=forms.Textarea(attrs={"rows": 3}), max_length=2000),
    "yes_no": forms.BooleanField,
}


def field_name(task: str, setting: Setting) -> str:
    return f"{task}-{setting.name}"


def setting_fields() -> dict[str, forms.Field]:
    return {field_name(name, setting): _field(setting) for name, task in OFFERED.items() for setting in task.settings}


def titled_fields() -> list[tuple[str, list[str]]]:
    """Names of the fields of every task that has settings, below its label."""
    return [
        (
            gettext("If asked: %(task)s") % {"task": gettext(task.label)},
            [field_name(name, setting) for setting in task.settings],
        )
        for name, task in OFFERED.items()
        if task.settings
    ]


def _field(setting: Setting) -> forms.Field:
    told: dict[str, Any] = {"label": gettext(setting.label), "required": False}
    if setting.help_text:
        told["help_text"] = gettext(setting.help_text)
    if setting.choices:
        told["choices"] = [(value, gettext(label)) for value, label in setting.choices]
    return MADE[setting.kind](**told)


def entered(study: Study) -> dict[str, Any]:
    """What stands in these fields: the study's own settings, and of other tasks what is usual."""
    found = {}
    for name, task in OFFERED.items():
        own = study.task_settings if name == study.task_name else {}
        for setting in task.settings:
            value = own.get(setting.name, setting.default)
            found[field_name(name, setting)] = "\n".join(value) if setting.kind == "lines" else value
    return found


def chosen_settings(task: str, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Of one task, without what was left empty."""
    found = {}
    for setting in TASKS[task].settings:
        value = cleaned.get(field_name(task, setting))
        if setting.kind == "lines":
            value = [line.strip() for line in str(value or "").splitlines() if line.strip()]
        if value not in (None, ""):
            found[setting.name] = value
    return found
