"""What a new study starts with."""

from collections.abc import Mapping
from typing import Any

from readerstudy.models import Study, Template
from readerstudy.tasks.forced_choice import ForcedChoice

_READING = (
    "Answer by keyboard or mouse; you can go back to the {unit} before. Stop whenever you like: every answer is saved "
    "at once, and the link brings you back to where you were. You get no feedback on single {unit}s."
)
COMMON = "You will see one case after the other, in an order of your own. " + _READING.format(unit="case")

DEFAULTS: dict[Template, dict[str, Any]] = {
    Template.INSERTED_LESIONS: {
        "title": "Real or inserted lesions",
        "question": "Is this lesion real or synthetic?",
        "instructions": "About half of the lesions are real; the others were inserted into the scan by a program. "
        + COMMON,
    },
    Template.REMOVED_LESIONS: {
        "title": "Untouched liver or removed lesion",
        "question": "Is the liver here untouched (real), or was a lesion removed (synthetic)?",
        "instructions": "About half of the places show untouched liver; at the others a program removed a lesion. "
        + COMMON,
    },
}

_LOOKING = "Nothing shows where: mark the place that you think was changed. "
_LOOKING_FOR_ALL = "Nothing shows where: mark every place that you think was changed, or say that there is none. "

# Where raters look for the place themselves, "this lesion" and "here" would ask about nothing that is shown.
LOOKED_FOR: dict[Template, dict[str, str]] = {
    Template.INSERTED_LESIONS: {
        "question": "Is this picture real, or was a lesion inserted (synthetic)?",
        "instructions": "About half of the pictures are as they were scanned; into the others a program inserted a "
        "lesion. " + _LOOKING + COMMON,
    },
    Template.REMOVED_LESIONS: {
        "question": "Is the liver in this picture untouched (real), or was a lesion removed (synthetic)?",
        "instructions": "About half of the pictures show an untouched liver; in the others a program removed a "
        "lesion. " + _LOOKING + COMMON,
    },
}

# What images of a trial are asked for, in the words of the template
REAL_OF_SEVERAL = {Template.INSERTED_LESIONS: "a real lesion", Template.REMOVED_LESIONS: "untouched liver"}
SYNTHETIC_OF_SEVERAL = {
    Template.INSERTED_LESIONS: "a lesion that a program inserted",
    Template.REMOVED_LESIONS: "a place where a program removed a lesion",
}


def usual_words(study: Study) -> dict[str, str]:
    """Question and instructions of a draft as long as nobody writes others."""
    template, task = Template(study.template), study.asked.task
    if isinstance(task, ForcedChoice):
        return _words_of_several(template, task)
    if task.mark is None:
        return {name: DEFAULTS[template][name] for name in ("question", "instructions")}
    words = dict(LOOKED_FOR[template])
    if task.mark.each is not None:
        words["instructions"] = words["instructions"].replace(_LOOKING, _LOOKING_FOR_ALL)
    return words


def _words_of_several(template: Template, task: ForcedChoice) -> dict[str, str]:
    real, synthetic = REAL_OF_SEVERAL[template], SYNTHETIC_OF_SEVERAL[template]
    reals, synthetics = task.of_each_kind
    kinds = [f"{reals} show{'s' * (reals == 1)} {real}", f"{synthetics} {synthetic}"]
    asked = {"real": f"shows {real}", "synthetic": f"shows {synthetic}", "better": "is the better one"}[task.find]
    return {
        "question": f"Which of these images {asked}?",
        "instructions": f"You will see {task.images} images at a time, in an order of your own: {', '.join(kinds)}. "
        + _READING.format(unit="trial"),
    }


def fit_words(draft: Study, *, usual_before: Mapping[str, Any]) -> None:
    """Put the usual words of its task where those still stand that were usual before."""
    for name, words in usual_words(draft).items():
        if getattr(draft, name) == usual_before[name]:
            setattr(draft, name, words)
