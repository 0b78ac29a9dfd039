"""What raters said when they were asked once, after their last case."""

from collections.abc import Sequence

from readerstudy.report.data import ReportedRater, ReportedStudy
from readerstudy.report.figures.figure_tables import Table
from readerstudy.tasks.ending import AT_THE_END
from readerstudy.unblinding.opened import UnblindedStudy

NO_WORDS, NO_ANSWER = "–", "no answer"


def said_at_the_end(opened: UnblindedStudy) -> dict[int, str]:
    """By the ids of the raters who answered it, with words or without.

    Whoever answered anew and left this empty has taken no words back.
    """
    said: dict[int, str] = {}
    for event in opened.events:
        if AT_THE_END in event.further:
            rater = event.presentation.session.rater_id
            said[rater] = str(event.further[AT_THE_END]) or said.get(rater, "")
    return said


def at_the_end_table(data: ReportedStudy) -> Table | None:
    """None where nothing was asked."""
    return rows_of(data.raters) if data.study.get("end_question") else None


def rows_of(raters: Sequence[ReportedRater]) -> Table:
    rows = [[rater.label, NO_ANSWER if rater.at_the_end is None else rater.at_the_end or NO_WORDS] for rater in raters]
    return Table(columns=["Rater", "In their own words"], rows=rows)


def at_the_end_words(data: ReportedStudy) -> str:
    """The question, and how many said something."""
    asked = str(data.study.get("end_question", ""))
    if not asked:
        return ""
    said = [rater.at_the_end for rater in data.raters if rater.at_the_end is not None]
    wrote = sum(bool(words) for words in said)
    return f"Raters were asked once, after their last case: “{asked}” {len(said)} answered, {wrote} of them with words."
