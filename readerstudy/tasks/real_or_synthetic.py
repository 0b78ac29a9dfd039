"""Real or synthetic, and how sure the rater is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Self

from readerstudy.tasks.marked import gettext_noop
from readerstudy.tasks.task import REAL, SYNTHETIC, Given, GivenAnswer, Refusal, Task

CONFIDENCE_LABELS: dict[int, list[str]] = {
    1: ["Sure"],
    2: ["Unsure", "Sure"],
    3: ["Guess", "Fairly sure", "Certain"],
    4: ["Guess", "Rather unsure", "Fairly sure", "Certain"],
    5: ["Guess", "Unsure", "Fairly sure", "Sure", "Certain"],
    6: ["Guess", "Very unsure", "Rather unsure", "Fairly sure", "Sure", "Certain"],
}


@dataclass(frozen=True, kw_only=True)
class RealOrSynthetic(Task):
    name = "real_or_synthetic"
    label = gettext_noop("Real or synthetic, with confidence")
    script = Path(__file__).with_suffix(".R")

    confidence_levels: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, confidence_levels: int) -> Self:  # noqa: ARG003 - the signature of all tasks
        return cls(confidence_levels=confidence_levels)

    def question_payload(self) -> dict[str, Any]:
        labels = CONFIDENCE_LABELS.get(self.confidence_levels, [])
        levels = [{"value": n, "label": label, "key": str(n)} for n, label in enumerate(labels, start=1)]
        return {
            "answers": [
                {"value": REAL, "level": None, "label": "Real", "key": "1"},
                {"value": SYNTHETIC, "level": None, "label": "Synthetic", "key": "2"},
            ],
            "confidence": {"levels": levels} if levels else None,
            "scale": None,
        }

    def refusal(self, given: Given) -> Refusal | None:
        levels, sure = self.confidence_levels, given.confidence
        if given.answer not in {REAL, SYNTHETIC} or given.level is not None:
            return Refusal(message="The answers to this question are “real” and “synthetic”.", code="no_such_answer")
        if levels == 0 and sure is not None:
            return Refusal(message="This study asks for no confidence.", code="confidence_not_asked")
        if levels and (sure is None or not 1 <= sure <= levels):
            return Refusal(message=f"Say how sure you are, from 1 to {levels}.", code="confidence_missing")
        return None

    def example(self) -> GivenAnswer:
        return GivenAnswer(answer=REAL, confidence=1 if self.confidence_levels else None)

    def simulated(self, evidence: float) -> GivenAnswer:
        answer = SYNTHETIC if evidence > 0 else REAL
        if not self.confidence_levels:
            return GivenAnswer(answer=answer)
        # Equal shares of the half-normal for a rater without skill.
        sure = 2 * NormalDist().cdf(abs(evidence)) - 1
        return GivenAnswer(
            answer=answer, confidence=min(self.confidence_levels, 1 + int(sure * self.confidence_levels))
        )

    @property
    def answers(self) -> list[str]:
        return [REAL, SYNTHETIC]

    def frozen(self) -> dict[str, Any]:
        """Without a name: so it stands in protocols of before there were other tasks."""
        return {"answers": self.answers, "confidence_levels": self.confidence_levels}

    @property
    def scored(self) -> bool:
        return self.confidence_levels > 0

    def call(self, given: Given) -> float:
        return float(given.answer == SYNTHETIC)

    def score(self, given: Given) -> float:
        """1 (surely real) to 2 x levels (surely synthetic); without confidence the call."""
        levels, call = self.confidence_levels, self.call(given)
        if not levels or given.confidence is None:
            return call
        return float(levels + given.confidence if call else levels + 1 - given.confidence)

    def answers_in_words(self) -> str:
        levels = self.confidence_levels
        return "“real” or “synthetic”" + (f", each with one of {levels} levels of confidence" if levels else "")

    def judged_in_words(self) -> str:
        levels = self.confidence_levels
        return "as “real” or “synthetic”" + (
            f" and said how sure they were on a scale of {levels} levels" if levels else ""
        )

    def score_in_words(self) -> str:
        if not self.confidence_levels:
            return ""
        return (
            f"answer and confidence made one score from 1 (surely real) to {2 * self.confidence_levels} (surely "
            "synthetic)"
        )

    @property
    def score_title(self) -> str:
        return "signed confidence" if self.confidence_levels else "1 for the answer synthetic, 0 for real"

    @property
    def score_axis(self) -> str:
        return "Answer and confidence (R real, S synthetic; higher is surer)"

    def score_label(self, score: float) -> str:
        """R 3 is surely real, S 3 surely synthetic (with three levels of confidence)."""
        levels = self.confidence_levels
        return f"S {score - levels:g}" if score > levels else f"R {levels + 1 - score:g}"

    def answer_in_words(self, given: Given) -> str:
        return given.answer

    def script_settings(self) -> dict[str, Any]:
        return {"confidence_levels": self.confidence_levels}
