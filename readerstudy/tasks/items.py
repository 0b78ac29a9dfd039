"""Further questions about a case, asked after the first answer: grades, choices, numbers, free text; no truth."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from readerstudy.tasks.labels import image_in
from readerstudy.tasks.marked import UnfitError, gettext_noop
from readerstudy.tasks.task import Refusal

LONGEST_NAME = 30
NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")
MOST_ITEMS = 5
# Of trials that show several images every question is asked of each: so many answers at most after one choice.
MOST_OF_A_TRIAL = 16
MOST_OPTIONS = 10
LONGEST_QUESTION, LONGEST_OPTION, LONGEST_TEXT = 300, 60, 2000
HIGHEST_NUMBER = 100

Value = int | str


@dataclass(frozen=True, kw_only=True)
class Item(ABC):
    """One further question. `name` is its column in tables."""

    kind: ClassVar[str]
    label: ClassVar[str]
    # Whether answers have an order, none, or are words that nobody counts.
    ordered: ClassVar[bool] = False
    counted: ClassVar[bool] = True

    name: str
    question: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        return cls(name=said["name"], question=said["question"])

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UnfitError(
                gettext_noop("a short name has 1 to %(most)s small letters, digits or _, and begins with a letter"),
                most=LONGEST_NAME,
            )
        if not 0 < len(self.question) <= LONGEST_QUESTION:
            raise UnfitError(gettext_noop("a question has 1 to %(letters)s letters"), letters=LONGEST_QUESTION)

    def name_of_image(self, side: int) -> str:
        """The same in every language: answers are stored under it."""
        return f"{self.name}_image_{side + 1}"

    def of_image(self, side: int, language: str) -> Self:
        """The same question about the image on this side, from 0, of a trial of several."""
        name, before = self.name_of_image(side), f"{image_in(side, language)}: "
        if len(name) > LONGEST_NAME:
            room = LONGEST_NAME - len(name) + len(self.name)
            raise UnfitError(
                gettext_noop("“%(name)s” is too long, a short name has at most %(room)s letters then"),
                name=self.name,
                room=room,
            )
        if (room := LONGEST_QUESTION - len(before)) < len(self.question):
            raise UnfitError(
                gettext_noop("the question of “%(name)s” is too long, it has at most %(room)s letters then"),
                name=self.name,
                room=room,
            )
        return replace(self, name=name, question=before + self.question)

    def described(self) -> dict[str, Any]:
        """As protocol and draft hold it."""
        return {"kind": self.kind, "name": self.name, "question": self.question}

    @abstractmethod
    def payload(self) -> dict[str, Any]:
        """What the room shows: `choices` with keys, a `scale`, or a field for `text`."""

    @abstractmethod
    def takes(self, value: object) -> bool: ...

    @abstractmethod
    def example(self) -> Value: ...

    @abstractmethod
    def simulated(self, share: float) -> Value:
        """What somebody says who grades a case higher than this share of cases."""

    @abstractmethod
    def in_words(self) -> str:
        """What may be answered."""

    @property
    def options_in_words(self) -> dict[int, str]:
        """By the numbers that stand for them; empty where there are no options."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Choice(Item):
    """Answers are numbers of the options, from 1."""

    kind = "choice"
    label = gettext_noop("One of several answers")

    options: tuple[str, ...]

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        options = tuple(str(option).strip() for option in said.get("options", ()))
        return cls(name=said["name"], question=said["question"], options=options)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= len(self.options) <= MOST_OPTIONS or len(set(self.options)) < len(self.options):
            raise UnfitError(
                gettext_noop("“%(name)s” needs 2 to %(most)s different answers"), name=self.name, most=MOST_OPTIONS
            )
        if not all(0 < len(option) <= LONGEST_OPTION for option in self.options):
            raise UnfitError(
                gettext_noop("each answer of “%(name)s” has 1 to %(letters)s letters"),
                name=self.name,
                letters=LONGEST_OPTION,
            )

    def described(self) -> dict[str, Any]:
        return {**super().described(), "options": list(self.options)}

    def payload(self) -> dict[str, Any]:
        choices = [{"value": n, "label": option, "key": str(n % 10)} for n, option in enumerate(self.options, start=1)]
        return {"name": self.name, "question": self.question, "choices": choices, "scale": None, "text": False}

    def takes(self, value: object) -> bool:
        return _is_whole(value) and 1 <= int(str(value)) <= len(self.options)

    def example(self) -> Value:
        return 1

    def simulated(self, share: float) -> Value:
        return 1 + min(len(self.options) - 1, int(share * len(self.options)))

    def in_words(self) -> str:
        return "one of " + ", ".join(f"“{option}”" for option in self.options)

    @property
    def options_in_words(self) -> dict[int, str]:
        return dict(enumerate(self.options, start=1))


@dataclass(frozen=True, kw_only=True)
class Grade(Choice):
    """Options in their order, the worst first."""

    kind = "grade"
    label = gettext_noop("A grade, from worst to best")
    ordered = True

    def in_words(self) -> str:
        return "a grade: " + ", ".join(f"{n} “{option}”" for n, option in enumerate(self.options, start=1))


@dataclass(frozen=True, kw_only=True)
class Number(Item):
    kind = "number"
    label = gettext_noop("A number from 0 to 100")
    ordered = True

    def payload(self) -> dict[str, Any]:
        scale = {"lowest": 0, "highest": HIGHEST_NUMBER, "ends": ["", ""]}
        return {"name": self.name, "question": self.question, "choices": [], "scale": scale, "text": False}

    def takes(self, value: object) -> bool:
        return _is_whole(value) and 0 <= int(str(value)) <= HIGHEST_NUMBER

    def example(self) -> Value:
        return 0

    def simulated(self, share: float) -> Value:
        return round(HIGHEST_NUMBER * share)

    def in_words(self) -> str:
        return f"a number from 0 to {HIGHEST_NUMBER}"


@dataclass(frozen=True, kw_only=True)
class Text(Item):
    kind = "text"
    label = gettext_noop("Free text, which only the export holds")
    counted = False

    def payload(self) -> dict[str, Any]:
        return {"name": self.name, "question": self.question, "choices": [], "scale": None, "text": True}

    def takes(self, value: object) -> bool:
        return are_words(value)

    def example(self) -> Value:
        return ""

    def simulated(self, share: float) -> Value:
        return ""

    def in_words(self) -> str:
        return "free text, which is not counted"


def are_words(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and _is_storable(value)


def _is_storable(text: str) -> bool:
    """Neither half a letter nor a NUL, which no database takes."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


KINDS: dict[str, type[Item]] = {item.kind: item for item in (Grade, Choice, Number, Text)}


def items_of(described: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ValueError says in words for people what does not fit."""
    if len(described) > MOST_ITEMS:
        raise UnfitError(gettext_noop("at most %(most)s further questions are asked about a case"), most=MOST_ITEMS)
    unknown = [one.get("kind") for one in described if one.get("kind") not in KINDS]
    if unknown:
        raise UnfitError(gettext_noop("there is no kind of question “%(kind)s”"), kind=unknown[0])
    items = [KINDS[one["kind"]].of({"name": "", "question": "", **one}) for one in described]
    if len({item.name for item in items}) < len(items):
        raise UnfitError(gettext_noop("two further questions have the same short name"))
    return items


def asked_of_trial(items: Sequence[Item], images: int, language: str) -> list[Item]:
    """What is asked after one answer, in its order: every question of each image, where several are shown.

    ValueError where that is too much, or an image's question has no room for its number.
    """
    if images == 1:
        return list(items)
    if len(items) * images > MOST_OF_A_TRIAL:
        raise UnfitError(
            gettext_noop("of %(images)s images %(answers)s answers would be asked, at most %(most)s are"),
            images=images,
            answers=len(items) * images,
            most=MOST_OF_A_TRIAL,
        )
    return [item.of_image(side, language) for item in items for side in range(images)]


def refusal_of(items: Sequence[Item], answers: Mapping[str, Any]) -> Refusal | None:
    """None where every question that is asked, and no other, has an answer that it takes."""
    asked = {item.name for item in items}
    if answers.keys() - asked:
        return Refusal(message="This study does not ask this further question.", code="question_not_asked")
    for item in items:
        if item.name not in answers or not item.takes(answers[item.name]):
            return Refusal(
                message=f"Answer the further question “{item.question}” with {item.in_words()}.",
                code="further_answer_missing",
            )
    return None
