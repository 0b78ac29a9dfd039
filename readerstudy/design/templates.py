"""What a new study starts with."""

from collections.abc import Mapping
from typing import Any

from readerstudy.design.usual_words import USUAL, UsualWords
from readerstudy.models import Study, Template
from readerstudy.tasks.forced_choice import ForcedChoice
from readerstudy.tasks.labels import ENGLISH

COMMON = USUAL[ENGLISH].common


def defaults_of(template: Template, language: str) -> dict[str, str]:
    """Title, question and instructions of a study whose settings are as usual."""
    return dict(USUAL[language].defaults[template])


def usual_words(study: Study) -> dict[str, str]:
    """Question and instructions of a draft as long as nobody writes others."""
    asked, words = _of_the_task(study), USUAL[study.language]
    for sentence in words.no_feedback:
        told = words.feedback.get(study.feedback, sentence)
        asked["instructions"] = asked["instructions"].replace(sentence, told)
    return asked


def _of_the_task(study: Study) -> dict[str, str]:
    template, task, words = Template(study.template), study.asked.task, USUAL[study.language]
    if isinstance(task, ForcedChoice):
        return _words_of_several(template, task, words)
    if task.mark is None:
        return {name: words.defaults[template][name] for name in ("question", "instructions")}
    asked = dict(words.looked_for[template])
    if task.mark.each is not None:
        asked["instructions"] = asked["instructions"].replace(words.looking, words.looking_for_all)
    return asked


def _words_of_several(template: Template, task: ForcedChoice, words: UsualWords) -> dict[str, str]:
    real, synthetic = words.real_of_several[template], words.synthetic_of_several[template]
    reals, synthetics = task.of_each_kind
    one, more = words.shows
    kinds = f"{reals} {one if reals == 1 else more} {real}, {synthetics} {synthetic}"
    asked = words.asked_of_several[task.find].format(real=real, synthetic=synthetic)
    return {
        "question": words.question_of_several.format(asked=asked),
        "instructions": words.instructions_of_several.format(images=task.images, kinds=kinds),
    }


def fit_words(draft: Study, *, usual_before: Mapping[str, Any]) -> None:
    """Put the usual words of its task where those still stand that were usual before."""
    for name, words in usual_words(draft).items():
        if getattr(draft, name) == usual_before[name]:
            setattr(draft, name, words)
