"""Whoever was told the truth of an answer changes it no more."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.models import RatingEvent, TruthTold


def refuse_change_after_told(current: RatingEvent) -> None:
    if TruthTold.objects.filter(event=current).exists():
        raise ConflictError(
            gettext("The answer to this case stands: you have been told what it is."), code="answer_stands"
        )
