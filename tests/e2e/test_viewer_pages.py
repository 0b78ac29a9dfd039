"""The islands on Django's own pages: same contract, real server, real rows."""

import gzip

import numpy as np
import pytest
import SimpleITK
from django.test import Client
from playwright.sync_api import Page, expect

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Scan
from readerstudy.models import RatingEvent, Session
from tests.e2e.conftest import SAFETY_MS, until
from tests.factories import make_generator
from tests.readerstudy.worlds import REAL_PLACES, Cast, Stages, make_draft, make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cast() -> Cast:
    return Cast.create()


def enter(page: Page, live_server, user: User) -> None:
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])


def test_the_scan_page_shows_the_scan_and_leads_to_its_lesions(screen: Page, live_server, cast: Cast) -> None:
    world = make_world(cast.owner, sources=1, edits_per_source=0)
    scan: Scan = world.sources[0]
    make_generator()
    enter(screen, live_server, cast.owner)
    screen.goto(f"{live_server.url}/datasets/scans/{scan.pk}/")
    for plane in ("axial", "coronal", "sagittal"):
        screen.wait_for_selector(f'[data-plane="{plane}"] .view[data-state="shown"]')
    expect(screen.locator('[data-mask="liver"]')).to_be_visible()
    address = screen.url
    screen.locator("tr[data-lesion-centroid] a").first.click()
    expect(screen.locator("tr[data-lesion-centroid]").first).to_have_attribute("data-selected", "")
    assert screen.url == address, "the views move, the page stays"
    z, y, x = REAL_PLACES[0]
    # Nine slices of 52 rows and columns, counted from the head, the front and the right.
    expect(screen.locator('[data-plane="axial"] .pane-caption')).to_contain_text(f"{9 - z} / 9")
    expect(screen.locator('[data-plane="coronal"] .pane-caption')).to_contain_text(f"{y + 1} / 52")
    expect(screen.locator('[data-plane="sagittal"] .pane-caption')).to_contain_text(f"{x + 1} / 52")
    # The ordering panel arrived by htmx after the viewer and knows the place.
    panel = screen.locator("#synthesis-panel")
    expect(panel.locator('input[data-viewer-point="x"]').first).not_to_have_value("")
    expect(panel.locator('[data-viewer-point="text"]').first).to_contain_text("in the liver")
    # What the table shows is what a removal would remove.
    screen.locator("tr[data-lesion-centroid] a").last.click()
    lesion = scan.lesions.last()
    assert lesion is not None
    expect(panel.locator("select[name=lesion]")).to_have_value(str(lesion.pk))


def test_a_rater_reads_a_study_to_its_end(
    screen: Page, live_server, cast: Cast, django_capture_on_commit_callbacks
) -> None:
    study = make_draft(cast, make_world(cast.owner), confidence_levels=4, instructions="Decide by the image alone.")
    Stages(django_capture_on_commit_callbacks).open(study)
    session = Session.objects.get(rater__user=cast.rater, rater__study=study)
    enter(screen, live_server, cast.rater)
    screen.goto(f"{live_server.url}/reading/{session.token}/")
    screen.wait_for_selector('.room[data-state="welcome"]')
    screen.keyboard.press("Enter")
    slots = list(session.presentations.order_by("position"))
    for number, slot in enumerate(slots):
        until(
            screen,
            f"(({{ state, presentation }}) => state === 'reading' && presentation === '{slot.token}')"
            "(document.querySelector('.room').dataset)",
        )
        screen.wait_for_timeout(220)
        screen.keyboard.press("1" if number % 2 else "2")
        screen.keyboard.press("3")
    expect(screen.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(screen.locator(".room-saved")).to_have_text("All answers saved")
    events = list(RatingEvent.objects.filter(presentation__session=session).order_by("sequence"))
    assert [event.presentation_id for event in events] == [slot.pk for slot in slots]
    assert {event.confidence for event in events} == {3}
    assert all(event.reading_ms >= 200 for event in events)


def test_a_coordinator_previews_without_a_trace(
    screen: Page, live_server, cast: Cast, django_capture_on_commit_callbacks
) -> None:
    study = make_draft(cast, make_world(cast.owner))
    Stages(django_capture_on_commit_callbacks).draw(study)
    enter(screen, live_server, cast.owner)
    screen.goto(f"{live_server.url}/studies/{study.pk}/preview/")
    screen.wait_for_selector('.room[data-state="welcome"], .room[data-state="reading"]')
    if screen.get_attribute(".room", "data-state") == "welcome":
        screen.keyboard.press("Enter")
    expect(screen.locator(".room-banner")).to_contain_text("This is a preview")
    shown = set()
    for _ in range(3):
        screen.wait_for_selector('.room[data-state="reading"]')
        screen.wait_for_timeout(220)
        token = screen.get_attribute(".room", "data-presentation")
        shown.add(token)
        screen.keyboard.press("1")
        if screen.get_attribute(".room", "data-state") == "confidence":
            screen.keyboard.press("2")
        until(screen, f"document.querySelector('.room').dataset.presentation !== '{token}'")
    assert len(shown) == 3
    assert not RatingEvent.objects.exists()


def test_an_upload_ends_at_its_job(screen: Page, live_server, cast: Cast, tmp_path) -> None:
    world = make_world(cast.owner, sources=1, edits_per_source=0)
    volume = np.random.default_rng(0).integers(-100, 200, (6, 40, 40)).astype(np.int16)
    image = SimpleITK.GetImageFromArray(volume)
    image.SetSpacing((1.2, 1.2, 3.0))
    path = tmp_path / "research-7.nii"
    SimpleITK.WriteImage(image, str(path))
    packed = tmp_path / "research-7.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    enter(screen, live_server, cast.owner)
    screen.goto(f"{live_server.url}/datasets/{world.dataset.pk}/upload/")
    screen.set_input_files('#upload-form input[name="files"]:not([webkitdirectory])', packed)
    screen.get_by_role("button", name="Upload and import").click()
    screen.wait_for_url("**/jobs/*/")
    expect(screen.get_by_role("cell", name="Done", exact=True)).to_be_visible(timeout=3 * SAFETY_MS)
    imported = Scan.objects.filter(dataset=world.dataset).exclude(pk=world.sources[0].pk).get()
    assert imported.grid["size_zyx"] == [6, 40, 40]
