"""Whether the screen of a sitting was shown to tell greys apart, where the study asks for it."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.models import DisplayCheck, DisplayPolicy, Presentation, Study


def display_policy(study: Study) -> DisplayPolicy:
    """Studies that were locked before there was a check have none."""
    return DisplayPolicy(study.frozen.get("display_check", DisplayPolicy.OFF))


def refuse_unchecked_display(study: Study, presentation: Presentation) -> None:
    """One check that was passed counts for the sitting: an answer that was given offline or overnight is not lost.

    Programs look at no screen.
    """
    if display_policy(study) != DisplayPolicy.REQUIRE or presentation.session.rater.user.as_program is not None:
        return
    if not DisplayCheck.objects.filter(session=presentation.session_id, passed=True).exists():
        raise ConflictError(
            gettext(
                "This study is read only after a check of the display that was passed, and this reading has "
                "none yet. Your answer was not counted; make the check, then it is offered again."
            ),
            code="display_not_checked",
        )
