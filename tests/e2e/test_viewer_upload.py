"""The upload page: progress, refusals in the server's words, folders, and the way to the job."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Console
from tests.e2e.harness import FixtureServer, Reply, Request, as_json

pytestmark = pytest.mark.browser

FORM = """
<form id="upload-form" data-max-files="3" data-max-bytes="1000" method="post" enctype="multipart/form-data" action="/upload/">
  <div class="field"><label for="id_files">Scans</label><input type="file" name="files" id="id_files" multiple required></div>
  <div class="field"><label for="id_subject">Subject</label><input name="subject" id="id_subject"></div>
  <button class="button primary">Upload and import</button>
</form>
"""


@pytest.fixture
def received(screen: Page, fixtures: FixtureServer) -> list[Request]:
    received: list[Request] = []

    def take(request: Request) -> Reply:
        received.append(request)
        return as_json({"job_url": "/jobs/7/"}, 202)

    fixtures.add("POST", "/upload/", take)
    fixtures.page("/upload/", "src/pages/upload.ts", FORM, title="Upload")
    fixtures.page("/jobs/7/", "src/base.ts", "<p>Importing</p>", title="Job")
    screen.goto(f"{fixtures.url}/upload/")
    return received


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(b"first slice")
    (folder / "inner" / "b.dcm").write_bytes(b"second slice")
    return folder


def test_files_are_sent_and_the_job_is_followed(screen: Page, received: list[Request], series: Path) -> None:
    screen.set_input_files("#id_files", [series / "a.dcm", series / "inner" / "b.dcm"])
    expect(screen.locator(".upload-status")).to_contain_text("2 files")
    screen.fill("#id_subject", "subject 1")
    screen.click("button.primary")
    expect(screen.get_by_role("heading", name="Job")).to_be_visible()
    (request,) = received
    assert request.headers["Accept"] == "application/json"
    assert request.body.count(b'name="files"') == 2
    assert b"second slice" in request.body
    assert b"subject 1" in request.body


@pytest.mark.parametrize(("count", "size", "told"), [(4, 1, "4 files; 3 can"), (2, 900, "can be sent at once")])
def test_what_is_too_much_is_told_before_it_is_sent(
    screen: Page, received: list[Request], tmp_path: Path, count: int, size: int, told: str
) -> None:
    for number in range(count):
        (tmp_path / f"{number}.dcm").write_bytes(b"x" * size)
    screen.set_input_files("#id_files", sorted(tmp_path.glob("*.dcm")))
    screen.click("button.primary")
    expect(screen.get_by_role("alert")).to_contain_text(told)
    assert received == []


def test_a_folder_is_sent_with_its_paths(screen: Page, received: list[Request], series: Path) -> None:
    screen.set_input_files("#upload-folder", series)
    screen.click("button.primary")
    expect(screen.get_by_role("heading", name="Job")).to_be_visible()
    (request,) = received
    assert request.body.count(b'name="files"') == 2
    assert b"series/a.dcm" in request.body
    assert b"series/inner/b.dcm" in request.body


def test_a_refusal_keeps_the_form_as_it_was(
    screen: Page, fixtures: FixtureServer, received: list[Request], series: Path, console: Console
) -> None:
    console.allow("422")
    words = "a.dcm is a secondary capture: only original CT images are imported."
    fixtures.add("POST", "/upload/", lambda _: as_json({"detail": words}, 422))
    screen.set_input_files("#id_files", series / "a.dcm")
    screen.fill("#id_subject", "subject 1")
    screen.click("button.primary")
    expect(screen.get_by_role("alert")).to_have_text(words)
    expect(screen.locator("#id_subject")).to_have_value("subject 1")
    expect(screen.locator("button.primary")).to_be_enabled()
    assert screen.evaluate("document.querySelector('#id_files').files.length") == 1


def test_a_broken_connection_is_said(screen: Page, received: list[Request], series: Path, console: Console) -> None:
    console.allow("ERR_FAILED")
    screen.route("**/upload/", lambda route: route.abort())
    screen.set_input_files("#id_files", series / "a.dcm")
    screen.click("button.primary")
    expect(screen.get_by_role("alert")).to_contain_text("The connection broke")
    expect(screen.locator("button.primary")).to_be_enabled()


def test_nothing_is_sent_without_a_file(screen: Page, received: list[Request]) -> None:
    screen.click("button.primary")
    screen.wait_for_timeout(300)
    assert received == []
