"""Whoever was told the truth of an answer changes it no more, and gives none about scans of which it told."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.design.phases import of_the_same_scans
from readerstudy.models import Presentation, RatingEvent, StudyState, TruthTold


def refuse_change_after_told(current: RatingEvent) -> None:
    if TruthTold.objects.filter(event=current).exists():
        raise ConflictError(
            gettext("The answer to this case stands: you have been told what it is."), code="answer_stands"
        )


def was_told_of_the_same_scans(presentation: Presentation) -> bool:
    """Whether its rater was told truths in a linked study that shows scans of this one."""
    rater = presentation.session.rater
    told = TruthTold.objects.filter(event__presentation__session__rater__user=rater.user_id)
    elsewhere = set(told.exclude(event__study=rater.study_id).values_list("event__study", flat=True).distinct())
    return bool(elsewhere) and any(one.pk in elsewhere for one in of_the_same_scans(rater.study, *StudyState))
