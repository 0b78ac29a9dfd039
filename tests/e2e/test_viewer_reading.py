"""The reading room: keyboard, order, times; and nothing lost when everything else goes wrong."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import SAFETY_MS, Console, eventually, until
from tests.e2e.harness import FakeReading, FixtureServer, Reply, body_phantom

pytestmark = pytest.mark.browser

READY = '.room[data-state="reading"]'
EVENTS = "**/events/"
BOUNCE_MS = 220
LOADED = "performance.getEntriesByType('resource').filter((r) => r.name.includes('/slices/')).length"
# The page's clock, which a test can put forward or stop.
CLOCK = """
  window.clock = { skew: 0, stoppedAt: null };
  const read = performance.now.bind(performance);
  performance.now = () => window.clock.stoppedAt ?? read() + window.clock.skew;
"""
PRESS = """(key) => {
  const press = (key) => {
    const code = `Digit${key}`;
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }));
    document.body.dispatchEvent(new KeyboardEvent("keyup", { key, code, bubbles: true }));
  };
"""


def cases(count: int, slices: int = 1) -> list[np.ndarray]:
    hu = body_phantom((30, 96, 112)).hu
    return [hu[i : i + slices] for i in range(count)]


@pytest.fixture
def reading(fixtures: FixtureServer) -> FakeReading:
    reading = FakeReading(cases(5), ahead=2)
    reading.register(fixtures)
    return reading


def enter(page: Page, fixtures: FixtureServer) -> None:
    page.goto(f"{fixtures.url}/read/")
    page.wait_for_selector(READY)


def press(page: Page, *keys: str) -> None:
    """Presses a key once the case has been on the screen long enough to be believed."""
    page.wait_for_selector(READY)
    page.wait_for_timeout(BOUNCE_MS)
    for key in keys:
        page.keyboard.press(key)


def bounce(page: Page, key: str) -> None:
    """Presses a key twice in one turn of the page: however slow the machine, within the time of a bounce."""
    page.evaluate(PRESS + "for (const _ of [1, 2]) press(key); }", key)


def press_as_soon_as_shown(page: Page, key: str) -> None:
    """From now on the page itself presses a key twice the moment that it shows another case, and when that is painted.

    Its clock (CLOCK) stands still meanwhile: however slow the machine, both are within the time of a bounce.
    """
    page.evaluate(
        PRESS
        + """
          const room = document.querySelector(".room");
          const before = room.dataset.presentation;
          new MutationObserver((_, observer) => {
            if (room.dataset.state === "loading") window.clock.stoppedAt ??= performance.now();
            if (room.dataset.state !== "reading" || room.dataset.presentation === before) return;
            observer.disconnect();
            press(key);
            requestAnimationFrame(() => {
              press(key);
              window.clock.stoppedAt = null;
              room.dataset.pressed = key;
            });
          }).observe(room, { attributes: true });
        }""",
        key,
    )


def shown(page: Page) -> str:
    page.wait_for_selector(READY)
    return page.get_attribute(".room", "data-presentation") or ""


def arrived(page: Page, reading: FakeReading, count: int) -> None:
    eventually(page, lambda: len(reading.events), lambda there: there >= count)


def stored(page: Page) -> int:
    """Entries in the browser's own storage."""
    return page.evaluate(
        """() => new Promise((resolve) => {
          const opening = indexedDB.open("turing-ward");
          opening.onsuccess = () => {
            const count = opening.result.transaction("outbox").objectStore("outbox").count();
            count.onsuccess = () => { opening.result.close(); resolve(count.result); };
          };
        })"""
    )


def cut(page: Page) -> None:
    page.route(EVENTS, lambda route: route.abort())


def assert_each_once(reading: FakeReading, answers: list[str]) -> None:
    assert [event["presentation"] for event in reading.events] == reading.tokens[: len(answers)]
    assert [event["answer"] for event in reading.events] == answers
    assert len({event["client_event_id"] for event in reading.events}) == len(answers)


def test_a_session_by_keyboard(screen: Page, fixtures: FixtureServer, reading: FakeReading) -> None:
    enter(screen, fixtures)
    expect(screen.locator(".room-count")).to_have_text("0 of 5")
    for key in "12112":
        press(screen, key)
    expect(screen.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    assert_each_once(reading, ["real", "synthetic", "real", "real", "synthetic"])
    assert stored(screen) == 0
    event = reading.events[1]
    assert event["confidence"] is None
    assert 200 <= event["reading_ms"] < 600_000
    assert event["hidden_ms"] == 0
    assert event["environment"]["renderer"] == "cpu"
    assert event["environment"]["viewport_px"][0] > 500
    assert event["shown_at"] < event["answered_at"]


def test_confidence_is_asked_after_the_answer(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading(cases(3), confidence=True)
    reading.register(fixtures)
    enter(screen, fixtures)
    press(screen, "2")
    expect(screen.get_by_role("button", name="Fairly sure")).to_be_visible()
    screen.keyboard.press("Escape")
    expect(screen.get_by_role("button", name="Fairly sure")).to_be_hidden()
    screen.keyboard.press("1")
    screen.keyboard.press("3")
    arrived(screen, reading, 1)
    press(screen)
    screen.get_by_role("button", name="Synthetic").click()
    screen.get_by_role("button", name="Guess").click()
    arrived(screen, reading, 2)
    assert [(event["answer"], event["confidence"]) for event in reading.events] == [("real", 3), ("synthetic", 1)]


def test_a_key_that_is_held_or_bounces_answers_once(
    screen: Page, fixtures: FixtureServer, reading: FakeReading
) -> None:
    screen.add_init_script(CLOCK)
    enter(screen, fixtures)
    press(screen)
    press_as_soon_as_shown(screen, "2")
    for _ in range(10):
        screen.keyboard.down("1")
    screen.keyboard.up("1")
    screen.wait_for_selector('.room[data-pressed="2"]')
    screen.wait_for_timeout(500)
    assert_each_once(reading, ["real"])
    press(screen, "2")
    arrived(screen, reading, 2)
    assert_each_once(reading, ["real", "synthetic"])


def test_the_previous_case_can_be_corrected(screen: Page, fixtures: FixtureServer, reading: FakeReading) -> None:
    enter(screen, fixtures)
    press(screen, "1")
    press(screen, "1")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[2]}'")
    press(screen, "z")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    expect(screen.locator(".room-banner")).to_contain_text("your answer was Real")
    press(screen, "2")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[2]}'")
    expect(screen.locator(".room-count")).to_have_text("2 of 5")
    press(screen, "Backspace")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    press(screen, "Escape")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[2]}'")
    arrived(screen, reading, 3)
    assert reading.answers == {reading.tokens[0]: "real", reading.tokens[1]: "synthetic"}


def test_there_is_no_wait_between_cases(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading(cases(4, slices=5), mode="stack", marker=(2, 40, 40))
    reading.register(fixtures)
    gate, asked = threading.Event(), threading.Event()

    def behind_the_gate(answer: Callable[..., Reply]) -> Callable[..., Reply]:
        def wait(*args: object) -> Reply:
            asked.set()
            assert gate.wait(SAFETY_MS / 1000)
            return answer(*args)

        return wait

    fixtures.add("GET", r"/api/reading/presentations/([\w-]+)/", behind_the_gate(reading._presentation))
    fixtures.add("GET", r"/api/reading/presentations/([\w-]+)/slices/(\d+)/", behind_the_gate(reading._slice))
    screen.goto(f"{fixtures.url}/read/")
    eventually(screen, asked.is_set, bool)
    screen.wait_for_timeout(500)
    gate.set()
    for case, coming in enumerate([*reading.tokens[1:], None]):
        press(screen)
        until(screen, f"{LOADED} >= {5 * min(case + 2, 4)}")
        # From here on the server tells nothing of any case, and yet the next one is shown.
        gate.clear()
        screen.keyboard.press("1")
        if coming is not None:
            screen.wait_for_selector(f'{READY}[data-presentation="{coming}"]')
        gate.set()
    arrived(screen, reading, 4)
    # The first case is waited for, and the time that it took is told.
    assert reading.events[0]["load_ms"] >= 500


def test_a_lost_network_loses_nothing(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("ERR_FAILED")
    enter(screen, fixtures)
    until(screen, f"{LOADED} >= 2")
    cut(screen)
    press(screen, "1")
    press(screen, "2")
    expect(screen.locator(".room-saved")).to_contain_text("2 answers are kept here")
    # The server has told of two cases only; the third must wait, and says so.
    expect(screen.locator(".room-cover")).to_contain_text("can't be loaded before 2 answers have been saved")
    assert stored(screen) == 2
    assert reading.events == []
    screen.unroute(EVENTS)
    screen.evaluate("window.dispatchEvent(new Event('online'))")
    arrived(screen, reading, 2)
    assert shown(screen) == reading.tokens[2]
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    assert_each_once(reading, ["real", "synthetic"])
    assert stored(screen) == 0


def test_a_page_closed_before_sending_sends_at_the_next_visit(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("ERR_FAILED")
    enter(screen, fixtures)
    cut(screen)
    press(screen, "2")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    context = screen.context
    screen.close()
    assert reading.events == []
    again = context.new_page()
    enter(again, fixtures)
    assert_each_once(reading, ["synthetic"])
    assert shown(again) == reading.tokens[1]
    expect(again.locator(".room-count")).to_have_text("1 of 5")
    assert stored(again) == 0


def test_a_reload_without_a_way_to_the_server_does_not_ask_again(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("ERR_FAILED")
    enter(screen, fixtures)
    cut(screen)
    press(screen, "2")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    screen.on("dialog", lambda dialog: dialog.accept())
    screen.reload()
    assert shown(screen) == reading.tokens[1]
    expect(screen.locator(".room-count")).to_have_text("1 of 5")
    screen.unroute(EVENTS)
    press(screen, "1")
    arrived(screen, reading, 2)
    assert_each_once(reading, ["synthetic", "real"])


def test_an_answer_taken_while_the_page_starts_is_not_asked_again(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("503")
    enter(screen, fixtures)
    # The first sending and the one at the start of the next visit fail; what waits still counts as given.
    reading.fail_with = [503, 503]
    press(screen, "1")
    until(screen, f"document.querySelector('.room').dataset.presentation === '{reading.tokens[1]}'")
    screen.on("dialog", lambda dialog: dialog.accept())
    screen.reload()
    assert shown(screen) == reading.tokens[1]
    expect(screen.locator(".room-count")).to_have_text("1 of 5")
    arrived(screen, reading, 1)
    assert_each_once(reading, ["real"])


def test_a_lost_reply_is_not_a_second_answer(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("502")
    reading.lose_replies = 2
    enter(screen, fixtures)
    press(screen, "1")
    eventually(screen, lambda: len(reading.attempts), lambda tried: tried >= 3)
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    assert len(reading.attempts) == 3
    assert len(set(reading.attempts)) == 1
    assert_each_once(reading, ["real"])


def test_an_expired_login_keeps_the_answer_and_goes_on_by_itself(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("403")
    enter(screen, fixtures)
    reading.logged_in = False
    press(screen, "1")
    banner = screen.locator(".room-banner")
    expect(banner).to_contain_text("Your login has expired")
    expect(banner.get_by_role("link")).to_have_attribute("href", "/login/")
    expect(banner.get_by_role("link")).to_have_attribute("target", "_blank")
    assert shown(screen) == reading.tokens[1]
    press(screen, "2")
    assert stored(screen) == 2
    reading.logged_in = True
    arrived(screen, reading, 2)
    expect(banner).to_be_hidden()
    assert_each_once(reading, ["real", "synthetic"])


def test_an_expired_login_at_the_door_waits_for_the_login(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("403")
    reading.logged_in = False
    screen.goto(f"{fixtures.url}/read/")
    expect(screen.locator(".room-cover")).to_contain_text("Waiting for your login")
    reading.logged_in = True
    assert shown(screen) == reading.tokens[0]
    expect(screen.locator(".room-banner")).to_be_hidden()


def test_a_closed_study_says_so_and_keeps_a_copy(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("409")
    enter(screen, fixtures)
    reading.state = "closed"
    press(screen, "1")
    expect(screen.get_by_role("heading", name="This reading is closed")).to_be_visible()
    expect(screen.locator(".room-banner")).to_contain_text("This study was closed on 3 May.")
    expect(screen.locator(".room-saved")).to_have_text("1 answer not taken by the server")
    expect(screen.locator(".room-cover")).to_contain_text("1 answer did not get there in time")
    assert stored(screen) == 1
    assert reading.events == []
    reading.state = "open"  # the coordinator opened it again
    screen.reload()
    arrived(screen, reading, 1)
    assert shown(screen) == reading.tokens[1]
    assert_each_once(reading, ["real"])


def test_a_refused_answer_is_shown_and_kept_and_does_not_block(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("400")
    enter(screen, fixtures)
    reading.refuse_with = ["confidence_missing"]
    press(screen, "1")
    expect(screen.locator(".room-banner")).to_contain_text("refused by the test")
    expect(screen.locator(".room-saved")).to_have_text("1 answer not taken by the server")
    assert stored(screen) == 1
    press(screen, "2")
    arrived(screen, reading, 1)
    # The refused case is still open: it comes again.
    assert shown(screen) == reading.tokens[0]
    press(screen, "2")
    arrived(screen, reading, 2)
    assert reading.answers == {reading.tokens[1]: "synthetic", reading.tokens[0]: "synthetic"}


def test_server_trouble_is_tried_again(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("50")
    reading.fail_with = [503, 500]
    enter(screen, fixtures)
    press(screen, "1")
    arrived(screen, reading, 1)
    assert_each_once(reading, ["real"])


def test_without_storage_an_answer_counts_only_with_the_receipt(
    screen: Page, fixtures: FixtureServer, reading: FakeReading, console: Console
) -> None:
    console.allow("ERR_FAILED")
    screen.add_init_script(
        "Object.defineProperty(window, 'indexedDB', { value: { open() { throw new Error('no'); } } })"
    )
    enter(screen, fixtures)
    cut(screen)
    press(screen, "1")
    screen.wait_for_timeout(800)
    assert screen.get_attribute(".room", "data-presentation") == reading.tokens[0]
    expect(screen.locator(".room-count")).to_have_text("0 of 5")
    screen.unroute(EVENTS)
    arrived(screen, reading, 1)
    assert shown(screen) == reading.tokens[1]


def test_random_trouble_for_a_whole_session(screen: Page, fixtures: FixtureServer, console: Console) -> None:
    """Aborted requests, lost replies, server errors and reloads, in a fixed random order."""
    console.allow("Failed to load resource")
    # Several troubles in a row make the page wait longer each time.
    screen.set_default_timeout(3 * SAFETY_MS)
    rng = np.random.default_rng(5)
    reading = FakeReading(cases(8))
    reading.register(fixtures)
    screen.on("dialog", lambda dialog: dialog.accept())

    def trouble(route: Route) -> None:
        fate = rng.choice(["through", "through", "through", "abort", "lost", "error"])
        if fate == "abort":
            route.abort()
            return
        if fate == "lost":
            reading.lose_replies += 1
        if fate == "error":
            reading.fail_with.append(503)
        route.continue_()

    screen.route(EVENTS, trouble)
    enter(screen, fixtures)
    expected: dict[str, str] = {}
    while len(expected) < 8:
        token = shown(screen)
        key = str(rng.integers(1, 3))
        press(screen, key)
        expected[token] = "real" if key == "1" else "synthetic"
        if rng.random() < 0.3:
            screen.reload()
    expect(screen.get_by_role("heading", name="Thank you")).to_be_visible(timeout=3 * SAFETY_MS)
    assert reading.answers == expected
    assert len(reading.events) == 8
    assert stored(screen) == 0


def test_a_stack_is_scrolled_and_the_ring_stays_on_its_slice(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading(cases(2, slices=9), mode="stack", marker=(4, 48, 30))
    reading.register(fixtures)
    enter(screen, fixtures)
    caption = screen.locator(".room .pane-caption")
    expect(caption).to_contain_text("5 / 9")
    expect(screen.locator(".room-note")).to_have_text("The ring is on slice 5.")
    whole = ring(screen, at_least=101)
    screen.keyboard.press("ArrowDown")
    expect(caption).to_contain_text("6 / 9")
    ring(screen, at_most=whole // 2)  # the slices beside it show a broken ring
    for _ in range(2):
        screen.keyboard.press("ArrowDown")
    expect(caption).to_contain_text("8 / 9")
    ring(screen, at_most=0)
    screen.keyboard.press("Home")
    expect(caption).to_contain_text("5 / 9")
    ring(screen, at_least=101)
    screen.keyboard.press("m")
    ring(screen, at_most=0)
    drag_window(screen)
    assert "W 400 L 60" not in caption.inner_text()
    screen.keyboard.press("r")
    expect(caption).to_contain_text("W 400 L 60")
    screen.keyboard.press("+")
    press(screen, "1")
    arrived(screen, reading, 1)
    done = reading.events[0]["interactions"]
    assert {name: done[name] for name in ("scrolls", "windowings", "zooms")} == {
        "scrolls": 4,
        "windowings": 1,
        "zooms": 1,
    }
    assert [index for index, _ in done["slices"]] == [4, 5, 6, 7]
    assert done["place_ms"] == pytest.approx(done["slices"][0][1], abs=2)
    assert done["windows"][0][:2] == [60, 400]
    assert done["zoom_range"][1] == 1.25


def drag_window(page: Page) -> None:
    box = page.locator(".room .view").bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 230, steps=4)
    page.mouse.up()


RING = """(() => {
  const canvas = document.querySelector(".room .view-drawing");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 200 && data[i + 1] > 200 && data[i + 1] - data[i] > 50) count += 1;
  }
  return count;
})()"""


def ring(page: Page, *, at_least: int = 0, at_most: int | None = None) -> int:
    """The ring's pixels, once they are as many as they should be."""
    until(page, f"{RING} >= {at_least}" + ("" if at_most is None else f" && {RING} <= {at_most}"))
    return int(page.evaluate(RING))


def test_a_patch_fills_its_square(screen: Page, fixtures: FixtureServer) -> None:
    image = body_phantom((30, 96, 112)).hu[12:13, 20:68, 20:68]
    FakeReading([image, image], mode="patch", field_of_view_mm=48 * 0.8).register(fixtures)
    enter(screen, fixtures)
    box = screen.locator(".room .pane").bounding_box()
    assert box
    assert abs(box["width"] - box["height"]) < 1
    assert box["width"] > 600
    corner = screen.evaluate(
        """() => {
          const canvas = document.querySelector(".room canvas.cornerstone-canvas");
          const at = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
          return [at(3, 3), at(canvas.width - 4, canvas.height - 4)];
        }"""
    )
    assert min(corner) > 0, "the image reaches into the corners"


def test_instructions_come_before_the_first_case_only(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading(cases(3), instructions="Look closely.\nTake your time.")
    reading.register(fixtures)
    screen.goto(f"{fixtures.url}/read/")
    expect(screen.locator(".room-cover")).to_contain_text("Take your time.")
    screen.keyboard.press("1")
    screen.keyboard.press("Enter")
    press(screen, "1")
    arrived(screen, reading, 1)
    screen.reload()
    assert shown(screen) == reading.tokens[1]
    assert_each_once(reading, ["real"])


def test_a_preview_says_so_and_stores_nothing_in_the_browser(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading(cases(2), preview=True)
    reading.register(fixtures)
    enter(screen, fixtures)
    expect(screen.locator(".room-banner")).to_contain_text("This is a preview")
    press(screen, "1")
    press(screen, "2")
    expect(screen.locator(".room-cover")).to_contain_text("end of the preview")
    assert stored(screen) == 0
