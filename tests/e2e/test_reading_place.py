"""One marked place in the reading room, by mouse and by keys, against the real server."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from readerstudy.blinding.lattice import Lattice
from readerstudy.models import RatingEvent
from tests.e2e.conftest import eventually
from tests.e2e.test_reading_live import Reading
from tests.e2e.test_reading_scale import kept
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import BOUNCE_MS, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROWS, SLICES = 52, 5
MARK, WORDS = ".room-mark", ".room-mark-words"


@pytest.fixture
def reading(live_server, screen: Page) -> Reading:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = Reading(
        live_server, task_name="one_place", confidence_levels=3, display_mode="stack", stack_slices=SLICES
    )
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    return reading


def standing(page: Page) -> list[int] | None:
    """What the room says is marked: slice, row, column."""
    said = page.get_attribute(MARK, "data-mark") or ""
    return [int(part) for part in said.split(",")] if said else None


def click(page: Page, across: float, down: float) -> None:
    """At so much of the way through the picture."""
    box = page.locator(".view").bounding_box()
    assert box
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def lit(page: Page) -> int:
    """Pixels in the colour of the mark."""
    return page.evaluate(
        """() => {
          const canvas = document.querySelector('.view-drawing');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let lit = 0;
          for (let i = 0; i < data.length; i += 4)
            if (data[i] === 255 && data[i + 1] === 213 && data[i + 2] === 74) lit += 1;
          return lit;
        }"""
    )


def drawn(page: Page, *, some: bool) -> None:
    eventually(page, lambda: lit(page), lambda pixels: (pixels > 20) == some)


def in_patient(event: RatingEvent) -> np.ndarray:
    lattice = Lattice.from_json(event.presentation.stimulus.lattice)
    return lattice.to_patient([event.mark["slice"], event.mark["row"], event.mark["column"]])


def test_a_click_marks_and_the_answer_goes_with_it(screen: Page, reading: Reading) -> None:
    expect(screen.locator(WORDS)).to_contain_text("Mark the place")
    assert "the ring" not in (screen.locator(".room").text_content() or "")
    assert violations(screen) == []
    # without a mark the answer is not taken, and the reader is told
    press(screen, "2")
    expect(screen.locator(MARK)).to_have_attribute("data-missing", "")
    assert screen.get_attribute(".room", "data-state") == "reading"
    kept(screen, "place-missing.png")
    click(screen, 0.5, 0.25)
    expect(screen.locator(WORDS)).to_have_text("A place is marked on slice 3.")
    marked = standing(screen)
    assert marked is not None
    assert (marked[0], abs(marked[1] - ROWS / 4) <= 1, abs(marked[2] - ROWS / 2) <= 1) == (2, True, True)
    drawn(screen, some=True)
    kept(screen, "place-marked.png")
    assert violations(screen) == []
    # on another slice there is no cross; a drag is the tool's and marks nothing
    screen.keyboard.press("ArrowDown")
    drawn(screen, some=False)
    box = screen.locator(".view").bounding_box()
    assert box
    screen.mouse.move(box["x"] + 200, box["y"] + 200)
    screen.mouse.down()
    screen.mouse.move(box["x"] + 260, box["y"] + 240, steps=4)
    screen.mouse.up()
    assert standing(screen) == marked
    press(screen, "2", "3")
    (event,) = reading.arrived(screen, 1)
    assert (event.answer, event.confidence) == ("synthetic", 3)
    assert [event.mark[axis] for axis in ("slice", "row", "column")] == marked
    assert event.mark_lps_mm == pytest.approx(in_patient(event), abs=0.006)
    # the next case begins without one, and nothing says whether the last was right
    assert standing(screen) is None
    drawn(screen, some=False)
    assert reading.intact()


def test_keys_alone_mark_move_clear_and_answer(screen: Page, reading: Reading) -> None:
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("Enter")
    expect(screen.locator(WORDS)).to_contain_text("Arrows move the cross")
    drawn(screen, some=True)
    kept(screen, "place-cross.png")
    assert violations(screen) == []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Shift+ArrowUp"):
        screen.keyboard.press(key)
    assert standing(screen) is None
    screen.keyboard.press("PageDown")
    screen.keyboard.press("Enter")
    assert standing(screen) == [4, 26 + 2 - 10, 26 + 1]
    # arrows scroll again
    screen.keyboard.press("ArrowUp")
    drawn(screen, some=False)
    screen.keyboard.press("ArrowDown")
    drawn(screen, some=True)
    # Esc leaves what stood; Delete takes it away
    screen.keyboard.press("Enter")
    screen.keyboard.press("ArrowLeft")
    screen.keyboard.press("Escape")
    assert standing(screen) == [4, 18, 27]
    screen.keyboard.press("Delete")
    assert standing(screen) is None
    screen.keyboard.press("Enter")
    screen.keyboard.press("Enter")
    assert standing(screen) == [4, 26, 26]
    press(screen, "2")
    expect(screen.locator(".room-levels")).to_be_visible()
    # while asked how sure: what the answer needs stays
    screen.keyboard.press("Delete")
    assert standing(screen) == [4, 26, 26]
    press_now(screen, "2")
    (event,) = reading.arrived(screen, 1)
    assert (event.mark, event.confidence) == ({"slice": 4, "row": 26, "column": 26}, 2)
    # back at the case the mark stands where it was, and may be moved
    press(screen, "z")
    expect(screen.locator(".room-banner")).to_contain_text("your answer was Synthetic")
    assert standing(screen) == [4, 26, 26]
    screen.wait_for_timeout(BOUNCE_MS)
    screen.keyboard.press("PageDown")
    screen.keyboard.press("Enter")
    screen.keyboard.press("ArrowRight")
    screen.keyboard.press("Enter")
    press(screen, "2")
    press_now(screen, "3")
    *_, last = reading.arrived(screen, 2)
    assert (last.mark["column"], last.supersedes) == (27, event)
    # a real case needs no mark
    press(screen, "1")
    press_now(screen, "1")
    *_, real = reading.arrived(screen, 3)
    assert (real.answer, real.mark, real.mark_lps_mm) == ("real", None, None)
    assert reading.intact()


def press_now(page: Page, key: str) -> None:
    page.wait_for_timeout(BOUNCE_MS)
    page.keyboard.press(key)
