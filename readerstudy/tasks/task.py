"""What a type of task decides: which answers there are, how the room asks for them, and what they mean afterwards.

Pure descriptions: no database, no web. A task is made of what a study's draft, or its frozen protocol, says of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

from readerstudy.tasks.marked import UnfitError, gettext_noop

UNEVEN_CASES = gettext_noop("Choose an even number: half of the cases are real, half synthetic.")
REAL, SYNTHETIC, LEVEL, CANNOT_TELL, CHOSEN = "real", "synthetic", "level", "cannot_tell", "chosen"


class Given(Protocol):
    """An answer, wherever it is kept: sent by a browser, in the ledger, in an exported row."""

    @property
    def answer(self) -> str: ...
    @property
    def confidence(self) -> int | None: ...
    @property
    def level(self) -> int | None: ...
    @property
    def mark(self) -> Mapping[str, int] | None: ...
    @property
    def marks(self) -> Sequence[Mapping[str, int]] | None: ...


@dataclass(frozen=True, kw_only=True)
class GivenAnswer:
    """`level` is a place on the scale, `mark` one in the picture, `marks` any number, of tasks that have them."""

    answer: str
    confidence: int | None = None
    level: int | None = None
    mark: Mapping[str, int] | None = None
    marks: Sequence[Mapping[str, int]] | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """As the columns of an export hold it."""
        return cls(answer=row["answer"], confidence=row["confidence"], level=row.get("level"))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An answer about the image on this side, from 0 on the left; where one image is shown, about that one."""

    side: int
    given: GivenAnswer


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something is no answer to the question: a sentence for people and a code for programs."""

    message: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a coordinator chooses of a task, as a form asks for it. `lines` are texts, one a line."""

    name: str
    kind: Literal["choice", "number", "lines", "yes_no"]
    label: str
    help_text: str = ""
    choices: Sequence[tuple[str, str]] = ()
    default: Any = None


@dataclass(frozen=True, kw_only=True)
class EachMark:
    """What is said of each of any number of marks, `most` of them: how sure, by the labels of its levels, and why."""

    levels: tuple[str, ...]
    reasons: tuple[str, ...]
    most: int

    def payload(self) -> dict[str, Any]:
        return {"levels": _keyed(self.levels), "reasons": _keyed(self.reasons), "most": self.most}


def _keyed(labels: Sequence[str]) -> list[dict[str, Any]]:
    return [{"value": n, "label": label, "key": str(n)} for n, label in enumerate(labels, start=1)]


@dataclass(frozen=True, kw_only=True)
class MarkAsked:
    """`required_with` names the answers that are taken with a mark only; other answers may have one.

    A mark is a hit within `radius_mm` of what was edited. `each`: any number of places is marked, not one.
    """

    required_with: tuple[str, ...]
    radius_mm: float
    each: EachMark | None = None

    @property
    def radii_mm(self) -> tuple[float, float, float]:
        """The planned one, and those that show how much hangs on it."""
        return self.radius_mm, self.radius_mm / 2, self.radius_mm * 2

    def payload(self) -> dict[str, Any]:
        return {"required_with": list(self.required_with), "each": self.each and self.each.payload()}


class Task(ABC):
    """One type of task with its settings; made by `tasks.registry.task_of`."""

    name: ClassVar[str]
    label: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    # Defines score_of(ratings) and call_of(ratings) for the report's recompute.R.
    script: ClassVar[Path]
    # Whether pages and API let somebody choose it: not before its results are reported from end to end.
    offered: ClassVar[bool] = True
    # Shown side by side in one trial.
    images: int = 1
    # Asked after the answer; 0: not asked.
    confidence_levels: int = 0

    @property
    def mark(self) -> MarkAsked | None:
        """What is asked of a marked place; None where raters mark none, and are shown where to look."""
        return None

    @classmethod
    @abstractmethod
    def of(cls, settings: Mapping[str, Any], *, confidence_levels: int) -> Self:
        """ValueError says in words for people what does not fit."""

    # What the room shows, and what is taken.

    @abstractmethod
    def question_payload(self) -> dict[str, Any]:
        """`answers` as buttons with keys, `confidence` or a `scale` to be set."""

    @abstractmethod
    def refusal(self, given: Given) -> Refusal | None:
        """None for an answer that this task takes."""

    @abstractmethod
    def example(self) -> GivenAnswer:
        """An answer that is taken for every case, always the same one."""

    @abstractmethod
    def simulated(self, evidence: float) -> GivenAnswer:
        """What somebody says to whom the case looks synthetic by so many standard deviations; negative: real."""

    def choose(self, evidence: Sequence[float]) -> Choice:
        """The same of a trial: `evidence` of each image, from the left."""
        return Choice(side=0, given=self.simulated(evidence[0]))

    @property
    @abstractmethod
    def answers(self) -> list[str]:
        """How its answers are written down."""

    def chosen(self) -> dict[str, Any]:
        """Its settings, those that were left as usual too."""
        return {}

    def frozen(self) -> dict[str, Any]:
        """What the protocol freezes of the task."""
        task = {"name": self.name, "settings": self.chosen()}
        return {"answers": self.answers, "confidence_levels": self.confidence_levels, "task": task}

    @property
    def right_choice(self) -> bool:
        """Whether an answer is right or wrong at all."""
        return True

    def put_together(self) -> dict[str, Any]:
        """By which rule images come together in a trial; nothing where each is shown alone."""
        return {}

    @property
    def of_each_kind(self) -> tuple[int, int]:
        """How many real and how many synthetic images are drawn for one another."""
        return (1, 1)

    def kinds_in_words(self) -> str:
        """After the number of cases."""
        return "half real, half synthetic"

    def unlike_numbers(self, cases: int) -> UnfitError | None:
        """Why so many cases can't be shown."""
        return UnfitError(UNEVEN_CASES) if cases % 2 else None

    # What an answer means.

    @property
    @abstractmethod
    def scored(self) -> bool:
        """Whether answers are finer than two kinds, so that there is a curve with an area under it."""

    @property
    def varies_by_score(self) -> bool:
        """Whether somebody who gives scores of one kind only still answers differently from case to case."""
        return False

    @property
    def sections(self) -> tuple[str, ...]:
        """What its plan may name beside the primary analysis; nothing where these are the usual ones."""
        return ()

    @property
    def primaries(self) -> tuple[str, ...]:
        """What may be the primary analysis, the usual one first."""
        of_calls = ("case_label_permutation", "ensemble")
        return ("reader_averaged_auc", *of_calls) if self.scored else of_calls

    @abstractmethod
    def call(self, given: Given) -> float:
        """1: the answer counts as “synthetic”, 0: as “real”."""

    @abstractmethod
    def score(self, given: Given) -> float:
        """Higher is more surely synthetic."""

    # Words.

    @abstractmethod
    def answers_in_words(self) -> str:
        """For protocol and registration, after “Answers: ”."""

    @abstractmethod
    def judged_in_words(self) -> str:
        """For the methods, after “judged so many cases, one at a time, ”."""

    @abstractmethod
    def score_in_words(self) -> str:
        """For the methods, after “For the area under the ROC curve, ”; empty where there is no such area."""

    def plan_in_words(self) -> list[str]:
        """What the analysis plan has to say of the answers of this task."""
        return []

    @property
    @abstractmethod
    def score_title(self) -> str:
        """What the scores are, in short."""

    @property
    @abstractmethod
    def score_axis(self) -> str:
        """The same beside the axis of a figure."""

    @abstractmethod
    def score_label(self, score: float) -> str:
        """One score on the axis of a figure."""

    @abstractmethod
    def answer_in_words(self, given: Given) -> str: ...

    @property
    def column_meanings(self) -> Mapping[str, str]:
        """Of the columns of the ratings that this task adds, or that mean something else in it."""
        return {}

    def columns(self, given: Given) -> dict[str, Any]:
        """The columns that it adds."""
        return {}

    @property
    def place_meanings(self) -> Mapping[str, str]:
        """Of the columns that say where in the picture something was seen; nobody gets them before the unblinding."""
        return {}

    def place_columns(self, given: Given) -> dict[str, Any]:
        """These columns."""
        return {}

    def script_text(self) -> str:
        """Its part of recompute.R; where it defines own_numbers(ratings, study, alpha), these are printed too."""
        return self.script.read_text()

    def script_settings(self) -> dict[str, Any]:
        """What its part of recompute.R must know."""
        return {}
