"""Sittings of a study that continues another one: closed until the rater was let in; then the earlier answers stand."""

from ctplatform.errors import ConflictError
from readerstudy.models import Presentation, Session


def not_yet_begun(session: Session) -> bool:
    """`reading.phases` lets raters in, when they have done with the earlier study."""
    return session.begun_at is None and "continues" in session.rater.study.frozen


def refuse_before_begun(session: Session) -> None:
    if not_yet_begun(session):
        raise ConflictError(
            "This reading isn't open to you yet: it follows another one. Your list of readings says when it opens.",
            code="not_begun",
        )


def refuse_change_after_next(presentation: Presentation) -> None:
    """Whoever has begun the later study may have been told there what the earlier one was about."""
    later = Session.objects.filter(
        rater__study__continues__raters__sessions=presentation.session_id,
        rater__user__study_roles=presentation.session.rater_id,
        begun_at__isnull=False,
    )
    if later.exists():
        raise ConflictError(
            "The answer to this case stands: you have begun the reading that follows this one.", code="answer_stands"
        )
