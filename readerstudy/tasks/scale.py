"""One scale from one end to the other: 2 to 10 levels with a key each, 11 from 0 to 10, or 0 to 100."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, Self

from readerstudy.tasks.marked import UnfitError, gettext_noop
from readerstudy.tasks.task import CANNOT_TELL, LEVEL, REAL, SYNTHETIC, Given, GivenAnswer, Refusal, Setting, Task

MOST_WITH_KEYS = 10
FINEST = 101
ENDS = {SYNTHETIC: ("Surely real", "Surely synthetic"), REAL: ("Surely synthetic", "Surely real")}
LONGEST_LABEL = 40


@dataclass(frozen=True, kw_only=True)
class Scale(Task):
    """`labels` stand beside the levels, the lowest first, or at the two ends. From `cut_off` on an answer counts as a
    call for the kind that the scale rises to, wherever right and wrong answers are counted.
    """

    name = "scale"
    label = gettext_noop("One scale, from surely real to surely synthetic or the other way round")
    script = Path(__file__).with_suffix(".R")
    settings = (
        Setting(
            name="levels",
            kind="choice",
            label=gettext_noop("Levels of the scale"),
            help_text=gettext_noop(
                "Up to 10 levels have a key each; longer scales are set by typing a number or with a slider"
            ),
            choices=(
                *((str(n), str(n)) for n in range(2, 11)),
                ("11", gettext_noop("11, from 0 to 10")),
                ("101", gettext_noop("0 to 100")),
            ),
            default="10",
        ),
        Setting(
            name="towards",
            kind="choice",
            label=gettext_noop("The scale rises to"),
            choices=((SYNTHETIC, gettext_noop("Synthetic")), (REAL, gettext_noop("Real"))),
            default=SYNTHETIC,
        ),
        Setting(
            name="labels",
            kind="lines",
            label=gettext_noop("Labels, lowest first"),
            help_text=gettext_noop(
                "One a line: two for the ends, or one for each level. Empty: surely real, surely synthetic"
            ),
            default=[],
        ),
        Setting(
            name="cannot_tell",
            kind="yes_no",
            label=gettext_noop("Raters may say that they cannot tell"),
            help_text=gettext_noop("Such an answer counts as the middle of the scale; it is never left out"),
            default=False,
        ),
        Setting(
            name="cut_off",
            kind="number",
            label=gettext_noop("Counts as called from level"),
            help_text=gettext_noop(
                "From this level on an answer counts as a call for the upper end, where right and wrong answers "
                "are counted; the AUC does not depend on it. Empty: the first level above the middle"
            ),
        ),
    )

    levels: int
    labels: tuple[str, ...]
    towards: Literal["synthetic", "real"]
    cannot_tell: bool
    cut_off: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, confidence_levels: int) -> Self:  # noqa: ARG003 - the signature of all tasks
        wished = {one.name: one.default for one in cls.settings} | dict(settings)
        levels = _whole(wished["levels"], gettext_noop("the number of levels is a whole number"))
        if not (2 <= levels <= MOST_WITH_KEYS + 1 or levels == FINEST):
            raise UnfitError(gettext_noop("a scale has 2 to 11 levels, or 101 (from 0 to 100)"))
        towards = wished["towards"]
        if towards not in ENDS:
            raise UnfitError(gettext_noop("a scale rises to “real” or to “synthetic”"))
        if not isinstance(wished["labels"], list | tuple):
            raise UnfitError(gettext_noop("the labels are a list of texts"))
        labels = tuple(str(label).strip() for label in wished["labels"]) or ENDS[towards]
        if len(labels) not in {2, levels} or not all(0 < len(label) <= LONGEST_LABEL for label in labels):
            raise UnfitError(
                gettext_noop("give two labels, or one for each level, of at most %(letters)s letters"),
                letters=LONGEST_LABEL,
            )
        lowest = 1 if levels <= MOST_WITH_KEYS else 0
        chosen = wished["cut_off"]
        cut_off = (
            lowest + (levels - 1) // 2 + 1
            if chosen in {None, ""}
            else _whole(chosen, gettext_noop("the level of a call is a whole number"))
        )
        if not lowest < cut_off < lowest + levels:
            raise UnfitError(
                gettext_noop("answers count as called from a level of %(lowest)s to %(highest)s"),
                lowest=lowest + 1,
                highest=lowest + levels - 1,
            )
        return cls(
            levels=levels, labels=labels, towards=towards, cannot_tell=bool(wished["cannot_tell"]), cut_off=cut_off
        )

    @property
    def lowest(self) -> int:
        return 1 if self.levels <= MOST_WITH_KEYS else 0

    @property
    def highest(self) -> int:
        return self.lowest + self.levels - 1

    @property
    def middle(self) -> float:
        return (self.lowest + self.highest) / 2

    def question_payload(self) -> dict[str, Any]:
        unsure = {"value": CANNOT_TELL, "level": None, "label": "Cannot tell", "key": "c"}
        by_key = [
            {"value": LEVEL, "level": level, "label": self._label(level), "key": str(level % 10)}
            for level in range(self.lowest, self.highest + 1)
        ]
        scale = {"lowest": self.lowest, "highest": self.highest, "ends": [self.labels[0], self.labels[-1]]}
        with_keys = self.levels <= MOST_WITH_KEYS
        return {
            "answers": [*(by_key if with_keys else ()), *([unsure] if self.cannot_tell else [])],
            "confidence": None,
            "scale": None if with_keys else scale,
        }

    def _label(self, level: int) -> str:
        """What stands beside a level; in the middle of a scale with two labels nothing but its number."""
        place = level - self.lowest
        if len(self.labels) == self.levels:
            return self.labels[place]
        return self.labels[0] if place == 0 else self.labels[-1] if level == self.highest else ""

    def refusal(self, given: Given) -> Refusal | None:
        if given.confidence is not None:
            return Refusal(message="This study asks for no confidence.", code="confidence_not_asked")
        if given.answer == CANNOT_TELL and self.cannot_tell and given.level is None:
            return None
        if given.answer != LEVEL or given.level is None or not self.lowest <= given.level <= self.highest:
            return Refusal(
                message=f"Answer with a level from {self.lowest} to {self.highest}"
                f"{' or that you cannot tell' if self.cannot_tell else ''}.",
                code="no_such_answer",
            )
        return None

    def example(self) -> GivenAnswer:
        return GivenAnswer(answer=LEVEL, level=self.lowest)

    def simulated(self, evidence: float) -> GivenAnswer:
        """Equal shares of the levels for a rater without skill; those of a call by evidence above or below nothing."""
        share = NormalDist().cdf(evidence if self.towards == SYNTHETIC else -evidence)
        below = self.cut_off - self.lowest
        above = self.highest - self.cut_off + 1
        if share > 0.5:
            return GivenAnswer(answer=LEVEL, level=self.cut_off + min(above - 1, int((2 * share - 1) * above)))
        return GivenAnswer(answer=LEVEL, level=self.lowest + min(below - 1, int(2 * share * below)))

    @property
    def answers(self) -> list[str]:
        return [LEVEL, *([CANNOT_TELL] if self.cannot_tell else [])]

    def chosen(self) -> dict[str, Any]:
        names = ("levels", "towards", "cannot_tell", "cut_off")
        return {**{name: getattr(self, name) for name in names}, "labels": list(self.labels)}

    @property
    def scored(self) -> bool:
        return True

    @property
    def varies_by_score(self) -> bool:
        return True

    def _place(self, given: Given) -> float:
        return self.middle if given.level is None else float(given.level)

    def call(self, given: Given) -> float:
        return float((self._place(given) >= self.cut_off) == (self.towards == SYNTHETIC))

    def score(self, given: Given) -> float:
        place = self._place(given)
        return place if self.towards == SYNTHETIC else self.lowest + self.highest - place

    def answers_in_words(self) -> str:
        unsure = ", or “cannot tell”, which counts as the middle of the scale" if self.cannot_tell else ""
        return f"a level from {self._ends_in_words()}{unsure}"

    def _ends_in_words(self) -> str:
        first, last = self.labels[0], self.labels[-1]
        return f"{self.lowest} (“{first}”) to {self.highest} (“{last}”)"

    def judged_in_words(self) -> str:
        unsure = " or said that they could not tell" if self.cannot_tell else ""
        return f"on a scale from {self._ends_in_words()}{unsure}"

    def score_in_words(self) -> str:
        turned = ", turned round" if self.towards == REAL else ""
        unsure = ", an answer “cannot tell” as the middle of the scale" if self.cannot_tell else ""
        return f"the level was the score{turned}{unsure}"

    def plan_in_words(self) -> list[str]:
        other = REAL if self.towards == SYNTHETIC else SYNTHETIC
        return [
            (
                f"Levels from {self.cut_off} to {self.highest} count as a call for “{self.towards}”, all others as one "
                f"for “{other}”, wherever right and wrong answers are counted; the AUC uses the levels themselves."
            )
        ]

    @property
    def score_title(self) -> str:
        return f"level, higher is more surely {SYNTHETIC}"

    @property
    def score_axis(self) -> str:
        return "Level of the scale"

    def score_label(self, score: float) -> str:
        level = score if self.towards == SYNTHETIC else self.lowest + self.highest - score
        return f"{level:g}"

    def answer_in_words(self, given: Given) -> str:
        return "cannot tell" if given.level is None else str(given.level)

    @property
    def column_meanings(self) -> Mapping[str, str]:
        return {
            "answer": "level: the rater chose a level of the scale; cannot_tell: the rater said so",
            "level": f"The level that was chosen, from {self._ends_in_words()}; empty for cannot_tell",
        }

    def columns(self, given: Given) -> dict[str, Any]:
        return {"level": given.level}

    def script_settings(self) -> dict[str, Any]:
        names = ("lowest", "highest", "towards", "cut_off")
        return {name: getattr(self, name) for name in names}


def _whole(value: Any, otherwise: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise UnfitError(otherwise) from error
