"""Any number of marked places, each with confidence and a reason: where a rater thinks that the picture was edited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from readerstudy.tasks.marked import UnfitError, gettext_noop
from readerstudy.tasks.marks import AXES, SEPARATOR
from readerstudy.tasks.one_place import LARGEST_MM, RADIUS_MM, SMALLEST_MM
from readerstudy.tasks.real_or_synthetic import CONFIDENCE_LABELS, RealOrSynthetic
from readerstudy.tasks.task import REAL, SYNTHETIC, EachMark, Given, GivenAnswer, MarkAsked, Refusal, Setting, Task

REASONS = ("Edge", "Texture or noise", "Unlikely anatomy", "Vessels", "Contrast", "Something else")
MOST_REASONS, LONGEST_REASON = 9, 40
# Whoever marks more has marked everything.
MOST_MARKS = 20
OF_EVERY_MARK = f"of every mark, in their order, with “{SEPARATOR}” between them; empty without a mark"


@dataclass(frozen=True, kw_only=True)
class AnyPlaces(RealOrSynthetic):
    """Whoever marks a place calls the picture synthetic. The answer's own confidence is that of its surest mark."""

    name = "any_places"
    label = gettext_noop("Any number of places marked, each with confidence and a reason")
    script = Path(__file__).with_suffix(".R")
    settings = (
        Setting(
            name="radius_mm",
            kind="number",
            label=gettext_noop("Radius in mm within which a mark is right"),
            help_text=gettext_noop(
                "From the voxels that were changed; edits closer to one another are one place. Frozen with the "
                "plan; half and twice of it are reported too"
            ),
            default=RADIUS_MM,
        ),
        Setting(
            name="reasons",
            kind="lines",
            label=gettext_noop("Reasons to choose from"),
            help_text=gettext_noop("One a line, two to nine: each mark gets one of them"),
            default=list(REASONS),
        ),
    )

    radius_mm: int
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, confidence_levels: int) -> Self:
        wished = {one.name: one.default for one in cls.settings} | dict(settings)
        radius = wished["radius_mm"]
        if not isinstance(radius, int) or isinstance(radius, bool) or not SMALLEST_MM <= radius <= LARGEST_MM:
            raise UnfitError(
                gettext_noop("the radius is a whole number from %(least)s to %(most)s mm"),
                least=SMALLEST_MM,
                most=LARGEST_MM,
            )
        if confidence_levels < 2:
            raise UnfitError(gettext_noop("the curve of places needs two levels of confidence at least"))
        return cls(confidence_levels=confidence_levels, radius_mm=radius, reasons=_reasons(wished["reasons"]))

    @property
    def mark(self) -> MarkAsked:
        levels = tuple(CONFIDENCE_LABELS[self.confidence_levels])
        each = EachMark(levels=levels, reasons=self.reasons, most=MOST_MARKS)
        return MarkAsked(required_with=(SYNTHETIC,), radius_mm=float(self.radius_mm), each=each)

    def question_payload(self) -> dict[str, Any]:
        """How sure a rater is stands beside each mark."""
        return {
            "answers": [
                {"value": REAL, "level": None, "label": "Nothing to mark", "key": "1"},
                {"value": SYNTHETIC, "level": None, "label": "Everything is marked", "key": "2"},
            ],
            "confidence": None,
            "scale": None,
        }

    def refusal(self, given: Given) -> Refusal | None:
        marks = given.marks
        if given.answer not in {REAL, SYNTHETIC} or given.level is not None or given.mark is not None:
            return Refusal(message="Mark places, or say that there is nothing to mark.", code="no_such_answer")
        if marks is None or bool(marks) != (given.answer == SYNTHETIC):
            return Refusal(message="“Nothing to mark” has no marks, the other answer some.", code="mark_missing")
        if len(marks) > MOST_MARKS or len({_place(mark) for mark in marks}) < len(marks):
            return Refusal(message=f"Mark {MOST_MARKS} places at most, each of them once.", code="marks_unusable")
        if not all(self._is_whole(mark) for mark in marks):
            return Refusal(message="Each mark has a confidence and a reason of this study.", code="marks_unusable")
        if given.confidence != _surest(marks):
            return Refusal(message="The confidence is that of the surest mark.", code="confidence_missing")
        return None

    def _is_whole(self, mark: Mapping[str, int]) -> bool:
        sure, why = mark.get("confidence", 0), mark.get("reason", 0)
        return 1 <= sure <= self.confidence_levels and 1 <= why <= len(self.reasons)

    def example(self) -> GivenAnswer:
        return _answer([{**dict.fromkeys(AXES, 0), "confidence": 1, "reason": 1}])

    def simulated(self, evidence: float) -> GivenAnswer:
        """One mark, wherever it will be; whoever is surer guesses another."""
        sure = super().simulated(evidence).confidence or 1
        if evidence <= 0:
            return _answer([])
        each = [sure, 1] if sure > 1 else [sure]
        places = ({"slice": 0, "row": row, "column": 0} for row in range(len(each)))
        return _answer([{**place, "confidence": one, "reason": 1} for place, one in zip(places, each, strict=True)])

    def chosen(self) -> dict[str, Any]:
        return {"radius_mm": self.radius_mm, "reasons": list(self.reasons)}

    def frozen(self) -> dict[str, Any]:
        return Task.frozen(self)

    @property
    def scored(self) -> bool:
        return True

    def score(self, given: Given) -> float:
        """The highest confidence of its marks; 0 where nothing is marked."""
        return float(given.confidence or 0)

    def answers_in_words(self) -> str:
        return (
            f"any number of marked places, each with one of {self.confidence_levels} levels of confidence and one of "
            f"{len(self.reasons)} reasons, or “nothing to mark”"
        )

    def judged_in_words(self) -> str:
        return (
            "marked every place that they thought was edited, and said of each how sure they were on a scale of "
            f"{self.confidence_levels} levels, and why; a picture with a mark counted as called “synthetic”"
        )

    def score_in_words(self) -> str:
        return "the score of a case was the confidence of its surest mark, 0 without any (inferred ROC)"

    def plan_in_words(self) -> list[str]:
        radii = " and ".join(f"{radius:g}" for radius in self.mark.radii_mm[1:])
        return [
            (
                f"A mark is right within {self.radius_mm} mm of a voxel that was changed; results also for {radii} mm. "
                f"Edits within {self.radius_mm} mm of one another are one place. The area under the weighted AFROC "
                "curve is averaged over raters, with raters and patients random, and tested to be above that of the "
                "same marks set apart without looking; so are the places that every rater found. Reasons are counted."
            )
        ]

    @property
    def score_title(self) -> str:
        return "confidence of the surest mark, 0 without any"

    @property
    def score_axis(self) -> str:
        return "Confidence of the surest mark (0: nothing marked)"

    def score_label(self, score: float) -> str:
        return f"{score:g}" if score else "None"

    def answer_in_words(self, given: Given) -> str:
        count = len(given.marks or ())
        return f"{count} place{'s' if count > 1 else ''} marked" if count else "nothing marked"

    @property
    def column_meanings(self) -> Mapping[str, str]:
        return {
            "confidence": "How sure the rater was of the surest mark, from 1; empty where nothing was marked",
            "marks": "Number of marked places; 0: the rater said that there is nothing to mark",
            "marks_confidence": f"How sure the rater was, {OF_EVERY_MARK}",
            "marks_reason": f"Number of the reason, {OF_EVERY_MARK}: "
            + ", ".join(f"{n} {reason}" for n, reason in enumerate(self.reasons, start=1)),
        }

    def columns(self, given: Given) -> dict[str, Any]:
        return {"marks": len(given.marks or ()), **_lists(given, ("confidence", "reason"))}

    @property
    def place_meanings(self) -> Mapping[str, str]:
        return {f"marks_{axis}": f"{axis.capitalize()} of the picture, from 0, {OF_EVERY_MARK}" for axis in AXES}

    def place_columns(self, given: Given) -> dict[str, Any]:
        return _lists(given, AXES)


def _answer(marks: Sequence[Mapping[str, int]]) -> GivenAnswer:
    return GivenAnswer(answer=SYNTHETIC if marks else REAL, confidence=_surest(marks), marks=marks)


def _surest(marks: Sequence[Mapping[str, int]]) -> int | None:
    return max((mark["confidence"] for mark in marks), default=None)


def _lists(given: Given, names: Sequence[str]) -> dict[str, str]:
    return {f"marks_{name}": SEPARATOR.join(str(mark[name]) for mark in given.marks or ()) for name in names}


def _place(mark: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(mark[axis] for axis in AXES)


def _reasons(wished: Any) -> tuple[str, ...]:
    if not isinstance(wished, list | tuple):
        raise UnfitError(gettext_noop("the reasons are a list of texts"))
    reasons = tuple(str(reason).strip() for reason in wished) or REASONS
    fits = all(0 < len(reason) <= LONGEST_REASON for reason in reasons)
    if not (2 <= len(reasons) <= MOST_REASONS and fits and len(set(reasons)) == len(reasons)):
        raise UnfitError(
            gettext_noop("give two to %(most)s different reasons of at most %(letters)s letters"),
            most=MOST_REASONS,
            letters=LONGEST_REASON,
        )
    return reasons
