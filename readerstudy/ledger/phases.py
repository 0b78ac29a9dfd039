"""Sittings of a study that continues another one: closed until the rater was let in; then the earlier answers stand."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.design.phases import later_phases
from readerstudy.models import Presentation, Session


def not_yet_begun(session: Session) -> bool:
    """`reading.phases` lets raters in, when they have done with the earlier study."""
    return session.begun_at is None and "continues" in session.rater.study.frozen


def refuse_before_begun(session: Session) -> None:
    if not_yet_begun(session):
        raise ConflictError(
            gettext(
                "This reading isn't open to you yet: it follows another one. Your list of readings says when it opens."
            ),
            code="not_begun",
        )


def refuse_change_after_next(presentation: Presentation) -> None:
    """Whoever has begun a later study may have been told there what the earlier ones were about."""
    if has_begun_a_later_one(presentation.session):
        raise ConflictError(
            gettext("The answer to this case stands: you have begun a reading that follows this one."),
            code="answer_stands",
        )


def has_begun_a_later_one(session: Session) -> bool:
    rater = session.rater
    later = Session.objects.filter(rater__study__in=later_phases(rater.study), rater__user=rater.user_id)
    return later.filter(begun_at__isnull=False).exists()
