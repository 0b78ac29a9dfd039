"""Any number of marked places in the reading room, by mouse and by keys, against the real server."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from readerstudy.blinding.lattice import Lattice
from tests.e2e.test_reading_live import Reading
from tests.e2e.test_reading_place import click, drawn
from tests.e2e.test_reading_scale import kept
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import BOUNCE_MS, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SLICES = 5
MARKS, WORDS, PLACES, CHOICES = ".room-mark", ".room-mark-words", ".room-place", ".room-choice:visible"


@pytest.fixture
def reading(live_server, screen: Page) -> Reading:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = Reading(
        live_server, task_name="any_places", confidence_levels=3, display_mode="stack", stack_slices=SLICES
    )
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    return reading


def standing(page: Page) -> list[list[int | None]]:
    """Slice, row, column, confidence and reason of every mark, as the room says."""
    said = page.get_attribute(MARKS, "data-marks") or ""
    return [[int(part) if part else None for part in mark.split(",")] for mark in said.split(";") if mark]


def key(page: Page, *names: str) -> None:
    """Each press as one of its own, not a key that bounces."""
    for name in names:
        page.wait_for_timeout(BOUNCE_MS)
        page.keyboard.press(name)


def test_places_are_marked_judged_changed_and_answered(screen: Page, reading: Reading) -> None:
    expect(screen.locator(WORDS)).to_contain_text("Mark every place")
    assert violations(screen) == []
    kept(screen, "places-none.png")
    # the answer that needs marks is not taken without, and the reader is told
    press(screen, "2")
    expect(screen.locator(MARKS)).to_have_attribute("data-missing", "")
    expect(screen.locator(WORDS)).to_contain_text("Mark a place first")
    # a click marks, and asks how sure, then why: digits answer, and mean no answer to the case meanwhile
    click(screen, 0.5, 0.25)
    expect(screen.locator(WORDS)).to_have_text("Place 1: how sure are you?")
    expect(screen.locator(CHOICES)).to_have_count(3)
    assert violations(screen) == []
    kept(screen, "places-how-sure.png")
    key(screen, "2")
    expect(screen.locator(WORDS)).to_have_text("Place 1: why?")
    expect(screen.locator(CHOICES)).to_have_count(6)
    kept(screen, "places-why.png")
    # left half said: instead of an answer the reader is asked for the rest
    key(screen, "Escape", "Escape")
    assert [mark[3:] for mark in standing(screen)] == [[2, None]]
    screen.get_by_role("button", name="Everything is marked").click()
    expect(screen.locator(MARKS)).to_have_attribute("data-missing", "")
    expect(screen.locator(WORDS)).to_have_text("Place 1: why?")
    key(screen, "4")
    expect(screen.locator(WORDS)).to_have_text("One place is marked.")
    drawn(screen, some=True)
    # another one by keys alone, two slices on
    key(screen, "ArrowDown", "Enter", "Shift+ArrowDown", "ArrowLeft", "Enter")
    expect(screen.locator(WORDS)).to_have_text("Place 2: how sure are you?")
    # Esc before anything is said takes it away again
    key(screen, "Escape")
    assert len(standing(screen)) == 1
    key(screen, "Enter", "Enter", "3", "1")
    first, second = standing(screen)
    assert (first[0], first[3:], second[0], second[3:]) == (2, [2, 4], 3, [3, 1])
    kept(screen, "places-two.png")
    assert violations(screen) == []
    # with marks there is something to mark
    key(screen, "1")
    expect(screen.locator(WORDS)).to_contain_text("Places are marked: remove them first")
    assert screen.get_attribute(".room", "data-state") == "reading"
    # a mark is chosen by a key, seen, moved, judged anew
    key(screen, "End")
    drawn(screen, some=True)
    key(screen, "Enter", "ArrowRight", "ArrowRight", "ArrowRight", "Enter", "1", "2")
    changed, _ = standing(screen)
    assert (changed[:2], changed[2], changed[3:]) == (first[:2], first[2] + 3, [1, 2])
    # a third one by mouse, and away by its row and a key
    click(screen, 0.2, 0.7)
    key(screen, "1", "6")
    expect(screen.locator(PLACES)).to_have_count(3)
    screen.locator(PLACES).nth(2).click()
    key(screen, "Delete")
    assert standing(screen) == [changed, second]
    key(screen, "2")
    (event,) = reading.arrived(screen, 1)
    names = ("slice", "row", "column", "confidence", "reason")
    assert [[mark[name] for name in names] for mark in event.marks] == [changed, second]
    assert (event.answer, event.confidence, event.mark) == ("synthetic", 3, None)
    lattice = Lattice.from_json(event.presentation.stimulus.lattice)
    places = [lattice.to_patient(mark[:3]) for mark in (changed, second)]
    assert np.allclose(event.marks_lps_mm, places, atol=0.006)
    # the next case begins without; nothing to mark is an answer
    expect(screen.locator(PLACES)).to_have_count(0)
    drawn(screen, some=False)
    press(screen, "1")
    *_, nothing = reading.arrived(screen, 2)
    assert (nothing.answer, nothing.marks, nothing.confidence) == ("real", [], None)
    # back at it, a mark is set after all, and takes the place of the first answer
    press(screen, "z")
    expect(screen.locator(".room-banner")).to_contain_text("your answer was Nothing to mark")
    click(screen, 0.4, 0.4)
    key(screen, "3", "3", "2")
    *_, after = reading.arrived(screen, 3)
    assert (after.supersedes, len(after.marks), after.confidence) == (nothing, 1, 3)
    press(screen, "z")
    expect(screen.locator(PLACES)).to_have_count(1)
    assert reading.intact()
