"""What arrives late, out of order, from elsewhere or by a wrong clock: taken where it can be placed, and flagged."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.errors import ConflictError, DomainError
from readerstudy.digests import digest_of
from readerstudy.ledger.append import append
from readerstudy.ledger.triggers import LEDGER
from readerstudy.models import RatingEvent, Session, Study
from readerstudy.planning.arrival import ArrivalPolicy
from readerstudy.reading.shown import presentation_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.unblinding.under_way import may_hold_answers, under_way
from readerstudy.unblinding.unusual import unusual_arrivals
from readerstudy.verification import verify
from tests.pages import shown
from tests.readerstudy.races import a_rating
from tests.readerstudy.worlds import Browser, rating

HOUR = timedelta(hours=1)
# What policies held before answers in haste were flagged.
EARLIER_POLICY = {"grace_hours", "clock_tolerance_s", "late_revision_minutes"}


def at(moment):
    return {"shown_at": (moment - timedelta(seconds=6)).isoformat(), "answered_at": moment.isoformat()}


def flags_of(response):
    assert response.status_code == 201, response.content
    return RatingEvent.objects.get(client_event_id=response.json()["receipt"]["client_event_id"]).flags


def close_at(study, moment):
    unblinding.close(study=study, actor=study.owner)
    Study.objects.filter(pk=study.pk).update(closed_at=moment)
    study.refresh_from_db()


# Only the server's own refusal ends an answer


def test_a_refusal_names_the_answer_in_the_voice_of_the_sitting(reader):
    token, event_id = reader.tokens()[0], str(uuid.uuid4())
    response = reader.rate(token, client_event_id=event_id, confidence=9)
    refusal = response.json()["refusal"]
    assert (response.status_code, refusal["client_event_id"], refusal["code"]) == (400, event_id, "confidence_missing")
    assert refusal["final"]
    assert refusal["voice"] == reader.standing()["voice"] != ""


def test_whoever_else_is_logged_in_ends_nothing(reader, cast, collecting):
    """Another person's login, and no login: neither reply speaks in the sitting's voice."""
    url = reverse("reading-api:events", args=[reader.tokens()[0]])
    voice = reader.standing()["voice"]
    for client in (Client(), Browser(cast.second_rater, collecting).client):
        response = client.post(url, json.dumps(rating()), content_type="application/json")
        assert response.status_code in {401, 403, 404}
        assert "refusal" not in response.json()
        assert voice not in response.content.decode()


def test_two_sittings_have_secrets_of_their_own(reader, cast, collecting):
    one, two = reader.standing(), Browser(cast.second_rater, collecting).standing()
    assert one["voice"] != two["voice"]
    assert one["drawer_key"] != two["drawer_key"]
    assert len(bytes.fromhex(one["drawer_key"])) == 32
    assert one["reader"] == str(cast.rater)


def test_a_week_end_with_the_page_open_is_a_long_time_and_no_reason_to_refuse(reader):
    assert reader.rate(reader.tokens()[0], hidden_ms=63 * 3600 * 1000).status_code == 201
    assert reader.rate(reader.tokens()[1], hidden_ms=10**12).status_code == 201
    assert RatingEvent.objects.get(sequence=2).hidden_ms == 2**31 - 1


def test_no_number_of_a_browser_is_larger_than_a_report_can_print(reader):
    """The ledger keeps what was sent for good: a single answer would have kept the report from ever being made."""
    many = {"scrolls": 10**30, "windowings": 2**63, "zooms": 2**31, "pauses": 10**30}
    viewport = {"viewport_px": [10**30, 800]}
    assert reader.rate(reader.tokens()[0], interactions=many, environment=viewport).status_code == 201
    event = RatingEvent.objects.get()
    assert event.interactions == dict.fromkeys(many, 2**31 - 1)
    assert event.environment == {"viewport_px": [2**31 - 1, 800]}


def test_a_date_that_no_clock_shows_is_refused_and_no_failure_of_the_server(reader):
    """Sums of such dates are no dates: the server failed, and the browser sent the same answer for ever."""
    reader.client.raise_request_exception = False
    end, beginning = "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"
    for changes in (
        {"answered_at": end, "sent_at": "2000-01-01T00:00:00Z"},
        {"answered_at": beginning, "shown_at": beginning, "sent_at": end},
        {"shown_at": beginning},
    ):
        response = reader.rate(reader.tokens()[0], **changes)
        assert (response.status_code, response.json()["refusal"]["code"]) == (400, "invalid"), changes
    wrong = dict.fromkeys(("shown_at", "answered_at"), "2899-12-31T00:00:00Z")
    assert "clock_off" in flags_of(reader.rate(reader.tokens()[0], **wrong, sent_at="1900-01-02T00:00:00Z"))


# An answer takes the place of the one that its rater knew of


def test_an_answer_from_another_computer_is_not_replaced_unseen(reader, collecting):
    token = reader.tokens()[0]
    elsewhere = reader.rate(token, answer="synthetic", confidence=3).json()
    response = reader.rate(token, answer="real", supersedes=None, counter=1)
    assert (response.status_code, response.json()["code"]) == (409, "answer_conflict")
    refusal = response.json()["refusal"]
    assert not refusal["final"]
    assert refusal["current"] == elsewhere["previous_answer"]
    assert RatingEvent.objects.get().answer == "synthetic"
    # the rater has seen both and means the second one
    meant = reader.rate(token, answer="real", supersedes=refusal["current"]["client_event_id"])
    assert meant.status_code == 201
    assert [event.supersedes_id is None for event in RatingEvent.objects.order_by("sequence")] == [True, False]
    collecting.refresh_from_db()
    assert verify(collecting).intact


def test_an_older_answer_never_replaces_a_newer_one(reader):
    """The first answer waited on a computer whose clock says it is the newer one."""
    token = reader.tokens()[0]
    first = rating(answer="real", counter=1, **at(timezone.now() + HOUR))
    reader.rate(token, answer="synthetic", counter=1)
    reader.rate(token, answer="real", counter=2)
    assert reader.rate(token, **first).status_code == 409
    stale = reader.rate(token, supersedes=str(RatingEvent.objects.get(sequence=1).client_event_id))
    assert stale.status_code == 409
    assert RatingEvent.objects.count() == 2


def test_nobody_is_asked_to_choose_between_answers_of_which_one_stands(reader):
    """Another computer has gone on: the choice was offered, and the server refused whoever had chosen his own."""
    first, second = reader.tokens()[:2]
    for token in (first, second):
        assert reader.rate(token, answer="synthetic").status_code == 201
    held = reader.rate(first, answer="real", supersedes=None, counter=1).json()["refusal"]
    assert (held["code"], held["final"], held["current"]) == ("answer_stands", True, None)
    assert reader.rate(second, answer="real", supersedes=None).json()["refusal"]["code"] == "answer_conflict"


def test_a_change_of_an_answer_that_never_arrived_waits_for_the_rater(reader):
    response = reader.rate(reader.tokens()[0], supersedes=str(uuid.uuid4()))
    assert response.json()["refusal"] | {"voice": ""} == {
        "client_event_id": response.json()["refusal"]["client_event_id"],
        "voice": "",
        "code": "answer_conflict",
        "final": False,
        "current": None,
    }


def test_numbers_that_do_not_follow_one_another_are_flagged(reader):
    one, two, three, four = reader.tokens()[:4]
    assert flags_of(reader.rate(one, counter=1)) == []
    assert flags_of(reader.rate(two, counter=3)) == ["counter_gap"]
    assert flags_of(reader.rate(three, counter=2)) == ["counted_twice"]
    assert flags_of(reader.rate(four, counter=4)) == []
    assert reader.standing()["counter"] == 4


# Clocks


def test_the_clock_of_the_browser_is_measured_and_a_wrong_one_flagged(reader):
    now = timezone.now()
    ahead = now + 5 * HOUR
    token, other, third = reader.tokens()[:3]
    earlier = at(ahead - timedelta(seconds=7))  # before the next case was on the screen
    assert flags_of(reader.rate(token, sent_at=ahead.isoformat(), **earlier)) == ["clock_off"]
    assert RatingEvent.objects.get().clock_offset_ms == pytest.approx(-5 * 3600 * 1000, abs=60_000)
    assert flags_of(reader.rate(other, sent_at=now.isoformat(), **at(now))) == []
    # set back while the case was on the screen
    back = {"shown_at": now.isoformat(), "answered_at": (now - HOUR).isoformat(), "sent_at": (now - HOUR).isoformat()}
    assert "clock_impossible" in flags_of(reader.rate(third, **back))


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"answered_at": timedelta(hours=2)}, "clock_impossible"),
        ({"answered_at": -timedelta(days=400), "shown_at": -timedelta(days=401)}, "clock_impossible"),
        ({"reading_ms": 3_600_000}, "clock_impossible"),
        ({"shown_at": -timedelta(hours=20)}, None),  # the computer slept
    ],
)
def test_impossible_times_are_flagged(reader, change, flag):
    now = timezone.now()
    times = {k: (now + v).isoformat() if isinstance(v, timedelta) else v for k, v in change.items()}
    assert flags_of(reader.rate(reader.tokens()[0], **times)) == ([flag] if flag else [])


def test_a_late_change_is_flagged(reader):
    now, token = timezone.now(), reader.tokens()[0]
    Study.objects.update(opened_at=now - 10 * HOUR)
    reader.rate(token, **at(now - 3 * HOUR))
    assert flags_of(reader.rate(token, answer="synthetic", **at(now))) == ["late_revision"]
    assert flags_of(reader.rate(token, answer="real", **at(now - 2 * HOUR))) == ["older_than_superseded"]


def hurried(reader, **times):
    """Everything answered in one go, with no look at anything."""
    return [flags_of(reader.rate(token, **times)) for token in reader.tokens()]


def test_a_walk_through_with_throw_away_answers_is_flagged_and_told(reader, collecting, cast):
    assert hurried(reader, reading_ms=40) == [["too_fast"]] * 12
    told = told_of(collecting, cast)
    assert "12 answers were given after less looking than a person needs (rater 1; flag too_fast)." in told


def test_a_walk_through_with_invented_times_is_flagged_and_told(reader, collecting, cast):
    long_ago = (timezone.now() - timedelta(seconds=8)).isoformat()
    assert hurried(reader, reading_ms=7900, shown_at=long_ago) == [[], *[["shown_too_early"]] * 11]
    assert "flag shown_too_early" in told_of(collecting, cast)


def test_an_unhurried_reading_has_no_flags(reader, collecting, cast):
    assert hurried(reader) == [[]] * 12
    assert told_of(collecting, cast) == ""


def told_of(study, cast):
    unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    return " ".join(unusual_arrivals(UnblindedStudy(study)))


def test_a_study_locked_without_a_rule_of_haste_flags_none(reader, collecting):
    policy = {name: value for name, value in collecting.protocol["arrival"].items() if name in EARLIER_POLICY}
    protocol = {**collecting.protocol, "arrival": policy}
    Study.objects.update(protocol=protocol, protocol_digest=digest_of(protocol))
    assert hurried(reader, reading_ms=40) == [[]] * 12


def test_flags_and_counters_are_chained(reader, collecting):
    reader.rate(reader.tokens()[0], counter=3)
    collecting.refresh_from_db()
    assert verify(collecting).intact
    from django.db import connection

    LEDGER.uninstall(connection)
    for change in ("flags = '[]'", "counter = 1", "clock_offset_ms = 7", "idle_ms = 5", "counter = NULL"):
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT before")
            cursor.execute(f"UPDATE readerstudy_ratingevent SET {change}")
            assert not verify(collecting, with_stimuli=False).intact, change
            cursor.execute("ROLLBACK TO before")
    call_command("migrate", verbosity=0)


# Closing and excluding with answers under way


def test_an_answer_given_before_the_closing_counts_within_the_grace(reader, collecting):
    now, (one, two, three) = timezone.now(), reader.tokens()[:3]
    Study.objects.update(opened_at=now - 100 * HOUR)
    assert collecting.protocol["arrival"]["grace_hours"] == 72
    close_at(collecting, now - 10 * HOUR)
    taken = reader.rate(one, **at(now - 11 * HOUR))
    assert flags_of(taken) == ["after_close"]
    assert taken.json()["state"] == "closed"
    assert reader.rate(two, **at(now - 9 * HOUR)).status_code == 409
    # a clock that is ten hours slow would make it look as if it had been given before
    slow = now - 10 * HOUR
    assert reader.rate(two, sent_at=slow.isoformat(), **at(slow)).status_code == 409
    assert reader.client.get(reverse("reading-api:presentation", args=[three])).status_code == 409
    Study.objects.update(closed_at=now - 73 * HOUR)
    assert reader.rate(three, **at(now - 74 * HOUR)).status_code == 409
    collecting.refresh_from_db()
    # The two dates that were set back above, and nothing else.
    assert [problem.split()[0] for problem in verify(collecting).problems] == ["opened_at", "closed_at"]


def test_nothing_is_taken_after_the_unblinding(reader, collecting):
    now = timezone.now()
    close_at(collecting, now)
    unblinding.unblind(study=collecting, actor=collecting.owner, typed_title=collecting.title)
    response = reader.rate(reader.tokens()[0], **at(now - timedelta(seconds=20)))
    assert (response.status_code, response.json()["code"]) == (409, "study_not_open")


def test_the_grace_is_the_one_that_was_frozen(reader, collecting):
    now = timezone.now()
    Study.objects.update(opened_at=now - 100 * HOUR, grace_hours=0)
    close_at(collecting, now - HOUR)
    assert reader.rate(reader.tokens()[0], **at(now - 2 * HOUR)).status_code == 201


def test_a_study_without_grace_takes_nothing_late(draft, stages, cast):
    draft.grace_hours = 0
    draft.save()
    study, now = stages.open(draft), timezone.now()
    reader = Browser(cast.rater, study)
    Study.objects.update(opened_at=now - 100 * HOUR)
    close_at(study, now - HOUR)
    assert reader.rate(reader.tokens()[0], **at(now - 2 * HOUR)).status_code == 409
    assert ArrivalPolicy(**study.protocol["arrival"]).grace_hours == 0


@pytest.mark.parametrize("given", [timedelta(minutes=-1), timedelta(minutes=1)], ids=["before", "after"])
def test_an_exclusion_that_comes_while_an_answer_is_under_way_is_seen(collecting, cast, given):
    """Between the request's first look at the rater and its turn to write."""
    presentation = presentation_of(cast.rater, Browser(cast.rater, collecting).tokens()[0])
    unblinding.exclude_rater(rater=collecting.raters.get(number=1), actor=cast.owner, reason="left the hospital")
    moment = timezone.now() + given
    times = {"answered_at": moment, "shown_at": moment - timedelta(seconds=6), "reading_ms": 4200}
    answer = replace(a_rating(), sent_at=timezone.now(), **times)
    if given > timedelta(0):
        with pytest.raises(ConflictError, match="has ended your part"):
            append(presentation=presentation, rating=answer)
    else:
        assert append(presentation=presentation, rating=answer).event.flags == ["after_close"]


def test_an_answer_given_before_the_exclusion_stands_in_the_ledger(reader, collecting):
    now, rater = timezone.now(), collecting.raters.get(number=1)
    assert rater.user == reader.session.rater.user
    Study.objects.update(opened_at=now - 100 * HOUR)
    unblinding.exclude_rater(rater=rater, actor=collecting.owner, reason="left the hospital")
    assert flags_of(reader.rate(reader.tokens()[0], **at(now - HOUR))) == ["after_close"]
    refused = reader.rate(reader.tokens()[1], **at(timezone.now() + timedelta(seconds=5)))
    assert (refused.status_code, refused.json()["refusal"]["final"]) == (409, False)


def test_a_closed_study_is_opened_again_with_a_reason(reader, collecting):
    owner = collecting.owner
    with pytest.raises(ConflictError, match="Only a closed study"):
        unblinding.reopen(study=collecting, actor=owner, reason="too early")
    unblinding.close(study=collecting, actor=owner)
    token = reader.tokens()[0]
    assert reader.rate(token).status_code == 409
    with pytest.raises(DomainError, match="Say why"):
        unblinding.reopen(study=collecting, actor=owner, reason=" ")
    unblinding.reopen(study=collecting, actor=owner, reason="rater 2 was ill")
    assert reader.rate(token).status_code == 201
    assert collecting.record.last().details["reason"] == "rater 2 was ill"
    unblinding.close(study=collecting, actor=owner)
    unblinding.unblind(study=collecting, actor=owner, typed_title=collecting.title)
    with pytest.raises(ConflictError, match="not unblinded"):
        unblinding.reopen(study=collecting, actor=owner, reason="more answers")


def test_who_has_closed_the_page_with_nothing_in_it_holds_no_answers(reader, collecting):
    def left(unsent):
        url = reverse("reading-api:left", args=[reader.session.token])
        return reader.client.post(url, json.dumps({"unsent": unsent}), content_type="application/json").status_code

    def fetch():
        assert reader.client.get(reverse("reading-api:presentation", args=[reader.tokens()[0]])).status_code == 200

    fetch()
    assert [row.number for row in may_hold_answers(collecting)] == [1]
    assert left(0) == 204
    assert may_hold_answers(collecting) == []
    fetch()  # and is back
    assert [row.number for row in may_hold_answers(collecting)] == [1]
    assert left(3) == 204
    assert [(row.number, row.unsent) for row in may_hold_answers(collecting)] == [(1, 3)]
    assert left(-1) == 400


def test_an_answer_from_before_answers_were_numbered_is_known_again(reader, collecting):
    """Its receipt was lost, and the page that sends it again has numbered it and measures more."""
    first, again = rating(answer="synthetic"), {"counter": 4, "idle_ms": 0, "interactions": {"scrolls": 9}}
    assert reader.rate(reader.tokens()[0], **first).status_code == 201
    event = RatingEvent.objects.get()
    LEDGER.uninstall(connection)
    RatingEvent.objects.filter(pk=event.pk).update(counter=None, idle_ms=None, waiting_ms=None, interactions={})
    answer = reader.rate(reader.tokens()[0], **{**first, **again})
    assert (answer.status_code, answer.json()["receipt"]["sequence"]) == (200, 1)
    other = reader.rate(reader.tokens()[0], **{**first, **again, "answer": "real"})
    assert (other.status_code, other.json()["code"]) == (409, "event_id_reused")


def test_the_team_sees_who_may_hold_answers(reader, collecting, cast):
    other = Browser(cast.second_rater, collecting)
    assert [(row.number, row.left, row.may_hold) for row in under_way(collecting)] == [(1, 12, False), (2, 12, False)]
    reader.client.get(reverse("reading-api:presentation", args=[reader.tokens()[0]]))
    assert [row.number for row in may_hold_answers(collecting)] == [1]
    reader.rate(reader.tokens()[0])
    assert may_hold_answers(collecting) == []
    other.rate(other.tokens()[0], unsent=2)
    assert [(row.number, row.unsent) for row in may_hold_answers(collecting)] == [(2, 2)]
    unblinding.close(study=collecting, actor=collecting.owner)
    details = collecting.record.filter(action="closed").get().details
    assert details["may_hold_answers"] == [2]
    assert details["cases_left"] == {"1": 11, "2": 11}
    assert Session.objects.get(rater__number=2).unsent == 2


def test_closing_is_a_step_that_says_what_is_missing(reader, collecting, cast):
    client = Client()
    client.force_login(cast.owner)

    def page():
        return shown(client.get(reverse("studies:study", args=[collecting.pk])))

    assert "12 cases without an answer" in page()
    assert "may hold unsent answers" not in page()
    reader.client.get(reverse("reading-api:presentation", args=[reader.tokens()[0]]))
    assert "1 rater may hold unsent answers" in page()
    assert "still count when they arrive within 72 hours of it" in page()
    client.post(reverse("studies:close", args=[collecting.pk]))
    assert "1 rater may hold unsent answers" in page()
    assert "still count when they arrive until" in page()
    assert "Open it again" in page()
    again = reverse("studies:reopen", args=[collecting.pk])
    assert "Say why the study is opened again" in shown(client.post(again, {"reason": ""}, follow=True))
    client.force_login(cast.member)
    assert client.post(again, {"reason": "no owner"}).status_code == 403
    client.force_login(cast.owner)
    assert "raters go on where they were" in shown(client.post(again, {"reason": "one was ill"}, follow=True))
    assert "opened again (“one was ill”)" in page()
    for token in reader.tokens():
        reader.rate(token)
    Browser(cast.second_rater, collecting).rate_all()
    assert "Every case of every rater has its answer." in page()


def test_numbers_that_a_database_writes_otherwise_break_no_chain(reader, collecting):
    odd = {"zoom_range": [-0.0, 1e300], "slices": [[1, 1e16], [2, 1e23]], "windows": [[-0.0, 5e-324, 1e22]]}
    sent = {**reader.known(reader.tokens()[0]), "client_event_id": str(uuid.uuid4())}
    screen, now = {"renderer": "cpu", "device_pixel_ratio": -0.0}, timezone.now().isoformat()
    sent |= dict.fromkeys(("shown_at", "answered_at", "sent_at"), now)
    for status in (201, 200):  # the second is the same answer, whose receipt was lost
        answer = reader.rate(reader.tokens()[0], interactions=odd, environment=screen, **sent)
        assert answer.status_code == status, answer.content
    assert verify(collecting).problems == []


def test_times_as_long_as_can_be_stored_still_add_up(reader, collecting, cast):
    longest = dict.fromkeys(("reading_ms", "load_ms", "hidden_ms", "idle_ms", "waiting_ms"), 10**12)
    assert reader.rate(reader.tokens()[0], **longest).status_code == 201
    client = Client()
    client.force_login(cast.owner)
    assert client.get(reverse("studies:study", args=[collecting.pk])).status_code == 200
    [row, *_] = client.get(reverse("study-progress", args=[collecting.pk])).json()
    assert row["done"] == 1
    room = reader.client.get(reverse("reading:sessions"))
    assert room.status_code == 200
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title=collecting.title)
    assert client.get(reverse("studies:results", args=[collecting.pk])).status_code == 200
