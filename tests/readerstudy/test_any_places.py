"""A study that asks for any number of marked places, from the draft to the report."""

import csv
import io
import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from readerstudy.blinding.lattice import Lattice
from readerstudy.ledger.chain import event_content
from readerstudy.locking.targets import places_in
from readerstudy.models import CaseTruth, RatingEvent
from readerstudy.report.archive import text_files
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.free_response import _Answers, free_response_of
from readerstudy.report.loading import report_data
from readerstudy.report.mark_map import mark_map_of
from readerstudy.report.places import places_of
from readerstudy.tasks.any_places import REASONS
from readerstudy.tasks.registry import task_of
from readerstudy.tasks.task import GivenAnswer
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.marked import places_hit
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world

RATERS, CASES, RADIUS_MM = 3, 12, 5
MARK = {"slice": 1, "row": 3, "column": 5, "confidence": 2, "reason": 1}
OTHER = {**MARK, "row": 9, "confidence": 3, "reason": 4}
STACK = {"display_mode": "stack", "stack_slices": 5, "confidence_levels": 3}
SYNTHETIC = {"answer": "synthetic", "confidence": 3, "marks": [MARK, OTHER]}
NOTHING = {"answer": "real", "confidence": None, "marks": []}


def marking_draft(cast, world, task_settings=None, **more):
    return make_draft(cast, world, task_name="any_places", task_settings=task_settings or {}, **{**STACK, **more})


def any_places(**settings):
    return task_of("any_places", settings, confidence_levels=3)


REFUSED = {
    "a mark beside them": {**SYNTHETIC, "mark": {"slice": 0, "row": 0, "column": 0}},
    "none where some are said": {**SYNTHETIC, "marks": []},
    "some where none are said": {**NOTHING, "marks": [MARK], "confidence": 2},
    "not said at all": {**NOTHING, "marks": None},
    "no such confidence": {**SYNTHETIC, "marks": [{**MARK, "confidence": 4}], "confidence": 4},
    "no such reason": {**SYNTHETIC, "marks": [{**MARK, "reason": 7}], "confidence": 2},
    "the same place twice": {**SYNTHETIC, "marks": [MARK, {**MARK, "reason": 2}], "confidence": 2},
    "too many": {**SYNTHETIC, "marks": [{**MARK, "column": n} for n in range(21)], "confidence": 2},
    "another confidence than the surest": {**SYNTHETIC, "confidence": 2},
    "a level": {**SYNTHETIC, "level": 1},
    "another task's answer": {**SYNTHETIC, "answer": "cannot_tell"},
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED)
def test_answers_that_the_task_does_not_take(given):
    assert any_places().refusal(GivenAnswer(**SYNTHETIC)) is None
    assert any_places().refusal(GivenAnswer(**NOTHING)) is None
    assert any_places().refusal(GivenAnswer(**given)) is not None


@pytest.mark.parametrize(
    "wrong", [{"radius_mm": 0}, {"radius_mm": "near"}, {"reasons": ["one"]}, {"reasons": ["a", "a"]}, {"reasons": "a"}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"[a-z] "):
        any_places(**wrong)
    with pytest.raises(ValueError, match="two levels"):
        task_of("any_places", {}, confidence_levels=1)


def test_edits_apart_are_places_of_their_own_and_edits_together_are_one():
    edited = np.zeros((3, 40, 40), dtype=bool)
    edited[1, 10, 4:7] = edited[1, 10, 12:15] = edited[1, 30, 30] = True
    # 6 mm from column 6 to column 12
    assert places_in(edited, (3.0, 1.0, 1.0), apart_mm=8)[1] == 2
    labels, count = places_in(edited, (3.0, 1.0, 1.0), apart_mm=3)
    assert count == 3
    assert len({labels[1, 10, 5], labels[1, 10, 13], labels[1, 30, 30]}) == 3
    assert (labels > 0).sum() == edited.sum()


def test_where_nobody_marked_anything_a_missing_answer_is_still_missing():
    truths = {code: SimpleNamespace(synthetic=code == "edited", target={}) for code in ("edited", "real")}
    answered = np.array([[True, False], [True, True]])
    given = _Answers(SimpleNamespace(truths=truths), ["edited", "real"], [], answered).within(RADIUS_MM, 0).responses
    assert (~np.isnan(given.scores)).tolist() == answered.tolist()


@pytest.fixture
def collecting(cast, world, stages):
    return stages.open(marking_draft(cast, world))


def test_marks_are_taken_kept_in_the_patient_and_told_to_nobody_else(collecting, cast):
    reader = Browser(cast.rater, collecting)
    asked = reader.standing()["study"]
    assert asked["mark"]["required_with"] == ["synthetic"]
    assert [one["label"] for one in asked["mark"]["each"]["reasons"]] == list(REASONS)
    assert [one["value"] for one in asked["mark"]["each"]["levels"]] == [1, 2, 3]
    first, second, *_ = reader.tokens()
    assert reader.client.get(reverse("reading-api:presentation", args=[first])).json()["marker"] is None
    outside = reader.rate(first, **{**SYNTHETIC, "marks": [MARK, {**OTHER, "row": 52}]})
    assert (outside.status_code, outside.json()["refusal"]["code"]) == (400, "mark_outside")
    for wrong in ([{**MARK, "row": -1}], [{"slice": 1}], {}, [[1, 2, 3]], [{**MARK, "reason": None}]):
        assert reader.rate(first, **{**SYNTHETIC, "marks": wrong}).status_code == 400
    assert not RatingEvent.objects.exists()
    taken = reader.rate(first, **SYNTHETIC)
    assert taken.status_code == 201
    assert taken.json()["previous_answer"]["marks"] == [MARK, OTHER]
    assert "lps" not in json.dumps(taken.json())
    event = RatingEvent.objects.get()
    lattice = Lattice.from_json(event.presentation.stimulus.lattice)
    assert event.marks == [MARK, OTHER]
    assert event.marks_lps_mm == [
        pytest.approx(lattice.to_patient([1, row, 5]), abs=0.006) for row in (MARK["row"], OTHER["row"])
    ]
    assert {"marks", "marks_lps_mm"} <= event_content(event).keys()
    # nothing to mark is an answer of its own, and chained as one
    assert reader.rate(second, **NOTHING).status_code == 201
    nothing = RatingEvent.objects.get(sequence=2)
    assert (nothing.marks, event_content(nothing)["marks"]) == ([], [])
    # the last answer may be changed
    assert reader.rate(second, **SYNTHETIC).status_code == 201
    assert verify(collecting).intact
    event.pk, event.sequence, event.marks_lps_mm = None, 9, None
    event.client_event_id, event.previous_digest = event.presentation.stimulus_id, "x"
    with pytest.raises(IntegrityError, match="ledger_marks_lie_in_the_patient"), transaction.atomic():
        event.save(force_insert=True)
    frozen = collecting.protocol
    assert frozen["task"] == {"name": "any_places", "settings": {"radius_mm": 10, "reasons": list(REASONS)}}
    assert any("A mark is right within 10 mm" in line for line in frozen["analysis_plan"]["in_words"])
    with pytest.raises(ValidationError):
        marking_draft(cast, collecting.datasets.first(), {"radius_mm": 0}).full_clean()


def unblinded_of(cast, stages):
    world = make_world(cast.owner, sources=4, edits_per_source=3)
    settings = {"radius_mm": RADIUS_MM, "reasons": ["Edge", "Texture"]}
    study = marking_draft(cast, world, settings, cases=CASES, raters=[])
    call_command("simulate_raters", "Trial", "--raters", str(RATERS), verbosity=0)
    stages.open(study)
    call_command("simulate_raters", str(study.pk), "--skill", "0.97", "--seed", "5")
    client = Client()
    client.force_login(cast.owner)
    rows = json.loads(client.get(reverse("studies:export-json", args=[study.pk])).getvalue())["ratings"]
    # before the unblinding nobody is told where raters marked: that would say which scan was seen
    assert {name for name in rows[0] if name.startswith("mark")} == {"marks", "marks_confidence", "marks_reason"}
    assert not [name for name in rows[0] if name.endswith("_mm") or name.startswith("place_c")]
    assert client.get(reverse("study-free-response", args=[study.pk])).status_code == 409
    study.refresh_from_db()
    unblinding.close(study=study, actor=study.owner)
    unblinding.unblind(study=study, actor=study.owner, typed_title=study.title)
    study.refresh_from_db()
    return study, client


def rows_in(files, name):
    return list(csv.DictReader(io.StringIO(files[name].decode())))


def test_the_whole_journey(cast, stages, tmp_path):
    study, client = unblinded_of(cast, stages)
    opened = UnblindedStudy(study)
    assert verify(study).intact
    for truth in CaseTruth.objects.filter(case__study=study, synthetic=True):
        assert len(truth.target["place_of_run"]) == len(truth.target["runs"])
        assert sum(shares[0] for shares in truth.target["place_chances"]) >= truth.target["chances"][0] > 0
    found = free_response_of(opened)
    planned = found.planned
    assert places_of(opened).planned is None
    assert [one.radius_mm for one in (planned, *found.others)] == [RADIUS_MM, 2.5, 10]
    assert len(planned.readers) == RATERS
    assert planned.area.value > planned.chance_area + 0.2
    assert planned.p < 0.05
    assert planned.found.low < planned.found.value < planned.found.high
    # what the reading says is what the ledger says
    own = [event for event in opened.first_answers if event.presentation.session.rater.number == 1]
    truths = [opened.truths[event.presentation.stimulus.case.code] for event in own]
    hits = [places_hit(event, truth, RADIUS_MM) for event, truth in zip(own, truths, strict=True)]
    one = next(row for row in planned.readers if row.reader == "1")
    assert one.marks == sum(len(event.marks) for event in own) > 0
    assert one.found == sum(len(set(hit) - {None}) for hit in hits) > 0
    assert one.false_marks == sum(hit.count(None) for hit in hits)
    assert sum(count.on_places + count.beside + count.on_real for count in found.reasons) == sum(
        row.marks for row in planned.readers
    )
    told = client.get(reverse("study-free-response", args=[study.pk])).json()
    assert told["planned"]["area"]["value"] == pytest.approx(planned.area.value)
    # the maps of marks count as the reading does
    arms = {arm.real: arm for arm in mark_map_of(opened).arms}
    on_places = sum(count.on_places for count in found.reasons)
    assert (arms[False].within, len(arms[False].marks)) == (
        on_places,
        on_places + sum(count.beside for count in found.reasons),
    )
    assert {one.reason: (one.on_places, one.beside) for one in arms[False].reasons} == {
        count.reason: (count.on_places, count.beside) for count in found.reasons
    }
    on_real = len(arms[True].marks) if True in arms else 0
    assert on_real == sum(count.on_real for count in found.reasons)
    page = client.get(reverse("studies:results", args=[study.pk])).content.decode()
    assert "Area under weighted AFROC" in page
    assert "Reasons given to marks on edited places" in page
    assert "Commonest reasons" in page
    case = client.get(reverse("studies:case-result", args=[study.pk, truths[0].case.code]))
    assert b"marked" in case.content
    picture = client.get(reverse("studies:case-picture", args=[study.pk, truths[0].case.code]))
    assert picture.status_code == 200
    data = report_data(opened)
    assert "free-response" in {figure.name for figure in figures(data)}
    files = text_files(data)
    assert "Marked places: Within 5 mm" in files["results.txt"].decode()
    assert len(rows_in(files, "free_response.csv")) == 3 * (RATERS + 1)
    assert [row["reason"] for row in rows_in(files, "reasons.csv")] == ["Edge", "Texture"]
    assert {row["reason"] for row in rows_in(files, "reasons_by_arm.csv")} == {"Edge", "Texture"}
    [marked, *_] = [row for row in rows_in(files, "ratings.csv") if row["marks"] != "0"]
    assert len(marked["marks_x_mm"].split(";")) == int(marked["marks"]) == len(marked["marks_place"].split(";"))
    if shutil.which("Rscript"):
        r_agrees(files, planned, tmp_path)


def r_agrees(files, planned, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    done = subprocess.run(["Rscript", "recompute.R"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    task = json.loads(done.stdout)["task"]
    assert task["readers"] == pytest.approx([one.area for one in planned.readers])
    assert task["chance_area"] == pytest.approx(planned.chance_area, abs=1e-6)
    assert task["panel"]["estimate"] == pytest.approx(planned.area.value)
    assert task["panel"]["p"] == pytest.approx(planned.p, rel=1e-3)
