"""The rows that an answer is placed among, and the study's own, which all answers wait for."""

import uuid

from ctplatform.written import WrittenQuery, write
from readerstudy.models import Presentation, RatingEvent, Study, StudyRater

# Three look-ups by an index each; a condition that joins them by OR reads the whole ledger.
CONCERNED = WrittenQuery(
    """
    SELECT {event}, {slot} FROM readerstudy_ratingevent event
    JOIN readerstudy_presentation slot ON slot.id = event.presentation_id
    WHERE event.id IN (
        SELECT id FROM readerstudy_ratingevent WHERE client_event_id = %s
        UNION
        SELECT given.id FROM readerstudy_ratingevent given
        JOIN readerstudy_presentation shown ON shown.id = given.presentation_id
        WHERE shown.session_id = %s AND shown.position = %s
        UNION
        SELECT * FROM (
            SELECT counted.id FROM readerstudy_ratingevent counted
            JOIN readerstudy_presentation own ON own.id = counted.presentation_id
            WHERE own.session_id = %s AND counted.counter IS NOT NULL
            ORDER BY counted.counter DESC LIMIT 1
        ) latest
    )
    ORDER BY event.sequence
    """,
    event=(RatingEvent, None),
    slot=(Presentation, None),
)

# The row of a study holds every order and every report as JSON; a rating needs none of it while the study collects.
HEAD = WrittenQuery(
    "SELECT {study} FROM readerstudy_study study WHERE study.id = %s",
    study=(Study, ["state", "opened_at", "closed_at", "protocol_digest", "ledger_count", "ledger_head"]),
)
MOVE_HEAD = "UPDATE readerstudy_study SET ledger_count = %s, ledger_head = %s WHERE id = %s"

RATER = WrittenQuery(
    "SELECT {rater} FROM readerstudy_studyrater rater WHERE rater.id = %s", rater=(StudyRater, ["excluded_at"])
)


def concerned(presentation: Presentation, client_event_id: uuid.UUID) -> list[RatingEvent]:
    """In their order: the entry that has this id, those of the trial, and the sitting's highest numbered one."""
    sitting = presentation.session_id
    found = []
    for row in CONCERNED.rows(client_event_id, sitting, presentation.position, sitting):
        event: RatingEvent = row["event"]
        event.presentation = row["slot"]
        found.append(event)
    return found


def held_head(study_id: uuid.UUID) -> Study:
    """The lock on the study's row makes the chain linear; on SQLite the transaction itself is exclusive."""
    [row] = HEAD.rows(study_id, locking=True)
    study: Study = row["study"]
    return study


def move_head(study: Study, event: RatingEvent) -> None:
    study.ledger_count, study.ledger_head = event.sequence, event.digest
    write(MOVE_HEAD, study.ledger_count, study.ledger_head, study.pk)


def see_exclusion(rater: StudyRater) -> None:
    """Excluding takes the study's lock as well, so one that came first is seen under it."""
    [row] = RATER.rows(rater.pk)
    rater.excluded_at = row["rater"].excluded_at
