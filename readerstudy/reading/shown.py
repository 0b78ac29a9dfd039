"""The case that a rater asks for: with every slice, and with every answer."""

from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.written import WrittenQuery, write
from readerstudy.models import Presentation, Session, Stimulus, Study, StudyRater
from readerstudy.reading.sessions import OPENED

# Of sitting, study and stimulus no more than a request needs.
OWN = WrittenQuery(
    """
    SELECT {slot}, {session}, {rater}, {study}, {stimulus} FROM readerstudy_presentation slot
    JOIN readerstudy_session session ON session.id = slot.session_id
    JOIN readerstudy_studyrater rater ON rater.id = session.rater_id
    JOIN readerstudy_study study ON study.id = rater.study_id
    JOIN readerstudy_stimulus stimulus ON stimulus.id = slot.stimulus_id
    WHERE slot.token = %s AND rater.user_id = %s AND study.state IN (%s, %s, %s)
    """,
    slot=(Presentation, None),
    session=(Session, ["token", "rater_id", "unsent", "begun_at"]),
    rater=(StudyRater, ["study_id", "user_id", "excluded_at"]),
    study=(Study, ["state", "protocol_digest"]),
    stimulus=(Stimulus, ["key", "size_zyx", "spacing_zyx_mm", "start_slice", "marker_zyx", "ring_mm"]),
)
NOTE_FETCH = "UPDATE readerstudy_session SET fetched_at = %s WHERE id = %s"


def presentation_of(user: User, token: str) -> Presentation | None:
    """None where it is another person's, or its study was not opened."""
    for row in OWN.rows(token, user.pk, *OPENED):
        presentation: Presentation = row["slot"]
        presentation.session, presentation.stimulus = row["session"], row["stimulus"]
        presentation.session.rater, presentation.session.rater.study = row["rater"], row["study"]
        return presentation
    return None


def note_fetch(session: Session) -> None:
    """From now on this rater may hold an answer that has not arrived."""
    write(NOTE_FETCH, timezone.now(), session.pk)
