"""Further questions in a table, in sentences and as rows."""

from collections.abc import Sequence
from typing import Any

from readerstudy.report.data import ReportedStudy
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.questions import ArmAnswers, FurtherQuestion
from readerstudy.report.text import level_percent_of, p_words, share_words


def answers_in_words(arm: ArmAnswers) -> str:
    if arm.counts:
        return ", ".join(f"{one.answer}: {one.n}" for one in arm.counts)
    if arm.median is None:
        return "none"
    half = " (middle half {:g} to {:g})".format(*arm.middle_half) if arm.middle_half else ""
    return f"median {arm.median:g}{half}"


def further_table(questions: Sequence[FurtherQuestion]) -> Table | None:
    """None where nothing further was asked that can be counted."""
    if not questions:
        return None
    rows = [
        [one.question if number == 0 else "", arm.arm, str(arm.n), answers_in_words(arm)]
        for one in questions
        for number, arm in enumerate(one.arms)
    ]
    return Table(columns=["Question", "Arm", "Answers", "How often"], rows=rows)


def further_words(questions: Sequence[FurtherQuestion], *, alpha: float) -> list[str]:
    """One sentence for every question: whether real and synthetic cases were answered differently."""
    return [_sentence(one, alpha=alpha, several=len(questions) > 1) for one in questions]


def further_paragraph(data: ReportedStudy) -> str:
    """In running text; empty where nothing was asked."""
    words = further_words(data.further, alpha=data.alpha)
    return f"Further questions (exploratory): {' '.join(words)}" if words else ""


def _sentence(one: FurtherQuestion, *, alpha: float, several: bool) -> str:
    if one.p is None:
        return f"“{one.question}”: whether the kinds differ can't be tested ({one.reason})."
    how = "all permutations" if one.permutations is None else f"{one.permutations} random permutations"
    adjusted = f", adjusted {p_words(one.p_adjusted)}" if several else ""
    area = ""
    if one.area is not None:
        area = (
            f"probability of a higher answer to a synthetic than to a real case "
            f"{share_words(one.area, level=level_percent_of(alpha))}, "
        )
    decides = one.p_adjusted if several and one.p_adjusted is not None else one.p
    differ = "the kinds differ" if decides <= alpha else "no evidence that the kinds differ, nor that they are alike"
    return f"“{one.question}”: {area}{p_words(one.p)}{adjusted} ({how} of the kinds over cases): {differ}."


FURTHER_MEANINGS = {
    "name": "Short name of the question, as in the columns further_… of ratings",
    "arm": "real, or the program that made the case and what it did",
    "n": "Answers to the cases of this arm",
    "answers": "How often each answer was given; of numbers the median and the middle half",
    "area": "Probability of a higher answer to a synthetic than to a real case, averaged over raters; 0.5: none",
    "p": "Two-sided p-value of permuting the kinds over cases",
    "p_adjusted": "p-value adjusted by Holm over the questions",
}


def further_rows(questions: Sequence[FurtherQuestion]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "arm": arm.arm,
            "n": arm.n,
            "answers": answers_in_words(arm),
            "area": one.area.value if one.area else None,
            "p": one.p,
            "p_adjusted": one.p_adjusted,
        }
        for one in questions
        for arm in one.arms
    ]
