"""Whoever was told the truth of an answer changes it no more, and gives none about scans of which it told."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.design.phases import other_phases, with_scans_of
from readerstudy.models import Presentation, RatingEvent, TruthTold


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
    return bool(with_scans_of(rater.study, [one for one in other_phases(rater.study) if one.pk in elsewhere]))
