"""A coordinator uploads a scan with masks and reads what became of each."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from ctplatform.accounts.models import Role
from ctplatform.datasets.models import Scan
from ctplatform.jobs.models import Job
from tests.datasets.files import write_file
from tests.e2e.test_viewer_accessibility import violations
from tests.e2e.test_viewer_pages import enter
from tests.factories import make_dataset, make_user
from tests.phantoms import ball, liver_box, small_ct, small_grid

# A reader process starts and reads five files while the browser waits.
IMPORT_MS = 60_000
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_became_of_every_mask_is_told_and_what_is_asked_can_be_answered(
    screen: Page, live_server, tmp_path: Path
) -> None:
    owner, grid = make_user(role=Role.COORDINATOR), small_grid()
    dataset = make_dataset(owner)
    tumour, liver = ball(grid, (2, 12, 16), 6), liver_box(grid)
    masks = {"liver": liver, "tumor": tumour, "spleen": tumour, "labels": liver.astype(np.uint8) * 5}
    files = [write_file(tmp_path / f"{name}.nii.gz", mask, grid) for name, mask in masks.items()]
    ct = write_file(tmp_path / "ct.nii.gz", small_ct(grid), grid)
    broken = tmp_path / "Mueller_old.xyz"
    broken.write_bytes(b"no scan")
    enter(screen, live_server, owner)
    screen.goto(f"{live_server.url}/datasets/{dataset.pk}/upload/")
    assert violations(screen) == []
    screen.set_input_files("#id_files", [ct, broken])
    screen.set_input_files("#id_masks", files)
    screen.get_by_role("button", name="Upload and import").click()
    report = screen.locator("section", has_text="What became of the files")
    expect(report).to_contain_text("with liver, lesions", timeout=IMPORT_MS)
    # in this browser by the files' own names, which the server does not keep
    expect(report).to_contain_text("ct.nii.gz → ct-")
    expect(report).to_contain_text("Mueller_old.xyz → other file: It is no format")
    assert "Mueller" not in str(Job.objects.values())
    expect(report).to_contain_text("1 mask of other structures was not used: spleen")
    expect(report).to_contain_text("Its labels are 5")
    assert violations(screen) == []
    screen.goto(f"{live_server.url}{dataset.get_absolute_url()}")
    expect(screen.get_by_text("Its labels are 5")).to_be_visible()
    screen.goto(f"{live_server.url}/datasets/scans/{Scan.objects.get().pk}/")
    expect(screen.get_by_text("Import report")).to_be_visible()
