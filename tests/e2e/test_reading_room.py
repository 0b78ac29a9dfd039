"""Around the cases: own keys, the check of the display, practice."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Console, until
from tests.e2e.harness import FakeReading, FixtureServer
from tests.e2e.test_viewer_reading import READY, arrived, cases, enter, press, shown

pytestmark = pytest.mark.browser

STEPS = [{"ground": 0, "grey": 13}, {"ground": 255, "grey": 242}]


def asked(policy: str) -> dict[str, object]:
    return {"policy": policy, "steps": STEPS, "last": None}


@pytest.fixture
def reading(fixtures: FixtureServer) -> FakeReading:
    reading = FakeReading(cases(6), confidence=True)
    reading.register(fixtures)
    return reading


def open_keys(page: Page) -> None:
    page.get_by_text("Keys and mouse").click()


def change(page: Page, name: str, key: str) -> None:
    row = page.locator(".room-keys dt", has=page.locator(f"xpath=following-sibling::dd[1][text()='{name}']"))
    row.get_by_role("button").click()
    page.keyboard.press(key)


def test_own_keys_are_kept_and_a_taken_one_is_refused(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    enter(screen, fixtures)
    open_keys(screen)
    news = screen.locator(".room-keys-news")
    change(screen, "first answer", "2")
    expect(news).to_contain_text("This key is for “second answer”")
    screen.keyboard.press("a")
    expect(news).to_have_text("A is now for “first answer”.")
    expect(screen.get_by_role("button", name="A Real")).to_be_visible()
    screen.reload()
    screen.wait_for_selector(READY)
    press(screen, "a", "1")
    arrived(screen, reading, 1)
    assert (reading.events[0]["answer"], reading.events[0]["confidence"]) == ("real", 1)
    shown(screen)
    open_keys(screen)
    screen.get_by_role("button", name="As at first").click()
    expect(screen.get_by_role("button", name="1 Real")).to_be_visible()


def test_keys_for_a_mouse_in_the_left_hand(screen: Page, fixtures: FixtureServer, reading: FakeReading) -> None:
    enter(screen, fixtures)
    open_keys(screen)
    screen.get_by_role("button", name="Mouse left").click()
    screen.get_by_label("Left button").select_option("Move")
    expect(screen.get_by_role("button", name="Drag: Move Y")).to_be_visible()
    screen.locator(".view").focus()
    press(screen, "0", "7")
    arrived(screen, reading, 1)
    assert (reading.events[0]["answer"], reading.events[0]["confidence"]) == ("synthetic", 3)
    screen.reload()
    screen.wait_for_selector(READY)
    expect(screen.get_by_role("button", name="Drag: Move Y")).to_be_visible()


WRITTEN = """
  window.written = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.written.push(text);
    return write.call(this, text, ...rest);
  };
"""


def test_full_screen_a_length_and_the_value_under_the_pointer(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    screen.add_init_script(WRITTEN)
    enter(screen, fixtures)
    for full in ("!== null", "=== null"):
        press(screen, "f")
        until(screen, f"document.fullscreenElement {full}")
    box = screen.locator(".room .view").bounding_box()
    assert box
    _, rows, columns = reading.images[0].shape
    px_per_mm = min(box["width"] / columns, box["height"] / rows) / 0.8
    x, y = box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 + 2
    screen.mouse.move(x, y)
    value = reading.images[0][0, rows // 2, columns // 2]
    expect(screen.locator(".room .pane-readout")).to_have_text(f"{value} HU")
    for _ in range(3):  # by way of moving and zooming
        press(screen, "t")
    expect(screen.get_by_role("button", name="Drag: Length T")).to_be_visible()
    screen.mouse.down()
    screen.mouse.move(x + 120, y, steps=3)
    screen.mouse.up()
    length = "window.written.findLast((text) => /^[0-9]+[.][0-9] mm$/.test(text))"
    until(screen, f"parseFloat({length}) > {119 / px_per_mm} && parseFloat({length}) < {121 / px_per_mm}")
    press(screen, "1", "2")
    arrived(screen, reading, 1)
    done = reading.events[0]["interactions"]
    assert done["windowings"] == 0
    # Without a ring no place is marked whose time could be told.
    assert "place_ms" not in done


def find_the_square(page: Page, *, right: bool = True) -> None:
    square = page.locator(".check-square")
    square.wait_for()
    corner = int(square.get_attribute("data-corner") or "0")
    page.keyboard.press(str((corner if right else (corner + 1) % 4) + 1))


def test_a_required_display_check_comes_before_the_first_case(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    reading.display_check = asked("require")
    screen.goto(f"{fixtures.url}/read/")
    expect(screen.get_by_role("button", name="Check this screen")).to_be_visible()
    expect(screen.get_by_role("button", name="Skip it")).to_be_hidden()
    for right in (False, True):
        screen.get_by_role("button", name="Check this screen").click()
        for number in range(len(STEPS)):
            before = screen.locator(".check-field").get_attribute("style")
            find_the_square(screen, right=right)
            if number + 1 < len(STEPS):
                expect(screen.locator(".check-field")).not_to_have_attribute("style", before or "")
        if not right:
            expect(screen.get_by_role("heading", name="Some of the squares were not found")).to_be_visible()
    screen.wait_for_selector(READY)
    assert [[step["found"] for step in check["steps"]] for check in reading.display_checks] == [[False] * 2, [True] * 2]
    told = reading.display_checks[1]["screen"]
    assert (told["viewport_px"], told["device_pixel_ratio"]) == ([1280, 800], 1)
    # it counts for this screen when the page is opened again
    reading.display_check = {**asked("require"), "last": {"at": "2026-05-03T10:00:00Z", "passed": True, "screen": told}}
    screen.reload()
    screen.wait_for_selector(READY)


def test_the_check_comes_when_the_server_asks_for_it_and_no_answer_is_lost(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("409")
    screen.goto(f"{fixtures.url}/read/")
    screen.wait_for_selector(READY)
    reading.check_first, reading.display_check = True, asked("require")
    press(screen, "2", "3")
    screen.get_by_role("button", name="Check this screen").click()
    for number in range(len(STEPS)):
        before = screen.locator(".check-field").get_attribute("style")
        find_the_square(screen)
        if number + 1 < len(STEPS):
            expect(screen.locator(".check-field")).not_to_have_attribute("style", before or "")
    arrived(screen, reading, 1)
    screen.wait_for_selector(READY)
    assert (reading.events[0]["answer"], reading.events[0]["confidence"]) == ("synthetic", 3)
    expect(screen.locator(".room-banner")).to_be_hidden()


def test_an_advised_display_check_may_be_skipped(screen: Page, fixtures: FixtureServer, reading: FakeReading) -> None:
    reading.display_check = asked("advise")
    screen.goto(f"{fixtures.url}/read/")
    screen.get_by_role("button", name="Skip it").click()
    screen.wait_for_selector(READY)
    assert reading.display_checks == []


def test_a_practice_explains_the_keys_and_leads_to_the_reading(
    screen: Page, fixtures: FixtureServer, console: Console
) -> None:
    reading = FakeReading(cases(2), confidence=True, preview=True, practice=True)
    reading.register(fixtures)
    screen.goto(f"{fixtures.url}/read/")
    expect(screen.get_by_text("the answer “Real”")).to_be_visible()
    expect(screen.get_by_text("after the answer, how sure you are: “Guess”")).to_be_visible()
    screen.keyboard.press("Enter")
    for _ in range(2):
        press(screen, "1", "2")
        until(screen, "document.querySelector('.room').dataset.state !== 'busy'")
    expect(screen.get_by_role("heading", name="That was the practice")).to_be_visible()
    expect(screen.get_by_role("link", name="To the reading")).to_be_visible()
    expect(screen.locator(".room-saved")).to_have_text("Practice: nothing is stored")
