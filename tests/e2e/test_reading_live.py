"""The reading room against the real server: other logins, other computers, a week-end, a study that closes meanwhile."""

from contextlib import nullcontext

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from readerstudy.models import Presentation, RatingEvent, Session, Study
from readerstudy.unblinding import services as unblinding
from readerstudy.verification import verify
from tests.e2e.conftest import Console, eventually
from tests.e2e.test_viewer_pages import enter as log_in_as
from tests.e2e.test_viewer_reading import CLOCK, EVENTS, READY, cut, press, shown, stored
from tests.factories import PASSWORD
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Reading:
    """A study of patches that two raters read, without confidence unless the settings say otherwise."""

    def __init__(self, live_server, **settings) -> None:
        self.cast = Cast.create()
        draft = make_draft(self.cast, make_world(self.cast.owner), **{"confidence_levels": 0, **settings})
        self.study = Stages(lambda **_: nullcontext()).open(draft)
        self.session = Session.objects.get(rater__user=self.cast.rater)
        slots = Presentation.objects.filter(session=self.session).order_by("position")
        self.tokens = list(slots.values_list("token", flat=True))
        self.url = f"{live_server.url}{reverse('reading:room', args=[self.session.token])}"
        self.base = live_server.url

    def enter(self, page: Page) -> None:
        page.goto(self.url)
        page.get_by_role("button", name="Start reading").or_(page.locator(READY)).first.wait_for()
        if page.get_by_role("button", name="Start reading").is_visible():
            page.keyboard.press("Enter")
        page.wait_for_selector(READY)

    def arrived(self, page: Page, count: int) -> list[RatingEvent]:
        events = RatingEvent.objects.order_by("sequence").select_related("presentation", "supersedes")
        return eventually(page, lambda: list(events.all()), lambda there: len(there) >= count)

    def intact(self) -> bool:
        self.study.refresh_from_db()
        return verify(self.study, with_stimuli=False).intact


@pytest.fixture
def reading(live_server) -> Reading:
    return Reading(live_server)


def change_login(page: Page, base: str, user) -> None:
    page.goto(f"{base}/account/logout/")
    page.locator("form button").last.click()
    page.goto(f"{base}/account/login/")
    page.get_by_label("Login").fill(user.username)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()


def test_another_login_in_the_same_browser_loses_nothing(
    screen: Page, live_server, reading: Reading, context: BrowserContext, console: Console
) -> None:
    console.allow("404")
    console.allow("401")  # between one login and the next the page has none
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    expect(screen.locator(".room-reader")).to_have_text(str(reading.cast.rater))
    other = context.new_page()
    change_login(other, reading.base, reading.cast.second_rater)
    press(screen, "1")
    expect(screen.locator(".room-saved")).to_contain_text("Another login: 1 answer is kept here")
    press(screen, "2")
    assert RatingEvent.objects.count() == 0
    change_login(other, reading.base, reading.cast.rater)
    first, second = reading.arrived(screen, 2)
    assert [first.answer, second.answer] == ["real", "synthetic"]
    assert [first.presentation.token, second.presentation.token] == reading.tokens[:2]
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    assert stored(screen) == 0
    assert reading.intact()


def test_an_answer_given_elsewhere_meanwhile_is_shown_beside_the_own_one(
    screen: Page, live_server, reading: Reading, console: Console
) -> None:
    console.allow("409")
    console.allow("ERR_FAILED")
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    cut(screen)
    press(screen, "1")
    elsewhere = Browser(reading.cast.rater, reading.study)
    elsewhere.rate(reading.tokens[0], answer="synthetic", confidence=None)
    screen.unroute(EVENTS)
    screen.evaluate("window.dispatchEvent(new Event('online'))")
    banner = screen.locator(".room-banner")
    expect(banner).to_contain_text("You answered one case twice: Synthetic somewhere else")
    banner.get_by_role("button", name="Take Real").click()
    first, second = reading.arrived(screen, 2)
    assert (second.answer, second.supersedes) == ("real", first)
    expect(banner).to_be_hidden()
    assert reading.intact()


def test_a_page_left_open_over_a_week_end(screen: Page, live_server, reading: Reading) -> None:
    screen.add_init_script(CLOCK)
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    screen.evaluate(
        """() => {
          const hide = (hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
          };
          hide(true);
          clock.skew += 63 * 3600e3;
          hide(false);
        }"""
    )
    press(screen, "1")
    (event,) = reading.arrived(screen, 1)
    assert event.hidden_ms == pytest.approx(63 * 3600e3, abs=60_000)
    assert event.reading_ms < 60_000


def test_an_answer_under_way_when_the_study_closes_counts_within_the_grace(
    screen: Page, live_server, reading: Reading, console: Console
) -> None:
    console.allow("ERR_FAILED")
    console.allow("409")
    log_in_as(screen, live_server, reading.cast.rater)
    reading.enter(screen)
    cut(screen)
    press(screen, "2")
    assert shown(screen) == reading.tokens[1]
    owner = Client()
    owner.force_login(reading.cast.owner)
    page = owner.get(reverse("studies:study", args=[reading.study.pk])).content.decode()
    assert "may hold unsent answers" in page
    screen.wait_for_timeout(1_100)
    unblinding.close(study=reading.study, actor=reading.cast.owner)
    screen.unroute(EVENTS)
    screen.evaluate("window.dispatchEvent(new Event('online'))")
    (event,) = reading.arrived(screen, 1)
    # On a quick machine the key was pressed sooner than a person looks, which has a flag of its own.
    assert (event.answer, event.flags[-1]) == ("synthetic", "after_close")
    assert set(event.flags) <= {"after_close", "too_fast"}
    expect(screen.get_by_role("heading", name="This reading is closed")).to_be_visible()
    expect(screen.locator(".room-cover")).to_contain_text("What you had answered before is saved.")
    assert Study.objects.get().ledger_count == 1
    assert reading.intact()
