"""The signature atlas in a real browser: points, pictures, components, and the way to the scan."""

import pytest
from playwright.sync_api import Page, expect

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin
from ctplatform.jobs.execution import execute
from ml.generator.card import DEMO_FOLDER
from ml.phantom import PhantomConfig, make_phantom
from synthesis.atlas.services import order_atlas
from synthesis.generators import services as generators
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter
from tests.factories import make_dataset, make_scan, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_point_shows_its_patch_and_leads_to_its_place_in_the_scan(
    screen: Page, live_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantom = make_phantom(4101, PhantomConfig(size_zyx=(16, 128, 128), slice_mm=4.0))
    scan = make_scan(
        make_dataset(make_user()),
        grid=phantom.grid,
        volume=phantom.hu,
        origin=Origin.PHANTOM,
        masks={MaskKind.LIVER: phantom.liver, MaskKind.LESION: phantom.labels},
    )
    owner = scan.dataset.owner
    generator = generators.register(folder=DEMO_FOLDER, name="Demo", registered_by=owner)
    monkeypatch.setattr("ctplatform.jobs.services.send", lambda job: None)
    atlas = order_atlas(ordered_by=owner, generator=generator, dataset=scan.dataset)
    enter(screen, live_server, owner)
    screen.goto(live_server.url + generator.get_absolute_url())
    expect(screen.get_by_role("heading", name="Realism gate")).to_be_visible()
    assert violations(screen) == []
    # Who waits on the page sees the atlas when it is drawn, without loading the page again.
    screen.goto(live_server.url + atlas.get_absolute_url())
    expect(screen.get_by_role("button", name="Cancel")).to_be_visible()
    assert violations(screen) == []
    execute(str(atlas.job_id))
    atlas.refresh_from_db()
    points = atlas.content["points"]
    dots = screen.locator(".atlas-plot .dot")
    expect(dots).to_have_count(len(points))
    assert violations(screen) == []
    lesion = next(index for index, point in enumerate(points) if point["lesion"])
    normal = next(index for index, point in enumerate(points) if not point["lesion"])
    drawn = {}
    for index in (normal, lesion):
        dots.nth(index).dispatch_event("pointerenter")
        drawn[index] = screen.locator(".atlas-picture").evaluate("canvas => canvas.toDataURL()")
    assert drawn[normal] != drawn[lesion]
    expect(screen.locator(".atlas-side")).to_contain_text(f"lesion {points[lesion]['lesion']}")
    # Lesions and normal liver differ in shape, not in colour alone, in the plot as in its legend.
    shapes = [dots.nth(index).get_attribute("d") for index in (normal, lesion)]
    assert shapes[0] != shapes[1]
    assert set(shapes) <= {mark.get_attribute("d") for mark in screen.locator(".atlas-mark path").all()}
    expect(screen.locator(".atlas-legend")).to_contain_text("normal liver")
    before = dots.nth(lesion).get_attribute("transform")
    screen.get_by_label("Across").select_option("2")
    assert dots.nth(lesion).get_attribute("transform") != before
    # Zooming with the wheel keeps the point under the pointer where it is.
    box = dots.nth(lesion).bounding_box()
    assert box is not None
    screen.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    screen.mouse.wheel(0, -100)
    after = dots.nth(lesion).bounding_box()
    assert after is not None
    assert abs(after["x"] - box["x"]) < 1.5
    assert abs(after["y"] - box["y"]) < 1.5
    # However close, the arrows lead to patches that are in sight.
    for _ in range(10):
        screen.get_by_role("button", name="Closer").click()
    plot = screen.locator(".atlas-plot")
    plot.focus()
    frame = plot.bounding_box()
    assert frame is not None
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
        screen.keyboard.press(key)
        held = screen.locator(".dot.chosen").bounding_box()
        assert held is not None
        assert frame["x"] <= held["x"] + held["width"] / 2 <= frame["x"] + frame["width"]
        assert frame["y"] <= held["y"] + held["height"] / 2 <= frame["y"] + frame["height"]
    screen.get_by_role("button", name="All").click()
    plot.focus()
    dots.nth(lesion).dispatch_event("pointerenter")
    screen.keyboard.press("Enter")
    screen.wait_for_url(f"**/datasets/scans/{scan.pk}/?at=*")
    screen.wait_for_selector('[data-plane="axial"] .view[data-state="shown"]')
    slice_number = round(phantom.grid.to_voxel(points[lesion]["at"])[0])
    expect(screen.locator('[data-plane="axial"] .pane-caption')).to_contain_text(f"{16 - slice_number} / 16")
    screen.go_back()
    screen.get_by_role("link", name="All patches as a table").click()
    rows = screen.locator("tbody tr")
    expect(rows).to_have_count(len(points))
    assert violations(screen) == []
    for order in ("ascending", "descending"):
        screen.get_by_role("link", name="Diameter, mm").click()
        expect(screen.locator(f'th[aria-sort="{order}"]')).to_have_text("Diameter, mm")
    largest = max((point for point in points if point["lesion"]), key=lambda point: point["diameter_mm"])
    expect(rows.first).to_contain_text(f"Lesion {largest['lesion']}")
