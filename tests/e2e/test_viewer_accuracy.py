"""What stands on the screen is what is in the file: every HU, at one image pixel per screen pixel."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import eventually
from tests.e2e.harness import FakeReading, FixtureServer, PhantomScan

pytestmark = pytest.mark.browser

WINDOWS = {"1": (60, 160), "2": (50, 400), "3": (-600, 1500), "4": (400, 1800)}
FIRST_SHOWN = '[data-plane="axial"] .view[data-state="shown"]'


def every_hu() -> np.ndarray:
    """Each value from -1024 to 3071 once, in an order without smooth gradients."""
    values = np.random.default_rng(0).permutation(np.arange(-1024, 3072))
    return values.reshape(64, 64).astype(np.int16)


def expected_grey(hu: np.ndarray, center: float, width: float) -> np.ndarray:
    return np.round(255 * np.clip((hu - (center - width / 2)) / width, 0, 1))


def grey_screenshot(page: Page, selector: str) -> np.ndarray:
    image = Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")
    pixels = np.asarray(image).astype(int)
    assert (pixels.max(axis=2) == pixels.min(axis=2)).all(), "grey values only"
    return pixels[:, :, 0]


def surface_pixels(page: Page, pane: str) -> np.ndarray:
    """The image itself, without what is written over it and without the frame of the focus."""
    page.evaluate("document.activeElement?.blur()")
    page.eval_on_selector_all(
        f"{pane} > :not(.view), {pane} .view-drawing",
        "(parts) => parts.forEach((part) => { part.style.visibility = 'hidden' })",
    )
    return grey_screenshot(page, f"{pane} .view-surface")


def one_to_one(server: FixtureServer, hu: np.ndarray) -> None:
    """A page whose axial view is exactly as large as the image."""
    server.scan("/accuracy", PhantomScan(hu=hu[None], spacing_zyx_mm=(1.0, 1.0, 1.0)))
    server.page(
        "/scan/",
        "src/pages/scan.ts",
        '<section id="scan-viewer" data-manifest-url="/accuracy/manifest/"></section>',
    )


@pytest.mark.parametrize("ratio", [1, 2])
def test_every_hu_has_its_grey_level(browser: Browser, fixtures: FixtureServer, ratio: int) -> None:
    hu = every_hu()
    one_to_one(fixtures, hu)
    context = browser.new_context(device_scale_factor=ratio, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{fixtures.url}/scan/")
    page.wait_for_selector(FIRST_SHOWN)
    size = 64 // ratio
    style = f"position: fixed; left: 0; top: 0; width: {size}px; height: {size}px; z-index: 9"
    page.eval_on_selector('[data-plane="axial"]', f"(pane) => pane.setAttribute('style', '{style}')")
    for key, (center, width) in WINDOWS.items():
        page.keyboard.press(key)
        expected = expected_grey(hu, center, width)
        eventually(
            page,
            lambda: surface_pixels(page, '[data-plane="axial"]'),
            lambda shown, expected=expected: shown.shape == hu.shape and np.abs(shown - expected).max() <= 1,
        )
    context.close()


def test_two_readers_see_the_same_pixels(browser: Browser, fixtures: FixtureServer) -> None:
    rng = np.random.default_rng(3)
    case = rng.integers(-200, 300, (1, 64, 64)).astype(np.int16)
    FakeReading([case, case], mode="patch").register(fixtures)
    shots = []
    for _ in range(2):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(f"{fixtures.url}/read/")
        page.wait_for_selector('.room[data-state="reading"]')
        shots.append(surface_pixels(page, ".room .pane"))
        context.close()
    assert shots[0].std() > 20, "the image is not blank"
    assert (shots[0] == shots[1]).all()
