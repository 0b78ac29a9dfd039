"""What raters are asked and how cases are shown: the columns of a draft, afterwards the frozen protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readerstudy.models.feedback import Feedback
from readerstudy.tasks.items import Item, asked_of_trial, items_of
from readerstudy.tasks.labels import ENGLISH
from readerstudy.tasks.registry import FIRST, task_of
from readerstudy.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Asked:
    title: str
    template: str
    language: str
    question: str
    instructions: str
    task_name: str
    task_settings: Mapping[str, Any]
    further_questions: Sequence[Mapping[str, Any]]
    end_question: str
    confidence_levels: int
    display_mode: str
    field_of_view_mm: float
    window_center_hu: float
    window_width_hu: float
    window_may_stay: bool
    feedback: str

    @classmethod
    def of_columns(cls, study: Any) -> "Asked":
        return cls(**{name: getattr(study, name) for name in cls.__dataclass_fields__})

    @classmethod
    def of_protocol(cls, protocol: Mapping[str, Any]) -> "Asked":
        display = protocol["display"]
        # Protocols of before there were others name no task.
        task = protocol.get("task", {"name": FIRST, "settings": {}})
        # Nor do those of before there were others name a language.
        language = protocol.get("language", ENGLISH)
        same = ("title", "template", "question", "instructions", "confidence_levels")
        return cls(
            **{name: protocol[name] for name in same},
            language=language,
            task_name=task["name"],
            task_settings=task["settings"],
            further_questions=protocol.get("further_questions", []),
            end_question=protocol.get("end_question", ""),
            display_mode=display["mode"],
            field_of_view_mm=display["field_of_view_mm"],
            window_center_hu=display["window_hu"]["center"],
            window_width_hu=display["window_hu"]["width"],
            # Before it was the study's choice, every rater might.
            window_may_stay=display.get("window_may_stay", True),
            # Named where there is some.
            feedback=protocol.get("feedback", Feedback.NONE.value),
        )

    @property
    def task(self) -> Task:
        """ValueError while a draft's settings do not fit together."""
        return task_of(self.task_name, self.task_settings, confidence_levels=self.confidence_levels)

    @property
    def ringed(self) -> bool:
        """A ring marks the place: a patch is the place itself, and raters who look for it are told of none."""
        return self.display_mode != "patch" and self.task.mark is None

    @property
    def questions(self) -> list[Item]:
        """The further questions as they were written; ValueError as above."""
        return items_of(self.further_questions)

    @property
    def items(self) -> list[Item]:
        """What is asked after each answer: the further questions, of several images each of every one."""
        return asked_of_trial(self.questions, self.task.images, self.language) if self.further_questions else []
