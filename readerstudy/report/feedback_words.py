"""What report and registration say of the truth that raters were told while they read."""

from readerstudy.design.feedback import COUNTING, TALKING, by_counting
from readerstudy.models import Feedback
from readerstudy.report.data import ReportedStudy

CLAUSES = {
    Feedback.NONE: "raters got no feedback",
    Feedback.CASE: "after every case raters were told what it was, and could change nothing",
    Feedback.END: "after their last case raters were told what each of their cases was, and could change nothing",
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
    synthetic = sum(case.synthetic for case in data.cases)
    counted = (
        [COUNTING % by_counting(real=len(data.cases) - synthetic, synthetic=synthetic)]
        if when == Feedback.CASE and data.task.images == 1
        else []
    )
    return [TALKING, *counted]


def _of(data: ReportedStudy) -> Feedback:
    return Feedback(data.study.get("feedback", Feedback.NONE))
