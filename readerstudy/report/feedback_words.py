"""What report and registration say of the truth that raters were told while they read."""

from readerstudy.design.feedback import COUNTING, TALKING, by_counting
from readerstudy.models import Feedback
from readerstudy.report.data import ReportedStudy

CLAUSES = {
    Feedback.NONE: "raters got no feedback",
    Feedback.CASE: "after every case raters could ask what it was",
    Feedback.END: "after their last case raters could ask what each of their cases was",
}
REGISTERED = {
    Feedback.NONE: "No feedback",
    Feedback.CASE: "After every case its rater is told what it was; the answer stands then",
    Feedback.END: "After the last case its rater is told what each case was; all answers stand then",
}


def feedback_clause(data: ReportedStudy) -> str:
    return CLAUSES[_of(data)]


def feedback_sentences(data: ReportedStudy) -> list[str]:
    """What follows from it; nothing where raters are told nothing."""
    when = _of(data)
    if when == Feedback.NONE:
        return []
    counted = (
        [COUNTING % by_counting((case.host_scan, case.synthetic) for case in data.cases)]
        if when == Feedback.CASE and data.task.images == 1
        else []
    )
    return [told_words(data), TALKING, *counted]


def told_words(data: ReportedStudy) -> str:
    """Of how many answers; nobody changes those."""
    answers = [row for row in data.ratings if row["valid"]]
    told = sum(row["told_at"] is not None for row in answers)
    return f"They were told of {told} of {len(answers)} answers, which could not be changed from then on."


def _of(data: ReportedStudy) -> Feedback:
    return Feedback(data.study.get("feedback", Feedback.NONE))
