"""Scales in the reading room, by keyboard, against the real server: levels with keys, and numbers that are typed."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from readerstudy.models import RatingEvent
from tests.e2e.test_reading_live import Reading
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import BOUNCE_MS, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def scale(live_server, page: Page, **settings) -> Reading:
    reading = Reading(live_server, task_name="scale", task_settings=settings)
    log_in_as(page, live_server, reading.cast.rater)
    reading.enter(page)
    return reading


def given(events: list[RatingEvent]) -> list[tuple[str, int | None]]:
    return [(event.answer, event.level) for event in events]


def kept(page: Page, name: str) -> None:
    """For people who want to look at the room."""
    if folder := os.environ.get("CT_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / name)


def test_ten_levels_and_cannot_tell_have_a_key_each(screen: Page, live_server) -> None:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = scale(live_server, screen, levels=10, cannot_tell=True)
    expect(screen.get_by_role("button", name="1 Surely real")).to_be_in_viewport(ratio=1)
    expect(screen.get_by_role("button", name="Cannot tell")).to_be_in_viewport(ratio=1)
    kept(screen, "scale-levels.png")
    assert violations(screen) == []
    press(screen, "4")
    press(screen, "0")
    press(screen, "c")
    assert given(reading.arrived(screen, 3)) == [("level", 4), ("level", 10), ("cannot_tell", None)]
    press(screen, "z")
    expect(screen.locator(".room-banner")).to_contain_text("your answer was Cannot tell")
    press(screen, "7")
    *_, last = reading.arrived(screen, 4)
    assert (last.level, last.supersedes.answer) == (7, "cannot_tell")
    assert reading.intact()


def test_a_number_is_typed_or_stepped_and_given_with_enter(screen: Page, live_server) -> None:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = scale(live_server, screen, levels=101, labels=["Not at all", "Completely"])
    number = screen.locator(".room-number")
    expect(number).to_have_text("–")
    press(screen, "Enter")
    screen.keyboard.type("427")
    expect(number).to_have_text("7")
    screen.keyboard.press("Backspace")
    expect(number).to_have_text("–")
    screen.keyboard.type("73")
    screen.keyboard.press("ArrowLeft")
    expect(number).to_have_text("72")
    kept(screen, "scale-number.png")
    assert violations(screen) == []
    press(screen, "Enter")
    reading.arrived(screen, 1)
    expect(number).to_have_text("–")
    press(screen, "ArrowRight", "Enter")
    reading.arrived(screen, 2)
    # with the mouse: the middle of the slider, and the button
    expect(number).to_have_text("–")
    press(screen)  # nothing yet: the dash stands before the case does
    screen.get_by_role("slider").click()
    screen.get_by_role("button", name="Give this answer").click()
    first, second, third = given(reading.arrived(screen, 3))
    assert (first, second, third[0]) == (("level", 72), ("level", 50), "level")
    assert abs((third[1] or 0) - 50) <= 1
    press(screen, "z")
    expect(screen.locator(".room-banner")).to_contain_text(f"your answer was {third[1]}")
    assert reading.intact()


FURTHER = [
    {"kind": "grade", "name": "quality", "question": "How good is the picture?", "options": ["Poor", "Fair", "Good"]},
    {"kind": "number", "name": "visible", "question": "How well is the lesion seen?"},
    {"kind": "text", "name": "remark", "question": "Anything odd?"},
]


def test_further_questions_open_after_the_answer_one_by_one(screen: Page, live_server) -> None:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = Reading(live_server, confidence_levels=3, further_questions=FURTHER)
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    further = screen.locator(".room-further")
    expect(further).to_be_hidden()
    press(screen, "2", "3")
    expect(further).to_contain_text("How good is the picture?")
    expect(screen.get_by_role("button", name="Synthetic")).to_be_hidden()
    kept(screen, "further-grade.png")
    assert violations(screen) == []
    # back to the first answer, and forward again
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("Escape")
    press(screen, "1", "3")
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("2")
    expect(further).to_contain_text("How well is the lesion seen?")
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("z")
    expect(further).to_contain_text("How good is the picture?")
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("3")
    screen.keyboard.type("63")
    screen.keyboard.press("ArrowRight")
    screen.keyboard.press("Enter")
    expect(further).to_contain_text("Anything odd?")
    kept(screen, "further-words.png")
    assert violations(screen) == []
    screen.keyboard.type("a seam, 1 mm")
    assert RatingEvent.objects.count() == 0
    screen.keyboard.press("Control+Enter")
    (event,) = reading.arrived(screen, 1)
    assert (event.answer, event.confidence) == ("real", 3)
    assert event.further == {"quality": 3, "visible": 64, "remark": "a seam, 1 mm"}
    expect(further).to_be_hidden()
    assert reading.intact()
