"""The review page: before, after and difference move together and differ where the edit is."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import eventually, until
from tests.e2e.harness import FixtureServer, body_phantom

pytestmark = pytest.mark.browser

SHAPE = (20, 120, 150)
DECISION = """
<section class="decision">
  <form id="decision" action="/decided/">
    <button name="decision" value="accept" aria-keyshortcuts="Y">Accept</button>
    <textarea name="reason" aria-label="Reason"></textarea>
    <button name="decision" value="reject" aria-keyshortcuts="N">Reject</button>
  </form>
  <form action="/decided/"><button name="because" value="Its edge is visible" aria-keyshortcuts="E">Edge</button></form>
</section>
"""
CENTRE = "[-150.4, -120.0, 5.0]"  # voxel z 18 (of 20), y 50, x 37


@pytest.fixture
def review(screen: Page, fixtures: FixtureServer) -> Page:
    before = body_phantom(SHAPE, lesion=False)
    after = body_phantom(SHAPE)
    after.masks["changed"] = after.masks["lesion"]
    fixtures.scan("/before", before)
    fixtures.scan("/after", after)
    fixtures.page(
        "/review/",
        "src/pages/review.ts",
        f'<section id="review-viewer" data-before-url="/before/manifest/" data-after-url="/after/manifest/" '
        f'data-centre="{CENTRE}"></section>{DECISION}',
    )
    fixtures.page("/decided/", "src/base.ts", "<h1>Decided</h1>")
    screen.goto(f"{fixtures.url}/review/")
    for role in ("before", "after", "difference"):
        screen.wait_for_selector(f'[data-role="{role}"] .view[data-state="shown"]')
    return screen


def captions(page: Page) -> list[str]:
    return [page.inner_text(f'[data-role="{role}"] .pane-caption') for role in ("before", "after", "difference")]


def grey(page: Page, selector: str) -> np.ndarray:
    """Every fifth grey value of the image that Cornerstone drew."""
    return np.array(
        page.evaluate(
            """(selector) => {
              const canvas = document.querySelector(selector + " canvas.cornerstone-canvas");
              const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
              return Array.from({ length: Math.floor(data.length / 20) }, (_, i) => data[20 * i]);
            }""",
            selector,
        )
    )


def test_it_starts_at_the_edit(review: Page) -> None:
    # Slices count from the head: z = 18 is the second of 20.
    assert all(caption.startswith("2 / 20") for caption in captions(review))
    until(review, "document.querySelectorAll('.viewer-status progress').length === 0")
    review.keyboard.press("c")
    until(review, "document.querySelector('[data-role=difference] .pane-caption').textContent.startsWith('51 / 120')")
    review.keyboard.press("s")
    until(review, "document.querySelector('[data-role=difference] .pane-caption').textContent.startsWith('38 / 150')")


def test_all_three_follow_the_one_that_is_moved(review: Page) -> None:
    review.locator('[data-role="before"] .view').focus()
    for _ in range(6):
        review.keyboard.press("ArrowDown")
    until(
        review, "[...document.querySelectorAll('.pane-caption')].every((one) => one.textContent.startsWith('8 / 20'))"
    )
    box = review.locator('[data-role="after"] .view').first.bounding_box()
    assert box
    review.mouse.move(box["x"] + 100, box["y"] + 100)
    review.mouse.down()
    review.mouse.move(box["x"] + 160, box["y"] + 120, steps=4)
    review.mouse.up()
    before, after, difference = captions(review)
    assert "W 400" not in before
    assert before == after
    assert "W 200 L 0" in difference


def test_the_difference_is_grey_but_for_the_edit(review: Page) -> None:
    review.locator('[data-role="difference"] .view').focus()
    for _ in range(7):
        review.keyboard.press("ArrowDown")
    until(
        review, "[...document.querySelectorAll('.pane-caption')].every((one) => one.textContent.startsWith('9 / 20'))"
    )
    values = eventually(
        review,
        lambda: grey(review, '[data-role="difference"]'),
        lambda values: darker(values).sum() > 60,  # the lesion is 50 HU darker
    )
    assert np.isin(values, [127, 128]).sum() > 10 * darker(values).sum()
    assert (values > 140).sum() == 0


def darker(values: np.ndarray) -> np.ndarray:
    return (values > 40) & (values < 90)


def test_flipping_shows_before_in_the_place_of_after(review: Page) -> None:
    review.locator('[data-role="after"] .view').first.focus()
    for _ in range(7):
        review.keyboard.press("ArrowDown")
    until(
        review, "[...document.querySelectorAll('.pane-caption')].every((one) => one.textContent.startsWith('9 / 20'))"
    )
    places = ('[data-role="before"]', '[data-role="after"] .view:not(.view-flip)', '[data-role="after"] .view-flip')
    eventually(
        review,
        lambda: [grey(review, place) for place in places],
        lambda seen: np.array_equal(seen[0], seen[2]) and not np.array_equal(seen[0], seen[1]),
    )
    flipped = review.locator('[data-role="after"] .view-flip')
    expect(flipped).to_be_hidden()
    review.keyboard.press("b")
    expect(flipped).to_be_visible()
    expect(review.locator('[data-role="after"] .pane-title')).to_have_text("Before, in this place")
    review.keyboard.press("b")
    expect(flipped).to_be_hidden()


def test_the_changed_voxels_are_outlined_on_demand(review: Page) -> None:
    switch = review.get_by_role("button", name="Changed voxels")
    expect(switch).to_have_attribute("aria-pressed", "false")
    review.keyboard.press("m")
    expect(switch).to_have_attribute("aria-pressed", "true")


def decided(page: Page) -> str:
    expect(page.get_by_role("heading", name="Decided")).to_be_visible()
    return page.url.partition("?")[2]


def test_a_key_accepts(review: Page) -> None:
    review.keyboard.press("y")
    assert "decision=accept" in decided(review)


def test_a_key_rejects_for_a_usual_reason(review: Page) -> None:
    review.keyboard.press("e")
    assert decided(review) == "because=Its+edge+is+visible"


def test_a_rejection_asks_for_its_reason_and_enter_sends_it(review: Page) -> None:
    review.keyboard.press("n")
    expect(review.get_by_label("Reason")).to_be_focused()
    # Whoever writes is not deciding.
    review.keyboard.type("yes, a seam")
    review.keyboard.press("Enter")
    assert decided(review) == "reason=yes%2C+a+seam&decision=reject"
