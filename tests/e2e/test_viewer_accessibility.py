"""What the islands build passes the automated checks of WCAG 2.2 A and AA."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.harness import ROOT, FakeReading, FixtureServer, body_phantom

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
