"""The reading room when something else is in the way: other tabs, logins, computers and pages, storage, small screens."""

import time

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e.conftest import Console, until
from tests.e2e.harness import FakeReading, FixtureServer, Reply, as_json
from tests.e2e.test_viewer_reading import CLOCK, EVENTS, READY, arrived, bounce, cases, cut, enter, press, shown, stored

pytestmark = pytest.mark.browser

SLICES = r"/api/reading/presentations/([\w-]+)/slices/(\d+)/"
LOCK = "Are you still Dr Test?"


@pytest.fixture
def reading(fixtures: FixtureServer) -> FakeReading:
    reading = FakeReading(cases(5))
    reading.register(fixtures)
    return reading


@pytest.mark.parametrize("status", [400, 404, 405, 413, 451])
def test_a_proxys_page_ends_no_answer(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console, status: int
) -> None:
    console.allow(str(status))
    enter(screen, fixtures)
    screen.route(EVENTS, lambda route: route.fulfill(status=status, body="<html>blocked</html>"))
    press(screen, "1")
    saved = screen.locator(".room-saved")
    expect(saved).to_have_text("Something else answers in place of the server: 1 answer is kept here")
    screen.unroute(EVENTS)
    screen.evaluate("window.dispatchEvent(new Event('online'))")  # otherwise the next try is some seconds away
    arrived(screen, reading, 1)
    expect(saved).to_have_text("All answers saved")


def test_another_login_in_this_browser_neither_sends_nor_ends_the_first_ones_answers(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("404")
    enter(screen, fixtures)
    expect(screen.locator(".room-reader")).to_have_text("Dr Test")
    somebody_else = as_json({"detail": "No Presentation matches the given query."}, 404)
    screen.route(EVENTS, lambda route: route.fulfill(status=404, body=somebody_else.body))
    press(screen, "1")
    banner = screen.locator(".room-banner")
    expect(banner).to_contain_text("Somebody else is logged in in this browser, or this reading is not Dr Test's.")
    expect(screen.locator(".room-saved")).to_contain_text("Another login: 1 answer is kept here")
    # the other person's room has another key: it can't read what waits, and leaves it alone
    other = FakeReading(cases(2), reader="Dr Other", drawer_key="11" * 32)
    fixtures.add("GET", r"/api/reading/sessions/s1/", other._session)
    fixtures.add("GET", r"/api/reading/presentations/([\w-]+)/", other._presentation)
    fixtures.add("GET", SLICES, other._slice)
    screen.on("dialog", lambda dialog: dialog.accept())
    screen.reload()
    screen.wait_for_selector(READY)
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    assert stored(screen) == 1
    assert reading.events == []
    # and the first one is back
    reading.register(fixtures)
    screen.unroute(EVENTS)
    screen.reload()
    arrived(screen, reading, 1)
    assert shown(screen) == reading.tokens[1]
    assert stored(screen) == 0


def test_a_second_tab_reads_and_the_first_is_told(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, context: BrowserContext
) -> None:
    enter(screen, fixtures)
    press(screen, "1")
    arrived(screen, reading, 1)
    screen.wait_for_timeout(500)
    second = context.new_page()
    enter(second, fixtures)
    told = screen.get_by_role("heading", name="This reading is open in another tab")
    expect(told).to_be_visible()
    expect(screen.locator(".room-banner")).to_contain_text("open in another tab")
    screen.keyboard.press("1")
    press(second, "2")
    arrived(second, reading, 2)
    screen.get_by_role("button", name="Read here instead").click()
    assert shown(screen) == reading.tokens[2]
    expect(second.get_by_role("heading", name="This reading is open in another tab")).to_be_visible()
    press(screen, "1")
    arrived(screen, reading, 3)
    screen.close()
    assert shown(second) == reading.tokens[3]
    assert [event["answer"] for event in reading.events] == ["real", "synthetic", "real"]


def test_two_computers_and_the_reader_says_which_answer_counts(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console, browser
) -> None:
    console.allow("409")
    console.allow("ERR_FAILED")
    enter(screen, fixtures)
    cut(screen)
    press(screen, "1")  # waits on this computer
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    enter(other, fixtures)
    press(other, "2")
    arrived(other, reading, 1)
    elsewhere.close()
    screen.unroute(EVENTS)
    screen.evaluate("window.dispatchEvent(new Event('online'))")
    banner = screen.locator(".room-banner")
    expect(banner).to_contain_text("You answered one case twice: Synthetic somewhere else")
    expect(screen.locator(".room-saved")).to_have_text("1 answer waiting for your decision")
    assert reading.answers == {reading.tokens[0]: "synthetic"}
    banner.get_by_role("button", name="Take Real").click()
    arrived(screen, reading, 2)
    assert reading.answers == {reading.tokens[0]: "real"}
    assert reading.events[1]["supersedes"] == reading.events[0]["client_event_id"]
    expect(banner).to_be_hidden()
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    assert stored(screen) == 0


def test_a_correction_names_the_answer_it_replaces(screen: Page, fixtures: FixtureServer, reading: FakeReading) -> None:
    enter(screen, fixtures)
    press(screen, "1")
    arrived(screen, reading, 1)
    screen.reload()  # what was answered before comes from the server now
    press(screen, "z")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[0]}'")
    expect(screen.locator(".room-banner")).to_contain_text("your answer was Real")
    press(screen, "2")
    arrived(screen, reading, 2)
    first, second = reading.events
    assert (second["supersedes"], first["supersedes"]) == (first["client_event_id"], None)
    assert [first["counter"], second["counter"]] == [1, 2]


FULL = """
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function () { throw new DOMException('full', 'QuotaExceededError'); };
"""
HANGS = "IDBObjectStore.prototype.put = function () { return {}; }; IDBTransaction.prototype.commit = () => {};"
STUCK = "IDBFactory.prototype.open = function () { return {}; };"
KEEPS = "IDBObjectStore.prototype.delete = function () { throw new DOMException('no', 'UnknownError'); };"
BLIND = "IDBObjectStore.prototype.getAll = function () { throw new DOMException('no', 'UnknownError'); };"


@pytest.mark.parametrize("fault", [FULL, HANGS, STUCK, KEEPS, BLIND], ids=["full", "hangs", "stuck", "keeps", "blind"])
def test_reading_goes_on_with_a_storage_that_fails(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, fault: str
) -> None:
    screen.add_init_script(fault)
    enter(screen, fixtures)
    for key in "121":
        press(screen, key)
    arrived(screen, reading, 3)
    screen.wait_for_timeout(1_000)
    assert [event["answer"] for event in reading.events] == ["real", "synthetic", "real"]
    assert len(reading.attempts) == 3, "each answer went out once"
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")


def test_a_page_that_can_not_start_says_so(screen: Page, fixtures: FixtureServer, reading: FakeReading) -> None:
    screen.add_init_script("window.BroadcastChannel = undefined;")
    screen.goto(f"{fixtures.url}/read/")
    expect(screen.get_by_role("heading", name="The reading room could not be opened")).to_be_visible()
    expect(screen.get_by_role("button", name="Load again")).to_be_visible()


def test_no_answer_for_slices_that_have_not_arrived_and_they_are_asked_for_until_they_have(
    screen: Page, fixtures: FixtureServer, console: Console
) -> None:
    console.allow("503")
    reading = FakeReading(cases(2, slices=9), mode="stack", marker=(4, 48, 30))
    reading.register(fixtures)
    trouble = {"on": True}

    def slices(request: object, token: str, index: str) -> Reply:
        if trouble["on"] and int(index) > 5:
            return Reply(b"busy", "text/html", 503)
        if trouble["on"] and int(index) == 0:
            return Reply(b"<html>a page of a proxy</html>", "text/html", 200)
        return reading._slice(request, token, index)

    fixtures.add("GET", SLICES, slices)
    enter(screen, fixtures)
    obstacle = screen.locator(".room-obstacle")
    expect(obstacle).to_have_text("5 of 9 slices have arrived. You can answer when the case is complete.")
    press(screen, "1")
    screen.wait_for_timeout(500)
    assert reading.attempts == []
    for _ in range(4):
        screen.keyboard.press("ArrowDown")
    expect(screen.locator(".room .pane-caption")).to_contain_text("9 / 9")
    # no other slice's picture stands in the place of the missing one
    assert screen.get_attribute(".room .view", "data-state") == "waiting"
    expect(screen.locator(".room .view-surface")).to_be_hidden()
    screen.wait_for_timeout(400)  # seen waiting for so long at least
    trouble["on"] = False
    expect(obstacle).to_be_hidden()
    expect(screen.locator(".room .view-surface")).to_be_visible()
    press(screen, "1")
    arrived(screen, reading, 1)
    assert reading.events[0]["waiting_ms"] > 300


def test_a_login_that_ends_while_the_next_case_loads_does_not_hang_the_room(
    screen: Page, fixtures: FixtureServer, console: Console
) -> None:
    console.allow("401")
    reading = FakeReading(cases(3, slices=5), mode="stack", marker=(2, 40, 40))
    reading.register(fixtures)
    ended = {"on": True}

    def slices(request: object, token: str, index: str) -> Reply:
        if ended["on"] and token == reading.tokens[1]:
            return as_json({"detail": "Authentication credentials were not provided."}, 401)
        return reading._slice(request, token, index)

    fixtures.add("GET", SLICES, slices)
    enter(screen, fixtures)
    expect(screen.locator(".room-banner")).to_contain_text("Your login has expired")
    press(screen, "1")
    ended["on"] = False
    assert shown(screen) == reading.tokens[1]
    press(screen, "2")
    press(screen, "1")
    arrived(screen, reading, 3)
    expect(screen.get_by_role("heading", name="Thank you")).to_be_visible()


SMALL = {(1280, 260): True, (640, 360): True, (400, 300): True, (400, 180): False}


@pytest.mark.parametrize(("width", "height"), SMALL)
def test_a_small_window_has_an_image_or_takes_no_answer(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, width: int, height: int
) -> None:
    screen.set_viewport_size({"width": width, "height": height})
    enter(screen, fixtures)
    box = screen.locator(".room .view").bounding_box()
    assert box
    legible = min(box["width"], box["height"]) >= 120
    assert legible is SMALL[width, height]
    press(screen, "1")
    if not legible:
        screen.wait_for_timeout(400)
        assert reading.attempts == []
        expect(screen.locator(".room-obstacle")).to_contain_text("no room on this screen")
        screen.set_viewport_size({"width": 1280, "height": 800})
        expect(screen.locator(".room-obstacle")).to_be_hidden()
        press(screen, "1")
    arrived(screen, reading, 1)
    assert [event["presentation"] for event in reading.events] == reading.tokens[:1]


def test_a_key_that_bounces_is_no_confidence(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading(cases(2), confidence=True)
    reading.register(fixtures)
    enter(screen, fixtures)
    press(screen)
    bounce(screen, "1")
    screen.wait_for_timeout(400)
    assert reading.events == []
    expect(screen.get_by_role("button", name="Fairly sure")).to_be_visible()
    screen.keyboard.press("1")
    arrived(screen, reading, 1)
    assert (reading.events[0]["answer"], reading.events[0]["confidence"]) == ("real", 1)


def test_a_pause_covers_the_image_and_stops_the_time(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    screen.add_init_script(CLOCK)
    enter(screen, fixtures)
    screen.keyboard.press("p")
    expect(screen.get_by_role("heading", name="Paused")).to_be_visible()
    screen.keyboard.press("1")
    screen.evaluate("clock.skew += 3600e3")
    screen.keyboard.press("p")
    expect(screen.locator(".room-cover")).to_be_hidden()
    press(screen, "1")
    arrived(screen, reading, 1)
    (event,) = reading.events
    assert event["presentation"] == reading.tokens[0]
    # An hour, and beside it no more than a test takes.
    assert event["idle_ms"] >= 3_600_000
    assert event["reading_ms"] < 600_000
    assert event["interactions"]["slices"][0][1] < 600_000


def test_fingers_scroll_and_pinch(fixtures: FixtureServer, browser) -> None:
    reading = FakeReading(cases(2, slices=9), mode="stack", marker=(4, 48, 30))
    reading.register(fixtures)
    context = browser.new_context(viewport={"width": 1180, "height": 820}, has_touch=True, is_mobile=True)
    page = context.new_page()
    enter(page, fixtures)
    cdp = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        marks = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": marks})

    caption = page.locator(".room .pane-caption")
    touch("touchStart", (400, 400))
    for step in range(1, 7):
        touch("touchMove", (400, 400 + 6 * step))
    touch("touchEnd")
    expect(caption).to_contain_text("7 / 9")
    touch("touchStart", (400, 400))
    touch("touchStart", (400, 400), (520, 400))
    for step in range(1, 16):
        touch("touchMove", (400 - 4 * step, 400), (520 + 4 * step, 400))
    touch("touchEnd")
    expect(caption).to_contain_text("7 / 9")
    press(page, "1")
    arrived(page, reading, 1)
    assert reading.events[0]["interactions"]["zoom_range"][1] == pytest.approx(2.0, abs=0.15)
    context.close()


def test_presets_stay_when_the_reader_wants_them_to(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    enter(screen, fixtures)
    caption = screen.locator(".room .pane-caption")
    screen.keyboard.press("d")
    expect(caption).to_contain_text("W 1800 L 400")
    press(screen, "1")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    expect(caption).to_contain_text("W 400 L 60")
    screen.keyboard.press("k")
    screen.keyboard.press("q")
    press(screen, "1")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[2]}'")
    expect(caption).to_contain_text("W 160 L 60")
    arrived(screen, reading, 2)
    screen.reload()
    screen.wait_for_selector(READY)
    expect(caption).to_contain_text("W 160 L 60")
    expect(screen.get_by_role("button", name="Keep window")).to_have_attribute("aria-pressed", "true")


def test_every_case_begins_with_the_studys_window_where_the_study_says_so(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    reading.window_may_stay = False
    enter(screen, fixtures)
    expect(screen.get_by_role("button", name="Keep window")).to_be_hidden()
    caption = screen.locator(".room .pane-caption")
    for key in "kd":
        screen.keyboard.press(key)
    expect(caption).to_contain_text("W 1800 L 400")
    press(screen, "1")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    expect(caption).to_contain_text("W 400 L 60")


def test_an_outage_of_half_a_minute_while_cases_are_fetched(
    screen: Page, fixtures: FixtureServer, console: Console
) -> None:
    """At a random moment, shortened to three seconds: everything that was asked for meanwhile is asked for again."""
    console.allow("ERR_FAILED")
    rng = np.random.default_rng(3)
    reading = FakeReading(cases(6, slices=5), mode="stack", marker=(2, 40, 40))
    reading.register(fixtures)
    outage = {"until": 0.0}

    def line(route: Route) -> None:
        if time.monotonic() < outage["until"]:
            route.abort()
        else:
            route.continue_()

    screen.route("**/api/reading/**", line)
    enter(screen, fixtures)
    for number in range(6):
        if number in (1, 3):
            screen.wait_for_timeout(float(rng.integers(0, 120)))
            outage["until"] = time.monotonic() + 3
        press(screen, "1")
        # An answer that is taken ends this state at once.
        while screen.locator(f'{READY}[data-presentation="{reading.tokens[number]}"]').count():
            expect(screen.locator(".room-obstacle")).to_be_hidden()
            press(screen, "1")
    arrived(screen, reading, 6)
    assert [event["presentation"] for event in reading.events] == reading.tokens
