"""What raters said when they were asked once, after their last case."""

from collections.abc import Sequence

from readerstudy.report.data import ReportedRater, ReportedStudy
from readerstudy.report.figures.figure_tables import Table
from readerstudy.tasks.ending import AT_THE_END
from readerstudy.unblinding.opened import UnblindedStudy

NOTHING = "–"


def said_at_the_end(opened: UnblindedStudy) -> dict[int, str]:
    """By the raters' ids. Whoever answered the last case anew and left this empty has taken no words back."""
    said = ((event.presentation.session.rater_id, event.further.get(AT_THE_END)) for event in opened.events)
    return {rater: str(words) for rater, words in said if words}


def at_the_end_table(data: ReportedStudy) -> Table | None:
    """None where nothing was asked."""
    return rows_of(data.raters) if data.study.get("end_question") else None


def rows_of(raters: Sequence[ReportedRater]) -> Table:
    rows = [[rater.label, rater.at_the_end or NOTHING] for rater in raters]
    return Table(columns=["Rater", "In their own words"], rows=rows)


def at_the_end_words(data: ReportedStudy) -> str:
    """The question, and how many said something."""
    asked = str(data.study.get("end_question", ""))
    if not asked:
        return ""
    count = sum(bool(rater.at_the_end) for rater in data.raters)
    return f"After the last case each was asked once: “{asked}” {count} of {len(data.raters)} wrote something."
