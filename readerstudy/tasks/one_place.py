"""Real or synthetic with confidence, and one marked place: where the rater thinks that the picture was edited."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from readerstudy.tasks.marked import UnfitError, gettext_noop
from readerstudy.tasks.marks import MARK_COLUMNS, mark_columns
from readerstudy.tasks.real_or_synthetic import RealOrSynthetic
from readerstudy.tasks.task import REAL, SYNTHETIC, Given, GivenAnswer, MarkAsked, Setting, Task

MarkWith = Literal["synthetic", "every"]
REQUIRED: dict[MarkWith, tuple[str, ...]] = {"synthetic": (SYNTHETIC,), "every": (REAL, SYNTHETIC)}
RADIUS_MM, SMALLEST_MM, LARGEST_MM = 10, 1, 100


@dataclass(frozen=True, kw_only=True)
class OnePlace(RealOrSynthetic):
    name = "one_place"
    label = gettext_noop("Real or synthetic with confidence, and one place marked")
    settings = (
        Setting(
            name="mark_with",
            kind="choice",
            label=gettext_noop("A place must be marked"),
            help_text=gettext_noop(
                "Other answers may have one too. No ring shows the place, which is anywhere in patch or stack"
            ),
            choices=(
                ("synthetic", gettext_noop("With the answer synthetic")),
                ("every", gettext_noop("With every answer: the likeliest place")),
            ),
            default="synthetic",
        ),
        Setting(
            name="radius_mm",
            kind="number",
            label=gettext_noop("Radius in mm within which a mark is right"),
            help_text=gettext_noop(
                "From the voxels that were changed. Frozen with the plan; half and twice of it are reported too"
            ),
            default=RADIUS_MM,
        ),
    )

    mark_with: MarkWith
    radius_mm: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, confidence_levels: int) -> Self:
        wished = {one.name: one.default for one in cls.settings} | dict(settings)
        if wished["mark_with"] not in get_args(MarkWith):
            raise UnfitError(gettext_noop("a place is marked with the answer “synthetic” or with every answer"))
        radius = wished["radius_mm"]
        if not isinstance(radius, int) or isinstance(radius, bool) or not SMALLEST_MM <= radius <= LARGEST_MM:
            raise UnfitError(
                gettext_noop("the radius is a whole number from %(least)s to %(most)s mm"),
                least=SMALLEST_MM,
                most=LARGEST_MM,
            )
        if confidence_levels < 2:
            raise UnfitError(gettext_noop("the curve of places needs two levels of confidence at least"))
        return cls(confidence_levels=confidence_levels, mark_with=wished["mark_with"], radius_mm=radius)

    @property
    def mark(self) -> MarkAsked:
        return MarkAsked(required_with=REQUIRED[self.mark_with], radius_mm=float(self.radius_mm))

    def example(self) -> GivenAnswer:
        return replace(super().example(), mark={"slice": 0, "row": 0, "column": 0})

    def chosen(self) -> dict[str, Any]:
        return {"mark_with": self.mark_with, "radius_mm": self.radius_mm}

    def frozen(self) -> dict[str, Any]:
        return Task.frozen(self)

    def answers_in_words(self) -> str:
        return f"{super().answers_in_words()}, and one marked place{self._when()}"

    def _when(self) -> str:
        return " with every answer" if self.mark_with == "every" else ", required with “synthetic”"

    def judged_in_words(self) -> str:
        return f"{super().judged_in_words()}; they marked one place{self._when()}"

    def plan_in_words(self) -> list[str]:
        radii = " and ".join(f"{radius:g}" for radius in self.mark.radii_mm[1:])
        return [
            (
                f"A mark is right within {self.radius_mm} mm of a voxel that was changed; results also for {radii} mm. "
                "The area under the LROC curve is averaged over raters, with raters and patients random, and tested "
                "to be above half the chance of a hit; the hits of every rater, and of the panel's most central mark, "
                "are tested against the share that all within the radius is of where places may stand."
            )
        ]

    @property
    def place_meanings(self) -> Mapping[str, str]:
        return MARK_COLUMNS

    def script_text(self) -> str:
        """Calls and scores are those of the answer; the marks come on top."""
        return super().script_text() + Path(__file__).with_suffix(".R").read_text()

    def place_columns(self, given: Given) -> dict[str, Any]:
        return dict(mark_columns(given.mark))
