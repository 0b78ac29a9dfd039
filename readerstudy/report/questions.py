"""What is told of further questions, as plain data."""

from dataclasses import dataclass
from typing import Annotated

from readerstudy.analysis import Estimate


@dataclass(frozen=True, kw_only=True)
class AnswerCount:
    answer: str
    n: int


@dataclass(frozen=True, kw_only=True)
class ArmAnswers:
    """How one arm's cases were answered; numbers by their median and the limits of their middle half."""

    arm: str
    n: int
    counts: Annotated[tuple[AnswerCount, ...], "Of grades and choices, in their order"] = ()
    median: float | None = None
    middle_half: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FurtherQuestion:
    """One question. Synthetic are compared with real cases, without positive controls; exploratory."""

    name: str
    question: str
    kind: str
    arms: tuple[ArmAnswers, ...]
    area: Annotated[Estimate | None, "Probability of a higher answer to a synthetic case; null without an order"] = None
    p: Annotated[float | None, "By permuting the kinds over cases, jointly for all raters"] = None
    p_adjusted: Annotated[float | None, "By Holm over the questions"] = None
    permutations: Annotated[int | None, "How many were drawn; null where all were counted"] = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class FurtherQuestions:
    """What was asked after the first answer. Free text stands in the export only."""

    questions: tuple[FurtherQuestion, ...]
