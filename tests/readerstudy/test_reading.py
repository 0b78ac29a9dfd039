"""Reading as the browser does it: exactly once, resumable, revisable, refused with a reason."""

import json
import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.blinding.presentation import IN_SIGHT
from readerstudy.digests import digest_of
from readerstudy.models import GoingBack, RatingEvent, Study
from readerstudy.reading import sessions, sight
from readerstudy.report.export import rating_rows
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import StudyLedger
from tests.pages import shown
from tests.readerstudy.worlds import Browser, make_draft, rating


def test_a_new_session_offers_the_first_cases(reader):
    session = reader.standing()
    assert session["next"] == reader.tokens()[:IN_SIGHT]
    assert (session["counter"], session["previous_answer"]) == (0, None)
    assert session["previous"] is None
    assert session["progress"] == {"done": 0, "total": 12}
    assert (session["state"], session["preview"]) == ("open", False)
    assert session["study"]["answers"][1] == {"value": "synthetic", "level": None, "label": "Synthetic", "key": "2"}
    assert [level["label"] for level in session["study"]["confidence"]["levels"]] == ["Guess", "Fairly sure", "Certain"]
    assert session["display"]["field_of_view_mm"] == 25.0


def test_a_rating_is_acknowledged_with_a_receipt_and_the_next_cases(reader, collecting):
    tokens = reader.tokens()
    response = reader.rate(tokens[0], answer="synthetic", confidence=3)
    assert response.status_code == 201
    event = RatingEvent.objects.get()
    body = response.json()
    assert body["receipt"]["sequence"] == 1
    assert body["receipt"]["digest"] == event.digest
    assert body["next"] == tokens[1 : 1 + IN_SIGHT]
    assert body["previous"] == tokens[0]
    assert body["previous_answer"]["client_event_id"] == str(event.client_event_id)
    assert (body["previous_answer"]["answer"], body["counter"]) == ("synthetic", 1)
    assert (event.answer, event.confidence, event.reading_ms) == ("synthetic", 3, 4200)
    assert event.environment == {"renderer": "cpu", "device_pixel_ratio": 1.5, "viewport_px": [1280, 800]}


def test_the_same_event_again_is_taken_once(reader, collecting):
    token, body = reader.tokens()[0], rating(answer="synthetic")
    first = reader.rate(token, **body)
    # the clock goes on between two tries, and other answers may come to wait behind this one
    again = reader.rate(token, **body | {"sent_at": timezone.now().isoformat(), "unsent": 3})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["receipt"] == first.json()["receipt"]
    assert RatingEvent.objects.get().answer == "synthetic"
    # after the study is closed the receipt is still to be had, so an outbox can be emptied
    unblinding.close(study=collecting, actor=collecting.owner)
    late = reader.rate(token, **body)
    assert (late.status_code, late.json()["receipt"]) == (200, first.json()["receipt"])


@pytest.mark.parametrize("change", [{"answer": "real"}, {"confidence": 1}, {"reading_ms": 1}, {"counter": 9}])
def test_the_same_event_id_with_another_content_is_refused(reader, change):
    token, body = reader.tokens()[0], rating(answer="synthetic")
    reader.rate(token, **body)
    response = reader.rate(token, **body | change)
    assert (response.status_code, response.json()["code"]) == (409, "event_id_reused")
    assert response.json()["refusal"]["final"]
    assert RatingEvent.objects.get().answer == "synthetic"


def test_an_event_id_of_another_rating_is_refused(reader):
    tokens, event_id = reader.tokens(), str(uuid.uuid4())
    reader.rate(tokens[0], client_event_id=event_id)
    response = reader.rate(tokens[1], client_event_id=event_id)
    assert (response.status_code, response.json()["code"]) == (400, "event_id_taken")


def test_a_rater_resumes_where_the_last_rating_was(reader, cast):
    tokens = reader.tokens()
    for token in tokens[:5]:
        reader.rate(token)
    session = reader.standing()
    assert session["progress"]["done"] == 5
    assert session["next"] == tokens[5 : 5 + IN_SIGHT]
    assert session["previous"] == tokens[4]


def refusal(response):
    return response.status_code, response.json()["code"]


def seen(reader, token):
    url = reverse("reading-api:presentation", args=[token])
    answers = [reader.client.get(url), reader.client.get(f"{url}slices/0/")]
    assert len({answer.status_code for answer in answers}) == 1
    return answers[0].status_code == 200 or refusal(answers[0])


def test_cases_are_answered_in_their_stored_order(reader):
    tokens = reader.tokens()
    for token in tokens[1:]:
        assert refusal(reader.rate(token)) == (409, "not_its_turn")
    assert reader.rate(tokens[0]).status_code == 201
    assert refusal(reader.rate(tokens[2])) == (409, "not_its_turn")
    assert reader.standing()["next"] == tokens[1 : 1 + IN_SIGHT]


@pytest.mark.parametrize("policy", GoingBack)
def test_going_back_as_the_study_allows(cast, world, stages, policy):
    study = stages.open(make_draft(cast, world, going_back=policy))
    # The protocol decides, not the column.
    Study.objects.filter(pk=study.pk).update(going_back="any" if policy == "never" else "never")
    reader = Browser(cast.rater, study)
    tokens = reader.tokens()
    for token in tokens[:5]:
        assert reader.rate(token).status_code == 201
    may = {GoingBack.NEVER: [], GoingBack.LAST: tokens[4:5], GoingBack.ANY: tokens[:5]}[policy]
    for token in tokens[:5]:
        assert (seen(reader, token) is True) == (token in may)
        response = reader.rate(token, answer="synthetic")
        assert response.status_code == 201 if token in may else refusal(response) == (409, "answer_stands")
    assert reader.standing()["previous"] == (None if policy == "never" else tokens[4])
    for token in tokens[5:]:
        assert reader.rate(token).status_code == 201
    # re-rating the first after the last
    assert (reader.rate(tokens[0]).status_code == 201) == (policy == "any")
    assert (reader.rate(tokens[-1]).status_code == 201) == (policy != "never")
    marked = {row["sequence"]: row["out_of_turn"] for row in rating_rows(StudyLedger(study)) if row["out_of_turn"]}
    late = "changed after a later case was answered"
    assert marked == (dict.fromkeys((6, 7, 8, 9, 18), late) if policy == "any" else {})


def test_pixels_are_there_for_the_next_cases_only(reader, monkeypatch):
    tokens, ahead = reader.tokens(), 4
    for module in (sessions, sight):
        monkeypatch.setattr(module, "IN_SIGHT", ahead)
    for token in tokens[:6]:
        reader.rate(token)
    in_sight = [seen(reader, token) is True for token in tokens]
    # the last answered, the present one, those to fetch
    assert in_sight == [False] * 5 + [True] * (1 + ahead) + [False] * (6 - ahead)
    assert reader.standing()["next"] == tokens[6 : 6 + ahead]
    assert seen(reader, tokens[0]) == (409, "out_of_sight")


def test_studies_of_before_take_every_change_and_mark_it(reader, collecting):
    protocol = {name: value for name, value in collecting.protocol.items() if name != "going_back"}
    Study.objects.filter(pk=collecting.pk).update(protocol=protocol, protocol_digest=digest_of(protocol))
    tokens = reader.tokens()
    for token in tokens[:3]:
        reader.rate(token)
    assert reader.rate(tokens[0]).status_code == 201
    assert refusal(reader.rate(tokens[9])) == (409, "not_its_turn")


def test_revising_supersedes_and_keeps_both(reader, collecting):
    token = reader.tokens()[0]
    reader.rate(token, answer="real")
    reader.rate(token, answer="synthetic")
    reader.rate(token, answer="real", confidence=1)
    events = list(RatingEvent.objects.order_by("sequence"))
    assert [event.supersedes_id for event in events] == [None, events[0].pk, events[1].pk]
    assert reader.standing()["progress"]["done"] == 1


def test_the_session_ends_when_every_case_is_rated(reader):
    reader.rate_all()
    session = reader.standing()
    assert (session["state"], session["next"]) == ("finished", [])
    assert session["previous"] == reader.tokens()[-1]
    assert reader.rate(reader.tokens()[-1], answer="synthetic").status_code == 201


@pytest.mark.parametrize("stage", ["closed", "unblinded"])
def test_nothing_is_taken_after_closing(reader, collecting, stage):
    token = reader.tokens()[0]
    unblinding.close(study=collecting, actor=collecting.owner)
    if stage == "unblinded":
        unblinding.unblind(study=collecting, actor=collecting.owner, typed_title=collecting.title)
    response = reader.rate(token)
    assert response.status_code == 409
    assert f"it is {stage}" in response.json()["detail"]
    assert reader.client.get(reverse("reading-api:presentation", args=[token])).status_code == 409
    assert reader.client.get(reverse("reading-api:slice", args=[token, 0])).status_code == 409
    assert (reader.standing()["state"], reader.standing()["next"]) == ("closed", [])
    assert RatingEvent.objects.count() == 0


def test_before_opening_a_session_does_not_exist_for_its_rater(draft, stages, cast):
    stages.draw(draft)
    stages.lock(draft)
    reader = Browser(cast.rater, draft)
    assert reader.client.get(reverse("reading-api:session", args=[reader.session.token])).status_code == 404
    assert reader.rate(reader.tokens()[0]).status_code == 404
    assert b"Nothing to read" in reader.client.get(reverse("reading:sessions")).content


NOT_RATINGS = [
    {"answer": "maybe"},
    {"answer": None},
    {"confidence": 0},
    {"confidence": 4},
    {"confidence": None},
    {"client_event_id": "1"},
    {"reading_ms": -1},
    {"counter": 0},
    {"supersedes": "the last one"},
    {"shown_at": "yesterday"},
    {"interactions": {"scrolls": -1}},
    {"interactions": {"slices": [[1]]}},
    {"interactions": {"slices": [[1, "nan"]]}},
    {"environment": {"viewport_px": [1]}},
    {"environment": {"device_pixel_ratio": "inf"}},
]


def test_what_is_not_a_rating_is_refused(reader):
    token = reader.tokens()[0]
    for change in NOT_RATINGS:
        response = reader.rate(token, **change)
        assert response.status_code == 400, (change, response.content)
        assert response.json()["refusal"]["final"], change
    assert RatingEvent.objects.count() == 0


def test_confidence_is_refused_where_none_is_asked(cast, world, stages):
    reader = Browser(cast.rater, stages.open(make_draft(cast, world, confidence_levels=0)))
    assert reader.standing()["study"]["confidence"] is None
    assert reader.rate(reader.tokens()[0], confidence=1).status_code == 400
    assert reader.rate(reader.tokens()[0], confidence=None).status_code == 201


def test_a_lost_login_is_told_apart_from_a_refusal(reader):
    url = reverse("reading-api:events", args=[reader.tokens()[0]])
    response = Client().post(url, json.dumps(rating()), content_type="application/json")
    assert response.status_code in {401, 403}
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(reader.session.rater.user)
    assert forged.post(url, json.dumps(rating()), content_type="application/json").status_code == 403
    assert RatingEvent.objects.count() == 0


def test_the_list_of_sessions_says_what_to_do_and_how_long_it_takes(reader):
    page = reader.client.get(reverse("reading:sessions")).content.decode()
    assert "Start" in page
    assert "minute" not in page  # no guess before the first answer
    for token in reader.tokens()[:2]:
        reader.rate(token, reading_ms=59_000, load_ms=1_000)
    page = shown(reader.client.get(reverse("reading:sessions")))
    assert "2 of 12 cases, about 10 minutes left at your pace" in page
    assert "Continue" in page
    last = RatingEvent.objects.get(sequence=2)
    assert f'entry 2 of the study\'s ledger, with the seal <span class="mono">{last.digest}</span>' in page


@pytest.mark.parametrize("going_back", [GoingBack.NEVER, GoingBack.LAST])
def test_a_preview_goes_back_only_where_a_reader_can(draft, stages, cast, going_back):
    stages.draw(draft)
    Study.objects.filter(pk=draft.pk).update(going_back=going_back)
    client = Client()
    client.force_login(cast.member)
    page = client.get(reverse("studies:preview", args=[draft.pk]))
    session = client.get(page.content.decode().split('data-session-url="')[1].split('"')[0]).json()
    url = reverse("reading-api:presentation", args=[session["next"][0]]) + "events/"
    answer = client.post(url, json.dumps(rating()), content_type="application/json").json()
    assert (answer["previous"] is None) == (going_back == GoingBack.NEVER)


def test_a_preview_shows_the_draft_and_stores_nothing(draft, stages, cast):
    stages.draw(draft)
    client = Client()
    client.force_login(cast.member)
    page = client.get(reverse("studies:preview", args=[draft.pk]))
    session_url = page.content.decode().split('data-session-url="')[1].split('"')[0]
    session = client.get(session_url).json()
    assert session["preview"] is True
    assert session["progress"] == {"done": 0, "total": 12}
    seen, token = [], session["next"][0]
    while token:
        url = reverse("reading-api:presentation", args=[token])
        about = client.get(url).json()
        pixels = client.get(f"{url}slices/0/")
        assert len(pixels.content) == 2 * about["rows"] * about["columns"]
        answer = client.post(f"{url}events/", json.dumps(rating()), content_type="application/json").json()
        seen.append(token)
        token = answer["next"][0] if answer["next"] else None
    assert len(seen) == len(set(seen)) == 12
    assert answer["state"] == "finished"
    assert RatingEvent.objects.count() == 0
    for stranger in (cast.rater, cast.other):
        client.force_login(stranger)
        assert client.get(session_url).status_code == 404
    client.force_login(cast.member)
    stages.lock(draft)
    assert client.get(session_url).status_code == 404  # the lock ends every preview
    assert client.get(session_url[:-2] + "x/").status_code == 404
