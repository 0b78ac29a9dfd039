"""What the cases were, told in the reading room: after each by keyboard alone, and all of them at the end by mouse."""

import pytest
from playwright.sync_api import Page, expect

from readerstudy.models import CaseTruth, GoingBack, TruthTold
from tests.e2e.test_reading_live import Reading
from tests.e2e.test_reading_scale import kept
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import BOUNCE_MS, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def entered(screen: Page, live_server, **settings) -> Reading:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = Reading(live_server, **settings)
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    return reading


def kind(token: str) -> str:
    truth = CaseTruth.objects.get(case__stimuli__presentations__token=token)
    return "synthetic" if truth.synthetic else "real"


def test_after_every_answer_its_case_is_told_and_enter_goes_on(screen: Page, live_server) -> None:
    reading = entered(screen, live_server, feedback="case", going_back=GoingBack.NEVER, twins_allowed=False, cases=6)
    told = screen.locator(".room-told")
    expect(told).to_be_hidden()
    for count, token in enumerate(reading.tokens, start=1):
        expect(screen.locator(".room")).to_have_attribute("data-presentation", token)
        press(screen, "1")
        expect(told).to_contain_text(f"It was {kind(token)}.")
        expect(told).to_contain_text("Right" if kind(token) == "real" else "Not right")
        expect(screen.get_by_role("button", name="Go on")).to_be_focused()
        assert TruthTold.objects.count() == count
        if count == 1:
            kept(screen, "feedback-case.png")
            assert violations(screen) == []
            # Neither another key nor the one that answers goes on, or answers the next case.
            screen.keyboard.press("2")
            screen.wait_for_timeout(BOUNCE_MS)
            expect(told).to_be_visible()
        screen.wait_for_timeout(BOUNCE_MS)
        screen.keyboard.press("Enter")
    expect(screen.locator(".room-cover")).to_contain_text("Thank you")
    assert [event.answer for event in reading.arrived(screen, 6)] == ["real"] * 6
    assert reading.intact()


def test_at_the_end_all_cases_are_told_when_the_reader_asks_and_no_answer_changes_then(
    screen: Page, live_server
) -> None:
    reading = entered(screen, live_server, feedback="end", going_back=GoingBack.ANY)
    for count in range(1, len(reading.tokens) + 1):
        press(screen, "1")
        reading.arrived(screen, count)
    expect(screen.locator(".room-cover")).to_contain_text("After that no answer can be changed")
    assert TruthTold.objects.count() == 0
    kept(screen, "feedback-offered.png")
    screen.get_by_role("button", name="Show what the cases were").click()
    rows = screen.locator(".room-told-all tbody tr")
    expect(rows).to_have_count(len(reading.tokens))
    for row, token in zip(rows.all(), reading.tokens, strict=True):
        expect(row).to_contain_text(f"It was {kind(token)}.")
    expect(screen.locator(".room-cover")).to_contain_text("6 of 12 answers were right.")
    kept(screen, "feedback-all.png")
    assert violations(screen) == []
    expect(screen.get_by_role("button", name="Previous case")).to_be_disabled()
    assert TruthTold.objects.count() == len(reading.tokens)
    assert reading.intact()
