"""What comes around the cases: practice, the check of the display, rings that fit."""

import json
import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from readerstudy.blinding.presentation import RING_MARGIN_MM, ring_radius_mm
from readerstudy.blinding.wire import samples_of
from readerstudy.design import services as design
from readerstudy.digests import digest_of
from readerstudy.models import DisplayCheck, DisplayMode, DisplayPolicy, RatingEvent, Stimulus, Study
from readerstudy.models.asked import Asked
from readerstudy.reading import practice
from readerstudy.reading.display_check import DEMANDED, NOTED
from readerstudy.reading.sessions import study_payload
from readerstudy.report.display import display_words
from readerstudy.report.export import rating_rows
from readerstudy.simulation import add_virtual_raters, simulate
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import StudyLedger
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft

SCREEN = {"screen_px": [2560, 1440], "viewport_px": [2000, 1200], "device_pixel_ratio": 1.5, "colour_depth": 24}


def get(reader, name, *arguments):
    return reader.client.get(reverse(f"reading-api:{name}", args=arguments))


@pytest.mark.parametrize("mode", DisplayMode)
def test_a_practice_looks_as_the_study_does_and_stores_nothing(cast, world, stages, small_phantom, mode):
    study = stages.open(make_draft(cast, world, display_mode=mode, stack_slices=3))
    reader = Browser(cast.rater, study)
    assert get(reader, "session", reader.session.token).json()["practice"] is False
    page = reader.client.get(reverse("reading:practice", args=[reader.session.token])).content.decode()
    token = f"practice.{reader.session.token}"
    assert reverse("reading-api:session", args=[token]) in page
    session = get(reader, "session", token).json()
    assert (session["practice"], session["preview"], session["display_check"]) == (True, True, None)
    assert session["study"] == get(reader, "session", reader.session.token).json()["study"]
    own = get(reader, "presentation", reader.tokens()[0]).json()
    seen = set()
    for number in range(practice.CASES):
        case = session["next"][0]
        told = get(reader, "presentation", case).json()
        assert {name: told[name] for name in ("rows", "columns", "slices", "spacing_zyx_mm")} == {
            name: own[name] for name in ("rows", "columns", "slices", "spacing_zyx_mm")
        }
        assert (told["marker"] is None) == (mode == DisplayMode.PATCH)
        content = get(reader, "slice", case, told["start_slice"]).content
        pixels = samples_of(content, rows=told["rows"], columns=told["columns"])
        assert pixels.std() > 5
        seen.add((pixels.tobytes(), json.dumps(told["marker"])))
        answer = reader.rate(case)
        assert answer.status_code == 200, answer.content
        session = answer.json()
        assert session["progress"] == {"done": number + 1, "total": practice.CASES}
    assert len(seen) == practice.CASES
    assert session["state"] == "finished"
    assert not RatingEvent.objects.exists()
    assert reader.standing()["progress"]["done"] == 0


def test_a_practice_is_its_own_raters_and_has_so_many_cases(cast, collecting, small_phantom):
    reader, other = Browser(cast.rater, collecting), Browser(cast.second_rater, collecting)
    token = f"practice.{reader.session.token}"
    assert get(other, "session", token).status_code == 404
    assert get(reader, "presentation", f"{token}.{practice.CASES}").status_code == 404
    assert get(reader, "presentation", token).status_code == 404
    assert get(reader, "slice", f"{token}.0", 999).status_code == 404
    assert other.client.get(reverse("reading:practice", args=[reader.session.token])).status_code == 404


def found(*missed):
    return [
        {"ground": ground, "grey": grey, "found": (ground, grey) not in missed} for ground, grey in DEMANDED + NOTED
    ]


def check(reader, *missed, screen=SCREEN):
    url = reverse("reading-api:display-check", args=[reader.session.token])
    return reader.client.post(url, json.dumps({"steps": found(*missed), "screen": screen}), "application/json")


@pytest.mark.parametrize(("missed", "passed"), [((), True), (NOTED, True), (DEMANDED[:1], False), (DEMANDED, False)])
def test_a_display_check_is_kept_per_sitting(cast, world, stages, missed, passed):
    reader = Browser(cast.rater, stages.open(make_draft(cast, world, display_check=DisplayPolicy.ADVISE)))
    asked = get(reader, "session", reader.session.token).json()["display_check"]
    assert (asked["policy"], asked["last"]) == ("advise", None)
    answer = check(reader, *missed)
    assert (answer.status_code, answer.json()["passed"]) == (201, passed)
    kept = DisplayCheck.objects.get(session=reader.session)
    assert (kept.passed, kept.steps, kept.screen) == (passed, found(*missed), SCREEN)
    last = get(reader, "session", reader.session.token).json()["display_check"]["last"]
    assert (last["passed"], last["screen"]) == (passed, SCREEN)


def test_a_display_check_that_makes_no_sense_is_refused(cast, collecting):
    reader = Browser(cast.rater, collecting)
    assert check(reader, screen={**SCREEN, "device_pixel_ratio": "NaN"}).status_code == 400
    assert check(reader, screen={}).status_code == 400
    assert check(Browser(cast.second_rater, collecting)).status_code == 201
    assert DisplayCheck.objects.count() == 1


def test_the_server_takes_no_answer_without_the_check_that_its_study_requires(cast, world, stages):
    study = stages.open(make_draft(cast, world, display_check=DisplayPolicy.REQUIRE))
    reader, other = Browser(cast.rater, study), Browser(cast.second_rater, study)
    first, second, *_ = reader.tokens()
    event = str(uuid.uuid4())
    check(other)
    check(reader, *DEMANDED)
    refused = reader.rate(first, client_event_id=event)
    assert (refused.status_code, refused.json()["refusal"]["code"]) == (409, "display_not_checked")
    assert not refused.json()["refusal"]["final"]
    assert "check of the display" in refused.json()["detail"]
    assert not RatingEvent.objects.exists()
    check(reader, *NOTED)
    assert reader.rate(first, client_event_id=event).status_code == 201
    # what was passed once counts for the sitting, a worse one later takes nothing away
    check(reader, *DEMANDED)
    assert reader.rate(second).status_code == 201


def test_a_closed_study_says_so_before_it_asks_for_a_check(cast, world, stages):
    study = stages.open(make_draft(cast, world, display_check=DisplayPolicy.REQUIRE))
    reader = Browser(cast.rater, study)
    unblinding.close(study=study, actor=cast.owner)
    assert reader.rate(reader.tokens()[0]).json()["refusal"]["code"] == "study_not_open"


def forged(check):
    """Whether the verification sees it, while the study is read; the row is put back."""
    with transaction.atomic():
        check()
        told = verify(Study.objects.get(), with_stimuli=False).problems
        transaction.set_rollback(True)
    return any("displays differ from those in the record" in problem for problem in told)


def test_a_forged_check_is_seen_while_the_study_is_read(cast, world, stages):
    study = stages.open(make_draft(cast, world, display_check=DisplayPolicy.REQUIRE))
    reader = Browser(cast.rater, study)
    check(reader, *DEMANDED)
    checks = DisplayCheck.objects.all()
    assert verify(study, with_stimuli=False).intact
    assert forged(lambda: checks.update(passed=True))
    assert forged(lambda: checks.update(at=F("at") - timedelta(days=1)))
    assert forged(lambda: checks.update(screen={**SCREEN, "width": 1}))
    assert forged(lambda: DisplayCheck.objects.create(session=reader.session, passed=True, steps=[], screen={}))
    assert forged(checks.delete)
    entry = study.record.get(action="display checked")
    assert (entry.actor, entry.details["rater"], entry.details["passed"]) == (None, reader.session.rater.number, False)


def test_an_advised_check_is_no_condition(cast, world, stages):
    reader = Browser(cast.rater, stages.open(make_draft(cast, world, display_check=DisplayPolicy.ADVISE)))
    assert reader.rate(reader.tokens()[0]).status_code == 201


def test_virtual_raters_make_the_check_that_their_study_requires(cast, world, stages):
    study = make_draft(cast, world, display_check=DisplayPolicy.REQUIRE)
    add_virtual_raters(study=study, actor=cast.owner, count=1)
    stages.open(study)
    assert simulate(study=study, skill=0.7, seed=1, say=lambda _: None) > 0
    assert DisplayCheck.objects.get().passed


def test_the_policy_is_the_one_that_was_locked(cast, world, stages):
    study = stages.open(make_draft(cast, world, display_check=DisplayPolicy.REQUIRE))
    reader = Browser(cast.rater, study)
    Study.objects.filter(pk=study.pk).update(display_check=DisplayPolicy.OFF)
    assert get(reader, "session", reader.session.token).json()["display_check"]["policy"] == "require"
    study.refresh_from_db()
    problems = verify(study, with_stimuli=False).problems
    assert any("display_check of the study differ" in problem for problem in problems)
    # a study from before there was a check asks for none
    protocol = {name: value for name, value in study.protocol.items() if name != "display_check"}
    Study.objects.filter(pk=study.pk).update(protocol=protocol, protocol_digest=digest_of(protocol))
    assert get(reader, "session", reader.session.token).json()["display_check"] is None


@given(st.floats(0, 200), st.floats(0, 200))
def test_a_ring_runs_around_the_lesion_and_its_size_follows_from_nothing_else(one, other):
    assert ring_radius_mm(one) >= one / 2 + min(RING_MARGIN_MM, 5)
    assert (ring_radius_mm(one) - ring_radius_mm(other)) * (one - other) >= 0
    assert ring_radius_mm(one) % 5 == 0


def test_both_kinds_get_their_ring_from_the_diameter_that_the_draw_matches(cast, world, stages):
    study = stages.open(make_draft(cast, world, display_mode=DisplayMode.SLICE))
    stimuli = Stimulus.objects.filter(case__study=study).select_related("case__truth")
    assert all(one.ring_mm == ring_radius_mm(one.case.truth.diameter_mm) for one in stimuli)
    reader = Browser(cast.rater, study)
    marker = get(reader, "presentation", reader.tokens()[0]).json()["marker"]
    assert marker["radius_mm"] in {one.ring_mm for one in stimuli}
    Stimulus.objects.filter(pk=stimuli[0].pk).update(ring_mm=stimuli[0].ring_mm + 5)
    assert any("stored of the stimuli differs" in one for one in verify(study, with_stimuli=False).problems)


def test_whether_a_window_may_stay_is_the_studys_and_the_one_that_was_locked(cast, world, stages):
    draft = make_draft(cast, world)
    assert "which raters may change and keep" in display_words(draft)
    draft = design.change_design(study=draft, actor=cast.owner, window_may_stay=False)
    assert "with which every case begins" in display_words(draft)
    assert design.copy_study(study=draft, actor=cast.owner).window_may_stay is False
    study = stages.open(draft)
    reader = Browser(cast.rater, study)
    page = reader.client
    page.force_login(cast.owner)
    assert "with which every case begins" in page.get(study.get_absolute_url()).content.decode()
    Study.objects.filter(pk=study.pk).update(window_may_stay=True)
    study.refresh_from_db()
    assert study_payload(study)["display"]["window_may_stay"] is False
    assert any("window_may_stay of the study differ" in one for one in verify(study, with_stimuli=False).problems)
    # a study from before it was the study's choice leaves it to its raters
    del study.protocol["display"]["window_may_stay"]
    assert study_payload(study)["display"]["window_may_stay"] is True


def test_the_export_tells_no_time_of_a_place_where_no_ring_was(reader, collecting):
    """Browsers once wrote 0 for it; what stands in the ledger stays."""
    assert reader.rate(reader.tokens()[0], interactions={"scrolls": 0, "place_ms": 0}).status_code == 201
    assert RatingEvent.objects.get().interactions["place_ms"] == 0
    assert [row["place_ms"] for row in rating_rows(StudyLedger(collecting))] == [None]
    collecting.protocol["display"]["mode"] = "slice"
    assert [row["place_ms"] for row in rating_rows(StudyLedger(collecting))] == [0]
    find_the_place = {"name": "one_place", "settings": {}}
    collecting.protocol["task"] = find_the_place
    assert not Asked.of_protocol(collecting.protocol).ringed
