"""A login that ends in the middle of a form: nothing typed is lost, and the person is told."""

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from ctplatform.accounts.models import Role
from ctplatform.datasets.models import Dataset
from synthesis.models import EditOrder
from tests.e2e.conftest import Console
from tests.e2e.test_viewer_pages import enter
from tests.factories import PASSWORD, make_generator, make_user
from tests.readerstudy.worlds import Cast, make_draft, make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BACK = "What you typed is back"


def log_in(page: Page, user) -> None:
    page.get_by_label("Login").fill(user.username)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_what_was_typed_comes_back_after_the_login_and_can_be_sent(screen: Page, live_server) -> None:
    owner = make_user(Role.COORDINATOR)
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/datasets/new/")
    screen.get_by_label("Name").fill("Typed before it expired")
    screen.get_by_label("Description").fill("Two lines\nof text")
    Session.objects.all().delete()
    screen.locator("main form button").click()
    expect(screen.get_by_text("Your login has expired, so nothing was saved.")).to_be_visible()
    log_in(screen, owner)
    expect(screen).to_have_url(f"{live_server.url}/datasets/new/")
    expect(screen.get_by_text(BACK)).to_be_visible()
    expect(screen.get_by_label("Name")).to_have_value("Typed before it expired")
    expect(screen.get_by_label("Description")).to_have_value("Two lines\nof text")
    screen.locator("main form button").click()
    expect(screen.get_by_role("heading", level=1)).to_contain_text("Typed before it expired")
    assert Dataset.objects.get().description.splitlines() == ["Two lines", "of text"]
    screen.goto(f"{live_server.url}/datasets/new/")
    expect(screen.get_by_text(BACK)).to_have_count(0)
    expect(screen.get_by_label("Name")).to_have_value("")


def test_ticks_come_back_to_a_form_that_is_sent_to_another_address(screen: Page, live_server) -> None:
    cast = Cast.create()
    study = make_draft(cast, make_world(cast.owner, sources=1, edits_per_source=0), raters=[cast.rater])
    enter(screen, live_server, cast.owner)
    screen.goto(f"{live_server.url}/studies/{study.pk}/")
    form = screen.locator("form", has=screen.get_by_role("button", name="Save raters"))
    boxes = form.get_by_role("checkbox")
    before = [box.is_checked() for box in boxes.all()]
    for box in boxes.all():
        box.set_checked(not box.is_checked())
    Session.objects.all().delete()
    form.get_by_role("button", name="Save raters").click()
    log_in(screen, cast.owner)
    expect(screen).to_have_url(f"{live_server.url}/studies/{study.pk}/")
    expect(form.get_by_text(BACK)).to_be_visible()
    assert [box.is_checked() for box in boxes.all()] == [not ticked for ticked in before]
    assert [rater.user for rater in study.raters.all()] == [cast.rater]


def test_passwords_are_not_kept_and_nobody_else_gets_what_was_typed(screen: Page, live_server) -> None:
    owner, other = make_user(Role.COORDINATOR), make_user(Role.COORDINATOR)
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/account/password/change/")
    for field in screen.locator("main input[type=password]").all():
        field.fill("a secret that is typed")
    Session.objects.all().delete()
    screen.locator("main form button").first.click()
    expect(screen.get_by_label("Login")).to_be_visible()
    assert "secret" not in screen.evaluate("JSON.stringify(sessionStorage)")
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/datasets/new/")
    screen.get_by_label("Name").fill("The owner's")
    Session.objects.all().delete()
    screen.locator("main form button").click()
    log_in(screen, other)
    expect(screen).to_have_url(f"{live_server.url}/datasets/new/")
    expect(screen.get_by_label("Name")).to_have_value("")
    assert "The owner's" not in screen.evaluate("JSON.stringify(sessionStorage)")


def test_the_synthesis_panel_says_it_and_goes_on_after_a_login_in_another_tab(
    screen: Page, live_server, console: Console
) -> None:
    console.allow("401")
    cast = Cast.create()
    scan = make_world(cast.owner, sources=1, edits_per_source=0).sources[0]
    make_generator()
    enter(screen, live_server, cast.owner)
    screen.goto(f"{live_server.url}/datasets/scans/{scan.pk}/")
    panel = screen.locator("#synthesis-panel")
    for axis in "xyz":
        panel.get_by_label(f"{axis} (mm)").fill("9999")
    panel.get_by_label("Diameter").fill("12.5")
    Session.objects.all().delete()
    panel.get_by_role("button", name="Insert").click()
    refusal = panel.get_by_role("alert")
    expect(refusal).to_contain_text("Your login has expired, so nothing was sent.")
    expect(panel.get_by_label("Diameter")).to_have_value("12.5")
    with screen.context.expect_page() as opened:
        refusal.get_by_role("link").click()
    log_in(opened.value, cast.owner)
    expect(opened.value).to_have_url(re.compile(str(scan.pk)))
    panel.get_by_role("button", name="Insert").click()
    expect(panel.get_by_role("alert")).to_contain_text("outside the scan")
    expect(panel.get_by_label("Diameter")).to_have_value("12.5")
    assert not EditOrder.objects.exists()


def test_a_form_whose_token_is_older_than_the_login_is_taken(screen: Page, live_server) -> None:
    """Logged out and in again in another tab: the page that was open before still works."""
    owner = make_user(Role.COORDINATOR)
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/datasets/new/")
    screen.get_by_label("Name").fill("Written in the first tab")
    Session.objects.all().delete()
    other = screen.context.new_page()
    other.goto(f"{live_server.url}/datasets/")
    log_in(other, owner)
    expect(other.get_by_role("button", name="Log out")).to_be_visible()
    screen.locator("main form button").click()
    expect(screen.get_by_role("heading", level=1)).to_contain_text("Written in the first tab")


def test_a_list_that_follows_its_jobs_says_that_it_stopped(screen: Page, live_server, console: Console) -> None:
    from ctplatform.jobs.models import Job

    console.allow("401")
    owner = make_user(Role.COORDINATOR)
    Job.objects.create(kind="x", title="Long work", owner=owner)
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/jobs/")
    Session.objects.all().delete()
    expect(screen.get_by_text("Your login has expired, so this page no longer shows what is new.")).to_be_visible()
    expect(screen.get_by_text("Long work")).to_be_visible()
    enter(screen, live_server, owner)
    expect(screen.get_by_text("no longer shows what is new")).to_have_count(0)


def test_an_upload_is_told_that_the_login_has_ended(screen: Page, live_server, console: Console) -> None:
    console.allow("401")
    owner = make_user(Role.COORDINATOR)
    dataset = Dataset.objects.create(owner=owner, name="Mine")
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/datasets/{dataset.pk}/upload/")
    screen.locator("input[type=file]").first.set_input_files({"name": "a.nii", "mimeType": "", "buffer": b"x" * 100})
    Session.objects.all().delete()
    screen.get_by_role("button", name="Upload and import").click()
    refusal = screen.get_by_role("alert").filter(has_text="Your login has expired")
    expect(refusal.get_by_role("link")).to_be_visible()
    assert screen.locator("input[type=file]").first.evaluate("field => field.files.length") == 1
