"""Where an answer belongs: after which earlier answer, before which closing; refused only where that can't be told."""

from datetime import datetime, timedelta

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.design.phases import of_the_same_scans
from readerstudy.ledger.phases import has_begun_a_later_one
from readerstudy.ledger.rating import Rating
from readerstudy.ledger.telling import was_told_of_the_same_scans
from readerstudy.models import Presentation, RatingEvent, Study, StudyState
from readerstudy.planning.arrival import ArrivalPolicy, arrival_policy

A_MINUTE = timedelta(minutes=1)
# How exactly two clocks are compared: the way of an answer to the server counts as a difference.
CLOCK_GRAIN = timedelta(seconds=2)


class AnswerConflictError(ConflictError):
    """The case has an answer that the rater did not know of; both are shown, and the rater says which one counts."""

    def __init__(self, current: RatingEvent | None) -> None:
        super().__init__(
            gettext(
                "This case was answered somewhere else in the meantime, so this answer was not counted. "
                "Say which of the two answers counts."
            ),
            code="answer_conflict",
        )
        self.current = current


def refuse_unplaceable(rating: Rating, current: RatingEvent | None) -> None:
    """An answer takes the place of the one that its rater knew of, and of no other."""
    known = current.client_event_id if current else None
    if rating.supersedes != known:
        raise AnswerConflictError(current)


def arrival_flags(
    study: Study,
    presentation: Presentation,
    rating: Rating,
    *,
    current: RatingEvent | None,
    last: RatingEvent | None,
    received_at: datetime,
) -> list[str]:
    """What is unusual about this answer's arrival; refuses one that comes too late. `last`: the highest numbered."""
    policy = arrival_policy(study)
    offset = rating.clock_offset(received_at)
    given_at = rating.answered_at + offset
    flags = _clock_flags(study, rating, policy, given_at=given_at, received_at=received_at)
    # An answer that replaces one is compared with that one.
    flags += _haste_flags(rating, policy, shown_at=rating.shown_at + offset, last=None if current else last)
    flags += _order_flags(rating, policy, last=last, current=current, given_at=given_at)
    if _ended_at(study, presentation) is not None:
        _refuse_too_late(study, presentation, policy, flags, given_at=given_at, received_at=received_at)
        flags.append("after_close")
        # A browser may have held it for days; whether its rater knew more by then, nobody can tell.
        if current is None and has_begun_a_later_one(presentation.session):
            flags.append("after_next_begun")
    return flags


def _clock_flags(
    study: Study, rating: Rating, policy: ArrivalPolicy, *, given_at: datetime, received_at: datetime
) -> list[str]:
    flags = []
    if abs(rating.clock_offset(received_at)) > timedelta(seconds=policy.clock_tolerance_s):
        flags.append("clock_off")
    backwards = rating.answered_at < rating.shown_at
    ahead = given_at > received_at + A_MINUTE
    too_early = study.opened_at is not None and given_at < study.opened_at - A_MINUTE
    measured = timedelta(milliseconds=rating.reading_ms + rating.hidden_ms + rating.idle_ms + rating.waiting_ms)
    # A computer may sleep between the two readings of its clock, but they can't lie closer than the time measured.
    shrunk = rating.answered_at - rating.shown_at < measured - A_MINUTE
    if backwards or ahead or too_early or shrunk:
        flags.append("clock_impossible")
    return flags


def _haste_flags(rating: Rating, policy: ArrivalPolicy, *, shown_at: datetime, last: RatingEvent | None) -> list[str]:
    flags = []
    if policy.fastest_reading_ms is not None and rating.reading_ms < policy.fastest_reading_ms:
        flags.append("too_fast")
    if policy.one_at_a_time and last is not None and shown_at < given_at_of(last) - CLOCK_GRAIN:
        flags.append("shown_too_early")
    return flags


def _order_flags(
    rating: Rating,
    policy: ArrivalPolicy,
    *,
    last: RatingEvent | None,
    current: RatingEvent | None,
    given_at: datetime,
) -> list[str]:
    flags = []
    counted = last.counter or 0 if last is not None else 0
    if rating.counter <= counted:
        flags.append("counted_twice")
    elif rating.counter > counted + 1:
        flags.append("counter_gap")
    if current is not None:
        before = given_at_of(current)
        if given_at < before:
            flags.append("older_than_superseded")
        elif given_at - before > timedelta(minutes=policy.late_revision_minutes):
            flags.append("late_revision")
    return flags


def given_at_of(event: RatingEvent) -> datetime:
    """By the server's clock."""
    return event.answered_at + timedelta(milliseconds=event.clock_offset_ms or 0)


def _ended_at(study: Study, presentation: Presentation) -> datetime | None:
    """When this rater's part ended: with the closing or the exclusion, whichever came first."""
    ends = [study.closed_at, presentation.session.rater.excluded_at]
    return min((end for end in ends if end is not None), default=None)


def _refuse_too_late(
    study: Study,
    presentation: Presentation,
    policy: ArrivalPolicy,
    flags: list[str],
    *,
    given_at: datetime,
    received_at: datetime,
) -> None:
    ended_at = _ended_at(study, presentation)
    in_grace = ended_at is not None and received_at <= ended_at + policy.grace
    given_before = ended_at is not None and given_at <= ended_at and "clock_impossible" not in flags
    # Its unblinding tells the truth of this study, as that of a linked one that shows the same scans, or its feedback.
    told = (
        study.state == StudyState.UNBLINDED
        or bool(of_the_same_scans(study, StudyState.UNBLINDED))
        or was_told_of_the_same_scans(presentation)
    )
    if told or not (in_grace and given_before):
        _refuse_ended(study, presentation)


def _refuse_ended(study: Study, presentation: Presentation) -> None:
    if study.state != StudyState.COLLECTING:
        raise ConflictError(
            gettext(
                "This study does not take ratings: it is %(state)s. Your answer was not counted; ask the "
                "study's coordinator."
            )
            % {"state": study.get_state_display().lower()},
            code="study_not_open",
        )
    raise ConflictError(
        gettext("The coordinator has ended your part in this study, so it takes no more ratings from you."),
        code="rater_excluded",
    )
