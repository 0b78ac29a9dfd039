"""What the islands build passes the automated checks of WCAG 2.2 A and AA."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Console
from tests.e2e.harness import ROOT, FakeReading, FixtureServer, Reply, Request, body_phantom
from tests.e2e.test_viewer_reading import CLOCK, press

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm --prefix frontend ci"),
]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def violations(page: Page) -> list[str]:
    page.evaluate(Path(AXE).read_text())
    result: dict[str, Any] = page.evaluate("(rules) => axe.run(document, rules)", RULES)
    assert result["passes"], "axe looked at something"
    return [
        f"{rule['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


def test_scan_page(screen: Page, fixtures: FixtureServer) -> None:
    fixtures.scan("/scan1", body_phantom((10, 60, 70)))
    content = '<section id="scan-viewer" data-manifest-url="/scan1/manifest/" aria-label="Viewer"></section>'
    fixtures.page("/scan/", "src/pages/scan.ts", content)
    screen.goto(f"{fixtures.url}/scan/")
    screen.wait_for_selector('[data-plane="sagittal"] .view[data-state="shown"]')
    assert violations(screen) == []


def test_review_page(screen: Page, fixtures: FixtureServer) -> None:
    fixtures.scan("/scan1", body_phantom((10, 60, 70)))
    urls = 'data-before-url="/scan1/manifest/" data-after-url="/scan1/manifest/"'
    fixtures.page("/review/", "src/pages/review.ts", f'<section id="review-viewer" {urls}></section>')
    screen.goto(f"{fixtures.url}/review/")
    screen.wait_for_selector('[data-role="difference"] .view[data-state="shown"]')
    assert violations(screen) == []


@pytest.mark.parametrize("mode", ["stack", "patch"])
def test_reading_room(screen: Page, fixtures: FixtureServer, mode: str) -> None:
    hu = body_phantom((10, 60, 70)).hu
    reading = FakeReading([hu, hu], mode=mode, confidence=True, instructions="Look closely.", marker=(4, 20, 20))
    reading.register(fixtures)
    screen.goto(f"{fixtures.url}/read/")
    screen.wait_for_selector('.room[data-state="welcome"]')
    assert violations(screen) == []
    screen.keyboard.press("Enter")
    screen.wait_for_selector('.room[data-state="reading"]')
    screen.get_by_text("Keys and mouse").click()
    screen.wait_for_timeout(600)
    screen.keyboard.press("1")
    screen.wait_for_selector('.room[data-state="confidence"]')
    screen.wait_for_timeout(600)
    assert violations(screen) == []


def test_what_stands_in_the_way_of_the_reading(screen: Page, fixtures: FixtureServer, console: Console) -> None:
    """An obstacle, a pause, the page of whoever left the computer, two answers to one case, the end."""
    console.allow("503")
    console.allow("409")
    screen.add_init_script(CLOCK)
    hu = body_phantom((10, 60, 70)).hu
    reading = FakeReading([hu, hu], mode="stack", marker=(4, 20, 20), confidence=True)
    reading.register(fixtures)
    missing = {"on": True}

    def slices(request: Request, token: str, index: str) -> Reply:
        return Reply(b"busy", status=503) if missing["on"] and index == "9" else reading._slice(request, token, index)

    fixtures.add("GET", r"/api/reading/presentations/([\w-]+)/slices/(\d+)/", slices)
    screen.goto(f"{fixtures.url}/read/")
    screen.wait_for_selector('.room[data-state="reading"][data-blocked]')
    assert violations(screen) == []
    missing["on"] = False
    screen.wait_for_selector('.room[data-state="reading"]:not([data-blocked])')
    screen.keyboard.press("p")
    screen.get_by_role("heading", name="Paused").wait_for()
    assert violations(screen) == []
    screen.keyboard.press("p")
    screen.wait_for_selector('.room[data-state="reading"]')
    screen.evaluate("clock.skew += 11 * 60e3")
    screen.get_by_role("heading", name="Are you still Dr Test?").wait_for()
    expect(screen.locator(".room-cover")).to_contain_text("Going on asks for no password")
    assert violations(screen) == []
    screen.keyboard.press("p")
    elsewhere = {"client_event_id": "of another computer", "answer": "synthetic", "confidence": 1, "counter": 1}
    unasked = {"level": None, "mark": None, "marks": None, "answered_at": "2026-05-03T10:00:00Z"}
    reading.events.append({**elsewhere, **unasked, "presentation": reading.tokens[0]})
    press(screen, "1", "2")
    banner = screen.locator(".room-banner")
    expect(banner).to_contain_text("You answered one case twice")
    assert violations(screen) == []
    banner.get_by_role("button", name="Keep Synthetic").click()
    expect(banner).to_be_hidden()
    press(screen, "2", "3")
    screen.get_by_role("heading", name="Thank you").wait_for()
    assert violations(screen) == []


def test_what_comes_before_the_reading(screen: Page, fixtures: FixtureServer) -> None:
    reading = FakeReading([body_phantom((10, 60, 70)).hu], confidence=True, preview=True, practice=True)
    reading.display_check = {"policy": "advise", "steps": [{"ground": 0, "grey": 13}], "last": None}
    reading.register(fixtures)
    screen.goto(f"{fixtures.url}/read/")
    screen.get_by_role("heading", name="Is this screen good enough?").wait_for()
    assert violations(screen) == []
    screen.keyboard.press("Enter")
    screen.locator(".check-square").wait_for()
    assert violations(screen) == []
    screen.keyboard.press("0")
    screen.get_by_role("button", name="Skip it").click()
    screen.get_by_role("heading", name="Practice").wait_for()
    assert violations(screen) == []


def test_upload_page(screen: Page, fixtures: FixtureServer) -> None:
    form = """<form id="upload-form" action="/upload/"><div class="field"><label for="f">Scans</label>
    <input type="file" id="f" name="files"></div><button class="button primary">Upload</button></form>"""
    fixtures.page("/upload/", "src/pages/upload.ts", form)
    screen.goto(f"{fixtures.url}/upload/")
    screen.wait_for_selector("#upload-folder")
    assert violations(screen) == []
