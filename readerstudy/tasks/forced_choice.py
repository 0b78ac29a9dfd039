"""One of several images, shown together: the real one, the synthetic one, or the better one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, Self

from readerstudy.tasks.marked import UnfitError, gettext_noop
from readerstudy.tasks.real_or_synthetic import CONFIDENCE_LABELS
from readerstudy.tasks.task import CHOSEN, REAL, SYNTHETIC, Choice, Given, GivenAnswer, Refusal, Setting, Task

BETTER = "better"
FEWEST_IMAGES, MOST_IMAGES = 2, 8
NAMES = {REAL: "the real one", SYNTHETIC: "the synthetic one", BETTER: "the better one"}


@dataclass(frozen=True, kw_only=True)
class ForcedChoice(Task):
    """Every answer is the image that was chosen; the ledger knows it by its slot."""

    name = "forced_choice"
    label = gettext_noop("One of several images: the real one, the synthetic one, or the better one")
    script = Path(__file__).with_suffix(".R")
    settings = (
        Setting(
            name="images",
            kind="choice",
            label=gettext_noop("Images at a time"),
            choices=tuple((str(n), str(n)) for n in range(FEWEST_IMAGES, MOST_IMAGES + 1)),
            default="2",
        ),
        Setting(
            name="find",
            kind="choice",
            label=gettext_noop("Raters choose"),
            choices=(
                (REAL, gettext_noop("The real one")),
                (SYNTHETIC, gettext_noop("The synthetic one")),
                (BETTER, gettext_noop("The better one")),
            ),
            default=REAL,
        ),
        Setting(
            name="matched",
            kind="yes_no",
            label=gettext_noop("Images that were drawn for one another stand together"),
            help_text=gettext_noop(
                "Otherwise they are put together at random, without which a share of right choices can't be "
                "compared with an AUC. Three or more are drawn from one scan, so that none stands out"
            ),
            default=True,
        ),
    )

    images: int
    find: Literal["real", "synthetic", "better"]
    matched: bool
    confidence_levels: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, confidence_levels: int) -> Self:
        wished = {one.name: one.default for one in cls.settings} | dict(settings)
        try:
            images = int(wished["images"])
        except (TypeError, ValueError) as error:
            raise UnfitError(gettext_noop("the number of images is a whole number")) from error
        if not FEWEST_IMAGES <= images <= MOST_IMAGES:
            raise UnfitError(
                gettext_noop("%(least)s to %(most)s images are shown at a time"), least=FEWEST_IMAGES, most=MOST_IMAGES
            )
        if wished["find"] not in NAMES:
            raise UnfitError(gettext_noop("raters choose the real, the synthetic or the better image"))
        return cls(
            images=images, find=wished["find"], matched=bool(wished["matched"]), confidence_levels=confidence_levels
        )

    @property
    def finds_synthetic(self) -> bool:
        return self.find == SYNTHETIC

    def question_payload(self) -> dict[str, Any]:
        labels = CONFIDENCE_LABELS.get(self.confidence_levels, [])
        levels = [{"value": n, "label": label, "key": str(n)} for n, label in enumerate(labels, start=1)]
        return {
            "answers": [
                {"value": CHOSEN, "level": None, "side": side, "label": f"Image {side + 1}", "key": str(side + 1)}
                for side in range(self.images)
            ],
            "confidence": {"levels": levels} if levels else None,
            "scale": None,
        }

    def refusal(self, given: Given) -> Refusal | None:
        levels, sure = self.confidence_levels, given.confidence
        if given.answer != CHOSEN or given.level is not None:
            return Refusal(message="The answer to this question is one of the images.", code="no_such_answer")
        if levels == 0 and sure is not None:
            return Refusal(message="This study asks for no confidence.", code="confidence_not_asked")
        if levels and (sure is None or not 1 <= sure <= levels):
            return Refusal(message=f"Say how sure you are, from 1 to {levels}.", code="confidence_missing")
        return None

    def example(self) -> GivenAnswer:
        return GivenAnswer(answer=CHOSEN, confidence=1 if self.confidence_levels else None)

    def simulated(self, evidence: float) -> GivenAnswer:
        """Of an image that stands out from the next one by so many standard deviations."""
        if not self.confidence_levels:
            return GivenAnswer(answer=CHOSEN)
        sure = 2 * NormalDist().cdf(abs(evidence)) - 1
        return GivenAnswer(
            answer=CHOSEN, confidence=min(self.confidence_levels, 1 + int(sure * self.confidence_levels))
        )

    def choose(self, evidence: Sequence[float]) -> Choice:
        """The one that looks most synthetic, or most real."""
        towards = 1 if self.finds_synthetic else -1
        order = sorted(range(len(evidence)), key=lambda side: towards * evidence[side], reverse=True)
        return Choice(side=order[0], given=self.simulated(evidence[order[0]] - evidence[order[1]]))

    @property
    def answers(self) -> list[str]:
        return [CHOSEN]

    def chosen(self) -> dict[str, Any]:
        return {"images": self.images, "find": self.find, "matched": self.matched}

    @property
    def right_choice(self) -> bool:
        return self.find != BETTER

    def put_together(self) -> dict[str, Any]:
        return {"images": self.images, "finds_synthetic": self.finds_synthetic, "matched": self.matched}

    @property
    def of_each_kind(self) -> tuple[int, int]:
        others = self.images - 1
        return (others, 1) if self.finds_synthetic else (1, others)

    def kinds_in_words(self) -> str:
        real, synthetic = self.of_each_kind
        return f"in trials of {self.images}, {real} real and {synthetic} synthetic in each"

    def unlike_numbers(self, cases: int) -> UnfitError | None:
        if cases % self.images == 0:
            return None
        message = gettext_noop(
            "Choose a multiple of %(images)s: every trial shows %(images)s images, each of them a case."
        )
        return UnfitError(message, images=self.images)

    @property
    def scored(self) -> bool:
        return False

    @property
    def primaries(self) -> tuple[str, ...]:
        return ("joint_choices",) if self.right_choice else ("preference",)

    @property
    def sections(self) -> tuple[str, ...]:
        if not self.right_choice:
            return ()
        return ("choice_raters", "choice_share", "plurality", "choice_agreement", "choice_arms")

    def call(self, given: Given) -> float:
        """Of the image that was chosen: it is called what was to be found."""
        return float(self.finds_synthetic)

    def score(self, given: Given) -> float:
        return self.call(given)

    def answers_in_words(self) -> str:
        levels = self.confidence_levels
        sure = f", with one of {levels} levels of confidence" if levels else ""
        return f"{NAMES[self.find]} of {self.images} images{sure}"

    def judged_in_words(self) -> str:
        together = "matched" if self.matched else "put together at random"
        sure = f" and said how sure they were on a scale of {self.confidence_levels} levels"
        return (
            f"in trials of {self.images} images side by side, {together}, and chose {NAMES[self.find]}"
            f"{sure if self.confidence_levels else ''}"
        )

    def score_in_words(self) -> str:
        return ""

    @property
    def score_title(self) -> str:
        return "1 for an image that was chosen"

    @property
    def score_axis(self) -> str:
        return "Chosen"

    def score_label(self, score: float) -> str:
        return f"{score:g}"

    def answer_in_words(self, given: Given) -> str:
        return "chosen"

    @property
    def column_meanings(self) -> Mapping[str, str]:
        return {
            "answer": "chosen: the rater chose the image that this row names",
            "side": f"Where the chosen image stood, from 1 (left) to {self.images}",
        }

    def script_settings(self) -> dict[str, Any]:
        return {"images": self.images}
