"""A study that asks for one marked place, from the draft to the report."""

import csv
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Mask
from ctplatform.datasets.scans import voxels
from ml.geometry import Grid
from readerstudy.blinding.cutting import WANDER_SHARE, cut_for, render, source_box, study_frame
from readerstudy.blinding.lattice import Lattice, mark_in_patient
from readerstudy.ledger.chain import event_content
from readerstudy.models import RatingEvent, Stimulus
from readerstudy.report.archive import text_files
from readerstudy.report.loading import report_data
from readerstudy.report.mark_map import mark_map_of
from readerstudy.report.places import places_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.marked import distance_mm
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world, unblind

RATERS, CASES = 4, 14
MARK = {"slice": 1, "row": 3, "column": 5}
STACK = {"display_mode": "stack", "stack_slices": 5}


def marking_draft(cast, world, task_settings=None, **more):
    return make_draft(cast, world, task_name="one_place", task_settings=task_settings or {}, **{**STACK, **more})


@pytest.fixture
def drafting():
    return {"task_name": "one_place", "task_settings": {}, **STACK}


@pytest.fixture
def simulated(recorded, cast, stages):
    def make():
        world = make_world(cast.owner, sources=4, edits_per_source=3)
        study = marking_draft(cast, world, {"radius_mm": 5}, cases=CASES, raters=[])
        call_command("simulate_raters", "Trial", "--raters", str(RATERS), verbosity=0)
        stages.open(study)
        call_command("simulate_raters", str(study.pk), "--skill", "0.95", "--seed", "5")
        study.refresh_from_db()
        return study

    return recorded("simulated places", make)


@pytest.fixture
def unblinded(recorded, simulated):
    return recorded("unblinded places", lambda: unblind(simulated))


spacings = st.tuples(st.sampled_from([1.0, 2.5, 5.0]), st.sampled_from([0.7, 1.0]), st.sampled_from([0.7, 1.3]))
wanders = st.tuples(*[st.floats(-1, 1)] * 3)


@settings(deadline=None, max_examples=80)
@given(
    flips=st.tuples(*[st.sampled_from([1, -1])] * 3),
    mode=st.sampled_from(["patch", "slice", "stack"]),
    spacing=spacings,
    other=spacings,
    place=st.tuples(st.integers(4, 11), st.integers(8, 30), st.integers(8, 30)),
    wander=wanders,
)
def test_a_mark_on_what_is_seen_is_the_place_in_the_patient(flips, mode, spacing, other, place, wander):
    """A bright voxel is looked for in the picture, and its place is that of the voxel in the scan."""
    z, y, x = flips
    grids = [
        Grid((16, 40, 44), mm, (5.0, -7.0, 100.0), (float(x), 0, 0, 0, float(y), 0, 0, 0, float(z)))
        for mm in (spacing, other)
    ]
    grid = grids[0]
    volume = np.zeros(grid.size_zyx, dtype=np.int16)
    volume[place] = 1400
    frame = study_frame(grids, mode=mode, field_of_view_mm=30.0, stack_slices=7)
    cut = cut_for(grid, frame, mode=mode, place_lps_mm=grid.to_world(place), wander_zyx=wander)
    assert cut.marker_zyx is None
    box = source_box(grid, frame, cut)
    pixels = render(volume[box], box, grid, frame, cut)
    if pixels.max() <= 0:  # between the samples of a coarser frame
        return
    seen = np.unravel_index(int(pixels.argmax()), pixels.shape)
    lattice = Lattice.from_json(json.loads(json.dumps(Lattice.of(grid, frame, cut).as_json())))
    marked = mark_in_patient(lattice, dict(zip(("slice", "row", "column"), map(int, seen), strict=True)))
    step = np.abs(lattice.steps_lps_mm).sum(axis=0)
    apart = np.abs(np.subtract(marked, grid.to_world(place)))
    exact = not frame.resampled
    assert (apart <= (0.01 if exact else np.maximum(step, 0.01) + 0.01)).all()
    assert lattice.to_picture(grid.to_world(place)) == pytest.approx(
        lattice.to_picture(marked), abs=0.05 if exact else 1.05
    )


def test_zero_has_one_form():
    """PostgreSQL keeps no negative zero; a digest taken over one would not be found again."""
    lattice = Lattice(origin_lps_mm=np.array([-0.001, -0.0, 0.0]), steps_lps_mm=-np.zeros((3, 3)))
    mark = mark_in_patient(lattice, {"slice": 0, "row": 0, "column": 0})
    assert "-0.0" not in json.dumps([mark, lattice.as_json()["steps_lps_mm"]])


def test_places_stand_anywhere_in_the_middle_of_the_picture_and_rarely_in_its_centre():
    grid = Grid((61, 200, 200), (2.0, 1.0, 1.0))
    place = grid.to_world((30, 100, 100))
    random = np.random.default_rng(1)
    for mode, axes in (("patch", (1, 2)), ("stack", (0,))):
        frame = study_frame([grid], mode=mode, field_of_view_mm=81.0, stack_slices=21)
        found = np.array(
            [
                Lattice.of(
                    grid,
                    frame,
                    cut_for(grid, frame, mode=mode, place_lps_mm=place, wander_zyx=tuple(random.uniform(-1, 1, 3))),
                ).to_picture(place)
                for _ in range(300)
            ]
        )
        for axis in axes:
            half = (frame.size_zyx[axis] - 1) / 2
            away = found[:, axis] - half
            assert np.abs(away).max() <= np.ceil(WANDER_SHARE * half)
            assert away.std() == pytest.approx(WANDER_SHARE * half / np.sqrt(3), rel=0.15)


def test_pictures_are_of_one_shape_without_ring_and_their_lattice_is_sealed(collecting):
    stimuli = list(Stimulus.objects.filter(case__study=collecting).select_related("case__truth__scan"))
    assert {(tuple(one.size_zyx), one.start_slice, one.marker_zyx, one.ring_mm) for one in stimuli} == {
        ((5, 52, 52), 2, None, None)
    }
    where = {round(float(Lattice.from_json(s.lattice).to_picture(s.case.truth.place_lps_mm)[0])) for s in stimuli}
    assert len(where) > 1
    assert verify(collecting).intact
    [one, *_] = stimuli
    Stimulus.objects.filter(pk=one.pk).update(lattice={**one.lattice, "origin_lps_mm": [0, 0, 0]})
    assert "what is stored of the stimuli differs from what was locked" in verify(collecting).problems


def test_the_target_is_what_was_changed_as_it_is_seen_in_the_picture(collecting):
    """Every run of it lies on changed voxels of the scan, and none of those that are seen is missing."""
    for stimulus in Stimulus.objects.filter(case__study=collecting).select_related("case__truth__scan"):
        truth = stimulus.case.truth
        if not truth.synthetic:
            assert truth.target == {}
            continue
        grid, lattice = truth.scan.geometry, Lattice.from_json(stimulus.lattice)
        changed = voxels.read_labels(Mask.objects.get(scan=truth.scan, kind=MaskKind.CHANGED).pk, grid) > 0
        runs = truth.target["runs"]
        samples = [(z, y, x) for z, y, start, stop in runs for x in range(start, stop)]
        at = np.rint(grid.to_voxel(lattice.to_patient(samples))).astype(int)
        assert changed[tuple(at.T)].all()
        assert len({tuple(row) for row in at}) == len(at)
        depth = np.rint(lattice.to_picture(grid.to_world((0, 0, 0)))[0])
        seen = sum(
            changed[z].sum()
            for z in range(grid.size_zyx[0])
            if 0 <= round(float(lattice.to_picture(grid.to_world((z, 0, 0)))[0])) < stimulus.size_zyx[0]
        )
        assert (len(at), np.isfinite(depth)) == (seen, True)
        assert truth.target["searched"] == "liver"
        chance, half, twice = truth.target["chances"]
        assert 0 < half < chance < twice <= 1
        z, y, start, stop = runs[0]
        assert distance_mm({"slice": z, "row": y, "column": start}, truth, stimulus) == 0
        beside = {"slice": z, "row": y, "column": stop + 100}
        assert distance_mm(beside, truth, stimulus) > 10


def test_marks_are_asked_for_taken_and_kept_in_the_patient(reader):
    assert reader.standing()["study"]["mark"] == {"required_with": ["synthetic"], "each": None}
    first, second, *_ = reader.tokens()
    told = reader.client.get(reverse("reading-api:presentation", args=[first])).json()
    assert told["marker"] is None
    assert set(told) == {"rows", "columns", "slices", "spacing_zyx_mm", "start_slice", "marker", "samples", "images"}
    missing = reader.rate(first, answer="synthetic")
    assert (missing.status_code, missing.json()["refusal"]["code"]) == (400, "mark_missing")
    outside = reader.rate(first, answer="synthetic", mark={**MARK, "row": 52})
    assert (outside.status_code, outside.json()["refusal"]["code"]) == (400, "mark_outside")
    for wrong in ({**MARK, "row": -1}, {"slice": 1}, [1, 2, 3], {**MARK, "column": "x"}):
        assert reader.rate(first, answer="synthetic", mark=wrong).status_code == 400
    assert not RatingEvent.objects.exists()
    taken = reader.rate(first, answer="synthetic", mark=MARK)
    assert taken.status_code == 201
    assert taken.json()["previous_answer"]["mark"] == MARK
    assert "lps" not in json.dumps(taken.json())
    event = RatingEvent.objects.get()
    lattice = Lattice.from_json(event.presentation.stimulus.lattice)
    assert event.mark == MARK
    assert event.mark_lps_mm == pytest.approx(lattice.to_patient([1, 3, 5]), abs=0.006)
    assert {"mark", "mark_lps_mm"} <= event_content(event).keys()
    # A real case needs none, may have one, and without it the entry is chained as entries always were.
    assert reader.rate(second, answer="real").status_code == 201
    without = RatingEvent.objects.get(sequence=2)
    assert not {"mark", "mark_lps_mm"} & event_content(without).keys()
    # The last answer may be changed: another mark takes the place of the first.
    changed = reader.rate(second, answer="real", mark={**MARK, "row": 9})
    assert (changed.status_code, RatingEvent.objects.get(sequence=3).mark["row"]) == (201, 9)


def test_every_answer_has_a_mark_where_the_likeliest_place_is_asked_for(cast, world, stages):
    study = stages.open(marking_draft(cast, world, {"mark_with": "every"}))
    reader = Browser(cast.rater, study)
    first, *_ = reader.tokens()
    assert reader.rate(first, answer="real").json()["refusal"]["code"] == "mark_missing"
    assert reader.rate(first, answer="real", mark=MARK).status_code == 201


def test_other_tasks_take_no_mark(cast, world, stages):
    study = stages.open(make_draft(cast, world))
    reader = Browser(cast.rater, study)
    first, *_ = reader.tokens()
    assert reader.standing()["study"]["mark"] is None
    assert reader.rate(first, mark=MARK).json()["refusal"]["code"] == "mark_not_asked"


def test_the_database_keeps_a_mark_with_its_place_only(reader):
    first, *_ = reader.tokens()
    reader.rate(first, answer="synthetic", mark=MARK)
    event = RatingEvent.objects.get()
    event.pk, event.sequence = None, 2
    event.client_event_id, event.previous_digest, event.mark_lps_mm = event.presentation.stimulus_id, "x", None
    with pytest.raises(IntegrityError, match="ledger_mark_lies_in_the_patient"), transaction.atomic():
        event.save(force_insert=True)


def test_before_the_unblinding_nobody_is_told_where_raters_marked(simulated, cast):
    """Millimetres would say which scan a rater saw, and on a whole slice rows and columns say as much."""
    client = Client()
    client.force_login(cast.owner)
    rows = json.loads(client.get(reverse("studies:export-json", args=[simulated.pk])).getvalue())["ratings"]
    assert not [name for name in rows[0] if name.startswith("mark")]
    assert client.get(reverse("study-places", args=[simulated.pk])).status_code == 409
    assert client.get(reverse("study-marks", args=[simulated.pk])).status_code == 409


def test_results_say_what_the_marks_say(unblinded, cast):
    opened = UnblindedStudy(unblinded)
    found = places_of(opened)
    assert found.planned is not None
    assert found.planned.radius_mm == 5
    assert [one.radius_mm for one in found.others] == [2.5, 10]
    assert len(found.planned.readers) == RATERS
    assert found.planned.panel.p < 0.01
    assert found.planned.area.value > 5 * found.planned.chance_area
    rows = list(csv.DictReader(io.StringIO(text_files(report_data(opened))["ratings.csv"].decode())))
    own = [row for row in rows if row["rater"] == "1" and row["truth"] == "synthetic" and row["mark_hit"]]
    reader = next(one for one in found.planned.readers if one.reader == "1")
    assert (sum(int(row["mark_hit"]) for row in own), len(own)) == (reader.hits, reader.marks)
    assert all(float(row["mark_distance_mm"]) <= 5 for row in own if row["mark_hit"] == "1")
    assert verify(unblinded).intact
    client = Client()
    client.force_login(cast.owner)
    told = client.get(reverse("study-places", args=[unblinded.pk])).json()
    assert told["planned"]["area"]["value"] == pytest.approx(found.planned.area.value)
    page = client.get(reverse("studies:results", args=[unblinded.pk])).content.decode()
    assert "Marked places" in page
    assert "Within 5 mm" in page
    files = text_files(report_data(opened))
    assert "Marked places: Within 5 mm" in files["results.txt"].decode()
    assert len(list(csv.DictReader(io.StringIO(files["places.csv"].decode())))) == 3 * (RATERS + 1)


def test_maps_of_marks_say_where_they_lie(unblinded, cast):
    """From the middle of what was changed in the scan, and from that of the picture; in page, files and API."""
    opened = UnblindedStudy(unblinded)
    found, planned = mark_map_of(opened), places_of(opened).planned
    [arm] = [arm for arm in found.arms if not arm.real]
    assert found.radius_mm == 5
    assert (arm.within, len(arm.marks)) == tuple(
        sum(getattr(one, name) for one in planned.readers) for name in ("hits", "marks")
    )
    assert arm.expected_within == pytest.approx(sum(one.expected_hits for one in planned.readers))
    told = {(mark.case, mark.rater): mark for one in found.arms for mark in one.marks}
    marked = [event for event in opened.first_answers if event.mark is not None]
    assert len(told) == len(marked) > 0
    for event in marked:
        stimulus = event.presentation.stimulus
        truth, lattice = opened.truths[stimulus.case.code], Lattice.from_json(stimulus.lattice)
        mark = told[stimulus.case.code, str(event.presentation.session.rater.number)]
        corners = lattice.to_patient([[0, 0, 0], np.array(stimulus.size_zyx) - 1])
        assert mark.from_middle_mm == pytest.approx(event.mark_lps_mm - corners.mean(axis=0), abs=0.03)
        if not truth.synthetic:
            assert (mark.from_edit_mm, mark.within) == (None, None)
            continue
        grid = truth.scan.geometry
        changed = voxels.read_labels(Mask.objects.get(scan=truth.scan, kind=MaskKind.CHANGED).pk, grid) > 0
        # Of slices that are not seen no part counts, and of two edits the one that is nearer.
        slices = [lattice.to_picture(grid.to_world((z, 0, 0)))[0] for z in range(len(changed))]
        changed[[not -0.5 < at < stimulus.size_zyx[0] - 0.5 for at in slices]] = False
        pieces, count = ndimage.label(changed, structure=np.ones((3, 3, 3)))
        found_mm = [grid.to_world(np.argwhere(pieces == piece + 1)) for piece in range(count)]
        nearest = min(found_mm, key=lambda at: np.linalg.norm(at - event.mark_lps_mm, axis=1).min())
        assert mark.from_edit_mm == pytest.approx(event.mark_lps_mm - nearest.mean(axis=0), abs=0.03)
    client = Client()
    client.force_login(cast.owner)
    answer = client.get(reverse("study-marks", args=[unblinded.pk])).json()
    assert [(one["arm"], one["within"], len(one["marks"])) for one in answer["arms"]] == [
        (one.arm, one.within, len(one.marks)) for one in found.arms
    ]
    page = client.get(reverse("studies:results", args=[unblinded.pk])).content.decode()
    assert f"Right {arm.within} of {len(arm.marks)}" in page
    assert 'id="marks-in-pictures"' in page
    assert "Right by chance" in page
    data = report_data(opened)
    rows = list(csv.DictReader(io.StringIO(text_files(data)["marks.csv"].decode())))
    assert len(rows) == len(marked)
    assert sum(row["within"] == "1" for row in rows) == arm.within
    # a part of the study has its own
    one_rater = mark_map_of(opened, raters=frozenset({"1"}))
    assert sum(len(one.marks) for one in one_rater.arms) == sum(rater == "1" for _, rater in told)
    none = mark_map_of(opened, cases=frozenset())
    assert none.arms == ()


def test_an_excluded_rater_is_on_no_map(simulated, cast):
    unblinding.exclude_rater(rater=simulated.raters.get(number=1), actor=cast.owner, reason="read on a phone")
    raters = {mark.rater for arm in mark_map_of(UnblindedStudy(unblind(simulated))).arms for mark in arm.marks}
    assert raters == {"2", "3", "4"}


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_finds_the_same_areas_of_places(unblinded, tmp_path):
    data = report_data(UnblindedStudy(unblinded))
    for name, content in text_files(data).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, planned = json.loads(done.stdout)["task"], data.places.planned
    assert found["readers"] == pytest.approx([one.area for one in planned.readers])
    assert found["chance_area"] == pytest.approx(planned.chance_area, abs=1e-6)
    assert found["panel"]["estimate"] == pytest.approx(planned.area.value)
    assert found["panel"]["low"] == pytest.approx(max(0, planned.area.low))
    assert found["panel"]["p"] == pytest.approx(planned.p, rel=1e-3)


def test_raters_who_mark_at_random_are_not_said_to_find_places(cast, stages):
    """Marks anywhere in the picture: no more hits than chance says, nor an area above it."""
    world = make_world(cast.owner, sources=4, edits_per_source=3)
    study = marking_draft(cast, world, {"radius_mm": 5}, cases=CASES, raters=[])
    call_command("simulate_raters", "Trial", "--raters", str(RATERS), verbosity=0)
    stages.open(study)
    call_command("simulate_raters", str(study.pk), "--skill", "0.5", "--seed", "5")
    unblind(study)
    study.refresh_from_db()
    found = places_of(UnblindedStudy(study)).planned
    assert found.panel.p > 0.05
    assert all(one.p_adjusted > 0.05 for one in found.readers if one.p_adjusted is not None)


def test_what_the_plan_freezes(collecting):
    assert collecting.protocol["task"] == {"name": "one_place", "settings": {"mark_with": "synthetic", "radius_mm": 10}}
    assert any("A mark is right within 10 mm" in line for line in collecting.protocol["analysis_plan"]["in_words"])


@pytest.mark.parametrize(
    "wrong", [{"radius_mm": 0}, {"radius_mm": 101}, {"radius_mm": "near"}, {"mark_with": "real"}, {"colour": 1}]
)
def test_a_draft_that_makes_no_sense_is_refused(cast, world, wrong):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        marking_draft(cast, world, wrong).full_clean()


def test_the_preview_shows_a_case_as_raters_will_see_it(cast, world, stages):
    study = marking_draft(cast, world)
    stages.draw(study)
    from readerstudy.reading.preview import session_token

    client = Client()
    client.force_login(cast.owner)
    session = client.get(reverse("reading-api:session", args=[session_token(study)])).json()
    assert session["study"]["mark"] == {"required_with": ["synthetic"], "each": None}
    told = client.get(reverse("reading-api:presentation", args=[session["next"][0]])).json()
    assert told["marker"] is None
