"""Three studies in a chain, and what happens between the look at the earlier one and the entry into the later one."""

import pytest
from django.urls import reverse
from django.utils import timezone

from ctplatform.errors import ConflictError
from readerstudy.reading import phases
from readerstudy.reading.phases import begin
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import StudyLedger
from readerstudy.unblinding.unusual import unusual_arrivals
from readerstudy.verification import verify
from tests.readerstudy.chains import GAP_DAYS, opened_phase, refused_everywhere
from tests.readerstudy.worlds import Browser


def test_a_chain_of_three_is_read_in_its_order(cast, world, stages, collecting, second, days_later):
    third = opened_phase(cast, world, stages, second, least_gap_days=0)
    browsers = [Browser(cast.rater, study) for study in (collecting, second, third)]
    refused_everywhere(browsers[2])
    browsers[0].rate_all()
    days_later(GAP_DAYS + 0.01)
    refused_everywhere(browsers[2])
    browsers[1].standing()
    browsers[1].rate_all()
    assert browsers[2].client.get(reverse("reading:room", args=[browsers[2].session.token])).status_code == 200
    assert verify(third).problems == []
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.close(study=second, actor=cast.owner)
    for study in (collecting, second):
        with pytest.raises(ConflictError, match="Close “Second” first") as refusal:
            unblinding.unblind(study=study, actor=cast.owner, typed_title=study.asked.title)
        assert refusal.value.code == "phase_open"
    unblinding.close(study=third, actor=cast.owner)
    for study in (collecting, second, third):
        unblinding.unblind(study=study, actor=cast.owner, typed_title=study.asked.title)


def test_an_ended_study_in_between_is_no_way_around_an_unfinished_one(cast, world, stages, collecting, second):
    third = opened_phase(cast, world, stages, second, least_gap_days=0)
    unblinding.close(study=second, actor=cast.owner)
    browser = Browser(cast.rater, third)
    refused_everywhere(browser)
    titles = [row["title"] for row in browser.client.get(reverse("reading-api:sessions")).json()]
    assert titles == ["What follows “Second”", "What follows “Trial”", "Trial"]


def test_answers_of_the_first_stand_when_the_third_was_begun_and_the_second_ended_unread(
    cast, world, stages, collecting, second, days_later
):
    third = opened_phase(cast, world, stages, second, least_gap_days=0)
    first = Browser(cast.rater, collecting)
    first.rate_all()
    unblinding.close(study=second, actor=cast.owner)
    last = first.tokens()[-1]
    assert first.rate(last, answer="synthetic").status_code == 201
    days_later(GAP_DAYS + 0.01)
    assert Browser(cast.rater, third).standing()["state"] == "open"
    response = first.rate(last, answer="real")
    assert (response.status_code, response.json()["refusal"]["code"]) == (409, "answer_stands")


def test_a_study_that_is_opened_again_while_a_rater_goes_on_to_the_next_keeps_the_rater(
    cast, collecting, second, days_later, monkeypatch
):
    browser = Browser(cast.rater, second)
    earlier = Browser(cast.rater, collecting)
    for token in earlier.tokens()[:-1]:
        assert earlier.rate(token).status_code == 201
    unblinding.close(study=collecting, actor=cast.owner)
    days_later(GAP_DAYS + 0.01)
    hold = phases.held_with_phases

    def after_the_reopening(study):
        """Whoever held the rows first had opened the earlier study again."""
        unblinding.reopen(study=collecting, actor=cast.owner, reason="Too early")
        return hold(study)

    monkeypatch.setattr(phases, "held_with_phases", after_the_reopening)
    with pytest.raises(ConflictError, match="isn't open to you yet"):
        begin(browser.session)
    browser.session.refresh_from_db()
    assert browser.session.begun_at is None
    # The refusal took the reopening back with it, for here both were one transaction.
    monkeypatch.setattr(phases, "held_with_phases", hold)
    begin(browser.session)
    with pytest.raises(ConflictError, match="Raters have begun “Second”"):
        unblinding.reopen(study=collecting, actor=cast.owner, reason="Again")


def test_first_answers_that_arrive_after_the_next_study_was_begun_are_told(cast, collecting, second):
    given = dict.fromkeys(("shown_at", "answered_at"), timezone.now().isoformat())
    earlier = Browser(cast.rater, collecting)
    other = Browser(cast.second_rater, collecting)
    unblinding.close(study=collecting, actor=cast.owner)
    # Without an answer there is nothing to forget, so no days need pass.
    assert Browser(cast.rater, second).standing()["state"] == "open"
    for browser in (earlier, other):
        assert browser.rate(browser.tokens()[0], **given).status_code == 201
    flags = [set(event.flags) & {"after_close", "after_next_begun"} for event in collecting.events.order_by("sequence")]
    assert flags == [{"after_close", "after_next_begun"}, {"after_close"}]
    collecting.refresh_from_db()
    told = unusual_arrivals(StudyLedger(collecting))
    assert any("after the next one was begun (rater 1" in sentence for sentence in told)
