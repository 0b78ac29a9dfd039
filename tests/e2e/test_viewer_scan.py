"""The scan page: three planes of one scan, windows, outlines, lengths, the chosen place."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Console, eventually, until
from tests.e2e.harness import FixtureServer, PhantomScan, Reply, as_json, body_phantom

pytestmark = pytest.mark.browser

AXIAL = '[data-plane="axial"]'
CONTENT = """
<section id="scan-viewer" data-manifest-url="/scan1/manifest/"></section>
<table class="table"><tbody><tr data-lesion="two" data-lesion-centroid="[-90.4, -91.6, 15.0]"><td>1</td></tr></tbody></table>
<select name="lesion"><option value="one">1</option><option value="two">2</option></select>
<input data-viewer-point="x" aria-label="x"><input data-viewer-point="y" aria-label="y">
<input data-viewer-point="z" aria-label="z"><p id="said" data-viewer-point="text"></p>
<div hx-get="/panel/" hx-trigger="load delay:1500ms"></div>
"""


@pytest.fixture
def scan(fixtures: FixtureServer) -> PhantomScan:
    scan = body_phantom((20, 120, 150))
    fixtures.scan("/scan1", scan)
    fixtures.page("/scan/", "src/pages/scan.ts", CONTENT)
    fixtures.add("GET", "/panel/", lambda _: Reply(b'<input data-viewer-point="x" id="late">', "text/html"))
    return scan


def open_scan(page: Page, fixtures: FixtureServer, query: str = "", path: str = "/scan/") -> None:
    # Before the page's own script runs: an address with a place announces it at once.
    page.add_init_script(
        "document.addEventListener('viewer:point', (event) => { (window.points ??= []).push(event.detail) })"
    )
    page.goto(f"{fixtures.url}{path}{query}")
    page.wait_for_selector('[data-plane="sagittal"] .view[data-state="shown"]')
    page.wait_for_selector(f'{AXIAL} .view[data-state="shown"]')


def caption(page: Page, plane: str = "axial") -> str:
    return page.inner_text(f'[data-plane="{plane}"] .pane-caption')


def click_voxel(page: Page, scan: PhantomScan, *, row: int, column: int, plane_selector: str = AXIAL) -> None:
    """Clicks the middle of a pixel of a fitted axial image."""
    box = page.locator(f"{plane_selector} .view").bounding_box()
    assert box
    _, dy, dx = scan.spacing_zyx_mm
    _, rows, columns = scan.hu.shape
    scale = min(box["width"] / (columns * dx), box["height"] / (rows * dy))
    x = box["x"] + box["width"] / 2 + ((column + 0.5) * dx - columns * dx / 2) * scale
    y = box["y"] + box["height"] / 2 + ((row + 0.5) * dy - rows * dy / 2) * scale
    page.mouse.click(x, y)


def last_point(page: Page) -> dict:
    until(page, "window.points?.length > 0")
    return json.loads(page.evaluate("JSON.stringify(window.points.at(-1))"))


def test_a_click_chooses_the_voxel_under_it(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    open_scan(screen, fixtures)
    screen.keyboard.press("p")
    click_voxel(screen, scan, row=50, column=44)
    point = last_point(screen)
    z, y, x = point["voxel_zyx"]
    assert (y, x) == (50, 44)
    spacing, origin = np.array(scan.spacing_zyx_mm), np.array(scan.origin_lps_mm)
    np.testing.assert_allclose(point["world_lps_mm"], origin + np.array([x, y, z]) * spacing[::-1], atol=1e-6)
    assert point["hu"] == scan.hu[z, y, x]
    assert point["in_liver"] is bool(scan.masks["liver"][z, y, x])
    assert point["in_liver"] is True
    expect(screen.get_by_label("x", exact=True)).to_have_value(f"{point['world_lps_mm'][0]:.1f}")
    expect(screen.get_by_label("z", exact=True)).to_have_value(f"{point['world_lps_mm'][2]:.1f}")
    expect(screen.locator("#said")).to_contain_text("in the liver")


def test_fields_that_arrive_later_know_the_place_too(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    open_scan(screen, fixtures)
    screen.keyboard.press("p")
    click_voxel(screen, scan, row=20, column=110)
    point = last_point(screen)
    assert point["in_liver"] is False
    expect(screen.locator("#late")).to_have_value(f"{point['world_lps_mm'][0]:.1f}")


def test_the_lesion_table_and_the_address_lead_to_their_place(
    screen: Page, fixtures: FixtureServer, scan: PhantomScan
) -> None:
    open_scan(screen, fixtures, "?at=-90.4,-91.6,15.0")
    # z = (15 - -40) / 2.5 = 22 lies outside 20 slices: the address is ignored and the middle shown.
    assert caption(screen).startswith("10 / 20")
    open_scan(screen, fixtures, "?at=-90.4,-91.6,-15.0")
    assert caption(screen).startswith("10 / 20")  # z = 10 counted from the head: 20 - 10
    assert last_point(screen)["voxel_zyx"] == [10, 86, 112]
    screen.locator("tr[data-lesion-centroid]").evaluate("(row) => row.dataset.lesionCentroid = '[-100, -100, -30]'")
    screen.locator("tr[data-lesion-centroid]").focus()
    screen.keyboard.press("Enter")
    expect(screen.locator("tr[data-lesion-centroid]")).to_have_attribute("data-selected", "")
    assert caption(screen).startswith("16 / 20")
    assert caption(screen, "coronal").startswith("76 / 120")
    assert caption(screen, "sagittal").startswith("101 / 150")
    # What is shown is what a removal would remove.
    expect(screen.locator("select[name=lesion]")).to_have_value("two")


def test_wheel_keys_and_slider_scroll_within_the_scan(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    open_scan(screen, fixtures)
    view = screen.locator(f"{AXIAL} .view")
    view.hover()
    # One notch is one slice, whether a mouse calls it 100 or 120 pixels: no slice is passed over.
    screen.mouse.wheel(0, 120)
    expect(screen.locator(f"{AXIAL} .pane-caption")).to_contain_text("11 / 20")
    screen.mouse.wheel(0, 100)
    expect(screen.locator(f"{AXIAL} .pane-caption")).to_contain_text("12 / 20")
    view.focus()
    screen.keyboard.press("ArrowUp")
    expect(screen.locator(f"{AXIAL} .pane-caption")).to_contain_text("11 / 20")
    for _ in range(8):
        screen.keyboard.press("PageDown")
    expect(screen.locator(f"{AXIAL} .pane-caption")).to_contain_text("20 / 20")
    screen.locator(f"{AXIAL} .pane-slider").fill("3")
    expect(screen.locator(f"{AXIAL} .pane-caption")).to_contain_text("3 / 20")


def test_presets_drags_and_reset_set_the_window(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    open_scan(screen, fixtures)
    screen.keyboard.press("1")
    assert "W 160 L 60" in caption(screen)
    assert "W 160 L 60" in caption(screen, "coronal")
    box = screen.locator(f"{AXIAL} .view").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    screen.mouse.move(x, y)
    screen.mouse.down()
    screen.mouse.move(x + 40, y + 20, steps=4)
    screen.mouse.up()
    width, level = (int(found) for found in re.findall(r"[WL] (-?\d+)", caption(screen)))
    assert width > 160
    assert level > 60
    screen.keyboard.press("r")
    assert "W 400 L 60" in caption(screen)


def test_a_length_is_measured_in_millimetres(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    open_scan(screen, fixtures)
    # The overlay is a drawing: what it says is caught where it is written.
    screen.evaluate(
        """() => {
          const write = CanvasRenderingContext2D.prototype.fillText;
          window.written = [];
          CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            window.written.push(text);
            write.call(this, text, ...rest);
          };
        }"""
    )
    screen.keyboard.press("l")
    box = screen.locator(f"{AXIAL} .view").bounding_box()
    assert box
    scale = min(box["width"] / (150 * 0.8), box["height"] / (120 * 0.8))
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    screen.mouse.move(x, y)
    screen.mouse.down()
    screen.mouse.move(x + 30 * scale, y - 40 * scale, steps=3)
    screen.mouse.up()
    until(screen, "window.written.some((text) => /^(50.0|49.9|50.1) mm$/.test(text))")
    screen.keyboard.press("Delete")
    screen.evaluate("window.written.length = 0")
    screen.keyboard.press("1")
    until(screen, "window.written.length > 0")  # it was drawn anew
    assert not [text for text in screen.evaluate("window.written") if re.fullmatch(r"\d+\.\d mm", text)]


def test_outlines_are_drawn_where_the_mask_is(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    open_scan(screen, fixtures)
    liver = screen.locator('[data-mask="liver"]')
    expect(liver).to_have_attribute("aria-pressed", "false")
    chip = liver.locator(".mask-chip")
    expect(chip).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    assert coloured_pixels(screen, "#4fc3f7") == 0
    liver.click()
    expect(chip).to_have_css("background-color", "rgb(79, 195, 247)")
    eventually(screen, lambda: coloured_pixels(screen, "#4fc3f7"), lambda count: count > 300)
    liver.click()
    eventually(screen, lambda: coloured_pixels(screen, "#4fc3f7"), lambda count: count == 0)


def coloured_pixels(page: Page, colour: str) -> int:
    """Pixels of the axial overlay that have exactly this colour."""
    return page.evaluate(
        """(colour) => {
          const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
          const canvas = document.querySelector('[data-plane="axial"] .view-drawing');
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] > 200 && wanted.every((value, j) => Math.abs(data[i + j] - value) < 6)) count += 1;
          }
          return count;
        }""",
        colour,
    )


def test_what_goes_wrong_is_said(screen: Page, fixtures: FixtureServer, scan: PhantomScan, console: Console) -> None:
    console.allow("Failed to load resource")
    refusal = "This scan was removed on 3 May."
    fixtures.add("GET", "/scan1/manifest/", lambda _: as_json({"detail": refusal}, 404))
    screen.goto(f"{fixtures.url}/scan/")
    expect(screen.get_by_role("status")).to_contain_text(refusal)
    expect(screen.get_by_role("button", name="Load again")).to_be_visible()


def test_a_flipped_scan_is_shown_the_right_way_up(screen: Page, fixtures: FixtureServer, scan: PhantomScan) -> None:
    """The same patient stored with both in-plane axes reversed looks the same."""
    open_scan(screen, fixtures)
    fixtures.scan(
        "/scan2",
        PhantomScan(
            hu=np.ascontiguousarray(scan.hu[:, ::-1, ::-1]),
            direction=((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
            masks={kind: np.ascontiguousarray(mask[:, ::-1, ::-1]) for kind, mask in scan.masks.items()},
        ),
    )
    fixtures.page("/flipped/", "src/pages/scan.ts", CONTENT.replace("/scan1/", "/scan2/"))
    flipped = screen.context.new_page()
    open_scan(flipped, fixtures, path="/flipped/")
    upright, _ = eventually(
        screen,
        lambda: (drawn_image(screen), drawn_image(flipped)),
        lambda both: both[0].std() > 20 and np.array_equal(*both),
    )
    assert (upright != upright[::-1]).any(), "its other end looks different"


def drawn_image(page: Page) -> np.ndarray:
    """The grey values that the axial view has drawn by now."""
    return np.array(
        page.evaluate(
            """() => {
              const canvas = document.querySelector('[data-plane="axial"] canvas.cornerstone-canvas');
              const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
              return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
            }"""
        )
    )
