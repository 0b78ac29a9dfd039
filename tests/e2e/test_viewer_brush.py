"""Correcting a liver by brush on Django's own page: what is painted is what is stored."""

import numpy as np
import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Locator, Page, expect

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import MadeBy, Origin, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.corrected import correct_mask
from synthesis.edits.services import order_removal
from tests.e2e.conftest import SAFETY_MS, Console, OpenRequests
from tests.e2e.test_expired_login import log_in
from tests.e2e.test_viewer_accessibility import AXE, violations
from tests.e2e.test_viewer_pages import enter
from tests.factories import make_dataset, make_generator, make_scan, make_user
from tests.phantoms import ball, liver_box, small_grid

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AXIAL = '[data-plane="axial"]'


@pytest.fixture
def scan() -> Scan:
    grid = small_grid((10, 60, 70), (3.0, 1.25, 1.25))
    masks = {MaskKind.LIVER: liver_box(grid, margin=20), MaskKind.LESION: ball(grid, (5, 30, 35), 8)}
    made: Scan = make_scan(make_dataset(), grid=grid, origin=Origin.ACQUIRED, masks=masks)
    made.masks.filter(kind=MaskKind.LIVER).update(made_by=MadeBy.ESTIMATED)
    return made


def stored(scan: Scan, kind: MaskKind = MaskKind.LIVER) -> np.ndarray:
    return voxels.read_labels(scan.masks.get(kind=kind).pk, scan.geometry)


def open_brush(page: Page, live_server, scan: Scan, *, button: str = "Correct the liver") -> Locator:
    page.goto(f"{live_server.url}{scan.get_absolute_url()}")
    page.wait_for_selector(f'{AXIAL} .view[data-state="shown"]')
    page.get_by_role("button", name=button).click()
    bar = page.locator(".brush-bar")
    expect(bar.get_by_role("status")).to_contain_text("Drag to paint")
    return bar


def on_screen(page: Page, scan: Scan, row: int, column: int) -> tuple[float, float]:
    """The middle of a pixel of the fitted axial image."""
    box = page.locator(f"{AXIAL} .view").bounding_box()
    assert box
    _, dy, dx = scan.geometry.spacing_zyx_mm
    _, rows, columns = scan.geometry.size_zyx
    scale = min(box["width"] / (columns * dx), box["height"] / (rows * dy))
    x = box["x"] + box["width"] / 2 + ((column + 0.5) * dx - columns * dx / 2) * scale
    y = box["y"] + box["height"] / 2 + ((row + 0.5) * dy - rows * dy / 2) * scale
    return x, y


def paint(page: Page, scan: Scan, row: int, columns: tuple[int, int]) -> None:
    page.mouse.move(*on_screen(page, scan, row, columns[0]))
    page.mouse.down()
    page.mouse.move(*on_screen(page, scan, row, columns[1]), steps=3)
    page.mouse.up()


def expected_stroke(scan: Scan, row: int, columns: tuple[int, int], radius_mm: float) -> np.ndarray:
    """Voxels within the radius of the way, as the brush was told; the middle slice is the one that is shown."""
    z, y, x = np.indices(scan.geometry.size_zyx)
    dz, dy, dx = scan.geometry.spacing_zyx_mm
    along = np.clip(x, *columns)
    away: np.ndarray = np.sqrt(((z - 5) * dz) ** 2 + ((y - row) * dy) ** 2 + ((x - along) * dx) ** 2)
    return away <= radius_mm


def save(bar: Locator) -> None:
    bar.get_by_role("button", name="Save").click()
    expect(bar.get_by_role("status")).to_contain_text("Saved:")


def test_what_is_painted_is_stored_and_told(screen: Page, live_server, scan: Scan) -> None:
    owner, before = scan.dataset.owner, stored(scan)
    enter(screen, live_server, owner)
    bar = open_brush(screen, live_server, scan)
    expect(bar).to_contain_text("Size 12 mm")
    paint(screen, scan, 10, (15, 30))
    paint(screen, scan, 50, (15, 30))
    screen.keyboard.press("Control+z")
    expect(bar.get_by_role("button", name="Redo")).to_be_enabled()
    save(bar)
    after, painted = stored(scan), expected_stroke(scan, 10, (15, 30), 6.0)
    # A pointer stands on whole screen pixels, so a voxel at the very edge of the ball may fall to either side.
    surely, possibly = (expected_stroke(scan, 10, (15, 30), radius) for radius in (5.6, 6.4))
    assert (after[surely] == 1).all()
    assert np.array_equal(after[~possibly], before[~possibly])
    assert abs(np.count_nonzero(after != before) - np.count_nonzero(painted & (before == 0))) < 0.1 * painted.sum()
    masks = screen.locator("#masks")
    expect(masks).to_contain_text(f"Corrected by {owner.username}")
    screen.keyboard.press("e")
    screen.keyboard.press("d")
    screen.keyboard.press("]")
    expect(bar).to_contain_text("Size 14 mm")
    paint(screen, scan, 30, (35, 35))
    save(bar)
    erased = stored(scan) != after
    assert set(np.flatnonzero(erased.any(axis=(1, 2)))) == {5}, "a disc stays in its slice"
    assert stored(scan)[5, 30, 35] == 0
    expect(masks.locator("li li")).to_have_count(2)
    screen.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    expect(screen.get_by_role("button", name="Correct the liver")).to_be_enabled()


def test_slices_between_two_that_were_drawn_on_are_filled_in_one_step(screen: Page, live_server, scan: Scan) -> None:
    enter(screen, live_server, scan.dataset.owner)
    before, bar = stored(scan), open_brush(screen, live_server, scan)
    status, axial = bar.get_by_role("status"), screen.locator(f"{AXIAL} [aria-label^='Axial view']")
    screen.keyboard.press("f")
    expect(status).to_contain_text("Nothing was filled. Draw on two slices of one view")
    screen.keyboard.press("d")
    paint(screen, scan, 10, (15, 30))
    middle, place = axial.get_attribute("aria-label"), screen.locator(".viewer-planes").bounding_box()
    assert middle
    axial.focus()
    for _ in range(3):
        screen.keyboard.press("ArrowDown")
    expect(axial).not_to_have_attribute("aria-label", middle)
    paint(screen, scan, 10, (15, 30))
    screen.keyboard.press("f")
    expect(status).to_contain_text("voxels between the slices that you drew on.")
    told = status.inner_text()
    assert screen.locator(".viewer-planes").bounding_box() == place, "words do not move the picture"
    screen.keyboard.press("Control+z")
    expect(status).to_contain_text("F fills between")
    bar.get_by_role("button", name="Fill between").click()
    expect(status).to_have_text(told)
    assert violations(screen) == []
    save(bar)
    added = (stored(scan) != before) & (stored(scan) == 1)
    slices = np.flatnonzero(added.any(axis=(1, 2)))
    assert len(slices) == 4
    assert 5 in (slices[0], slices[-1])
    # The same stroke on both ends: what lies between is that stroke, where it was not liver before.
    ends = stored(scan)[slices[0]] & stored(scan)[slices[-1]]
    for z in slices[1:-1]:
        assert np.array_equal(stored(scan)[z], ends | before[z])
    assert told == f"Filled: {np.count_nonzero(added[slices[1:-1]])} voxels between the slices that you drew on."
    correction = scan.masks.get(kind=MaskKind.LIVER).corrections.get()
    assert correction.voxels_added == np.count_nonzero(added)


def test_who_saves_second_keeps_the_strokes_and_puts_them_onto_the_new_version(
    screen: Page, live_server, scan: Scan, console: Console
) -> None:
    console.allow("409")
    second = make_user(Role.ADMINISTRATOR)
    enter(screen, live_server, scan.dataset.owner)
    bar = open_brush(screen, live_server, scan)
    paint(screen, scan, 10, (15, 30))
    base = scan.masks.get(kind=MaskKind.LIVER).pk
    correct_mask(scan=scan, user=second, kind=MaskKind.LIVER, base=base, lengths=[0, 7])
    bar.get_by_role("button", name="Save").click()
    status = bar.get_by_role("status")
    expect(status).to_contain_text(f"{second.username} has changed this mask since you opened it")
    assert stored(scan)[5, 10, 20] == 0
    status.get_by_role("button", name="Put my strokes onto it").click()
    expect(status).to_contain_text("Your strokes lie on the mask as it is now")
    save(bar)
    assert stored(scan)[5, 10, 20] == 1
    assert (stored(scan)[0, 0, :7] == 1).all(), "what the other one painted is there as well"


def test_whoever_opens_the_brush_after_another_one_saved_paints_on_the_new_version(
    screen: Page, live_server, scan: Scan, console: Console
) -> None:
    console.allow("404")
    enter(screen, live_server, scan.dataset.owner)
    screen.goto(f"{live_server.url}{scan.get_absolute_url()}")
    screen.wait_for_selector(f'{AXIAL} .view[data-state="shown"]')
    base = scan.masks.get(kind=MaskKind.LIVER).pk
    correct_mask(scan=scan, user=make_user(Role.ADMINISTRATOR), kind=MaskKind.LIVER, base=base, lengths=[0, 7])
    screen.get_by_role("button", name="Correct the liver").click()
    bar = screen.locator(".brush-bar")
    expect(bar.get_by_role("status")).to_contain_text("Drag to paint")
    paint(screen, scan, 10, (15, 30))
    save(bar)
    assert stored(scan)[5, 10, 20] == 1
    assert (stored(scan)[0, 0, :7] == 1).all(), "what the other one painted is there as well"


def test_an_expired_login_loses_no_stroke(screen: Page, live_server, scan: Scan, console: Console) -> None:
    console.allow("401")
    enter(screen, live_server, scan.dataset.owner)
    bar = open_brush(screen, live_server, scan)
    paint(screen, scan, 10, (15, 30))
    Session.objects.all().delete()
    bar.get_by_role("button", name="Save").click()
    status = bar.get_by_role("status")
    expect(status).to_contain_text("Your login has expired, so nothing was saved.")
    with screen.context.expect_page() as opened:
        status.get_by_role("link").click()
    log_in(opened.value, scan.dataset.owner)
    expect(opened.value.get_by_role("button", name="Log out")).to_be_visible()
    save(bar)
    assert stored(scan)[5, 10, 20] == 1


def test_leaving_with_unsaved_strokes_asks(screen: Page, live_server, scan: Scan) -> None:
    asked: list[str] = []
    screen.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    enter(screen, live_server, scan.dataset.owner)
    bar = open_brush(screen, live_server, scan)
    screen.reload()
    assert asked == []
    bar = open_brush(screen, live_server, scan)
    paint(screen, scan, 10, (15, 30))
    bar.get_by_role("button", name="Close").click()
    expect(bar.get_by_role("status")).to_contain_text("Your strokes are not saved.")
    screen.reload()
    assert asked == ["beforeunload"]
    assert stored(scan)[5, 10, 20] == 0


def test_a_liver_is_drawn_where_there_is_none(screen: Page, live_server, scan: Scan) -> None:
    scan.masks.filter(kind=MaskKind.LIVER).delete()
    enter(screen, live_server, scan.dataset.owner)
    bar = open_brush(screen, live_server, scan, button="Draw the liver")
    paint(screen, scan, 10, (15, 30))
    save(bar)
    assert scan.masks.get(kind=MaskKind.LIVER).made_by == MadeBy.DRAWN
    assert stored(scan)[5, 10, 20] == 1
    expect(screen.locator("#masks")).to_contain_text("Drawn by hand")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm --prefix frontend ci")
def test_the_brush_passes_the_checks_of_accessibility(screen: Page, live_server, scan: Scan) -> None:
    enter(screen, live_server, scan.dataset.owner)
    bar = open_brush(screen, live_server, scan)
    paint(screen, scan, 10, (15, 30))
    save(bar)
    assert violations(screen) == []


def test_lesions_are_corrected_and_their_table_follows(screen: Page, live_server, scan: Scan) -> None:
    enter(screen, live_server, scan.dataset.owner)
    rows = screen.locator("#lesions tbody tr")
    bar = open_brush(screen, live_server, scan, button="Correct the lesions")
    expect(rows).to_have_count(1)
    paint(screen, scan, 10, (15, 20))
    save(bar)
    expect(rows).to_have_count(2)
    labels = stored(scan, MaskKind.LESION)
    assert (labels[5, 10, 17], labels[5, 30, 35]) == (2, 1)
    expect(rows.nth(1)).to_contain_text(f"{scan.lesions.get(number=2).diameter_mm:.1f}")
    screen.keyboard.press("e")
    paint(screen, scan, 10, (12, 23))
    paint(screen, scan, 10, (12, 23))
    save(bar)
    expect(rows).to_have_count(1)
    assert np.count_nonzero(stored(scan, MaskKind.LESION) == 2) == 0
    assert violations(screen) == []


def test_no_brush_is_offered_for_lesions_that_must_stay(screen: Page, live_server, scan: Scan) -> None:
    order_removal(ordered_by=scan.dataset.owner, lesion=scan.lesions.first(), generator=make_generator(), seed=1)
    enter(screen, live_server, scan.dataset.owner)
    screen.goto(f"{live_server.url}{scan.get_absolute_url()}")
    expect(screen.get_by_role("button", name="Correct the liver")).to_be_visible()
    expect(screen.get_by_role("button", name="Correct the lesions")).to_have_count(0)
    expect(screen.locator("#masks")).to_contain_text("removal of a lesion of this scan was ordered")


def test_members_are_offered_no_brush(screen: Page, live_server, scan: Scan) -> None:
    member = make_user()
    scan.dataset.members.add(member)
    enter(screen, live_server, member)
    screen.goto(f"{live_server.url}{scan.get_absolute_url()}")
    screen.wait_for_selector(f'{AXIAL} .view[data-state="shown"]')
    expect(screen.get_by_role("button", name="Correct the liver")).to_have_count(0)


class Hand:
    """What a touch screen tells the browser: fingers, and a pen of its own."""

    def __init__(self, page: Page) -> None:
        self.devtools = page.context.new_cdp_session(page)

    def fingers(self, kind: str, *points: tuple[float, float]) -> None:
        marks = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": marks})

    def pen(self, kind: str, point: tuple[float, float]) -> None:
        pressed = {"button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
        self.devtools.send("Input.dispatchMouseEvent", {"type": kind, "x": point[0], "y": point[1], **pressed})


@pytest.fixture
def tablet(browser, open_requests: OpenRequests):
    """The page of a browser that is touched."""
    context = browser.new_context(viewport={"width": 1180, "height": 820}, has_touch=True, is_mobile=True)
    context.set_default_timeout(SAFETY_MS)
    yield context.new_page()
    context.close()
    open_requests.wait()


def test_two_fingers_move_the_picture_and_never_paint(tablet: Page, live_server, scan: Scan) -> None:
    page, hand = tablet, Hand(tablet)
    enter(page, live_server, scan.dataset.owner)
    bar = open_brush(page, live_server, scan)
    before = stored(scan)
    left, middle, right = (on_screen(page, scan, 10, column) for column in (20, 35, 50))
    # One finger comes first, as it always does, and has painted when the other arrives.
    hand.fingers("touchStart", left)
    hand.fingers("touchMove", (left[0] + 30, left[1]))
    hand.fingers("touchStart", (left[0] + 30, left[1]), right)
    for step in range(1, 6):
        hand.fingers("touchMove", (left[0] + 30 - 8 * step, left[1]), (right[0] + 8 * step, right[1]))
    hand.fingers("touchEnd", (left[0] - 10, left[1]))
    # The one that stays is no brush either.
    hand.fingers("touchMove", (left[0] + 60, left[1] + 20))
    hand.fingers("touchEnd")
    bar.get_by_role("button", name="Save").click()
    expect(bar.get_by_role("status")).to_contain_text("Nothing differs")
    assert np.array_equal(stored(scan), before)
    # One finger alone paints, and the picture is magnified by as much as the two came apart.
    hand.fingers("touchStart", middle)
    hand.fingers("touchMove", (middle[0] + 200, middle[1]))
    hand.fingers("touchEnd")
    save(bar)
    columns = np.flatnonzero((stored(scan) != before)[5].any(axis=0))
    apart = (right[0] - left[0] + 80) / (right[0] - left[0] - 30)
    px_per_column = (right[0] - left[0]) / 30 * apart
    ball_columns = 12 / scan.geometry.spacing_zyx_mm[2]
    assert columns[-1] - columns[0] == pytest.approx(200 / px_per_column + ball_columns, abs=2)


def test_a_pen_paints_and_the_hand_that_holds_it_does_not(tablet: Page, live_server, scan: Scan) -> None:
    page, hand = tablet, Hand(tablet)
    enter(page, live_server, scan.dataset.owner)
    bar = open_brush(page, live_server, scan)
    before = stored(scan)
    palm, start, end = (on_screen(page, scan, row, column) for row, column in ((52, 60), (10, 15), (10, 30)))
    # The palm lies down first, and has painted when the pen comes.
    hand.fingers("touchStart", palm)
    hand.fingers("touchMove", (palm[0] - 10, palm[1]))
    hand.pen("mousePressed", start)
    hand.pen("mouseMoved", end)
    hand.fingers("touchMove", (palm[0] - 30, palm[1] - 10))
    hand.pen("mouseReleased", end)
    hand.fingers("touchEnd")
    # Where a pen has been, a hand that rests is no brush.
    hand.fingers("touchStart", palm)
    hand.fingers("touchMove", (palm[0] - 30, palm[1]))
    hand.fingers("touchEnd")
    save(bar)
    changed = stored(scan) != before
    surely, possibly = (expected_stroke(scan, 10, (15, 30), radius) for radius in (5.5, 6.5))
    assert changed[surely & (before == 0)].all()
    assert not changed[~possibly].any()
