"""One place that a rater marks beside the answer, in the coordinates of the picture: slice, row and column from 0."""

from collections.abc import Mapping

from readerstudy.tasks.task import Given, Refusal, Task

AXES = ("slice", "row", "column")
# Between the numbers of several marks, or places, in one cell of a table.
SEPARATOR = ";"


def refusal_of_mark(task: Task, given: Given) -> Refusal | None:
    """None where the task takes this mark, or that there is none; whether it lies in the picture, the ledger says."""
    asked = task.mark
    if asked is None or asked.each is not None:
        if given.mark is None and (given.marks is None or asked is not None):
            return None
        return Refusal(message="This study asks for no place, or for any number.", code="mark_not_asked")
    if given.marks is not None:
        return Refusal(message="This study asks for one place.", code="marks_not_asked")
    if given.mark is None and given.answer in asked.required_with:
        return Refusal(message="Mark the place before you answer.", code="mark_missing")
    return None


def mark_columns(mark: Mapping[str, int] | None) -> dict[str, int | None]:
    return {f"mark_{axis}": None if mark is None else mark[axis] for axis in AXES}


MARK_COLUMNS = {
    f"mark_{axis}": f"{axis.capitalize()} of the picture that the rater marked, from 0; empty without a mark"
    for axis in AXES
}
