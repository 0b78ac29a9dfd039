"""Drawing and choosing cases: balanced, matched, only what was accepted."""

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.errors import ConflictError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import JobStatus
from readerstudy.design import services as design
from readerstudy.design.candidates import flow_counts, measured_candidates
from readerstudy.design.matching import Candidate, match_report, matched_draw
from readerstudy.design.places import LiverMap
from readerstudy.locking import services as locking
from readerstudy.models import CaseTruth, Template
from tests.phantoms import ball, liver_box
from tests.readerstudy.worlds import GRID, decide, make_draft, make_world


def candidates(synthetic, diameters, scans=6):
    return [
        Candidate(
            synthetic=synthetic,
            scan=f"{'edit' if synthetic else 'scan'} {number % scans} {number if synthetic else 0}",
            root=f"scan {number % scans}",
            subject=f"subject {number % scans}",
            place_lps_mm=(float(number), 0.0, 0.0),
            diameter_mm=float(diameter),
            depth_mm=float(10 + number % 7),
        )
        for number, diameter in enumerate(diameters)
    ]


@settings(deadline=None, max_examples=40)
@given(
    real=st.lists(st.floats(4, 60), min_size=1, max_size=40),
    synthetic=st.lists(st.floats(4, 60), min_size=1, max_size=40),
    pairs=st.integers(1, 30),
    seed=st.integers(0, 10**6),
)
def test_a_draw_is_balanced_takes_nothing_twice_and_repeats_itself(real, synthetic, pairs, seed):
    pools = candidates(False, real), candidates(True, synthetic)
    drawn = matched_draw(*pools, pairs=pairs, seed=seed)
    assert len(drawn) == min(pairs, len(real), len(synthetic))
    assert all(not a.synthetic and b.synthetic for a, b in drawn)
    for side in zip(*drawn, strict=True):
        places = [(candidate.scan, candidate.place_lps_mm) for candidate in side]
        assert len(set(places)) == len(places)
    assert matched_draw(*[pool[::-1] for pool in pools], pairs=pairs, seed=seed) == drawn


def test_a_matched_draw_brings_unlike_pools_together():
    """Synthetic lesions are smaller on the whole; the drawn cases are alike."""
    random = np.random.default_rng(3)
    real = candidates(False, random.lognormal(np.log(16), 0.5, 150))
    synthetic = candidates(True, random.lognormal(np.log(11), 0.4, 150))
    before = match_report([*real, *synthetic])["diameter_mm"]
    drawn = [candidate for pair in matched_draw(real, synthetic, pairs=40, seed=1) for candidate in pair]
    after = match_report(drawn)
    assert before["auc"] < 0.3
    assert abs(after["diameter_mm"]["auc"] - 0.5) < 0.05
    assert abs(after["depth_mm"]["auc"] - 0.5) < 0.1
    assert after["scans_of_both_kinds"] == 6


def test_the_draw_chooses_accepted_edits_only_and_counts_the_rest(cast, stages):
    world = make_world(cast.owner, sources=2, edits_per_source=3, accepted=None)
    for number, accept in ((0, True), (1, False), (3, True), (4, True), (5, True)):
        decide(world.edits[number], accept=accept)
    study = make_draft(cast, world, cases=8)
    job = stages.draw(study)
    assert job.status == JobStatus.SUCCEEDED, job.error
    truths = CaseTruth.objects.filter(case__study=study)
    assert {t.scan_id for t in truths.filter(synthetic=True)} == {world.edits[n].pk for n in (0, 3, 4, 5)}
    assert all(t.lesion.inserted for t in truths.filter(synthetic=True))
    assert {t.scan_id for t in truths.filter(synthetic=False)} <= {scan.pk for scan in world.sources}
    assert (
        study.flow | {"edited": 6, "accepted": 4, "rejected": 1, "not_reviewed": 1, "untouched_scans": 2} == study.flow
    )
    assert flow_counts(study)["edited"] == 6
    assert all(t.depth_mm > 0 for t in truths)


def test_removed_lesions_are_compared_with_untouched_places(cast, stages):
    world = make_world(cast.owner, operation="remove")
    study = make_draft(cast, world, template=Template.REMOVED_LESIONS, cases=8)
    job = stages.draw(study)
    assert job.status == JobStatus.SUCCEEDED, job.error
    synthetic = CaseTruth.objects.filter(case__study=study, synthetic=True).select_related("scan")
    assert synthetic.count() == 4
    for truth in synthetic:
        assert truth.place_lps_mm == truth.scan.provenance.centre_lps_mm
    real = CaseTruth.objects.filter(case__study=study, synthetic=False).select_related("scan")
    assert real.count() == 4
    lesions = {scan.pk: [np.array(row.centroid_lps_mm) for row in scan.lesions.all()] for scan in world.sources}
    for truth in real:
        z, y, x = GRID.nearest_voxel(truth.place_lps_mm)
        assert liver_box(GRID)[z, y, x]
        assert all(np.linalg.norm(np.array(truth.place_lps_mm) - place) > 9 for place in lesions[truth.scan_id])
    assert stages.lock(study).result["locked"] is True


def test_a_draw_without_material_ends_with_the_reason(cast, stages):
    world = make_world(cast.owner, sources=1, edits_per_source=1, accepted=None)
    study = make_draft(cast, world)
    job = stages.draw(study)
    assert job.status == JobStatus.FAILED
    assert "No accepted synthetic case fits this study" in job.error
    assert study.cases.count() == 0
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:study", args=[study.pk])).content.decode()
    assert "No accepted synthetic case fits this study" in page


def test_while_a_job_is_at_work_the_draft_stands_still(draft, cast):
    job = design.request_draw(study=draft, actor=cast.owner)  # no worker takes it
    draft.refresh_from_db()
    for action in (
        lambda: design.request_draw(study=draft, actor=cast.owner),
        lambda: design.change_design(study=draft, actor=cast.owner, title="Other"),
        lambda: locking.request_lock(study=draft, actor=cast.owner),
    ):
        with pytest.raises(ConflictError, match="is at work on this study"):
            action()
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:study", args=[draft.pk])).content.decode()
    assert "hx-get" in page
    assert client.get(reverse("studies:busy", args=[draft.pk])).headers.get("HX-Refresh") is None
    jobs.cancel(job=job)
    assert client.get(reverse("studies:busy", args=[draft.pk])).headers["HX-Refresh"] == "true"
    design.change_design(study=draft, actor=cast.owner, title="Other")


def test_cases_are_added_and_removed_by_hand(draft, cast, world):
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:candidates", args=[draft.pk]), {"kind": "real"}).content.decode()
    assert page.count('name="place"') == 9
    real = list(Lesion.objects.filter(scan=world.sources[0])[:2])
    made = Lesion.objects.get(scan=world.edits[0], inserted=True)
    copied = Lesion.objects.filter(scan=world.edits[0], inserted=False).first()
    chosen = [lesion.pk for lesion in (*real, made)]
    truths = CaseTruth.objects.filter(case__study=draft)
    client.post(reverse("studies:add-cases", args=[draft.pk]), {"place": [*chosen, copied.pk]})
    assert not truths.exists()  # a copy of a real lesion in an edited scan is no case
    client.post(reverse("studies:add-cases", args=[draft.pk]), {"place": chosen})
    assert {truth.lesion for truth in truths} == {*real, made}
    client.post(reverse("studies:add-cases", args=[draft.pk]), {"place": chosen})
    assert truths.count() == 3
    draft.refresh_from_db()
    assert draft.match_report["kinds"]["real"]["cases"] == 2
    page = client.get(reverse("studies:cases", args=[draft.pk]), {"kind": "synthetic"}).content.decode()
    assert page.count('name="case"') == 1
    client.post(reverse("studies:remove-cases", args=[draft.pk]), {"case": [str(truths.get(synthetic=True).pk)]})
    assert set(truths.values_list("synthetic", flat=True)) == {False}
    assert draft.cases.count() == 2


def test_places_of_datasets_that_the_owner_may_not_see_are_no_candidates(draft, cast):
    hidden = make_world(cast.other, sources=1, edits_per_source=1)
    draft.datasets.clear()
    real, synthetic = measured_candidates(draft, on_progress=lambda *_: None)
    scans = {str(pk) for pk in Scan.objects.filter(dataset=hidden.dataset).values_list("pk", flat=True)}
    assert real
    assert synthetic
    assert not scans & {candidate.scan for candidate in (*real, *synthetic)}


def test_depth_is_the_distance_to_the_surface(world):
    liver = LiverMap.of(world.sources[0])
    mask = liver_box(GRID)
    rows = np.nonzero(mask[4].any(axis=1))[0]
    for row in (rows[0] + 2, rows[0] + 5):
        place = GRID.to_world((4, row, 26))
        in_plane = (row - rows[0] + 1) * 1.25
        through = 5 * 3.0  # the liver reaches through all slices
        assert liver.depths_mm([place])[0] == pytest.approx(min(in_plane, through), abs=2.6)
    assert liver.depths_mm([GRID.to_world((4, 1, 1)), [1e4, 1e4, 1e4]]) == [0.0, 0.0]


def test_healthy_places_keep_clear_of_lesions_and_of_each_other(world):
    liver = LiverMap.of(world.sources[0])
    places = liver.healthy_places(count=50, radius_mm=4.5, seed=1)
    assert 1 <= len(places) < 50
    lesions = [np.array(row.centroid_lps_mm) for row in world.sources[0].lesions.all()]
    for number, place in enumerate(places):
        assert not any(ball(GRID, p, 9.0)[GRID.nearest_voxel(place)] for p in ((4, 14, 14), (4, 14, 38), (4, 38, 14)))
        assert all(np.linalg.norm(np.array(place) - lesion) > 9 for lesion in lesions)
        others = places[:number]
        assert all(np.linalg.norm(np.array(place) - np.array(other)) >= 15 for other in others)
    assert liver.healthy_places(count=50, radius_mm=4.5, seed=1) == places
