"""From a generator's page to a generator with own lesions: pages without barriers, and what was asked for reaches the job."""

import pytest
from playwright.sync_api import Page, expect

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from synthesis.models import ExemplarBank
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter
from tests.factories import make_dataset, make_generator, make_scan, make_user
from tests.phantoms import ball, liver_box, small_grid

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_bank_is_ordered_from_the_generator_s_page(screen: Page, live_server) -> None:
    owner, grid = make_user(role=Role.COORDINATOR), small_grid()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    dataset = make_dataset(owner, name="Ward 7")
    make_scan(dataset, grid=grid, masks=masks)
    generator = make_generator()
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}{generator.get_absolute_url()}")
    assert violations(screen) == []
    screen.get_by_role("link", name="Train it further").click()
    expect(screen.get_by_label("Start from")).to_have_value(str(generator.pk))
    assert violations(screen) == []
    screen.go_back()
    screen.get_by_role("link", name="Insert own lesions").click()
    screen.get_by_label("Name").fill("Ward 7 in the liver")
    screen.get_by_label("Some lesions of these scans are not drawn").check()
    assert violations(screen) == []
    screen.get_by_role("button", name="Make the generator").click()
    screen.get_by_role("heading", name="Exemplars of Ward 7").wait_for()
    bank = ExemplarBank.objects.get()
    assert (bank.name, bank.all_drawn, bank.beside) == ("Ward 7 in the liver", False, False)
    made = make_generator(name="Ward 7 in the liver")
    ExemplarBank.objects.update(generator=made)
    screen.goto(f"{live_server.url}{generator.get_absolute_url()}bank/")
    expect(screen.get_by_role("listitem").filter(has_text="lesions of Ward 7, instead of its own")).to_be_visible()
    screen.get_by_label("Name").fill("Once more")
    screen.get_by_label("Some lesions of these scans are not drawn").check()
    screen.get_by_role("button", name="Make the generator").click()
    expect(screen.get_by_role("alert")).to_contain_text("Nothing was ordered.")
    assert violations(screen) == []
    screen.get_by_role("link", name="Go there").click()
    screen.get_by_role("heading", name="Ward 7 in the liver", exact=True).wait_for()
    assert ExemplarBank.objects.count() == 1
