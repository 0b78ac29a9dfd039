"""A consent is withdrawn: pixels go wherever they lie, rows, answers and chains stay."""

import numpy as np
import pytest
from django.urls import reverse

from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.models import Export, Operation, Origin, Scan
from ctplatform.datasets.services import give_verdict
from ctplatform.datasets.withdrawal import withdraw
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from readerstudy.design.candidates import lesions_of_kind
from readerstudy.models import CaseTruth, RatingEvent, StudyState
from readerstudy.report.loading import verified_report_data
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from synthesis.atlas.patches import write_patches
from synthesis.models import SignatureAtlas
from tests.factories import edited_here, make_dataset, make_generator, make_scan, make_user
from tests.pages import shown
from tests.phantoms import liver_box, small_grid
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def committed(django_capture_on_commit_callbacks):
    """As if every request's transaction was written."""
    with django_capture_on_commit_callbacks(execute=True):
        pass
    return django_capture_on_commit_callbacks


@pytest.fixture
def let_go(committed):
    def run(scan, **fields):
        with committed(execute=True):
            return withdraw(**{"scan": scan, "user": scan.dataset.owner, "reason": "Consent withdrawn", **fields})

    return run


@pytest.fixture
def patient():
    """A scan, another one of the same patient, an edit of the first, and somebody else's."""
    dataset, grid = make_dataset(), small_grid()
    masks = {MaskKind.LIVER: liver_box(grid)}
    first, second = (make_scan(dataset, subject="P1", masks=masks, origin=Origin.ACQUIRED) for _ in range(2))
    edit = make_scan(
        dataset, subject="P1", origin=Origin.SYNTHETIC, source_scan=first, masks=masks, provenance=edited_here()
    )
    other = make_scan(dataset, subject="P2", masks=masks)
    return first, second, edit, other


def files_of(stored_files, *scans):
    keys = {str(scan.pk) for scan in scans}
    return [path for path in stored_files() if any(key in path for key in keys)]


def test_pixels_of_a_scan_and_its_edits_go_and_rows_stay(patient, let_go, stored_files):
    first, second, edit, other = patient
    masks = [str(pk) for scan in (first, edit) for pk in scan.masks.values_list("pk", flat=True)]
    gone = let_go(first)
    assert {scan.pk for scan in gone} == {first.pk, edit.pk}
    assert files_of(stored_files, first, edit) == []
    assert not [path for path in stored_files() if any(mask in path for mask in masks)]
    assert files_of(stored_files, second)
    assert files_of(stored_files, other)
    for scan in (first, edit):
        scan.refresh_from_db()
        assert scan.withdrawn_at
        assert (scan.withdrawn_by, scan.withdrawn_reason) == (first.dataset.owner, "Consent withdrawn")
        assert not scan.masks.exists()


def test_a_whole_patient_goes_and_nobody_else(patient, let_go):
    first, second, edit, other = patient
    assert {scan.pk for scan in let_go(first, whole_patient=True)} == {first.pk, second.pk, edit.pk}
    other.refresh_from_db()
    assert other.withdrawn_at is None


def test_packages_and_atlases_with_its_pixels_go_too(patient, let_go):
    first, _, _, other = patient
    owner = first.dataset.owner
    for scan in (first, other):
        export = Export.objects.create(
            owner=owner, form=ExportFormat.NIFTI, scan_count=1, size_bytes=1, sha256="x", kept_until=first.created_at
        )
        export.scans.add(scan)
        from ctplatform.jobs.models import Job

        atlas = SignatureAtlas.objects.create(
            job=Job.objects.create(kind="synthesis.atlas", title="Atlas", owner=owner),
            generator=make_generator(),
            dataset=first.dataset,
        )
        point = {"scan": scan.pk, "name": "s", "at": [1, 2, 3], "lesion": 0, "kind": "normal", "diameter_mm": None}
        write_patches(atlas, [point | {"components": [0.5]}])
    let_go(first)
    assert [list(export.scans.all()) for export in Export.objects.all()] == [[other]]
    assert [atlas.patches.get().scan for atlas in SignatureAtlas.objects.all()] == [other.pk]


def test_who_withdraws_says_why_and_once(patient, let_go):
    first = patient[0]
    with pytest.raises(DomainError, match="Say why"):
        let_go(first, reason="  ")
    with pytest.raises(ForbiddenError):
        let_go(first, user=make_user())
    let_go(first)
    with pytest.raises(ConflictError, match="already"):
        let_go(first)


def test_nothing_is_made_of_a_withdrawn_scan(patient, let_go, client):
    first, _, edit, _ = patient
    let_go(first)
    edit.refresh_from_db()
    owner = first.dataset.owner
    with pytest.raises(ConflictError, match="was withdrawn"):
        give_verdict(scan=edit, reviewer=owner, accept=True)
    client.force_login(owner)
    assert client.get(reverse("datasets-api:scan-manifest", args=[first.pk])).status_code == 409
    assert client.get(reverse("datasets-api:scan-slices", args=[first.pk, 0])).status_code == 404
    assert client.get(reverse("datasets:thumbnail", args=[first.pk])).status_code == 404
    refused = client.post("/api/datasets/exports/", {"scans": [str(first.pk)]}, "application/json")
    assert "was withdrawn" in refused.json()["detail"]
    page = shown(client.get(first.get_absolute_url()))
    assert f"Withdrawn by {owner} on" in page
    assert "Consent withdrawn" in page
    assert "Withdrawn" in shown(client.get(first.dataset.get_absolute_url()))
    told = client.get(f"/api/datasets/scans/{first.pk}/").json()
    assert (told["withdrawn_reason"], bool(told["withdrawn_at"])) == ("Consent withdrawn", True)


def test_the_page_asks_first_and_says_what_goes(patient, client, committed):
    first = patient[0]
    client.force_login(first.dataset.owner)
    address = reverse("datasets:withdraw-scan", args=[first.pk])
    page = shown(client.get(address))
    assert "pictures of 2 scans are deleted for good" in page
    assert "For the whole patient (P1) they are 3." in page
    assert Scan.objects.with_pixels().count() == 4
    with committed(execute=True):
        answer = client.post(address, {"reason": "Consent withdrawn", "whole_patient": "on"}, follow=True)
    assert "The pixels of 3 scans are gone" in shown(answer)


def test_studies_keep_answers_and_chains_and_say_so(let_go, committed, stored_files):
    cast, stages = Cast.create(), Stages(committed)
    study = make_draft(cast, make_world(cast.owner), cases=6, raters=[cast.rater])
    stages.open(study)
    Browser(cast.rater, study).rate_all()
    truths = CaseTruth.objects.filter(case__study=study).select_related("scan__dataset")
    scan = truths.first().scan
    while scan.source_scan is not None:
        scan = scan.source_scan
    with pytest.raises(ConflictError, match=r"Ask .* to close it"):
        let_go(scan)
    unblinding.close(study=study, actor=cast.owner)
    gone = let_go(scan)
    concerned = truths.filter(scan__in=gone)
    assert concerned.count() > 0
    keys = [truth.case.stimuli.get().key for truth in concerned]
    assert not [path for path in stored_files() if any(key in path for key in keys)]
    outcome = verify(study)
    assert outcome.intact, outcome.problems
    assert f"The pixels of {concerned.count()} stimuli were withdrawn" in outcome.sentence()
    assert RatingEvent.objects.filter(study=study).count() == 6
    with pytest.raises(ConflictError, match="can't be opened again"):
        unblinding.reopen(study=study, actor=cast.owner, reason="One rater was ill")
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    study.refresh_from_db()
    assert study.state == StudyState.UNBLINDED
    data = verified_report_data(UnblindedStudy(study))
    assert data.intact
    assert any("withdrawn after the lock" in deviation for deviation in data.deviations)
    assert len(data.cases) == 6


def test_a_mark_of_withdrawal_alone_hides_no_missing_pixels(committed):
    cast, stages = Cast.create(), Stages(committed)
    study = make_draft(cast, make_world(cast.owner), cases=4, raters=[cast.rater])
    stages.open(study)
    scan = CaseTruth.objects.filter(case__study=study).first().scan
    Scan.objects.filter(pk=scan.pk).update(
        withdrawn_at=study.opened_at, withdrawn_by=cast.owner, withdrawn_reason="made up"
    )
    assert any("another number of withdrawn pixels" in problem for problem in verify(study).problems)


def test_a_draft_takes_no_case_from_a_withdrawn_scan(let_go):
    cast = Cast.create()
    world = make_world(cast.owner)
    study = make_draft(cast, world, cases=4)
    scan = world.sources[0]
    assert lesions_of_kind(study, synthetic=False).filter(scan=scan).exists()
    let_go(scan)
    assert not lesions_of_kind(study, synthetic=False).filter(scan=scan).exists()
    assert not lesions_of_kind(study, synthetic=True).filter(scan__source_scan=scan).exists()
    assert np.all([scan.provenance.operation == Operation.INSERT for scan in world.edits])
