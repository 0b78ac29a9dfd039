"""Where a synthetic scan comes from: rows that can't be half filled, whoever made the scan, and one writer of verdicts."""

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Operation, Origin, Provenance, Scan, Verdict
from ctplatform.datasets.services import delete_scan, give_verdict
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from tests.factories import edited_here, made_elsewhere, make_dataset, make_scan, make_user
from tests.pages import shown
from tests.phantoms import ball, small_grid

pytestmark = pytest.mark.django_db
NO_CENTRE = {"centre_x_mm": None, "centre_y_mm": None, "centre_z_mm": None}


def synthetic(provenance, dataset=None, **fields):
    return make_scan(dataset, origin=Origin.SYNTHETIC, provenance=provenance, **fields)


@pytest.fixture
def edited():
    source = make_scan()
    return synthetic(edited_here(), source.dataset, source_scan=source)


@pytest.fixture
def foreign():
    return synthetic(made_elsewhere(generator_version="2.1"))


def refused_by_the_database(scan, **changes):
    with pytest.raises(IntegrityError), transaction.atomic():
        Provenance.objects.filter(scan=scan).update(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"source_scan": None},
        {"seed": None},
        {"generator_digest": ""},
        {"generator_name": ""},
        {"operation": Operation.WHOLE},
        {"diameter_mm": None},
        {"diameter_mm": 0.0},
        NO_CENTRE,
        {"centre_y_mm": None},
    ],
)
def test_an_edit_made_here_is_never_half_known(edited, changes):
    refused_by_the_database(edited, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator_name": ""},
        {"operation": Operation.REMOVE},
        {"operation": Operation.REMOVE, "diameter_mm": 9.0},
        {"centre_x_mm": 1.0},
        {"made": "nowhere"},
        {"operation": "paint"},
        {"verdict": "maybe"},
        {"verdict": Verdict.ACCEPTED},
        {"reviewed_at": timezone.now()},
        {"verdict_reason": "Seam"},
    ],
)
def test_a_scan_made_elsewhere_names_its_generator_and_no_half_of_a_thing(foreign, changes):
    refused_by_the_database(foreign, **changes)


def test_a_verdict_has_a_person_a_time_and_a_rejection_its_reason(edited):
    person = {"reviewed_by": edited.created_by, "reviewed_at": timezone.now()}
    for verdict, missing in (
        (Verdict.ACCEPTED, {"reviewed_by": None}),
        (Verdict.ACCEPTED, {"reviewed_at": None}),
        (Verdict.REJECTED, {"verdict_reason": ""}),
        (Verdict.PENDING, {}),
    ):
        refused_by_the_database(edited, **{"verdict": verdict, **person, **missing})


@pytest.mark.parametrize(
    "provenance",
    [
        made_elsewhere(),
        made_elsewhere(Operation.INSERT),
        made_elsewhere(Operation.INSERT, seed=3, kind="cystic", generator_version="2.1", measured={"contrast_hu": -30}),
        made_elsewhere(Operation.REMOVE, centre_x_mm=1.0, centre_y_mm=2.0, centre_z_mm=3.0, diameter_mm=12.0),
    ],
)
@pytest.mark.parametrize("with_source", [True, False])
def test_what_other_programs_made_fits(provenance, with_source):
    source = make_scan() if with_source else None
    grid = small_grid()
    scan = synthetic(
        provenance,
        getattr(source, "dataset", None),
        source_scan=source,
        masks={MaskKind.CHANGED: ball(grid, (2, 12, 16), 6)},
    )
    stored = Provenance.objects.get(scan=scan)
    assert stored.source_scan == source
    assert stored.verdict == Verdict.PENDING
    assert scan.masks.get().kind == MaskKind.CHANGED


@pytest.mark.parametrize(("origin", "provenance"), [(Origin.SYNTHETIC, None), (Origin.ACQUIRED, made_elsewhere())])
def test_a_provenance_comes_with_every_synthetic_scan_and_with_no_other(stored_files, origin, provenance):
    with pytest.raises(ValueError, match="has a provenance"):
        make_scan(origin=origin, provenance=provenance)
    assert not Scan.objects.exists()
    assert stored_files() == set()


def test_a_half_filled_row_leaves_neither_scan_nor_files(stored_files):
    with pytest.raises(IntegrityError), transaction.atomic():
        synthetic(edited_here())  # of no source
    assert not Scan.objects.exists()
    assert stored_files() == set()


def test_a_provenance_goes_with_its_scan_and_holds_its_source(edited):
    with pytest.raises(ConflictError, match="based on it"):
        delete_scan(scan=edited.source_scan, user=edited.dataset.owner)
    delete_scan(scan=edited, user=edited.dataset.owner)
    assert not Provenance.objects.exists()


@pytest.mark.parametrize(("who", "may"), [("owner", True), ("member", True), ("stranger", False), ("rater", False)])
def test_who_may_use_the_dataset_reviews_and_nobody_else(who, may):
    people = {
        "owner": make_user(Role.COORDINATOR),
        "member": make_user(),
        "stranger": make_user(Role.COORDINATOR),
        "rater": make_user(Role.RATER),
    }
    dataset = make_dataset(people["owner"], members=[people["member"], people["rater"]])
    scan = synthetic(made_elsewhere(), dataset)
    if may:
        give_verdict(scan=scan, reviewer=people[who], accept=True)
    else:
        with pytest.raises(ForbiddenError, match="Ask the dataset's owner"):
            give_verdict(scan=scan, reviewer=people[who], accept=True)
    assert (Provenance.objects.get(scan=scan).verdict == Verdict.ACCEPTED) == may


def test_of_two_decisions_at_once_the_first_one_stays(edited):
    owner = edited.dataset.owner
    one, other = (Scan.objects.select_related("provenance").get(pk=edited.pk) for _ in range(2))
    give_verdict(scan=one, reviewer=owner, accept=False, reason="Seam")
    for reason in ("", "Another reason"):
        with pytest.raises(ConflictError, match="since you opened it"):
            give_verdict(scan=other, reviewer=owner, accept=not reason, reason=reason)
    kept = Provenance.objects.get(scan=edited)
    assert (kept.verdict, kept.verdict_reason) == (Verdict.REJECTED, "Seam")


def test_a_decision_holds_for_the_verdict_that_was_seen(edited):
    owner = edited.dataset.owner
    give_verdict(scan=edited, reviewer=owner, accept=False, reason="Seam", seen=Verdict.PENDING)
    with pytest.raises(ConflictError, match="since you opened it"):
        give_verdict(scan=edited, reviewer=owner, accept=True, seen=Verdict.PENDING)
    changed = give_verdict(scan=edited, reviewer=owner, accept=True, seen=Verdict.REJECTED)
    assert (changed.verdict, changed.verdict_reason) == (Verdict.ACCEPTED, "")
    assert Provenance.objects.get(scan=edited).verdict == Verdict.ACCEPTED


def test_only_synthetic_scans_are_reviewed():
    scan = make_scan()
    with pytest.raises(ConflictError, match="isn't synthetic"):
        give_verdict(scan=scan, reviewer=scan.dataset.owner, accept=True)


def test_a_refused_decision_changes_nothing(edited):
    for reason in (" ", "x" * 301):
        with pytest.raises(DomainError):
            give_verdict(scan=edited, reviewer=edited.dataset.owner, accept=False, reason=reason)
    assert Provenance.objects.get(scan=edited).verdict == edited.provenance.verdict == Verdict.PENDING


def decide(client, scan, **sent):
    return client.post(reverse("datasets:decide-scan", args=[scan.pk]), sent)


def test_a_scan_of_another_program_is_decided_on_its_page(client, foreign):
    owner = foreign.dataset.owner
    client.force_login(owner)
    page = shown(client.get(foreign.get_absolute_url()))
    assert 'name="seen" value="pending"' in page
    assert "before and after" not in page  # nothing is known of what it was made of
    refused = shown(
        client.post(reverse("datasets:decide-scan", args=[foreign.pk]), {"decision": "reject"}, follow=True)
    )
    assert "why the result is rejected" in refused
    decide(client, foreign, decision="accept", seen="pending")
    foreign.provenance.refresh_from_db()
    assert (foreign.provenance.verdict, foreign.provenance.reviewed_by) == (Verdict.ACCEPTED, owner)
    late = shown(
        client.post(reverse("datasets:decide-scan", args=[foreign.pk]), {"seen": "pending", "reason": "x"}, follow=True)
    )
    assert "since you opened it" in late
    decide(client, foreign, decision="reject", seen="accepted", reason="Too smooth")
    foreign.provenance.refresh_from_db()
    assert foreign.provenance.verdict_reason == "Too smooth"


def test_one_decision_leads_to_the_next_scan_that_waits(client, foreign):
    others = [synthetic(made_elsewhere(), foreign.dataset, name=name) for name in ("z", "a")]
    client.force_login(foreign.dataset.owner)
    listed = reverse("datasets:dataset", args=[foreign.dataset_id])
    assert "3 synthetic scans to review" in shown(client.get(listed))
    after = decide(client, foreign, decision="accept", seen="pending", then="next")
    assert after["Location"] == others[0].get_absolute_url()
    after = decide(client, others[0], decision="accept", seen="pending", then="next")
    assert after["Location"] == others[1].get_absolute_url()
    assert decide(client, others[1], decision="accept", then="next")["Location"] == others[1].get_absolute_url()
    assert "to review" not in shown(client.get(listed)).replace("To review", "")


def test_lists_are_filtered_by_what_waits_for_a_review(client, foreign, edited):
    give_verdict(scan=edited, reviewer=edited.dataset.owner, accept=True)
    client.force_login(make_user(Role.ADMINISTRATOR))
    for verdict, scan in ((Verdict.PENDING, foreign), (Verdict.ACCEPTED, edited)):
        rows = client.get("/api/datasets/scans/", {"review": verdict}).json()["results"]
        assert [row["id"] for row in rows] == [str(scan.pk)]
    listed = reverse("datasets:dataset", args=[edited.dataset_id])
    assert "No scan fits" in shown(client.get(listed, {"review": "pending"}))


def test_the_api_gives_a_verdict(client, foreign):
    client.force_login(foreign.dataset.owner)
    url = reverse("datasets-api:scan-verdict", args=[foreign.pk])

    def give(**sent):
        return client.post(url, sent, content_type="application/json")

    assert give(accept=False).status_code == 400
    assert give().status_code == 400
    assert give(accept=False, reason="Seam", seen="accepted").status_code == 409
    told = give(accept=False, reason="Seam", seen="pending").json()["provenance"]
    assert (told["verdict"], told["verdict_reason"]) == ("rejected", "Seam")
    assert told["reviewed_by"] == foreign.dataset.owner.username


def test_before_and_after_are_compared_on_one_grid_only(client, edited):
    client.force_login(edited.dataset.owner)
    url = reverse("datasets:compare-scan", args=[edited.pk])
    assert url in shown(client.get(edited.get_absolute_url()))
    page = shown(client.get(url))
    assert f"/api/datasets/scans/{edited.source_scan_id}/manifest/" in page
    assert 'data-centre="[0.0, 0.0, 0.0]"' in page
    source = make_scan(edited.dataset, grid=small_grid((5, 20, 20)))
    of_another_grid = synthetic(edited_here(), edited.dataset, source_scan=source)
    assert client.get(reverse("datasets:compare-scan", args=[of_another_grid.pk])).status_code == 404
    assert client.get(reverse("datasets:compare-scan", args=[source.pk])).status_code == 404


def test_the_page_and_the_api_tell_it_in_typed_words(client, foreign):
    owner = foreign.dataset.owner
    give_verdict(scan=foreign, reviewer=owner, accept=False, reason="Too smooth")
    client.force_login(owner)
    page = shown(client.get(reverse("datasets:scan", args=[foreign.pk])))
    assert "Made by another program: whole scan" in page
    assert "Other program 2.1" in page
    assert f"Rejected by {owner}" in page
    assert "Too smooth" in page
    told = client.get(f"/api/datasets/scans/{foreign.pk}/").json()["provenance"]
    assert (told["made"], told["operation"], told["verdict"]) == ("elsewhere", "whole", "rejected")
    assert (told["generator_name"], told["generator_version"]) == ("Other program", "2.1")
    assert (told["centre_lps_mm"], told["source_scan"], told["reviewed_by"]) == (None, None, owner.username)
    acquired = make_scan(foreign.dataset)
    assert client.get(f"/api/datasets/scans/{acquired.pk}/").json()["provenance"] is None


def test_an_edit_tells_where_it_is(client, edited):
    client.force_login(edited.dataset.owner)
    told = client.get(f"/api/datasets/scans/{edited.pk}/").json()["provenance"]
    assert np.array_equal(told["centre_lps_mm"], [0.0, 0.0, 0.0])
    assert (told["source_scan"], told["reviewed_by"]) == (str(edited.source_scan_id), None)
    Provenance.objects.filter(scan=edited).update(measured={"diameter_mm": 8.94, "contrast_hu": -41.2, "noise_hu": 7})
    page = shown(client.get(reverse("datasets:scan", args=[edited.pk])))
    assert "Edited here: insert" in page
    assert "8.9 mm, -41 HU to the liver" in page
    assert "3 values" in page
