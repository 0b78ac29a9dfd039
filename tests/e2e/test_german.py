"""A reader whose language is German, from the sign-in page to the last word about a saved answer."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_reading_live import Reading
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import READY, press
from tests.factories import PASSWORD
from tests.readerstudy.worlds import make_draft, make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "de-DE"}


def has_room(page: Page) -> None:
    """German is longer: nothing sticks out of the page, and no button cuts its words off."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cut_off = """[...document.querySelectorAll("button, .button, h1, h2, .room-top > *")]
      .filter((one) => one.offsetParent !== null && !one.matches(".visually-hidden") && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
      .map((one) => one.textContent)"""
    assert page.evaluate(cut_off) == []


def test_a_case_is_read_in_german(screen: Page, live_server) -> None:
    reading = Reading(live_server)
    screen.goto(f"{reading.base}/account/login/")
    expect(screen.locator("html")).to_have_attribute("lang", "de")
    has_room(screen)
    screen.locator("#id_login").fill(reading.cast.rater.username)
    screen.locator("#id_password").fill(PASSWORD)
    screen.get_by_role("button", name="Anmelden").click()
    expect(screen.get_by_role("heading", name="Meine Sitzungen")).to_be_visible()
    expect(screen.locator("main")).to_contain_text(f"0 von {len(reading.tokens)} Fällen")
    has_room(screen)
    screen.get_by_role("link", name="Beginnen").click()
    screen.get_by_role("button", name="Bewertung beginnen").wait_for()
    has_room(screen)
    screen.keyboard.press("Enter")
    screen.wait_for_selector(READY)
    has_room(screen)
    expect(screen.get_by_role("button", name="Voriger Fall")).to_be_visible()
    expect(screen.locator(".room-count")).to_have_text(f"0 von {len(reading.tokens)}")
    press(screen, "1")
    [first] = reading.arrived(screen, 1)
    assert first.answer == "real"
    expect(screen.locator(".room-saved")).to_have_text("Alle Antworten gespeichert")
    screen.keyboard.press("p")
    expect(screen.locator(".room-cover")).to_contain_text("Die Zeit dieses Falls steht still")
    assert reading.intact()


def test_pages_of_a_coordinator_have_room(screen: Page, live_server) -> None:
    reading = Reading(live_server)
    dataset = reading.study.datasets.get()
    log_in_as(screen, live_server, reading.cast.owner)
    for path in ("/", "/people/", "/people/account/", "/people/token/", "/jobs/", "/datasets/", "/studies/"):
        screen.goto(f"{reading.base}{path}")
        expect(screen.locator("html")).to_have_attribute("lang", "de")
        has_room(screen)
    draft = make_draft(reading.cast, make_world(reading.cast.owner))
    of_dataset = [f"/datasets/{dataset.pk}/{page}" for page in ("", "edit/", "upload/", "export/")]
    of_draft = [f"{draft.get_absolute_url()}{page}" for page in ("", "design/", "further/", "cases/")]
    of_study = [f"{reading.study.get_absolute_url()}{page}" for page in ("", "leaks/", "look/")]
    for path in (*of_dataset, "/studies/new/", "/studies/planner/", *of_draft, *of_study):
        screen.goto(f"{reading.base}{path}")
        expect(screen.locator("html")).to_have_attribute("lang", "de")
        has_room(screen)
