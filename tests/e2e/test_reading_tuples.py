"""Several images side by side in the reading room: as large as possible, one scroll and one window, a key each."""

import os
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.harness import FakeReading, FixtureServer, body_phantom
from tests.e2e.test_reading_live import Reading
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import arrived, enter, press

pytestmark = pytest.mark.browser

SIZES = {"small": (1280, 800), "4K": (3840, 2160)}


def kept(page: Page, name: str) -> None:
    """For people who want to look at the room."""
    if folder := os.environ.get("CT_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / name)


def trials(images: int, count: int = 2) -> list[np.ndarray]:
    """Stacks of seven slices, each with noise of its own."""
    body = body_phantom((7, 160, 160)).hu
    random = np.random.default_rng(3)
    return [(body + random.normal(0, 20, body.shape)).astype(np.int16) for _ in range(images * count)]


def boxes(page: Page) -> list[dict[str, float]]:
    return [box for pane in page.locator(".room-stage .pane").all() if (box := pane.bounding_box()) is not None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("images", range(2, 9))
def test_all_images_fit_the_stage_and_have_a_key_each(
    screen: Page, fixtures: FixtureServer, images: int, size: str
) -> None:
    width, height = SIZES[size]
    screen.set_viewport_size({"width": width, "height": height})
    reading = FakeReading(trials(images), together=images, mode="stack", marker=(3, 80, 60))
    reading.register(fixtures)
    enter(screen, fixtures)
    stage = screen.locator(".room-stage").bounding_box()
    assert stage is not None
    found = boxes(screen)
    assert len(found) == images
    assert max(box["width"] for box in found) - min(box["width"] for box in found) <= 1
    edge = min(found[0]["width"], found[0]["height"])
    best = max(min(stage["width"] / n, stage["height"] / -(-images // n)) for n in range(1, images + 1))
    assert edge > 0.97 * best - 8
    for box in found:
        assert box["x"] >= stage["x"] - 1
        assert box["y"] + box["height"] <= stage["y"] + stage["height"] + 1
    for number in range(1, images + 1):
        expect(screen.get_by_role("button", name=f"{number} Image {number}")).to_be_in_viewport(ratio=1)
    names = [title.inner_text() for title in screen.locator(".room-stage .pane-title").all()]
    assert names == [f"Image {number}" for number in range(1, images + 1)]
    kept(screen, f"images-{images}-{size}.png")
    press(screen, str(images))
    press(screen, "1")
    expect(screen.locator(".room-cover")).to_contain_text("Thank you")
    assert [event["presentation"] for event in reading.events] == [reading.tokens[images - 1], reading.tokens[images]]
    assert [(event["answer"], event["side"]) for event in reading.events] == [("chosen", images - 1), ("chosen", 0)]


def test_one_scroll_one_window_and_nothing_for_the_mouse_alone(screen: Page, fixtures: FixtureServer) -> None:
    screen.set_viewport_size({"width": 1280, "height": 800})
    reading = FakeReading(trials(4), together=4, mode="stack", marker=(3, 80, 60), confidence=True)
    reading.register(fixtures)
    enter(screen, fixtures)
    captions = screen.locator(".room-stage .pane-caption")
    expect(captions).to_have_count(4)
    for caption in captions.all():
        expect(caption).to_contain_text("4 / 7")
    press(screen, "ArrowDown")
    for caption in captions.all():
        expect(caption).to_contain_text("5 / 7")
    screen.locator(".room-stage .view").nth(2).hover()
    screen.mouse.wheel(0, 100)
    for caption in captions.all():
        expect(caption).to_contain_text("6 / 7")
    press(screen, "e")
    texts = {caption.inner_text() for caption in captions.all()}
    assert len(texts) == 1
    assert "1500" in texts.pop()
    assert violations(screen) == []
    press(screen, "3")
    assert violations(screen) == []
    screen.keyboard.press("2")
    expect(screen.locator(".room-count")).to_have_text("1 of 2")
    arrived(screen, reading, 1)
    [event] = reading.events
    assert (event["presentation"], event["confidence"]) == (reading.tokens[2], 2)
    press(screen, "z")
    expect(screen.locator(".room-banner")).to_contain_text("your answer was Image 3")
    press(screen, "1", "4")
    expect(screen.locator(".room-banner")).to_be_hidden()
    arrived(screen, reading, 2)
    *_, changed = reading.events
    assert (changed["presentation"], changed["supersedes"]) == (reading.tokens[0], event["client_event_id"])


@pytest.mark.django_db(transaction=True)
def test_pairs_against_the_real_server(screen: Page, live_server) -> None:
    screen.set_viewport_size({"width": 1280, "height": 800})
    settings = {"images": 2, "find": "real", "matched": True}
    grade = {
        "kind": "grade",
        "name": "realism",
        "question": "How realistic is it?",
        "options": ["not", "fairly", "fully"],
    }
    reading = Reading(
        live_server,
        task_name="forced_choice",
        task_settings=settings,
        confidence_levels=3,
        further_questions=[grade],
    )
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    assert violations(screen) == []
    kept(screen, "pairs-live.png")
    press(screen, "2", "1")
    asked = screen.locator(".room-further")
    expect(asked).to_contain_text("Image 1: How realistic is it?")
    assert violations(screen) == []
    kept(screen, "pairs-graded.png")
    screen.keyboard.press("3")
    expect(asked).to_contain_text("Image 2: How realistic is it?")
    # The way back leads to the grade before.
    screen.keyboard.press("Backspace")
    expect(asked).to_contain_text("Image 1: How realistic is it?")
    screen.keyboard.press("2")
    expect(asked).to_contain_text("Image 2: How realistic is it?")
    screen.keyboard.press("1")
    press(screen, "1", "3", "1", "2")
    events = reading.arrived(screen, 2)
    assert [(event.answer, event.presentation.side, event.confidence, event.further) for event in events] == [
        ("chosen", 1, 1, {"realism_image_1": 2, "realism_image_2": 1}),
        ("chosen", 0, 3, {"realism_image_1": 1, "realism_image_2": 2}),
    ]
    assert reading.intact()
