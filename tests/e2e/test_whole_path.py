"""A stranger's afternoon: the demo starts, a lesion is clicked into a scan, five people read, the truth comes out."""

import csv
import io
import itertools
import re
import time
import urllib.request

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from scipy import stats

from tests.e2e.conftest import SAFETY_MS, eventually
from tests.processes import Installation, free_port, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(3600)]

PASSWORD = "blinded-readers"
CASES = 8
RATERS = [f"rater{n}" for n in range(1, 6)]
# Faster presses are taken for a bouncing key.
KEY_BOUNCE_MS = 250
STUDY = r".*/studies/[0-9a-f-]{36}/"
TITLE = "A study of the whole path"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What `make demo` does after the packages are installed."""
    here = Installation(tmp_path_factory.mktemp("demo"))
    here.manage("migrate", "--verbosity", "0")
    here.manage("collectstatic", "--no-input", "--verbosity", "0")
    started = time.monotonic()
    here.manage("demo", timeout=3000)
    here.seconds = time.monotonic() - started
    here.address = f"http://127.0.0.1:{free_port()}"
    here.serve(here.address.rsplit(":", 1)[1])
    wait_until(lambda: answers(f"{here.address}/readyz"), seconds=300, what="the start", installation=here)
    yield here
    here.stop()


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture
def enter(demo, browser: Browser, console):
    """Log in as somebody, in a browser session of their own."""
    contexts = []

    def log_in(username) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        context.set_default_timeout(SAFETY_MS)
        context.on("console", console.message)
        context.on("weberror", lambda error: console.errors.append(str(error.error)))
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{demo.address}/account/login/")
        page.get_by_label("Login").fill(username)
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        return page

    yield log_in
    for context in contexts:
        context.close()


def test_the_demo_holds_what_it_promises(demo, enter):
    logins = demo.manage("demo", "--logins")
    for name in ("coordinator", "researcher", *RATERS, PASSWORD):
        assert name in logins
    page = enter("coordinator")
    expect(page.get_by_role("heading", name="What waits for you")).to_be_visible()
    page.goto(f"{demo.address}/studies/")
    table = page.get_by_role("table")
    for state in ("Draft", "Collecting", "Unblinded"):
        expect(table.get_by_text(state, exact=True)).to_have_count(1)
    page.goto(f"{demo.address}/datasets/")
    page.get_by_role("link", name="Phantom abdomens").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Phantom abdomens")
    page.goto(f"{demo.address}/synthesis/")
    expect(page.get_by_text("to review")).not_to_have_count(0)
    researcher = enter("researcher")
    researcher.goto(f"{demo.address}/datasets/")
    expect(researcher.get_by_role("link", name="Phantom abdomens").first).to_be_visible()


def test_nothing_but_the_lesion_tells_the_kinds_of_the_demos_cases_apart(demo):
    said = demo.run(
        "from readerstudy.models import Study; from readerstudy.design.readiness import readiness;"
        "print(json.dumps([[s.title, c.title, c.met, c.blocks, c.message] for s in Study.objects.all()"
        " for c in readiness(s)]))"
    )
    assert len({study for study, *_ in said}) >= 3
    for study, title, met, blocks, message in said:
        if title in {"Cases", "Balance", "Twins"}:
            assert met, (study, message)
        # Few cases of few patients: advice may stand there, nothing that would keep the study from its lock.
        if title in {"Match", "Patients"}:
            assert not blocks, (study, message)


def test_a_second_start_loses_nothing_and_adds_nothing(demo):
    count = (
        "from ctplatform.datasets.models import Scan; from readerstudy.models import RatingEvent, Study;"
        "from synthesis.models import EditOrder;"
        "print(json.dumps([m.objects.count() for m in (Scan, EditOrder, Study, RatingEvent)]))"
    )
    before = demo.run(count)
    scans, orders, studies, ratings = before
    assert scans >= 32 + 40
    assert orders >= 50
    assert studies >= 3
    assert ratings >= 240
    started = time.monotonic()
    demo.manage("demo")
    assert time.monotonic() - started < demo.seconds / 2
    assert demo.run(count) == before
    demo.manage("verify_ledger")


def test_from_a_click_into_the_liver_to_an_unblinded_result(demo, enter):
    coordinator = enter("coordinator")
    insert_a_lesion(demo, coordinator)
    accept_the_result(coordinator)
    study_url = build_and_lock_a_study(demo, coordinator)
    given = {name: read_all_cases(enter(name), shift) for shift, name in enumerate(RATERS)}
    page = coordinator
    page.goto(study_url)
    expect(page.get_by_text(f"{CASES * len(RATERS)} of {CASES * len(RATERS)} cases rated")).to_be_visible()
    page.goto(f"{study_url}results/")
    expect(page.get_by_text("sealed").first).to_be_visible()
    assert page.url == study_url
    close_and_unblind(page)
    page.goto(f"{study_url}results/")
    expect(page.locator("svg").first).to_be_visible()
    rows = download(page, study_url)
    assert len(rows) == CASES * len(RATERS)
    assert sorted(row["answer"] for row in rows) == sorted(itertools.chain(*given.values()))
    compare_with_an_independent_computation(page, rows)


def insert_a_lesion(demo, page):
    page.goto(f"{demo.address}/datasets/")
    page.get_by_role("link", name="Phantom abdomens").first.click()
    page.get_by_label("Text").fill("phantom-05-free")
    page.get_by_label("Text").press("Enter")
    page.get_by_role("link", name="phantom-05-free", exact=True).first.click()
    viewer = page.locator("#scan-viewer canvas").first
    expect(viewer).to_be_visible()
    panel = page.locator("#synthesis-panel")
    expect(panel.get_by_label("Diameter")).to_be_visible()
    expect(page.locator("#scan-viewer .view").first).to_have_attribute("data-state", "shown")
    across, said = panel.locator('[data-viewer-point="x"]'), panel.locator('[data-viewer-point="text"]')
    page.keyboard.press("p")
    box = viewer.bounding_box()
    # Somewhere in the left of the picture lies the right lobe; the panel says whether the place is in the liver.
    for fx, fy in ((0.33, 0.42), (0.3, 0.5), (0.38, 0.45), (0.28, 0.4), (0.35, 0.55)):
        before = across.input_value()
        page.mouse.click(box["x"] + box["width"] * fx, box["y"] + box["height"] * fy)
        # The place and the words about it come together.
        eventually(page, across.input_value, lambda now, before=before: now != before)
        if "in the liver" in said.inner_text():
            break
    assert "in the liver" in said.inner_text()
    panel.get_by_label("Diameter").fill("14")
    panel.get_by_label("Contrast").fill("-45")
    panel.get_by_label("Seed").first.fill("77")
    panel.get_by_role("button", name="Insert").click()
    expect(panel.get_by_text("To review").first).to_be_visible(timeout=10 * SAFETY_MS)


def accept_the_result(page):
    page.locator("#synthesis-panel").get_by_role("link", name="Insert").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("14.0 mm")
    expect(page.locator("#review-viewer canvas").first).to_be_visible()
    page.get_by_role("button", name="Accept").click()
    expect(page.locator("main")).to_contain_text(": accepted.")


def build_and_lock_a_study(demo, page):
    page.goto(f"{demo.address}/studies/new/")
    page.get_by_label("Inserted lesions").check()
    page.get_by_label("Title").fill(TITLE)
    page.get_by_label("Number of cases").fill(str(CASES))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(STUDY))
    study_url = re.match(STUDY, page.url).group()
    page.goto(study_url)
    page.get_by_role("button", name="Draw cases").click()
    expect(page.get_by_text(f"{CASES} of {CASES} planned cases are chosen.", exact=True)).to_be_visible(
        timeout=10 * SAFETY_MS
    )
    for n in range(1, 6):
        page.get_by_label(f"Rater {n}", exact=False).first.check()
    page.get_by_role("button", name="Save raters").click()
    expect(page.get_by_text("The raters are saved.")).to_be_visible()
    page.locator("summary", has_text="Lock the study").click()
    page.get_by_role("button", name="Lock now").click()
    page.get_by_role("button", name="Open for reading").click(timeout=10 * SAFETY_MS)
    expect(page.get_by_text("Close: no more ratings")).to_be_visible(timeout=10 * SAFETY_MS)
    return study_url


def read_all_cases(page, shift):
    """By keyboard; every rater answers by a rule that knows nothing of the truth."""
    card = page.locator("section, article, .card").filter(has_text=TITLE).last
    card.get_by_role("link", name="Start").click()
    page.get_by_role("button", name="Start reading").click()
    given = []
    room = page.locator("#reading-room")
    for position in range(CASES):
        expect(page.get_by_text(f"{position} of {CASES}", exact=True)).to_be_visible()
        expect(room).to_have_attribute("data-state", "reading")
        page.wait_for_timeout(KEY_BOUNCE_MS)
        answer = "real" if (position + shift) % 3 else "synthetic"
        page.keyboard.press("1" if answer == "real" else "2")
        expect(room).to_have_attribute("data-state", "confidence")
        page.wait_for_timeout(KEY_BOUNCE_MS)
        page.keyboard.press("2")
        given.append(answer)
    expect(page.get_by_text("Thank you")).to_be_visible()
    return given


def close_and_unblind(page):
    page.get_by_text("Close: no more ratings").click()
    page.get_by_role("button", name="Close now").click()
    page.get_by_label("Type the study's title to confirm").fill("something else")
    page.get_by_role("button", name="Unblind").click()
    expect(page.get_by_text("exactly as it stands")).to_be_visible()
    page.get_by_label("Type the study's title to confirm").fill(TITLE)
    page.get_by_role("button", name="Unblind").click()
    expect(page.get_by_role("link", name="Results")).to_be_visible()


def download(page, study_url):
    answer = page.request.get(f"{study_url}ratings.csv")
    assert answer.ok
    text = answer.text()
    lines = text.splitlines()
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def compare_with_an_independent_computation(page, rows):
    """Every rater's row and the ensemble's, computed here from the CSV with scipy alone."""
    names = sorted({row["rater_name"] for row in rows})
    expected, p_values = {}, []
    for name in names:
        correct = sum(r["answer"] == r["truth"] for r in rows if r["rater_name"] == name)
        test = stats.binomtest(correct, CASES)
        interval = test.proportion_ci(method="exact")
        expected[name] = (correct, interval.low, interval.high)
        p_values.append(test.pvalue)
    votes = {}
    for row in rows:
        votes.setdefault(row["case"], []).append((row["answer"] == "synthetic", row["truth"] == "synthetic"))
    majority = sum((np.mean([call for call, _ in v]) > 0.5) == v[0][1] for v in votes.values())
    assert len(votes) == CASES
    table = page.get_by_role("table").first
    # The exact interval is that of independent cases; patients of several cases widen it.
    independent = len({row["subject"] for row in rows}) == CASES
    for name, (correct, low, high) in expected.items():
        row = words(table.locator("tbody tr").filter(has_text=name))
        assert f"{correct} of {CASES}" in row, row
        for number in (correct / CASES, *((low, high) if independent else ())):
            assert f"{number:.3f}" in row, row
    ensemble = words(table.locator("tbody tr").filter(has_text="Ensemble"))
    assert f"{majority} of {CASES}" in ensemble, ensemble


def words(locator):
    return " ".join(locator.inner_text().split())
