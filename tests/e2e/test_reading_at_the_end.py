"""The question at the end in the reading room: asked once, with the last case, and as safe offline as any answer."""

import pytest
from playwright.sync_api import Page, expect

from readerstudy.models import RatingEvent
from readerstudy.tasks.ending import AT_THE_END
from tests.e2e.conftest import Console
from tests.e2e.test_reading_live import Reading
from tests.e2e.test_reading_scale import kept
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import BOUNCE_MS, EVENTS, press, stored

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUESTION = "Was anything unusual about these pictures?"


def up_to_the_last(screen: Page, live_server, **settings) -> Reading:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = Reading(live_server, end_question=QUESTION, **settings)
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    for count in range(1, len(reading.tokens)):
        press(screen, "1")
        expect(screen.locator(".room-further")).to_be_hidden()
        reading.arrived(screen, count)
    return reading


def go_on(screen: Page) -> None:
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("Control+Enter")


def test_it_is_asked_after_the_last_case_and_stands_there_again_when_that_is_changed(screen: Page, live_server) -> None:
    reading = up_to_the_last(screen, live_server)
    further = screen.locator(".room-further")
    press(screen, "1")
    expect(further).to_contain_text("At the end of this reading")
    expect(further).to_contain_text(QUESTION)
    expect(screen.get_by_label(QUESTION).last).to_be_focused()
    kept(screen, "at-the-end.png")
    assert violations(screen) == []
    # one step back to look again, and forward: what was written stands there
    screen.keyboard.type("rims, ")
    screen.keyboard.press("Escape")
    expect(further).to_be_hidden()
    press(screen, "2")
    expect(screen.locator(".room-words")).to_have_value("rims, ")
    screen.keyboard.press("End")
    screen.keyboard.type("1 or 2")
    assert RatingEvent.objects.count() == len(reading.tokens) - 1
    go_on(screen)
    *_, last = reading.arrived(screen, len(reading.tokens))
    assert (last.answer, last.further) == ("synthetic", {AT_THE_END: "rims, 1 or 2"})
    assert last.presentation.token == reading.tokens[-1]
    expect(screen.locator('.room[data-state="finished"]')).to_be_visible()
    screen.get_by_role("button", name="Previous case").click()
    press(screen, "1")
    expect(screen.locator(".room-words")).to_have_value("rims, 1 or 2")
    go_on(screen)
    *_, changed = reading.arrived(screen, len(reading.tokens) + 1)
    assert (changed.answer, changed.further, changed.supersedes) == ("real", {AT_THE_END: "rims, 1 or 2"}, last)
    assert reading.intact()


def test_without_a_connection_the_words_are_kept_and_arrive_once(screen: Page, live_server, console: Console) -> None:
    console.allow("ERR_FAILED")
    reading = up_to_the_last(screen, live_server)
    screen.route(EVENTS, lambda route: route.abort())
    press(screen, "1")
    screen.keyboard.type("rims")
    go_on(screen)
    expect(screen.locator(".room-saved")).to_contain_text("1 answer")
    assert stored(screen) == 1
    screen.unroute(EVENTS)
    # Whoever comes back to the page later finds nothing lost, and is asked nothing again.
    screen.reload()
    *_, last = reading.arrived(screen, len(reading.tokens))
    assert last.further == {AT_THE_END: "rims"}
    expect(screen.locator('.room[data-state="finished"]')).to_be_visible()
    assert stored(screen) == 0
    assert RatingEvent.objects.count() == len(reading.tokens)
    assert reading.intact()


def test_the_time_of_writing_is_no_time_of_reading(screen: Page, live_server) -> None:
    reading = up_to_the_last(screen, live_server)
    # Before the question is asked: when it is seen here, it has been there for a while.
    asked_ms = screen.evaluate("performance.now()")
    press(screen, "1")
    expect(screen.locator(".room-words")).to_be_focused()
    screen.keyboard.type("rims and rims and rims", delay=20)
    go_on(screen)
    *_, last = reading.arrived(screen, len(reading.tokens))
    written_ms = screen.evaluate("performance.now()") - asked_ms
    assert 400 < last.idle_ms <= written_ms
