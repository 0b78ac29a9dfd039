"""Drawing and choosing cases: balanced, matched, only what was accepted."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.datasets.scans.liver_map import LiverMap, LiverPlace
from ctplatform.datasets.services import delete_dataset
from ctplatform.errors import ConflictError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import JobStatus
from readerstudy.design import drawing
from readerstudy.design import services as design
from readerstudy.design.arms import arm_from, arm_order, quotas
from readerstudy.design.candidate import Candidate
from readerstudy.design.candidates import flow_counts, lesions_of_kind, measured_candidates
from readerstudy.design.likeness import match_report
from readerstudy.design.matching import matched_draw
from readerstudy.design.places import healthy_places
from readerstudy.locking import services as locking
from readerstudy.models import CaseTruth, Template
from tests.factories import make_dataset
from tests.phantoms import ball, liver_box
from tests.readerstudy.worlds import GRID, decide, make_draft, make_world, real_places


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


def drawn_from(real, synthetic, **settings):
    drawn = matched_draw(real, synthetic, **{"pairs": 20, "seed": 1, **settings})
    return [candidate for pair in drawn for candidate in pair]


def measures_of(cases):
    return {measure["name"]: measure for measure in match_report(cases)["measures"]}


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
    assert 1 <= len(drawn) <= min(pairs, len(real), len(synthetic))
    assert all(not a.synthetic and b.synthetic for a, b in drawn)
    assert [(a.pair, b.pair) for a, b in drawn] == [(number, number) for number in range(1, len(drawn) + 1)]
    for side in zip(*drawn, strict=True):
        places = [(candidate.scan, candidate.place_lps_mm) for candidate in side]
        assert len(set(places)) == len(places)
    per_scan = [sorted(Counter(candidate.root for candidate in side).values()) for side in zip(*drawn, strict=True)]
    assert per_scan[0] == per_scan[1]  # so "this scan again" is no sign of a kind
    assert matched_draw(*[pool[::-1] for pool in pools], pairs=pairs, seed=seed) == drawn


def test_a_matched_draw_brings_unlike_pools_together():
    """Synthetic lesions are smaller on the whole; the drawn cases are alike."""
    random = np.random.default_rng(3)
    real = candidates(False, random.lognormal(np.log(16), 0.5, 150))
    synthetic = candidates(True, random.lognormal(np.log(11), 0.4, 150))
    before = measures_of([*real, *synthetic])
    after = measures_of(drawn_from(real, synthetic, pairs=40))
    assert before["diameter_mm"]["auc"] < 0.3
    assert before["diameter_mm"]["verdict"] == "apart"
    assert abs(after["diameter_mm"]["auc"] - 0.5) < 0.05
    assert abs(after["depth_mm"]["auc"] - 0.5) < 0.1
    assert {after[name]["verdict"] for name in ("diameter_mm", "depth_mm")} == {"alike"}


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


def test_real_scans_that_a_manifest_excludes_are_no_cases_and_stay_counted(cast, world):
    study = make_draft(cast, world)
    before = lesions_of_kind(study, synthetic=False).count()
    excluded = world.sources[0]
    excluded.import_report = {"excluded_because": "motion"}
    excluded.save(update_fields=["import_report"])
    assert lesions_of_kind(study, synthetic=False).count() == before - excluded.lesions.count()
    assert flow_counts(study)["untouched_excluded"] == 1
    assert flow_counts(study)["untouched_scans"] == len(world.sources)


def of_programs(count, *names):
    """Synthetic candidates of several programs, the first of which lie most like the real ones."""
    found = candidates(True, [20.0] * count * len(names), scans=count * len(names))
    return [
        replace(
            candidate,
            diameter_mm=candidate.diameter_mm + number // count,
            details={"operation": "insert", "generator_name": names[number // count]},
        )
        for number, candidate in enumerate(found)
    ]


def test_arms_give_equally_many_cases_although_one_is_more_alike():
    real, synthetic = candidates(False, [20.0] * 40, scans=40), of_programs(12, "near", "far", "farther")
    drawn = matched_draw(real, synthetic, pairs=18, seed=3)
    assert Counter(one.arm.name for _, one in drawn) == dict.fromkeys(
        ("near, inserted", "far, inserted", "farther, inserted"), 6
    )
    alone = matched_draw(real, synthetic[:12], pairs=18, seed=3)
    assert len(alone) == 12


def test_what_an_arm_lacks_the_others_give():
    real = candidates(False, [20.0] * 40, scans=40)
    few, many = of_programs(20, "few", "many")[17:20], of_programs(20, "few", "many")[20:]
    drawn = matched_draw(real, [*few, *many], pairs=16, seed=3)
    assert Counter(one.arm.generator for _, one in drawn) == {"few": 3, "many": 13}


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 100))
def test_quotas_give_all_places_as_evenly_as_there_are_cases(available, places):
    given_cases = quotas(available, places=places)
    assert sum(given_cases.values()) == min(places, sum(available.values()))
    assert all(0 <= given_cases[name] <= available[name] for name in available)
    most = max(given_cases.values())
    assert all(given_cases[name] >= min(available[name], most - 1) for name in available)


def test_a_case_is_of_the_program_that_made_it():
    facts = {"operation": "remove", "generator_name": "GAN", "generator_version": "2.1", "generator_digest": "ab" * 32}
    arms = {
        "real": arm_from(synthetic=False, control=False, details=facts),
        "GAN 2.1, removed": arm_from(synthetic=True, control=False, details=facts),
        "GAN 2.1, removed, positive control": arm_from(synthetic=True, control=True, details=facts),
        "GAN abababab, removed": arm_from(synthetic=True, control=False, details=facts | {"generator_version": ""}),
        "GAN, whole image": arm_from(
            synthetic=True, control=False, details={"operation": "whole", "generator_name": "GAN"}
        ),
        "unnamed program, inserted": arm_from(synthetic=True, control=False, details={}),
    }
    assert {name: arm.name for name, arm in arms.items()} == {name: name for name in arms}
    assert len(set(arms.values())) == len(arms)
    assert min(arms.values(), key=arm_order).is_real


def test_removed_lesions_are_compared_with_untouched_places(cast, stages):
    world = make_world(cast.owner, operation="remove")
    study = make_draft(cast, world, template=Template.REMOVED_LESIONS, cases=6)
    job = stages.draw(study)
    assert job.status == JobStatus.SUCCEEDED, job.error
    synthetic = CaseTruth.objects.filter(case__study=study, synthetic=True).select_related("scan")
    assert synthetic.count() == 3
    for truth in synthetic:
        assert truth.place_lps_mm == truth.scan.provenance.centre_lps_mm
    real = CaseTruth.objects.filter(case__study=study, synthetic=False).select_related("scan")
    assert real.count() == 3
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


@pytest.mark.parametrize("change", ["moved", "measured", "gone"])
def test_lesions_that_change_while_cases_are_drawn_give_none(cast, world, stages, monkeypatch, change):
    draw = drawing.matched_draw

    def meanwhile(real, synthetic, **settings):
        chosen = draw(real, synthetic, **settings)
        lesion = Lesion.objects.get(pk=next(one.lesion for group in chosen for one in group if one.lesion))
        if change == "gone":
            lesion.delete()
        else:
            lesion.centroid_lps_mm[2] += change == "moved"
            lesion.diameter_mm += change == "measured"
            lesion.save()
        return chosen

    monkeypatch.setattr(drawing, "matched_draw", meanwhile)
    study = make_draft(cast, world)
    job = stages.draw(study)
    assert job.status == JobStatus.FAILED
    assert "A mask of lesions was changed while cases were drawn" in job.error
    assert study.cases.count() == 0


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
    jobs.cancel(job=job, actor=job.owner)
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
    like = [LiverPlace(shares_lps=(left, back, 0.5), depth_mm=10.0) for left in (0.2, 0.8) for back in (0.2, 0.8)]
    places = healthy_places(liver, like=like, count=50, radius_mm=4.5, seed=1)
    assert 1 <= len(places) < 50
    lesions = [np.array(row.centroid_lps_mm) for row in world.sources[0].lesions.all()]
    for number, place in enumerate(places):
        assert not any(ball(GRID, lesion, 9.0)[GRID.nearest_voxel(place)] for lesion in real_places(0))
        assert all(np.linalg.norm(np.array(place) - lesion) > 9 for lesion in lesions)
        others = places[:number]
        assert all(np.linalg.norm(np.array(place) - np.array(other)) >= 15 for other in others)
    assert healthy_places(liver, like=like, count=50, radius_mm=4.5, seed=1) == places
    assert healthy_places(liver, like=[], count=50, radius_mm=4.5, seed=1) == []


def test_healthy_places_lie_where_lesions_lie_and_on_no_lattice():
    """Lesions of other livers stand low on the right: so do healthy places, evenly spread ones would not."""
    liver_mask = liver_box(GRID)
    liver = LiverMap.from_masks(GRID, liver=liver_mask, lesions=np.zeros_like(liver_mask))
    random = np.random.default_rng(2)
    like = [LiverPlace(shares_lps=(float(x), float(y), 0.4), depth_mm=8.0) for x, y in random.uniform(0, 0.4, (20, 2))]
    places = [place for seed in range(8) for place in healthy_places(liver, like=like, count=2, radius_mm=3, seed=seed)]
    shares = liver.shares_lps(places)
    assert (shares[:, :2] < 0.55).mean() > 0.9
    assert np.median(np.abs(np.array(liver.depths_mm(places)) - 8.0)) < 4
    voxels = GRID.to_voxel(places)
    assert (np.abs(voxels - np.rint(voxels)) > 0.05).mean() > 0.7


def test_a_dataset_that_a_draft_names_is_not_deleted(cast, draft):
    """Without one the draft would take its cases from all of its owner's."""
    chosen, other = make_dataset(owner=cast.owner), make_dataset(owner=cast.owner)
    design.change_design(study=draft, actor=cast.owner, datasets=[chosen])
    with pytest.raises(ConflictError, match="takes its cases from this dataset"):
        delete_dataset(dataset=chosen, user=cast.owner)
    assert list(draft.datasets.all()) == [chosen]
    design.change_design(study=draft, actor=cast.owner, datasets=[other])
    delete_dataset(dataset=chosen, user=cast.owner)
    assert list(draft.datasets.all()) == [other]


@pytest.mark.parametrize("template", Template)
def test_words_of_a_study_without_a_ring_ask_about_the_picture(cast, template):
    draft = design.create_study(owner=cast.owner, template=template)
    usual = draft.question, draft.instructions

    def chosen(task, **words):
        changed = design.change_design(study=draft, actor=cast.owner, task_name=task, task_settings={}, **words)
        return changed.question, changed.instructions

    # As the page sends them: with the words that it showed.
    question, instructions = chosen("one_place", question=usual[0], instructions=usual[1])
    assert "this picture" in question
    assert "Nothing shows where" in instructions
    assert draft.record.last().details["changed"]["question"] == [usual[0], question]
    assert "mark every place" in chosen("any_places")[1]
    assert "the trial before" in chosen("forced_choice")[1]
    assert chosen("real_or_synthetic") == usual
    assert chosen("one_place", question="Ours?", instructions="Look.") == ("Ours?", "Look.")
    draft.refresh_from_db()
    labels = []
    for draft.display_mode in ("patch", "slice", "stack"):
        labels.append(draft.display_label.partition(": ")[2])
    assert labels == [
        "a magnified square with the place somewhere in it",
        "the whole axial slice, without a ring",
        "scrollable slices, without a ring",
    ]
