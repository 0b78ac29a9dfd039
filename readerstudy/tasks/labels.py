"""The product's own names of answers in the language of a study. What a coordinator wrote is never touched."""

from collections.abc import Mapping, Sequence
from typing import Any

from readerstudy.tasks.any_places import REASONS
from readerstudy.tasks.scale import ENDS
from readerstudy.tasks.task import CHOSEN, LEVEL, Task

ENGLISH, GERMAN = "en-gb", "de"
IN_GERMAN = {
    "Real": "Echt",
    "Synthetic": "Synthetisch",
    "Cannot tell": "Nicht zu entscheiden",
    "Nothing to mark": "Nichts zu markieren",
    "Everything is marked": "Alles ist markiert",
    "Sure": "Sicher",
    "Unsure": "Unsicher",
    "Guess": "Geraten",
    "Fairly sure": "Ziemlich sicher",
    "Certain": "Ganz sicher",
    "Rather unsure": "Eher unsicher",
    "Very unsure": "Sehr unsicher",
}
ENDS_IN_GERMAN = {"Surely real": "Sicher echt", "Surely synthetic": "Sicher synthetisch"}
REASONS_IN_GERMAN = {
    "Edge": "Rand",
    "Texture or noise": "Textur oder Rauschen",
    "Unlikely anatomy": "Unwahrscheinliche Anatomie",
    "Vessels": "Gefäße",
    "Contrast": "Kontrast",
    "Something else": "Etwas anderes",
}


def question_in(task: Task, language: str) -> dict[str, Any]:
    """What the room shows of a task: the same answers in the same order, whatever they are called."""
    question = task.question_payload()
    if language != GERMAN:
        return question
    ends = question["scale"] and {**question["scale"], "ends": _usual(question["scale"]["ends"])}
    confidence = question["confidence"] and {"levels": _renamed(question["confidence"]["levels"], IN_GERMAN)}
    return {**question, "answers": _answers(question["answers"]), "confidence": confidence, "scale": ends}


def mark_in(task: Task, language: str) -> dict[str, Any] | None:
    if task.mark is None:
        return None
    asked = task.mark.payload()
    if language != GERMAN or asked["each"] is None:
        return asked
    each = {**asked["each"], "levels": _renamed(asked["each"]["levels"], IN_GERMAN)}
    if task.mark.each is not None and task.mark.each.reasons == REASONS:
        each["reasons"] = _renamed(each["reasons"], REASONS_IN_GERMAN)
    return {**asked, "each": each}


def image_in(side: int, language: str) -> str:
    """What the image on this side, from 0, of a trial of several is called."""
    return f"{'Bild' if language == GERMAN else 'Image'} {side + 1}"


def _answers(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ends = [answer["label"] for answer in answers if answer["value"] == LEVEL and answer["label"]]
    usual = dict(zip(ends, _usual(ends), strict=True)) if len(ends) == len(ENDS_IN_GERMAN) else {}
    return [{**answer, "label": _answer(answer, usual)} for answer in answers]


def _answer(answer: Mapping[str, Any], ends: Mapping[str, str]) -> str:
    label = str(answer["label"])
    if answer["value"] == CHOSEN:
        return image_in(answer["side"], GERMAN)
    return ends.get(label, label) if answer["value"] == LEVEL else IN_GERMAN.get(label, label)


def _usual(ends: Sequence[str]) -> list[str]:
    """The two ends of a scale, where nobody has named them otherwise."""
    return [ENDS_IN_GERMAN[end] for end in ends] if tuple(ends) in ENDS.values() else list(ends)


def _renamed(levels: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{**level, "label": names[level["label"]]} for level in levels]
