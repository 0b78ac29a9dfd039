"""Ticking scans in long lists: found by name, ticked and cleared together, kept when the form is refused."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter
from tests.factories import make_dataset, make_generator, make_scan, make_user
from tests.phantoms import small_grid

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("path", "send"), [("training/new", "Train"), ("batch", "Order")])
def test_scans_are_found_ticked_together_and_kept_when_the_form_is_refused(
    screen: Page, live_server, path: str, send: str
) -> None:
    owner, grid = make_user(role=Role.COORDINATOR), small_grid()
    dataset = make_dataset(owner)
    liver = np.ones(grid.size_zyx, dtype=bool)
    for name in ("north 1", "north 2", "south 1"):
        make_scan(dataset, grid=grid, name=name, masks={MaskKind.LIVER: liver})
    make_generator()
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/synthesis/{path}/")
    boxes, count = screen.locator('[name="scans"]'), screen.locator("[data-choose] [aria-live]")
    expect(count).to_have_text("0 of 3 ticked")
    assert violations(screen) == []
    screen.get_by_label("Find in the list").fill("NORTH")
    expect(screen.get_by_label("south 1")).to_be_hidden()
    expect(count).to_have_text("0 of 3 ticked, 2 shown")
    screen.get_by_label("Find in the list").press("Enter")
    # By keyboard alone; what is ticked and no longer shown stays ticked.
    screen.keyboard.press("Tab")
    screen.keyboard.press("Space")
    expect(count).to_have_text("2 of 3 ticked, 2 shown")
    screen.get_by_label("Find in the list").fill("nothing like it")
    expect(count).to_have_text("2 of 3 ticked, none shown")
    screen.get_by_label("Find in the list").fill("")
    assert [box.is_checked() for box in boxes.all()] == [True, True, False]
    # Refused by the server, as the browser's own checks are out of the way.
    screen.evaluate("document.querySelector('form.columns').noValidate = true")
    screen.get_by_label("Seed").fill("")
    screen.get_by_role("button", name=send, exact=True).click()
    expect(screen.locator(".error").first).to_be_visible()
    assert [box.is_checked() for box in boxes.all()] == [True, True, False]
    expect(count).to_have_text("2 of 3 ticked")
    screen.get_by_role("button", name="Clear all shown").click()
    expect(count).to_have_text("0 of 3 ticked")
