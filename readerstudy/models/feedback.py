"""When raters are told the truth of what they answered: what a draft may choose."""

from typing import Any

from django.db import models
from django.utils.translation import gettext, gettext_lazy

from readerstudy.tasks.task import Task


class Feedback(models.TextChoices):
    NONE = "none", gettext_lazy("None: raters learn nothing of single cases")
    CASE = "case", gettext_lazy("After every case: what it was, as soon as the answer stands")
    END = "end", gettext_lazy("After the last case: what each of them was, once all answers stand")


def wrong_of_feedback(study: Any, task: Task) -> dict[str, str]:
    """By the field that would have to change."""
    if study.feedback == Feedback.NONE:
        return {}
    if not task.right_choice:
        return {"feedback": gettext("No image is the right one, so there is nothing to tell. Choose no feedback.")}
    if study.feedback != Feedback.CASE:
        return {}
    if task.images > 1 and not task.put_together()["matched"]:
        return {
            "feedback": gettext(
                "Images that are put together at random tell of other images of their scans in later trials. Put "
                "images of one scan together, or tell after the last case."
            )
        }
    wrong = {}
    if study.going_back != "never":
        wrong["going_back"] = gettext("Raters who are told after every case can change no answer. Choose none.")
    if study.repeats:
        wrong["repeats"] = gettext(
            "A case that comes again would be known. Choose no repeats, or tell after the last case."
        )
    if study.twins_allowed:
        wrong["twins_allowed"] = gettext(
            "What one twin was tells what the other is. Allow none, or tell after the last case."
        )
    return wrong
